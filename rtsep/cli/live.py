"""``rtsep live``: stems while the music plays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rtsep.cli import parts
from rtsep.cli.left import begun, last_session
from rtsep.cli.measure_latency import measure
from rtsep.cli.options import ModelOption, read_device, read_gains, read_names, read_routes
from rtsep.cli.reading import find_config, read_settings
from rtsep.errors import UsageError
from rtsep.resume import take_session
from rtsep.settings import overlay, stem_overrides

EPILOG = """
**Examples**

`rtsep live song.mp3 --karaoke` plays a song without its voice.

`rtsep live --input "USB Audio" --output "USB Audio" -m 2stems --gain vocals=-12`

`rtsep live --input desktop --karaoke` takes the voice out of whatever other applications play (Linux).

`rtsep live four-stems-eight-outputs.yaml --input device:system` with settings that come with rtsep; others are karaoke,
karaoke-with-microphone and live.

`rtsep live --measure-latency --input "USB Audio" --output "USB Audio"` with a cable from output 1 to input 1.

`rtsep live song.mp3 --web 0.0.0.0:8737` shows a mixer in the browser, also on the phone that reads the code.

`rtsep live --resume` goes on where the last session was left.

`rtsep live song.flac --clock free --record takes --output mix.wav` runs as fast as it can.

A path that exists or ends like an audio file is a file, `desktop` is what other applications play, anything else is
a device; `file:` and `device:` decide. With the desktop, `--output` names a sink of PulseAudio or PipeWire.
`rtsep devices` shows the devices. Keys are shown while it runs; q or Ctrl-C ends it.
"""

PLACE = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]*):\d+")

MIX = "Mix"
PLACES = "Places"
HANDS = "Hands"

SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SONG|CONFIG.yaml", help="A file to play, settings, or one of each."),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "-i", "--input", metavar="DEVICE|FILE|desktop", help="What is taken apart.", rich_help_panel=PLACES
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="DEVICE|FILE", help="Where the mix goes.", rich_help_panel=PLACES),
]
KaraokeOption = Annotated[bool, typer.Option("--karaoke", help="Mute the vocals.", rich_help_panel=MIX)]
AcapellaOption = Annotated[bool, typer.Option("--acapella", help="The vocals alone.", rich_help_panel=MIX)]
DrumlessOption = Annotated[bool, typer.Option("--drumless", help="Mute the drums.", rich_help_panel=MIX)]
GainOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gain",
        metavar="STEM=DB",
        help="Like vocals=-12,drums=3; -inf is silence. May be repeated.",
        rich_help_panel=MIX,
    ),
]
MuteOption = Annotated[
    list[str] | None, typer.Option("--mute", metavar="STEM", help="Like vocals,drums.", rich_help_panel=MIX)
]
SoloOption = Annotated[
    list[str] | None, typer.Option("--solo", metavar="STEM", help="Only these sound.", rich_help_panel=MIX)
]
RouteOption = Annotated[
    list[str] | None,
    typer.Option(
        "--route",
        metavar="STEM=CHANNELS",
        help="To outputs of its own, like vocals=3,4,drums=5,6. May be repeated.",
        rich_help_panel=MIX,
    ),
]
RecordOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Keep every stem, the mixture and the mix; a second take goes to DIR/take-2.",
        rich_help_panel=PLACES,
    ),
]
RecordFormatOption = Annotated[
    str | None,
    typer.Option(
        metavar="wav|flac", help="Of the recording, 24 bits; FLAC is smaller.", rich_help_panel=PLACES
    ),
]
ClockOption = Annotated[
    str | None,
    typer.Option(
        metavar="device|real|free",
        help="Whose time: the card's, the wall's, or as fast as it can. Else the card's; the wall's if both ends are "
        "files.",
    ),
]
UpdateOption = Annotated[
    str | None,
    typer.Option(
        "--update-hops",
        metavar="N|auto",
        help="Hops between updates: more saves work, costs latency. auto: as measured.",
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|float32|tf32|float16|bfloat16",
        help="Of the networks. auto: as measured. tf32 and float16 are for GPUs.",
    ),
]
ContextOption = Annotated[
    int | None,
    typer.Option("--context", metavar="FRAMES", help="Let the networks see no more; else all of the past."),
]
LatencyOption = Annotated[
    str | None,
    typer.Option(
        metavar="quality|balanced|low|MS",
        help="From input to output. Else quality for a file, balanced for a card.",
    ),
]
LookaheadOption = Annotated[
    int | None,
    typer.Option("--lookahead", metavar="FRAMES", help="Future to wait for: better masks, more latency."),
]
PlaceOption = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where the networks run; auto takes a GPU if any."
    ),
]
StatsOption = Annotated[
    str | None,
    typer.Option(
        "--stats-json",
        metavar="FILE",
        help="Write latency, load, late blocks and what went wrong at each surface there at the end.",
    ),
]
MeasureOption = Annotated[
    bool,
    typer.Option(
        "--measure-latency",
        help="Play no music, but eight bursts of white noise, and find out what the card itself adds, through a cable "
        "from its output to its input. Turn loudspeakers off before.",
    ),
]
WebOption = Annotated[
    bool,
    typer.Option(
        "--web",
        help="A mixer in the browser. With HOST:PORT behind it, like 0.0.0.0:8737, also for other machines, by a link "
        "that the start shows.",
        rich_help_panel=HANDS,
    ),
]
KeysOption = Annotated[
    bool, typer.Option("--no-keys", help="Leave the keyboard alone.", rich_help_panel=HANDS)
]
FreshOption = Annotated[
    bool,
    typer.Option(
        "--fresh",
        help="Begin with what CONFIG.yaml says, not as its last session was left.",
        rich_help_panel=MIX,
    ),
]
MidiOption = Annotated[
    list[str] | None,
    typer.Option(
        "--midi",
        metavar="auto|MAP|PORT",
        help="MIDI controllers: all that have a map, those of one map, or a port by a part of its name.",
        rich_help_panel=HANDS,
    ),
]
OscOption = Annotated[
    str | None,
    typer.Option(
        "--osc",
        metavar="[HOST:]PORT",
        help="Listen for OSC there; without a host on this machine only.",
        rich_help_panel=HANDS,
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the last session, whatever it was: its input, model, latency and mix, and the place in the "
        "song. Other options go before what it had.",
    ),
]
GoOnOption = Annotated[Path | None, typer.Option(hidden=True)]  # for `rtsep.cli.again`


def live(
    sources: SourcesArgument = None,
    model: ModelOption = None,
    input_: InputOption = None,
    output: OutputOption = None,
    karaoke: KaraokeOption = False,
    acapella: AcapellaOption = False,
    drumless: DrumlessOption = False,
    gain: GainOption = None,
    mute: MuteOption = None,
    solo: SoloOption = None,
    route: RouteOption = None,
    record: RecordOption = None,
    record_format: RecordFormatOption = None,
    clock: ClockOption = None,
    update_hops: UpdateOption = None,
    latency: LatencyOption = None,
    lookahead: LookaheadOption = None,
    context: ContextOption = None,
    precision: PrecisionOption = None,
    device: PlaceOption = None,
    stats_json: StatsOption = None,
    web: WebOption = False,
    no_keys: KeysOption = False,
    osc: OscOption = None,
    midi: MidiOption = None,
    fresh: FreshOption = False,
    measure_latency: MeasureOption = False,
    resume: ResumeOption = False,
    go_on: GoOnOption = None,
) -> None:
    """Take music apart while it plays, and mix it: a file, a card, or both."""
    if go_on is not None:
        parts.go_on(take_session(go_on))
        return
    if stats_json == "":
        raise UsageError('--stats-json "": the name is empty. Name a file, like stats.json, or leave it out.')
    if device is not None:
        read_device(device)
    words, web_tree = take_web(sources or [], wanted=web)
    song, config = read_sources(words)
    if song is not None and input_ is not None:
        raise UsageError(f"two inputs are named, {song!r} and --input {input_!r}; give one of them")
    schedule = {
        "update_hops": int(update_hops) if update_hops and update_hops.isdecimal() else update_hops,
        "latency": read_latency(latency),
        "lookahead_frames": lookahead,
        "context_frames": context,
        "precision": precision,
    }
    options: dict[str, dict[str, Any]] = {
        "input": {"source": song or input_},
        "model": {"name": model, "device": device, **schedule},
        "output": {"sink": output, "record": record, "record_format": record_format, "clock": clock},
        "control": {
            "stats_json": stats_json,
            "keys": False if no_keys else None,
            "web": web_tree,
            "osc": {"listen": local(osc)} if osc is not None else None,
            "midi": {"use": midi} if midi else None,
        },
    }
    preset = choose_preset(karaoke=karaoke, acapella=acapella, drumless=drumless)
    mix = read_mix(preset, gain or [], mute or [], solo or [], route or [])
    tree = overlay(given(options), mix)
    if resume:
        check_alone(words, **{"--fresh": fresh, "--measure-latency": measure_latency})
        parts.run(last_session(tree))
    elif measure_latency:
        measure(read_settings(config, tree))
    else:
        parts.run(begun(config, tree, fresh=fresh))


def check_alone(words: Sequence[str], **others: bool) -> None:
    """Refuse what `--resume` has from the last session, and what makes no sense beside it.

    Raises
    ------
    UsageError
        There is something of that.
    """
    for word in [*words, *(name for name, is_given in others.items() if is_given)]:
        raise UsageError(f"--resume goes on with the last session as it was: leave out {word!r}, or --resume")


def local(place: str) -> str:
    """A place on a net; a port alone is one of this machine."""
    return f"127.0.0.1:{place}" if place.isdecimal() else place


def take_web(words: Sequence[str], *, wanted: bool) -> tuple[list[str], dict[str, Any] | None]:
    """The words without an option but HOST:PORT, if the web mixer is wanted; and its settings, if it is.

    It stands among them, since what follows `--web` may as well be the song.
    """
    places = [word for word in words if PLACE.fullmatch(word) and not Path(word).exists()]
    if not wanted:
        return list(words), None
    if len(places) > 1:
        raise UsageError(f"--web: two places are named, {places[0]} and {places[1]}; give one")
    rest = [word for word in words if word not in places]
    return rest, {"listen": places[0]} if places else {}


def read_latency(text: str | None) -> float | str | None:
    """Milliseconds, with or without their unit, or a name for the settings to judge."""
    try:
        return float((text or "").removesuffix("ms"))
    except ValueError:
        return text


def read_mix(
    preset: str | None,
    gains: Sequence[str],
    mutes: Sequence[str],
    solos: Sequence[str],
    routes: Sequence[str],
) -> dict[str, Any]:
    """What the options say of stems, as a tree of settings."""
    return stem_overrides(
        preset=preset,
        gains_db=read_gains(gains),
        mutes=read_names(mutes),
        solos=read_names(solos),
        routes=read_routes(routes),
    )


def given(options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The options that were given, in groups."""
    return {
        group: {key: value for key, value in values.items() if value is not None}
        for group, values in options.items()
    }


def read_sources(sources: Sequence[str]) -> tuple[str | None, Path | None]:
    """The song and the settings among the words without an option.

    Raises
    ------
    UsageError
        There are two of a kind, or a name is empty.
    """
    configs = [text for text in sources if text.lower().endswith((".yaml", ".yml"))]
    songs = [text for text in sources if text not in configs]
    for kind, texts in (("songs", songs), ("settings files", configs)):
        if len(texts) > 1:
            raise UsageError(f"two {kind} are named, {texts[0]!r} and {texts[1]!r}; `live` plays one")
    if "" in songs:
        raise UsageError("the name of the song is empty, ''. Name a file, like song.mp3, or leave it out.")
    if songs and not songs[0].startswith(("file:", "device:")) and not Path(songs[0]).is_file():
        if Path(songs[0]).is_dir():
            raise UsageError(f"{songs[0]!r} is a folder; `live` plays one file. Name one in it.")
        raise UsageError(f"there is no file {songs[0]!r}. A device is named with --input {songs[0]!r}.")
    return (songs[0] if songs else None), (find_config(configs[0]) if configs else None)


def choose_preset(**wanted: bool) -> str | None:
    """The one preset that is asked for.

    Raises
    ------
    UsageError
        Two are.
    """
    names = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(names) > 1:
        raise UsageError(
            f"--{names[0]} and --{names[1]} are two mixes; give one, and --mute or --solo beside it"
        )
    return names[0] if names else None
