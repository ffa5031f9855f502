"""``rtsep live``: stems while the music plays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rtsep.cli.console import getting_ready, say
from rtsep.cli.measure_latency import measure
from rtsep.cli.options import ModelOption, read_device, read_gains, read_names, read_routes
from rtsep.cli.play import play
from rtsep.config import read_yaml
from rtsep.control.keys import Keyboard
from rtsep.errors import ConfigError, UsageError
from rtsep.settings import LiveSettings, overlay, stem_overrides

EPILOG = """
**Examples**

`rtsep live song.mp3 --karaoke` plays a song without its voice.

`rtsep live --input "USB Audio" --output "USB Audio" -m 2stems --gain vocals=-12`

`rtsep live --input desktop --karaoke` takes the voice out of whatever other applications play (Linux).

`rtsep live configs/four-stems-eight-outputs.yaml --input device:system`

`rtsep live --measure-latency --input "USB Audio" --output "USB Audio"` with a cable from output 1 to input 1.

`rtsep live song.flac --clock free --record takes --output mix.wav` runs as fast as it can.

A path that exists or ends like an audio file is a file, `desktop` is what other applications play, anything else is
a device; `file:` and `device:` decide. With the desktop, `--output` names a sink of PulseAudio or PipeWire.
`rtsep devices` shows the devices. Keys are shown while it runs; q or Ctrl-C ends it.
"""

#: Patterns of keys of the settings, and the options that set them.
OPTION_OF = {
    r"input\.source": "--input",
    r"model\.name": "--model",
    r"model\.update_hops": "--update-hops",
    r"model\.latency": "--latency",
    r"model\.lookahead_frames": "--lookahead",
    r"model\.context_frames": "--context",
    r"model\.precision": "--precision",
    r"mixer\.stems\.(\S+)\.gain_db": r"--gain \1",
    r"mixer\.stems\.(\S+)\.route": r"--route \1",
    r"output\.sink": "--output",
    r"output\.record": "--record",
    r"output\.record_format": "--record-format",
    r"output\.clock": "--clock",
    r"control\.stats_json": "--stats-json",
}

MIX = "Mix"
PLACES = "Places"

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
    typer.Option("--gain", metavar="STEM=DB", help="Like vocals=-12; -inf is silence.", rich_help_panel=MIX),
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
        help="To outputs of its own, like vocals=3,4.",
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
        help="Whose time: the card's, the wall's, or as fast as it can. Else the card's if there is one.",
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
        "--stats-json", metavar="FILE", help="Write latency, load and late blocks there at the end."
    ),
]
MeasureOption = Annotated[
    bool,
    typer.Option(
        "--measure-latency",
        help="Play nothing, but find out what the card itself adds, through a cable from its output to its input.",
    ),
]
KeysOption = Annotated[bool, typer.Option("--no-keys", help="Leave the keyboard alone.")]


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
    no_keys: KeysOption = False,
    measure_latency: MeasureOption = False,
) -> None:
    """Take music apart while it plays, and mix it: a file, a card, or both."""
    if stats_json == "":
        raise UsageError('--stats-json "": the name is empty. Name a file, like stats.json, or leave it out.')
    if device is not None:
        read_device(device)
    song, config = read_sources(sources or [])
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
        "control": {"stats_json": stats_json, "keys": False if no_keys else None},
    }
    preset = choose_preset(karaoke=karaoke, acapella=acapella, drumless=drumless)
    mix = read_mix(preset, gain or [], mute or [], solo or [], route or [])

    def read_settings() -> LiveSettings:
        settings = read_yaml(config, LiveSettings) if config else LiveSettings()
        try:
            return settings.with_overrides(overlay(given(options), mix))
        except ConfigError as error:
            raise UsageError(name_options(str(error))) from None

    if measure_latency:
        measure(read_settings())
    else:
        run(read_settings(), read_settings if config is not None else None)


def read_latency(text: str | None) -> float | str | None:
    """Milliseconds, with or without their unit, or a name for the settings to judge."""
    try:
        return float((text or "").removesuffix("ms"))
    except ValueError:
        return text


def name_options(text: str) -> str:
    """A complaint of the settings about the options: with their names in place of those of the keys."""
    for key, option in OPTION_OF.items():
        text = re.sub(rf"\b{key}(\.\d+)?(?=[: ])", option, text)
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


def run(settings: LiveSettings, read_settings: Callable[[], LiveSettings] | None = None) -> None:
    """Play a session and leave its account; `read_settings` gives its settings anew if they stand in a file."""
    check_source(settings)
    with Keyboard(settings.control.keys):  # now: what is typed while the model is loaded is not echoed
        from rtsep.host import Host
        from rtsep.io.feedback import WARNING, may_howl

        if settings.model.name is None:
            from rtsep.zoo import default_model

            say(default_model()[1])
        with getting_ready():
            host = Host(settings)
        for line in odd_wishes(settings):
            say(line)
        if not settings.input.endpoint.is_desktop and may_howl(*host.cards):
            say(WARNING)
        control = settings.control
        play(host, keys=control.keys, stats_json=control.stats_json, read_settings=read_settings)
    host.check()


def odd_wishes(settings: LiveSettings) -> Iterator[str]:
    """What can be done but is hardly meant, each in a line."""
    output = settings.output
    is_kept = output.endpoint.is_file or output.record is not None
    if output.clock in ("real", "free") and not is_kept:
        yield f"--clock {output.clock} plays on no card: nothing is heard or kept without --output or --record."
    for name, stem in settings.mixer.stems.items():
        if stem.mute and stem.solo:
            yield f"{name} is muted and soloed: mute wins, so it is silent."


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
        There are two of a kind.
    """
    configs = [text for text in sources if text.lower().endswith((".yaml", ".yml"))]
    songs = [text for text in sources if text not in configs]
    for kind, texts in (("songs", songs), ("settings files", configs)):
        if len(texts) > 1:
            raise UsageError(f"two {kind} are named, {texts[0]!r} and {texts[1]!r}; `live` plays one")
    if songs and not songs[0].startswith(("file:", "device:")) and not Path(songs[0]).is_file():
        if Path(songs[0]).is_dir():
            raise UsageError(f"{songs[0]!r} is a folder; `live` plays one file. Name one in it.")
        raise UsageError(f"there is no file {songs[0]!r}. A device is named with --input {songs[0]!r}.")
    return (songs[0] if songs else None), (Path(configs[0]) if configs else None)


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


def check_source(settings: LiveSettings) -> None:
    """Refuse a file that is missing.

    Raises
    ------
    UsageError
        The input file is; perhaps a device was meant.
    """
    source = settings.input.endpoint
    if source.is_file and not source.path.is_file():
        raise UsageError(f"there is no file {source.name!r}; `device:{source.name}` would mean a device")
