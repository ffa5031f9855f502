"""``rtsep live --resume``: a session goes on where the last one was left, and what cannot is said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from typer.testing import CliRunner, Result

from rtsep.cli import app, play
from rtsep.cli.left import Notebook, begun, choices, from_here, last_session
from rtsep.errors import ConfigError
from rtsep.io.files import AudioWriter, read_audio
from rtsep.resume import Standing
from rtsep.settings import LiveSettings

OUTSIDE = Path(__file__).parent / "outside"
RATE_HZ = 44100
PATIENCE_S = 60.0
SONG_S = 120
SET = {
    "/stem/mid/gain_db": -6.0,
    "/scene/fade_s": 3.0,
    "/model/latency": "low",
    "/bypass": 1,
    "/transport/position_s": 40.0,
}


class Panel:
    """An OSC client that sets and asks until it is answered."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.2)
        self._to = ("127.0.0.1", port)

    def send(self, address: str, *values: object) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)  # type: ignore[arg-type]
        self._socket.sendto(builder.build().dgram, self._to)

    def ask(self, address: str) -> object:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            self.send(address)
            try:
                answer = OscMessage(self._socket.recv(65535))
            except OSError:
                continue
            if answer.address == address:
                return answer.params[0]
        raise AssertionError(f"nobody says where {address} stands")

    def until(self, address: str, value: object) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while self.ask(address) != value:
            assert time.monotonic() < until_s
            time.sleep(0.05)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a song that says by its level at which second it is, and a user without a past."""
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "config"))
    folder = tmp_path / "home"
    folder.mkdir()
    with AudioWriter(folder / "song.wav", RATE_HZ, 2, subtype="PCM_16") as writer:
        for second in range(SONG_S):
            writer.write(np.full((2, RATE_HZ), second / 1000, np.float32))
    monkeypatch.chdir(folder)
    return folder


def log_file() -> Path:
    """What the session that runs, or ran last, has said."""
    return Path(os.environ["RTSEP_CONFIG"]).parent / "said.txt"


@contextmanager
def playing(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A session, which is ended as by Ctrl-C."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(OUTSIDE), *sys.path]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "rtsep", "live", *words]
    with (
        log_file().open("w") as log,
        subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=log) as process,
    ):
        try:
            yield process
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_session_without_settings_goes_on_where_it_was_left(home: Path, tmp_path: Path, port: int) -> None:
    first = ("song.wav", "-m", "midside", "--clock", "real", "-o", "out.wav", "--osc", str(port), "--no-keys")
    with closing(Panel(port)) as panel:
        with playing(home, *first) as process:
            panel.ask("/bypass")
            for address, value in SET.items():
                panel.send(address, value)
            panel.until("/model/latency", "low")
            time.sleep(1.0)  # the jump has to be heard
        assert process.returncode == 0, log_file().read_text()
        with playing(tmp_path, "--resume") as process:
            assert panel.ask("/stem/mid/gain_db") == -6.0
            assert panel.ask("/scene/fade_s") == 3.0
            assert panel.ask("/model/latency") == "low"
            assert panel.ask("/bypass") == 0
            time.sleep(2.0)
        text = log_file().read_text()
        assert process.returncode == 0, text
    found = re.search(r"The last session goes on: song\.wav at 0:(\d\d)\. The mix goes into out-2\.wav", text)
    assert found is not None, text
    mix, _ = read_audio(home / "out-2.wav")  # beside the first, which is whole
    assert (home / "out.wav").is_file()
    level = float(np.max(mix)) * 1000 * 10 ** (6 / 20)  # the seconds of the song that it came to
    assert int(found[1]) >= 40
    assert int(found[1]) <= level + 0.5
    assert level < int(found[1]) + 60


def rtsep(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words], env={"TERM": "dumb", "COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def play_a_second(folder: Path, *words: str) -> None:
    with playing(folder, *words, "-m", "midside", "--clock", "real", "-o", "out.wav", "--no-keys") as process:
        memory = Path(os.environ["RTSEP_CONFIG"]) / "sessions" / "last.yaml"
        until_s = time.monotonic() + PATIENCE_S
        while not memory.exists():
            assert time.monotonic() < until_s
            assert process.poll() is None, log_file().read_text()
            time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_what_is_given_beside_goes_before_what_was_left(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_a_second(home, "song.wav", "--gain", "side=-9")
    monkeypatch.chdir(tmp_path)
    over = {"model": {"latency": "low"}, "mixer": {"stems": {"mid": {"gain_db": -20.0}}}}
    session = last_session(over)
    assert Path.cwd() == home
    assert session.settings.model.latency == "low"
    strips = session.settings.mixer.stems
    assert (strips["mid"].gain_db, strips["side"].gain_db) == (-20.0, -9.0)
    assert session.standing.place is not None
    assert last_session({"input": {"source": "device:0"}}).standing.place is None


def test_paths_beside_resume_are_of_the_folder_where_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "map.yaml").touch()
    options = {
        "input": {"source": "other.wav"},
        "output": {"sink": "file:mix", "record": "takes"},
        "model": {"name": "model", "latency": "low"},
        "control": {"stats_json": "stats.json", "midi": {"use": ["map.yaml", "nanoKONTROL2"]}},
    }
    assert from_here(options) == {
        "input": {"source": f"file:{tmp_path / 'other.wav'}"},
        "output": {"sink": f"file:{tmp_path / 'mix'}", "record": str(tmp_path / "takes")},
        "model": {"name": str(tmp_path / "model"), "latency": "low"},
        "control": {
            "stats_json": str(tmp_path / "stats.json"),
            "midi": {"use": [str(tmp_path / "map.yaml"), "nanoKONTROL2"]},
        },
    }
    names = {"input": {"source": "desktop"}, "output": {"sink": "USB"}, "model": {"name": "2stems"}}
    assert from_here(names) == names
    assert from_here({}) == {}


def test_a_file_that_was_read_anew_is_what_hands_are_compared_with_from_then_on(home: Path) -> None:
    def written(gain_db: float) -> None:
        Path("live.yaml").write_text(f"mixer: {{stems: {{mid: {{gain_db: {gain_db}}}}}}}\n")

    def gain_db(settings: LiveSettings) -> float:
        return settings.mixer.stems["mid"].gain_db

    written(-3)
    notebook = Notebook(begun(Path("live.yaml"), {}, fresh=False))
    written(-9)
    asked = notebook.read()
    assert gain_db(asked) == -9
    notebook.accept()
    by_hand = asked.with_overrides({"mixer": {"stems": {"mid": {"gain_db": -20}}}})
    notebook.note(Standing(settings=by_hand, written=asked))
    assert gain_db(begun(Path("live.yaml"), {}, fresh=False).settings) == -20
    written(-12)
    assert gain_db(begun(Path("live.yaml"), {}, fresh=False).settings) == -12
    written(-9)
    assert gain_db(begun(Path("live.yaml"), {}, fresh=True).settings) == -9
    assert gain_db(begun(Path("live.yaml"), {}, fresh=False).settings) == -9


def test_a_file_that_was_read_anew_in_vain_goes_before_the_next_time(home: Path) -> None:
    Path("live.yaml").write_text("model: {name: first}\n")
    notebook = Notebook(begun(Path("live.yaml"), {}, fresh=False))
    playing_now = LiveSettings().with_overrides({"model": {"name": "first"}})
    Path("live.yaml").write_text("model: {name: second}\nmixer: {stems: {mid: {gain_db: -6}}}\n")
    notebook.read()  # and there is no such model here, so it was not accepted
    notebook.note(Standing(settings=playing_now, written=playing_now))
    settings = begun(Path("live.yaml"), {}, fresh=False).settings
    assert settings.model.name == "second"
    assert settings.mixer.stems["mid"].gain_db == -6


def test_what_was_left_is_said_in_words() -> None:
    asked = LiveSettings()
    changes = {
        "input": {"source": "device:mine"},
        "model": {"name": "mine", "latency": "low"},
        "mixer": {"separation": 0.5},
        "control": {"scene_fade_s": 2.5},
    }
    by_hand = asked.with_overrides(changes)
    told = list(choices(Standing(settings=by_hand, written=by_hand), asked))
    assert told == ["the mix", "input device:mine", "model mine", "latency low", "scenes in 2.5 s"]
    assert not list(choices(Standing(settings=asked, written=asked), asked))


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_what_cannot_go_on_is_said(home: Path, tmp_path: Path) -> None:
    result = rtsep("live", "--resume")
    assert result.exit_code == 2
    assert "no session was played yet that could go on. Begin one: `rtsep live song.mp3`" in result.stderr
    play_a_second(home, "song.wav")
    for words, what in (
        (["song.wav"], "leave out 'song.wav'"),
        (["live.yaml"], "leave out 'live.yaml'"),
        (["--fresh"], "leave out '--fresh'"),
    ):
        result = rtsep("live", "--resume", *words)
        assert (result.exit_code, what in result.stderr) == (2, True), result.stderr
    (home / "song.wav").rename(home / "gone.wav")
    result = rtsep("live", "--resume")
    assert result.exit_code == 2
    assert "the last session played 'song.wav', which is not there any more" in result.stderr
    (tmp_path / "config" / "sessions" / "last.yaml").write_text("other: 1")
    assert "the last session cannot go on: " in rtsep("live", "--resume").stderr
    play_again = tmp_path / "config" / "sessions"
    shutil.rmtree(play_again)
    assert rtsep("live", "--resume").exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_folder_that_is_gone_and_settings_that_are_gone_are_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "live.yaml").write_text("input: {source: song.wav}\nmixer: {stems: {side: {gain_db: -9}}}\n")
    play_a_second(home, "live.yaml")
    (home / "live.yaml").unlink()
    text = rtsep("live", "--resume").stderr
    assert "the last session cannot go on: live.yaml: No such file" in text
    monkeypatch.chdir(tmp_path)
    home.rename(tmp_path / "moved")
    assert "the last session cannot go on: " in rtsep("live", "--resume").stderr


class Ended:
    """What is left of a session for whoever notes where it stood."""

    done = False

    def now(self) -> Standing:
        return Standing(settings=LiveSettings(), written=LiveSettings())


def test_a_disk_that_hangs_keeps_no_session_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    said, answers = list[str](), threading.Event()
    monkeypatch.setattr(play, "KEEP_S", 0.2)
    monkeypatch.setattr(play, "say", said.append)
    keeper = play.Keeper(Ended(), lambda standing: void(answers.wait()))  # type: ignore[arg-type]
    keeper.look()
    keeper.finish()
    assert "the disk took over 0.2 s" in said[0]
    answers.set()


def test_the_last_note_is_waited_for_and_what_breaks_in_one_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, kept = list[str](), list[Standing]()
    monkeypatch.setattr(play, "say", said.append)
    keeper = play.Keeper(Ended(), lambda standing: void(time.sleep(0.1), kept.append(standing)))  # type: ignore[arg-type]
    keeper.look()
    keeper.look()
    keeper.finish()
    assert kept
    assert not said

    def fail(standing: Standing) -> None:
        raise ZeroDivisionError("nobody thought of that")

    keeper = play.Keeper(Ended(), fail)  # type: ignore[arg-type]
    keeper.look()
    keeper.look()
    keeper.finish()
    assert len(said) == 1
    assert "nobody thought of that" in said[0]


def test_a_session_that_cannot_say_where_it_stands_plays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(Ended):
        def now(self) -> Standing:
            raise ConfigError("vocals has cue: true, but there is no bus called cue")

    said = list[str]()
    monkeypatch.setattr(play, "say", said.append)
    keeper = play.Keeper(Lost(), lambda standing: None)  # type: ignore[arg-type]
    keeper.turn()
    keeper.look()
    keeper.finish()
    assert len(said) == 1
    assert "there is no bus called cue" in said[0]


def void(*anything: object) -> None:
    """Nothing."""
