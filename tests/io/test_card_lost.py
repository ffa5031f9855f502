"""A real JACK server that dies, hangs, or comes back, and a session of the command line that goes on by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from jack_server import RATE_HZ, Desk, end_server, new_name, start_server
from live_process import BACK, GONE, Live, until

from rtsep.io.files import AudioWriter, read_audio

STEP_24_BIT = 2**-23


class Server:
    """A server that can be killed, stopped and started anew under its name."""

    def __init__(self) -> None:
        self.name = new_name()
        self.process = start_server(self.name)

    @property
    def environment(self) -> dict[str, str]:
        """Of a program that sees it."""
        return {**os.environ, "JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def start(self) -> None:
        self.process = start_server(self.name)


def noise(duration_s: float) -> np.ndarray:
    """The same on both sides, which is all `mid`, in steps of 16 bits."""
    mono = np.random.default_rng(2).normal(0, 0.1, round(duration_s * RATE_HZ))
    return np.tile((np.round(np.clip(mono, -0.9, 0.9) * 32768) / 32768).astype(np.float32), (2, 1))


@contextmanager
def patched(server: Server, music: np.ndarray, n_heard: int) -> Iterator[Desk]:
    """A player and a listener around the session, which must be closed while their server lives."""
    desk = Desk(server.name, music, n_heard)
    try:
        desk.patch()
        yield desk
    finally:
        desk.close()


def level(desk: Desk) -> float:
    """RMS of the last fifth of a second that was heard."""
    return float(
        np.std(np.concatenate([block for _, block in desk.heard[-35:]] or [np.zeros((2, 1))], axis=1))
    )


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    end_server(server.name, server.process)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


CARD = {"input": {"source": "device:system"}, "output": {"sink": "device:system"}}


def test_a_server_that_is_killed_and_comes_back(server: Server, opened: ExitStack, tmp_path: Path) -> None:
    live = Live(server.environment, tmp_path, CARD, "--record", "takes")
    opened.callback(live.close)
    music = noise(60)
    wanted = 10 ** (-6 / 20) * float(np.std(music))
    with patched(server, music, 2) as desk:
        desk.play_for(0.5)
        live.press("------")  # the first stem to -6 dB
        until(lambda: abs(level(desk) / wanted - 1) < 0.03, "the fader did not move")
    server.kill()
    live.wait_for(GONE)
    assert not list(tmp_path.glob("takes/*.part"))
    take_1, _ = read_audio(tmp_path / "takes" / "mixture.wav")
    first = live.stats
    time.sleep(1.5)
    server.start()
    with patched(server, music, 2) as desk:
        desk.play_for(1.5)
        assert level(desk) / wanted == pytest.approx(1, abs=0.03)
    live.press("q")
    assert live.end() == 0

    account, takes = live.stats, tmp_path / "takes"
    assert live.said.count(BACK) == 1
    assert account["n_restarts"] == 1
    assert account["lost_s"] > 1.5
    assert len(account["earlier_parts"]) == 1
    assert account["earlier_parts"][0]["files"] == first["files"]
    assert first["n_restarts"] == 0
    assert account["settings"] == first["settings"]
    assert take_1.shape[1] == round(first["duration_s"] * RATE_HZ) - first["offset_samples"]
    names = ("mixture", "mid", "side", "mix")
    mixture, mid, side, mix = (read_audio(takes / "take-2" / f"{name}.wav")[0] for name in names)
    assert mixture.shape == mid.shape == side.shape == mix.shape
    assert mixture.shape[1] > RATE_HZ
    lost = account["n_late_samples"] + account["n_recording_lost_samples"]
    wrong = np.abs(mix - (10 ** (-6 / 20) * mid + side)).max(axis=0) > 4 * STEP_24_BIT
    assert wrong.sum() <= lost
    assert live.left() == []


def test_the_model_is_loaded_while_the_card_is_gone(
    server: Server, opened: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.txt"
    monkeypatch.setenv("OUTSIDE_SLOW", f"0.2 {log}")
    live = Live(server.environment, tmp_path, {**CARD, "model": {"name": "slow"}})
    opened.callback(live.close)
    live.wait_for("Latency")
    n_loaded = log.read_text().count("loaded")
    server.kill()
    live.wait_for(GONE)
    until(lambda: log.read_text().count("loaded") > n_loaded, "nothing was loaded")
    server.start()
    live.wait_for("Latency", 2)
    live.press("q")
    assert live.end() == 0
    assert log.read_text().count("loaded") <= 2 * n_loaded  # and not again when the card was back
    assert live.left() == []


def test_a_song_goes_on_at_its_sample(server: Server, opened: ExitStack, tmp_path: Path) -> None:
    song = noise(60)
    song[1] = -song[0]  # all side
    with AudioWriter(tmp_path / "song.wav", RATE_HZ, 2, subtype="PCM_16") as writer:
        writer.write(song)
    settings = {"input": {"source": "song.wav"}, "output": {"sink": "0"}}
    live = Live(server.environment, tmp_path, settings, "--record", "takes", "--mute", "mid")
    opened.callback(live.close)
    for number in (1, 2):
        live.wait_for("Latency", number)
        time.sleep(0.7)
        live.press("]")  # five seconds on
        time.sleep(1.5)
        server.kill()
        live.wait_for(GONE, number)
        server.start()
    live.wait_for("Latency", 3)
    time.sleep(2)
    live.process.send_signal(signal.SIGTERM)
    assert live.end() == 0
    assert live.stats["n_restarts"] == 2
    assert "The song goes on at 0:" in live.said
    takes = [tmp_path / "takes" / place / "mixture.wav" for place in ("", "take-2", "take-3")]
    end = 0
    for number, path in enumerate(takes):
        mixture, _ = read_audio(path)
        n = mixture.shape[1]
        assert n > RATE_HZ
        head = mixture[:, 512:2048]  # before the jump, and after the fade at the start
        np.testing.assert_array_equal(head, song[:, end + 512 : end + 2048])
        tail = mixture[:, -2048:]
        end += n if number == 2 else n + 5 * RATE_HZ
        jumped = next(at for at in places(tail, song) if abs(at + 2048 - end) < RATE_HZ)
        end = jumped + 2048
    assert live.left() == []


def places(part: np.ndarray, whole: np.ndarray) -> Iterator[int]:
    """Where `part` stands in `whole`, to the bit."""
    starts = np.flatnonzero(whole[0, : whole.shape[1] - part.shape[1]] == part[0, 0])
    return (int(at) for at in starts if np.array_equal(whole[:, at : at + part.shape[1]], part))


def test_an_output_file_goes_on_beside_the_first(server: Server, opened: ExitStack, tmp_path: Path) -> None:
    live = Live(server.environment, tmp_path, {"input": {"source": "device:system"}}, "--output", "out.wav")
    opened.callback(live.close)
    music = noise(60)
    for number in (1, 2):
        live.wait_for("Latency", number)
        with patched(server, music, 0) as desk:
            desk.play_for(1.0)
        if number == 1:
            server.kill()
            live.wait_for(GONE)
            before = (tmp_path / "out.wav").read_bytes()
            server.start()
    live.process.send_signal(signal.SIGINT)
    assert live.end() == 0
    assert (tmp_path / "out.wav").read_bytes() == before
    assert "The mix goes on in out-2.wav." in live.said
    for name in ("out.wav", "out-2.wav"):
        heard, _ = read_audio(tmp_path / name)
        assert np.abs(heard).max() > 0.1
    assert live.left() == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, "q"])
def test_whoever_does_not_want_to_wait_leaves(
    server: Server, opened: ExitStack, tmp_path: Path, end: signal.Signals | str
) -> None:
    live = Live(server.environment, tmp_path, CARD, "--record", "takes")
    opened.callback(live.close)
    live.wait_for("Latency")
    time.sleep(1)
    server.kill()
    live.wait_for(GONE)
    time.sleep(1.5)
    if isinstance(end, str):
        live.press(end)
    else:
        live.process.send_signal(end)
    assert live.end() == 0
    assert BACK not in live.said
    assert live.stats["n_restarts"] == 0
    assert live.stats["lost_s"] > 1
    assert (tmp_path / "takes" / "mix.wav").is_file()
    assert live.left() == []


def test_a_server_that_hangs_for_a_second_is_waited_for(
    server: Server, opened: ExitStack, tmp_path: Path
) -> None:
    live = Live(server.environment, tmp_path, CARD)
    opened.callback(live.close)
    live.wait_for("Latency")
    time.sleep(1)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    server.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    live.press("q")
    assert live.end() == 0
    assert GONE not in live.said
    assert live.stats["duration_s"] > 1
    assert live.left() == []


def test_a_server_that_hangs_is_lost_and_found_again(
    server: Server, opened: ExitStack, tmp_path: Path
) -> None:
    live = Live(server.environment, tmp_path, CARD, "--record", "takes")
    opened.callback(live.close)
    live.wait_for("Latency")
    time.sleep(1)
    server.process.send_signal(signal.SIGSTOP)
    live.wait_for(GONE)
    assert (tmp_path / "takes" / "mix.wav").is_file()
    server.process.send_signal(signal.SIGCONT)
    live.wait_for("Latency", 2)
    time.sleep(1)
    live.press("q")
    assert live.end() == 0
    assert live.stats["n_restarts"] == 1
    assert live.stats["lost_s"] > 2
    assert live.left() == []


@pytest.mark.parametrize("is_found", [False, True])
def test_a_server_that_hangs_for_ever_keeps_nobody(
    server: Server, opened: ExitStack, tmp_path: Path, is_found: bool
) -> None:
    """Before the watchdog knows, and after."""
    live = Live(server.environment, tmp_path, CARD, "--record", "takes")
    opened.callback(live.close)
    live.wait_for("Latency")
    time.sleep(1)
    server.process.send_signal(signal.SIGSTOP)
    if is_found:
        live.wait_for(GONE)
        time.sleep(1.5)  # a process that looks for the card hangs by now
    live.process.send_signal(signal.SIGINT)
    assert live.end() == 0
    assert (tmp_path / "takes" / "mix.wav").is_file()
    assert live.left() == []


def test_without_resume_a_server_that_hangs_is_an_error(
    server: Server, opened: ExitStack, tmp_path: Path
) -> None:
    settings = {**CARD, "output": {**CARD["output"], "resume": False}}
    live = Live(server.environment, tmp_path, settings, "--record", "takes")
    opened.callback(live.close)
    live.wait_for("Latency")
    time.sleep(1)
    server.process.send_signal(signal.SIGSTOP)
    assert live.end() == 1
    assert "does not play any more" in live.said
    assert (tmp_path / "takes" / "mix.wav").is_file()
    assert live.left() == []


def test_a_terminal_that_takes_nothing_keeps_no_session_from_coming_back(
    server: Server, opened: ExitStack, tmp_path: Path
) -> None:
    """Ctrl-S, and a card that is lost: the music is back when the card is, and what was said when the terminal is."""
    live = Live(server.environment, tmp_path, CARD, says_on_screen=True)
    opened.callback(live.close)
    music = noise(60)
    with patched(server, music, 2) as desk:
        desk.play_for(0.5)
        live.press("\x13")
    server.kill()
    until(lambda: live.has_started_again, lambda: f"it did not start again, but: {live.said}")
    server.start()
    with patched(server, music, 2) as desk:
        desk.play_for(1.0)
        assert level(desk) > 0.01
    assert GONE not in live.said
    live.press("\x11")
    live.wait_for(BACK)
    assert GONE in live.said
    live.press("q")
    assert live.end() == 0
    assert live.stats["n_restarts"] == 1
    assert live.left() == []
