from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from rtsep.cli import app
from rtsep.cli.demo import CYCLE_S, VoiceFader, voice_gain_db
from rtsep.cli.interrupts import interruptible
from rtsep.cli.live import EPILOG, read_sources
from rtsep.cli.options import read_gains, read_names, read_routes, read_time_s
from rtsep.cli.parts import run
from rtsep.cli.play import write_stats
from rtsep.cli.reading import read_settings
from rtsep.cli.separate import BITRATE_HELP
from rtsep.control.terminal.hands import Hands
from rtsep.errors import AudioFileError, DeviceError, UsageError
from rtsep.io.encode import CODECS
from rtsep.io.files import AudioWriter, read_audio
from rtsep.nets.unet import SeparationNet
from rtsep.resume import Session
from rtsep.settings import LiveSettings
from rtsep.transport import Transport
from rtsep.zoo import ModelCard, NetworkCard, write_folder

RATE_HZ = 44100
PLAIN = {"TERM": "dumb", "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one narrow network with random weights: vocals, and the rest as its complement."""
    path = tmp_path_factory.mktemp("models") / "narrow"
    network = NetworkCard(instruments=("vocals",), conv_n_filters=(1, 1, 1, 1, 1, 1))
    card = ModelCard(name="narrow", stems=("vocals", "accompaniment"), n_frames=64, network=network)
    write_folder(path, card, SeparationNet(network.instruments, network.unet).state_dict())
    return path


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise."""
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, (2, 2 * RATE_HZ)).astype(np.float32)
    with AudioWriter(path, RATE_HZ, 2) as writer:
        writer.write(noise)
    return path


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)


def rtsep(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words], env=PLAIN)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


# ------------------------------------------------------------------ help


@pytest.mark.parametrize(
    "words",
    [[], ["demo"], ["live"], ["separate"], ["devices"], ["recover"], ["train"], ["models"]]
    + [["models", name] for name in ("list", "info", "pull", "convert", "remove")]
    + [["midi", *name] for name in ([], ["list"], ["monitor"], ["learn"], ["check"])],
    ids=" ".join,
)
def test_help_is_there(words: list[str]) -> None:
    result = rtsep(*words, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert rtsep(*words, "-h").stdout == result.stdout


def test_help_names_what_there_is() -> None:
    text = rtsep("live", "--help").stdout
    for option in (
        "--karaoke",
        "--gain",
        "--route",
        "--record",
        "--record-format",
        "--clock",
        "--stats-json",
        "-p",
        "Examples",
    ):
        assert option in text
    text = rtsep("separate", "--help").stdout
    for option in ("--filename-format", "--codec", "--bitrate", "--subtype", "--offset", "--stems", "--mask"):
        assert option in text


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from rtsep.cli import app; app(['--version'], standalone_mode=False);"
        "heavy = {'torch', 'numba', 'scipy', 'av', 'sounddevice'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rtsep ")


# ------------------------------------------------------------------ used wrongly: 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("live --gian vocals=3", "--gain"),
        ("live song.wav --gain vocals", "--gain vocals: write stem=value, like --gain vocals=-12"),
        ("live song.wav --gain vocals=-1,5", "--gain vocals=-1,5: write stem=value"),
        ("live song.wav --gain vocals=loud", "--gain vocals=loud: write stem=value"),
        ("live song.wav --gain vocals=nan", "--gain vocals=nan: write stem=value"),
        ("live song.wav --gain vocals=40", "--gain vocals: must be less than or equal to 24"),
        ("live song.wav --route vocals=left", "like --route vocals=3,4"),
        (
            "live song.wav --route vocals=1,2,3",
            "--route vocals: must have at most 2 values (given: (1, 2, 3))",
        ),
        ("live song.wav --route vocals=0", "--route vocals: must be greater than or equal to 1 (given: 0)"),
        ("live song.wav --clock fast", "--clock: must be 'device', 'real' or 'free' (given: 'fast')"),
        ("live song.wav --input other.wav", "two inputs are named, 'song.wav' and --input 'other.wav'"),
        ("live song.wav song.wav", "two songs are named"),
        ("live .", "'.' is a folder; `live` plays one file"),
        ("live song.wav --device USB-Audio", "A sound card is named with --input and --output"),
        ("live a.yaml b.yml", "two settings files are named"),
        ("live missing.mp3", "there is no file 'missing.mp3'"),
        (
            "live --input missing.mp3",
            "there is no file 'missing.mp3'; `device:missing.mp3` would mean a device",
        ),
        ("live song.wav --output song.wav", "is input and output"),
        ("live song.wav --clock free -o mix.wav --stats-json song.wav", "would replace the music"),
        ("live song.wav --clock free -o mix.wav --stats-json ./mix.wav", "would replace the music"),
        ("live song.wav --clock free -o file:mix --stats-json mix", "would replace the music"),
        (
            "live song.wav --clock free --record takes --stats-json takes/mixture.wav",
            "would replace the music",
        ),
        (
            "live song.wav --clock free --record takes --stats-json takes/session.yaml",
            "would replace the account of the recording",
        ),
        ("live song.wav --record-format mp3", "--record-format: must be 'wav' or 'flac' (given: 'mp3')"),
        ("recover missing", "there is no folder 'missing'"),
        ("live song.wav --karaoke --drumless", "--karaoke and --drumless are two mixes"),
        ("live bad.yaml", "unknown key 'mixer.rmap_ms'; did you mean 'ramp_ms'?"),
        ("live missing.yaml", "missing.yaml: No such file"),
        (
            "live song.wav --clock free --drumless -m {model}",
            "narrow makes no stem 'drums'; it makes vocals, acc",
        ),
        ("live song.wav --clock free --solo vocal -m {model}", "Did you mean 'vocals'?"),
        ("separate", "Missing argument"),
        ("separate song.wav --mwf", "--mwf: multichannel Wiener filtering comes with a later version"),
        ("separate song.wav -s soon -m {model}", "'soon' is no time"),
        ("separate song.wav -c mp5 -m {model}", "mp5"),
        ("separate song.wav --stems drums -m {model}", "drums"),
        ("separate song.wav --mask soft -m {model}", "soft"),
        ("separate song.wav -f {{filename}} -m {model}", "put {instrument} into the format"),
        ("models pull 2stems --from missing.tar.gz", "missing.tar.gz cannot be read"),
        ("models pull 2stem", "Did you mean '2stems'?"),
        (
            "song.wav --karaoke",
            "'song.wav' is a song, and before it comes what to do with it: `rtsep live song.wav`",
        ),
        ("models pull 3stems", "'3stems' is not among the published models"),
        ("models remove folder", "'folder' is not the name of an installed model"),
        ("models remove ../2stems", "not the name of an installed model"),
        ("models", "Usage"),
        ("train -p bad.yaml -d . --device tpu", "--device tpu: there are auto, cpu, cuda"),
        ("train -p bad.yaml -d .", "bad.yaml"),
        ("train -p bad.yaml", "Missing option"),
        ("demo missing.mp3", "there is no file 'missing.mp3'"),
        ("demo folder", "'folder' is a folder"),
        ("dance", "No such command 'dance'"),
    ],
)
def test_what_is_used_wrongly_is_said_and_exits_with_2(
    words: str, message: str, model: Path, song: Path, tmp_path: Path
) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    (tmp_path / "bad.yaml").write_text("mixer: {rmap_ms: 3}\n")
    (tmp_path / "folder").mkdir()
    result = rtsep(*words.format(model=model).split())
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert not {path.name for path in tmp_path.iterdir()} - {"song.wav", "bad.yaml", "folder", "models"}, (
        "nothing is begun"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-c mp33 song.wav", "the codec 'mp33' is not known"),
        ("-d 0 song.wav", "the duration is 0.0 s"),
        ("-f {song} song.wav", "placeholders are {filename}"),
        ("song.wav song.wav", "song.wav is given twice"),
    ],
)
def test_what_needs_no_model_is_refused_before_one_is_looked_for(words: str, message: str) -> None:
    result = rtsep("separate", "-m", "no-such-model", *words.split())
    assert result.exit_code == 2
    assert message in result.stderr


# ------------------------------------------------------------------ failed: 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("models info nothing", "there is no model 'nothing'"),
        ("models remove 2stems", "2stems"),
        ("models convert . somewhere", "holds no checkpoint of Spleeter"),
        ("separate -m nothing song.wav", "there is no model 'nothing'"),
        ("live -m nothing --clock free song.wav", "there is no model 'nothing'"),
    ],
)
def test_what_fails_is_said_and_exits_with_1(words: str, message: str, song: Path, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    result = rtsep(*words.split())
    assert result.exit_code == 1, result.output
    assert f"error: {message}" in result.output or message in result.stderr
    assert "Traceback" not in result.output


def test_messages_with_brackets_are_printed_as_they_are(song: Path) -> None:
    assert "[red]x[/] does not exist" in rtsep("separate", "-m", "[red]x[/]", song).stderr


# ------------------------------------------------------------------ done: 0


def test_separate_writes_stems_and_names_them_on_a_pipe(model: Path, song: Path, tmp_path: Path) -> None:
    result = rtsep("separate", "-m", model, "-o", "stems", "-s", "0:00.5", "-d", "1", "-c", "flac", song)
    assert result.exit_code == 0, result.output
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert [path.as_posix() for path in paths] == ["stems/song/vocals.flac", "stems/song/accompaniment.flac"]
    assert all(read_audio(tmp_path / path)[0].shape == (2, RATE_HZ) for path in paths)
    assert "real time" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the name is not allowed there")
def test_a_pipe_that_lacks_a_letter_does_not_end_the_work(model: Path, song: Path, tmp_path: Path) -> None:
    shutil.copyfile(song, tmp_path / "\u6b4c.wav")
    code = "from rtsep.cli import main; main()"
    words = [sys.executable, "-c", code, "separate", "-m", str(model), "\u6b4c.wav"]
    env = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(words, capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == b"separated/\\u6b4c/vocals.wav"


def test_one_bad_file_fails_the_command_but_not_the_others(model: Path, song: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"this is not music")
    result = rtsep("separate", "-m", model, "broken.wav", song)
    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert (tmp_path / "separated" / "song" / "vocals.wav").is_file()


def test_names_that_the_system_refuses_do_not_stop_the_others(
    model: Path, song: Path, tmp_path: Path
) -> None:
    result = rtsep("separate", "-m", model, f"{'x' * 300}.wav", song)
    assert result.exit_code == 1
    assert "File name too long" in result.stderr
    assert (tmp_path / "separated" / "song" / "vocals.wav").is_file()
    for name in ("{filename}/" + "y" * 250 + "{instrument}.wav", "y" * 300 + "/{instrument}.wav"):
        result = rtsep("separate", "-m", model, "-o", "long", "-f", name, song)
        assert result.exit_code == 1
        assert "File name too long" in result.stderr
        assert not (tmp_path / "long").exists()


@pytest.mark.parametrize("words", ["live", "live -i", "demo", "live song.wav -m", "models info"])
def test_names_that_are_too_long_are_told_everywhere(words: str, song: Path, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    result = rtsep(*words.split(), f"{'x' * 300}.mp3")
    assert result.exit_code == 1
    assert "xx.mp3: File name too long" in result.stderr


def test_live_without_a_clock_writes_the_mix_and_its_account(model: Path, song: Path, tmp_path: Path) -> None:
    words = [
        "-p",
        model,
        "--clock",
        "free",
        "-o",
        "mix.wav",
        "--record",
        "takes",
        "--stats-json",
        "stats.json",
    ]
    result = rtsep("live", song, *words, "--gain", "vocals=-inf", "--mute", "accompaniment")
    assert result.exit_code == 0, result.output
    mix, sample_rate_hz = read_audio(tmp_path / "mix.wav")
    assert sample_rate_hz == RATE_HZ
    assert mix.shape[1] == 2 * RATE_HZ
    assert (tmp_path / "takes" / "vocals.wav").is_file()
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["n_late_blocks"] == 0
    assert stats["settings"]["mixer"]["stems"]["vocals"]["gain_db"] == "-inf"
    assert stats["latency_total_ms"] == pytest.approx(sum(stats["latency_ms"].values()))
    assert "Latency " in result.stderr


@pytest.mark.parametrize("path", ["missing/stats.json", ".", "song.wav/stats.json"])
def test_an_account_that_has_no_place_is_refused_before_the_music(
    path: str, model: Path, song: Path, tmp_path: Path
) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    result = rtsep("live", "song.wav", "-m", model, "--clock", "free", "-o", "mix.wav", "--stats-json", path)
    assert result.exit_code == 2
    assert f"--stats-json {path}: " in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--clock free", "--clock free plays on no card: nothing is heard or kept"),
        ("--clock free -o mix.wav --karaoke --solo vocals", "vocals is muted and soloed: mute wins"),
    ],
)
def test_a_wish_that_is_hardly_meant_is_told(words: str, message: str, model: Path, song: Path) -> None:
    result = rtsep("live", song, "-m", model, *words.split())
    assert result.exit_code == 0
    assert message in result.stderr
    sane = rtsep("live", song, "-m", model, "--clock", "free", "-o", "mix.wav", "--solo", "vocals")
    assert message not in sane.stderr


def test_without_a_card_the_command_that_works_is_named(
    monkeypatch: pytest.MonkeyPatch, model: Path, song: Path
) -> None:
    monkeypatch.setattr("rtsep.io.cards.list_cards", list)
    result = rtsep("live", song, "-m", model, "--karaoke")
    assert result.exit_code == 1
    assert "there is no sound card with outputs" in result.stderr
    assert "add `--clock real --output mix.wav`" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_what_is_typed_while_a_model_is_loaded_is_not_echoed(
    monkeypatch: pytest.MonkeyPatch, model: Path, song: Path
) -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r+b", buffering=0) as terminal:
        monkeypatch.setattr("sys.__stdin__", terminal)
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("sys.__stdout__", terminal)
        echoes: list[bool] = []

        def load(settings: LiveSettings, loaded: None) -> None:
            echoes.append(bool(termios.tcgetattr(theirs)[3] & termios.ECHO))
            raise UsageError("enough")

        monkeypatch.setattr("rtsep.host.Host", load)
        changes = {"input": {"source": str(song)}, "model": {"name": str(model)}}
        session = Session.begin(LiveSettings().with_overrides(changes))
        with pytest.raises(UsageError):
            run(session)
        assert echoes == [False]
        assert termios.tcgetattr(theirs)[3] & termios.ECHO
    os.close(ours)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["song.wav", "--stats-json", ""], "the name is empty"), ([""], "song is empty, ''")],
)
def test_what_has_no_name_is_refused(words: list[str], message: str) -> None:
    result = rtsep("live", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_options_go_before_the_settings_file(model: Path, song: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"model: {{name: {model}, update_hops: 8}}\noutput: {{clock: free}}\ncontrol: {{stats_json: stats.json}}\n"
    )
    result = rtsep("live", "mine.yaml", song, "--update-hops", "4", "--karaoke")
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "stats.json").read_text())["settings"]
    assert settings["model"]["update_hops"] == 4
    assert settings["model"]["name"] == str(model)
    assert settings["mixer"]["stems"]["vocals"]["mute"] is True


def test_the_demo_composes_plays_and_keeps(model: Path, song: Path, tmp_path: Path) -> None:
    result = rtsep("demo", "-m", model, "--seconds", "2", "--clock", "free")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "demo-out").iterdir()} == {
        *("demo-song.wav", "mixture.wav", "mix.wav", "vocals.wav", "accompaniment.wav", "session.yaml")
    }
    assert "Listen" in result.stderr
    (tmp_path / "demo-out" / "mine.wav").touch()
    again = rtsep("demo", song, "-m", model, "--seconds", "1", "--clock", "free")
    assert again.exit_code == 0, again.output
    for said, folder in ((result, Path("demo-out")), (again, Path("demo-out/take-2"))):
        names = ("mixture.wav", "vocals.wav", "accompaniment.wav", "mix.wav")
        assert said.stdout.split()[-4:] == [str(folder / name) for name in names], "what was made, no more"
        assert (tmp_path / folder / "mix.wav").is_file()


def test_the_demo_runs_without_a_card_that_does_not_open(
    model: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, direction: str) -> None:
        raise DeviceError("the card is in use")

    monkeypatch.setattr("rtsep.io.cards.has_output", lambda: True)
    monkeypatch.setattr("rtsep.ends.find_card", refuse)
    result = rtsep("demo", song, "-m", model, "--seconds", "1")
    assert result.exit_code == 0, result.output
    assert "the card is in use" in result.stderr
    assert "on a clock of its own" in result.stderr
    assert (tmp_path / "demo-out" / "mix.wav").is_file()
    asked = rtsep("demo", song, "-m", model, "--seconds", "1", "--clock", "device")
    assert asked.exit_code == 1
    assert "error: the card is in use" in asked.stderr


def test_a_card_that_is_not_there_is_no_reason_to_warn_of_it() -> None:
    result = rtsep("live", "-i", "device:nothing", "-o", "device:nothing")
    assert result.exit_code == 1
    assert "microphone" not in result.stderr


def test_a_session_whose_input_breaks_leaves_its_account(
    model: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Transport, until: int) -> None:
        raise AudioFileError("the disk was pulled out")

    monkeypatch.setattr(Transport, "fill", fail)
    words = ["live", song, "-m", model, "--clock", "real", "--stats-json", "stats.json"]
    result = rtsep(*words)
    assert result.exit_code == 1
    assert "error: the disk was pulled out" in result.stderr
    assert "late blocks 0 of 0" in result.stderr
    assert json.loads((tmp_path / "stats.json").read_text())["n_blocks"] == 0


def test_the_demo_says_who_moves_the_fader_until_a_hand_does() -> None:
    strip = SimpleNamespace(gain_db=0.0)
    mix = SimpleNamespace(
        state={"vocals": strip}, set_gain_db=lambda stem, gain_db: setattr(strip, "gain_db", gain_db)
    )
    transport = SimpleNamespace(position_s=CYCLE_S[0] + 1, duration_s=100.0)
    hands, host = Hands(), SimpleNamespace(stems=("vocals",), mix=mix, transport=transport)
    fader = VoiceFader(host, None)
    fader.turn(hands)
    assert strip.gain_db < 0
    assert hands.message == "the demo moves vocals; left and right take the fader over"
    strip.gain_db = -3.0
    fader.turn(hands)
    assert (strip.gain_db, hands.message) == (-3.0, "")


def test_the_demo_takes_the_listeners_song(model: Path, song: Path, tmp_path: Path) -> None:
    result = rtsep("demo", song, "-m", model, "--clock", "free", "-o", "out")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "out" / "demo-song.wav").exists()
    assert (tmp_path / "out" / "mix.wav").is_file()


def test_models_are_listed_shown_and_removed(model: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(model)
    listed = rtsep("models", "list")
    assert "mine" in listed.stdout
    assert "vocals, accompaniment" in listed.stdout
    assert "rtsep models pull" in listed.stderr
    shown = rtsep("models", "info", "mine")
    assert shown.exit_code == 0
    assert "sha256" in shown.stdout
    assert "conv_n_filters: 1, 1, 1, 1, 1, 1" in shown.stdout
    assert "{" not in shown.stdout
    assert rtsep("models", "remove", "mine").exit_code == 0
    assert "mine" not in rtsep("models", "list").stdout


def test_damaged_weights_are_found_by_info(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "card.yaml").write_bytes((model / "card.yaml").read_bytes())
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    result = rtsep("models", "info", copy)
    assert result.exit_code == 1
    assert "sha256" in result.stderr


def test_devices_are_shown_or_said_to_be_missing() -> None:
    result = rtsep("devices")
    assert result.exit_code in (0, 1)
    assert "host API" in result.stdout or "no sound card" in result.stderr or "PortAudio" in result.stderr


# ------------------------------------------------------------------ interrupted


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_an_interrupted_session_ends_well_and_its_files_are_whole(
    model: Path, song: Path, tmp_path: Path
) -> None:
    words = ["live", song, "-m", model, "--clock", "real", "--record", "takes"]
    code = "from rtsep.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("0:01") for line in process.stdout), "a second is played"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    lengths = {read_audio(path)[0].shape[1] for path in (tmp_path / "takes").glob("*.wav")}
    assert len(lengths) == 1
    assert lengths.pop() <= 2 * RATE_HZ


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_signals_ask_for_the_end_once_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    asked: list[str] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        with interruptible(lambda: asked.append("stop")):
            signal.raise_signal(number)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert asked == ["stop", "stop"]
    with interruptible(lambda: asked.append("stop")):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def write_five_hours(path: Path) -> None:
    """Silence of 3 GiB, which is a hole in a file."""
    AudioWriter(path, RATE_HZ, 2).close()
    header, n_bytes = path.read_bytes(), 3 << 30
    riff_bytes = len(header) - 8 + n_bytes
    with path.open("wb") as file:
        file.write(
            header[:4] + riff_bytes.to_bytes(4, "little") + header[8:-4] + n_bytes.to_bytes(4, "little")
        )
        file.truncate(len(header) + n_bytes)


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_a_separation_that_is_ended_leaves_no_litter(
    model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    write_five_hours(tmp_path / "long.wav")
    # Whoever starts a job in the background may have told it to ignore Ctrl-C.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import rtsep.cli; rtsep.cli.main()"
    words = [sys.executable, "-c", code, "separate", "-m", str(model), "long.wav"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and len(list(tmp_path.glob("separated/long/.*.part"))) < 2:
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert said.endswith("interrupted\n")
    assert not (tmp_path / "separated").exists()


def test_an_interruption_elsewhere_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rtsep.io.cards.list_cards", interrupt)
    assert rtsep("devices").exit_code == 130


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_before_the_command_is_read_leaves_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("print('here', flush=True)\nimport time\ntime.sleep(60)\n")
    code = "from rtsep.__main__ import main; main()"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, "--version"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n", "something is being imported"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == ""


# ------------------------------------------------------------------ where the output goes


def run_in_shell(words: str) -> subprocess.CompletedProcess[str]:
    command = f"'{sys.executable}' -m rtsep {words}"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("words", ["models list", "--help"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_reason_to_fail(words: str, closed: str) -> None:
    done = run_in_shell(f"{words} {closed}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["models list", "--help", "--version"])
def test_an_output_that_cannot_be_written_is_told(words: str) -> None:
    done = run_in_shell(f"{words} >/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------ texts and values


def test_help_says_the_bitrates_that_there_are() -> None:
    ranges = {name: codec.bitrates_bps for name, codec in CODECS.items() if codec.bitrates_bps}
    texts = [f"{name} {low // 1000}k to {high // 1000}k" for name, (low, high) in ranges.items()]
    assert BITRATE_HELP.endswith(f": {', '.join(texts)}.")
    assert "opus 6k to 510k" in rtsep("separate", "--help").stdout


def test_settings_that_come_with_rtsep_are_found_by_name_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = re.findall(r"`rtsep live .*?([\w-]+\.yaml)", EPILOG)
    assert names
    for name in (*names, "karaoke.yaml", "karaoke-with-microphone.yaml", "live.yaml"):
        found = read_sources([name])[1]
        assert found is not None
        assert read_settings(found, {}).model is not None
    assert read_sources(["elsewhere/live.yaml"])[1] == Path("elsewhere/live.yaml")
    (tmp_path / "live.yaml").touch()
    assert read_sources(["live.yaml"])[1] == Path("live.yaml")


def test_gains_routes_names_and_times_are_read() -> None:
    assert read_gains(["vocals=-12", "drums = +3.5dB", "bass=-inf"]) == {
        "vocals": -12.0,
        "drums": 3.5,
        "bass": -math.inf,
    }
    assert read_routes(["vocals=3,4", "click=5"]) == {"vocals": (3, 4), "click": (5,)}
    assert read_gains(["vocals=-12,drums=3", "bass=0"]) == {"vocals": -12.0, "drums": 3.0, "bass": 0.0}
    assert read_routes(["vocals=3,4,drums=5,click=6,7"]) == {"vocals": (3, 4), "drums": (5,), "click": (6, 7)}
    assert read_names(["vocals,drums", " bass "]) == ("vocals", "drums", "bass")
    assert [read_time_s(text) for text in ("90", "1:30", "1:02:03.5", None)] == [90.0, 90.0, 3723.5, None]


@pytest.mark.parametrize("text", ["", "-1", "1:-2", "inf", "nan", "1:2:3:4", "1m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        read_time_s(text)


def test_the_voice_goes_and_comes_back() -> None:
    here, leaving, away, returning = CYCLE_S
    assert voice_gain_db(here - 0.01, 100) == 0
    assert voice_gain_db(here + leaving / 2, 100) == pytest.approx(-30)
    assert voice_gain_db(here + leaving + away / 2, 100) == -math.inf
    assert voice_gain_db(here + leaving + away + returning / 2, 100) == pytest.approx(-30)
    assert voice_gain_db(sum(CYCLE_S) + 1, 100) == 0
    short = [voice_gain_db(at, 2.0) for at in np.arange(0, 2, 0.01)]
    assert short[0] == 0
    assert min(short) == -math.inf, "a short song has the whole cycle"


def test_stats_replace_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    write_stats(path, {"gain_db": -math.inf, "levels": (1, math.nan), "path": Path("x")})
    assert json.loads(path.read_text()) == {"gain_db": "-inf", "levels": [1, "nan"], "path": "x"}
    with pytest.raises(AudioFileError, match="cannot be written"):
        write_stats(tmp_path / "missing" / "stats.json", {})
    assert [file.name for file in tmp_path.iterdir()] == ["stats.json"]
