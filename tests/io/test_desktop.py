"""The desktop on a real PulseAudio server: what its applications play is taken, and everything is put back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulse_server import RATE_HZ, Server, read_sound, run_server, wait_for, write_sound
from sound_spans import spans

sys.path.append(str(Path(__file__).parents[1]))
from two_clocks import thd_n_db

from rtsep.errors import DeviceError, UsageError
from rtsep.io import desktop
from rtsep.io.desktop import BURST_S, SINK_NAME, SINK_TITLE, Former, choose_sink
from rtsep.io.files import read_audio
from rtsep.io.pactl import Sink, records
from rtsep.settings import Endpoint

ROOT = Path(__file__).parents[2]
OUTSIDE = ROOT / "tests" / "outside"
LIVE_S = 90.0  # numba may have to compile first
TOLERANCE = 2e-6
TONE_HZ = 440.0
# The first sample of a session to the last: what a splice may not hide.
MOST_SPLICES_PER_S = 20


class Live:
    """``rtsep live --input desktop`` in a process of its own, on a terminal of its own."""

    def __init__(self, server: Server, opened: ExitStack, *options: str) -> None:
        words = [sys.executable, "-m", "rtsep", "live", "--input", "desktop", "-m", "midside", *options]
        env = {
            **server.environment,
            "PYTHONPATH": f"{ROOT}:{OUTSIDE}",
            "OMP_NUM_THREADS": "1",
            "TERM": "xterm",
        }
        self._terminal, theirs = os.openpty()
        opened.callback(os.close, self._terminal)
        self.process = subprocess.Popen(words, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._text = b""
        reader = threading.Thread(target=self._read)
        reader.start()
        opened.callback(reader.join)
        opened.callback(self.process.wait)
        opened.callback(self.process.kill)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # when the process has ended
            while part := os.read(self._terminal, 65536):
                self._text += part

    @property
    def said(self) -> str:
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._text.decode(errors="replace"))
        return " ".join(plain.split())  # a terminal wraps

    def wait_until_it_plays(self) -> None:
        wait_for(lambda: self.process.poll() is not None or "Latency" in self.said, "rtsep to play", LIVE_S)
        assert self.process.poll() is None, self.said

    def press(self, key: str) -> None:
        os.write(self._terminal, key.encode())

    def end(self, how: str) -> None:
        """As a person would: the key q, or a signal by its name."""
        if how != "q":
            self.process.send_signal(signal.Signals[how])
        until_s = time.monotonic() + LIVE_S
        while self.process.poll() is None and time.monotonic() < until_s:
            if how == "q":
                os.write(self._terminal, b"q")  # what is typed while the terminal changes its mode is lost
            time.sleep(0.2)
        assert self.wait() == 0, self.said

    def wait(self) -> int:
        return self.process.wait(LIVE_S)


@contextmanager
def live(server: Server, *options: str) -> Iterator[Live]:
    with ExitStack() as opened:
        yield Live(server, opened, *options)


@pytest.fixture
def server() -> Iterator[Server]:
    with run_server(("other", 2), ("card", 2)) as one:
        one.pactl("set-default-sink", "card")  # of itself it would choose the other
        yield one


def pin(server: Server, name: str, sink: str) -> None:
    """Have the server know that an application is wanted on a sink, whatever the default is."""
    index = next(i for i, keys in server.streams if keys["application.name"] == name)
    away = {"card": "other", "other": "card"}[sink]
    default = server.default
    server.pactl("set-default-sink", away)  # what is moved to the default has no wish
    for place in (away, sink):
        server.pactl("move-sink-input", str(index), place)
    server.pactl("set-default-sink", default)


def is_as_before(server: Server) -> bool:
    """Whether nothing is left of a session."""
    return (
        server.default == "card"
        and server.sinks == {"card", "other"}
        and not any(SINK_NAME in words for words in server.modules)
        and not state_file(server).exists()
    )


def state_file(server: Server) -> Path:
    return Path(server.environment["HOME"]) / ".local" / "state" / "rtsep" / "desktop.json"


def test_on_one_clock_what_the_desktop_plays_is_heard_on_its_card_without_what_is_muted(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "one.yaml").write_text("input: {own_clock: false}")
    music = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 6 * RATE_HZ)).astype(np.float32)
    stats = tmp_path / "stats.json"
    options = [
        str(tmp_path / "one.yaml"),
        "--mute",
        "side",
        "--record",
        str(tmp_path),
        "--stats-json",
        str(stats),
    ]
    with live(server, *options) as session:
        session.wait_until_it_plays()
        player = server.playing("player", write_sound(tmp_path / "music.raw", music))
        with server.listening("card", tmp_path / "heard.raw"), player:
            wait_for(lambda: n_after_silence(tmp_path / "heard.raw") > 4 * RATE_HZ, "four seconds of music")
        session.end("SIGINT")
    assert is_as_before(server)

    account = json.loads(stats.read_text())
    mixture = read_audio(tmp_path / "mixture.wav")[0]
    heard = read_sound(tmp_path / "heard.raw")
    # In: of what the player played nothing was changed; out: the middle, or the mixture in what counts as late.
    came_in = spans(mixture, music, 2**-23)
    middle = np.broadcast_to(music.mean(axis=0), music.shape)
    went_out = spans(heard, middle, TOLERANCE)
    for found, n_most in ((came_in, account["n_xruns"]), (went_out, MOST_SPLICES_PER_S * 6)):
        assert len(found) <= n_most + 1
        starts = [span.in_whole for span in found]
        assert starts == sorted(starts)  # nothing comes twice, or in another order
    assert sum(span.n for span in came_in) > 2.5 * RATE_HZ, (came_in, account)
    n_late = account["n_late_samples"]
    n_music = int((heard != 0).any(axis=0).sum())
    assert sum(span.n for span in went_out) > n_music - n_late - 64 * (len(came_in) + len(went_out) + 2)
    assert sum(span.n for span in went_out) > RATE_HZ


def test_its_two_sinks_have_two_clocks_and_the_output_follows(server: Server, tmp_path: Path) -> None:
    t = np.arange(40 * RATE_HZ) / RATE_HZ
    tone = np.tile(0.5 * np.sin(2 * np.pi * TONE_HZ * t), (2, 1)).astype(np.float32)
    stats, heard_file = tmp_path / "stats.json", tmp_path / "heard.raw"
    with live(server, "--stats-json", str(stats)) as session:
        session.wait_until_it_plays()
        player = server.playing("player", write_sound(tmp_path / "tone.raw", tone))
        with server.listening("card", heard_file), player:
            wait_for(lambda: n_after_silence(heard_file) > 20 * RATE_HZ, "twenty seconds", 60.0)
        session.end("SIGINT")
    assert is_as_before(server)
    account = json.loads(stats.read_text())
    assert account["latency_ms"]["two clocks"] > 1000 * BURST_S
    if account["n_xruns"] or account["n_clock_jumps"] or account["n_late_samples"]:
        pytest.skip("the machine was too busy for the sound server; what it lost was counted")
    heard = read_sound(heard_file)[0]
    first = int(np.argmax(np.abs(heard) > 0.9 * 0.5))
    inside = heard[first : first + 19 * RATE_HZ]
    assert np.abs(np.diff(inside)).max() < 1.05 * 0.5 * 2 * np.pi * TONE_HZ / RATE_HZ  # no gap, and no click
    last = inside[-RATE_HZ:].astype(np.float64)
    assert thd_n_db(last, TONE_HZ, RATE_HZ) < -40


def test_the_threads_that_carry_its_blocks_are_as_urgent_as_the_audio(server: Server) -> None:
    """ALSA's plugin has threads of its own; as ordinary ones they would wait for any other program."""
    with live(server) as session:
        session.wait_until_it_plays()
        wait_for(lambda: server.default == SINK_NAME, "rtsep to have started")
        tasks = Path(f"/proc/{session.process.pid}/task").iterdir()
        found = {task.name: (task / "comm").read_text().strip() for task in tasks}
        carriers = [int(number) for number, name in found.items() if name == "threaded-ml"]
        policies = {int(number): os.sched_getscheduler(int(number)) for number in found}
        session.end("q")
    urgent = {tid for tid, policy in policies.items() if policy & ~os.SCHED_RESET_ON_FORK}
    if not urgent:
        pytest.skip("this system grants no real time here")
    assert carriers
    assert set(carriers) <= urgent


def test_when_its_sink_is_gone_a_session_never_hears_itself_and_goes_on_on_another(server: Server) -> None:
    """The server moves rtsep to the new default, which is its own sink; PortAudio does not know of that."""
    with server.playing("player"), live(server) as session:
        session.wait_until_it_plays()
        wait_for(lambda: server.places.get("player") == SINK_NAME, "the player to be moved")
        server.unplug("card")
        wait_for(lambda: session.said.count("midside: mid, side. Latency") == 2, "rtsep to go on", LIVE_S)
        assert "The sound card is back" in session.said
        wait_for(lambda: server.places == {"player": SINK_NAME, "rtsep": "other"}, "the other sink", LIVE_S)
        session.end("SIGTERM")
        assert server.sinks == {"other"}
        assert server.default == "other"
        assert server.places == {"player": "other"}
    assert not any(SINK_NAME in words for words in server.modules)
    assert not state_file(server).exists()


def n_after_silence(file: Path) -> int:
    sound = read_sound(file).any(axis=0)
    return sound.size - int(sound.argmax()) if sound.any() else 0


def test_applications_are_moved_and_later_ones_follow_and_all_are_put_back(server: Server) -> None:
    with ExitStack() as opened:
        opened.enter_context(server.playing("early"))
        opened.enter_context(server.playing("pinned"))
        opened.enter_context(server.playing("elsewhere"))
        pin(server, "pinned", "card")
        pin(server, "elsewhere", "other")
        session = opened.enter_context(live(server))
        session.wait_until_it_plays()
        assert server.default == SINK_NAME
        opened.enter_context(server.playing("late"))
        assert server.places == {
            "early": SINK_NAME,
            "pinned": SINK_NAME,
            "late": SINK_NAME,
            "elsewhere": "other",
            "rtsep": "card",
        }
        titles = [keys["Description"] for _, keys in records(server.pactl("list", "sinks"))]
        assert SINK_TITLE in titles
        session.end("SIGTERM")
        assert server.places == {"early": "card", "pinned": "card", "late": "card", "elsewhere": "other"}
        assert is_as_before(server)
        server.pactl("set-default-sink", "other")  # and who has a wish, has it again
        assert server.places == {"early": "other", "pinned": "card", "late": "other", "elsewhere": "other"}


def test_another_sink_takes_over_while_it_plays_or_the_first_plays_on(server: Server, tmp_path: Path) -> None:
    """The desktop is there once: the one that plays lets go of it first, and takes it again if that was in vain."""
    settings = tmp_path / "live.yaml"
    settings.write_text("output: {sink: card}")
    with server.playing("player"), live(server, str(settings)) as session:
        session.wait_until_it_plays()
        assert server.places == {"player": SINK_NAME, "rtsep": "card"}
        settings.write_text("output: {sink: other}")
        session.press("r")
        wait_for(lambda: "read anew; midside plays" in session.said, "the other sink")
        assert server.places == {"player": SINK_NAME, "rtsep": "other"}
        settings.write_text("output: {sink: bathroom}")
        session.press("r")
        wait_for(lambda: "no sink of the sound server fits" in session.said, "the refusal")
        assert server.places == {"player": SINK_NAME, "rtsep": "other"}
        session.end("q")
        assert server.places == {"player": "card"}
        assert is_as_before(server)


@pytest.mark.parametrize("how", ["q", "SIGHUP"])
def test_every_way_out_puts_everything_back(server: Server, how: str) -> None:
    with server.playing("player"), live(server) as session:
        session.wait_until_it_plays()
        assert server.places["player"] == SINK_NAME
        session.end(how)
        assert server.places == {"player": "card"}
        assert is_as_before(server)


def test_the_next_session_puts_back_what_a_killed_one_left(server: Server) -> None:
    with server.playing("player"), server.playing("pinned"):
        pin(server, "pinned", "card")
        with live(server) as session:
            session.wait_until_it_plays()
            session.process.kill()
            session.wait()
        assert server.default == SINK_NAME
        assert json.loads(state_file(server).read_text())["sink"] == "card"
        with live(server) as session:
            session.wait_until_it_plays()
            assert server.places == {"player": SINK_NAME, "pinned": SINK_NAME, "rtsep": "card"}
            assert sum(SINK_NAME in words for words in server.modules) == 1
            session.end("SIGINT")
        assert server.places == {"player": "card", "pinned": "card"}
        assert is_as_before(server)
        server.pactl("set-default-sink", "other")
        assert server.places == {"player": "other", "pinned": "card"}


def test_a_session_that_runs_is_left_alone(server: Server) -> None:
    with server.playing("player"), live(server) as session:
        session.wait_until_it_plays()
        with live(server) as second:
            assert second.wait() == 1
        assert "another `rtsep live --input desktop` is running" in second.said
        assert server.places == {"player": SINK_NAME, "rtsep": "card"}
        session.end("SIGINT")
    assert is_as_before(server)


def test_what_somebody_changed_meanwhile_stays_changed(server: Server) -> None:
    with server.playing("player"), live(server, "--output", "OTH") as session:
        session.wait_until_it_plays()
        assert server.places == {"player": SINK_NAME, "rtsep": "other"}
        server.pactl("set-default-sink", "other")
        session.end("SIGINT")
        assert server.default == "other"
        assert server.sinks == {"card", "other"}


def test_a_sink_that_is_not_there_is_told_and_nothing_is_changed(server: Server) -> None:
    with live(server, "--output", "bathroom") as session:
        assert session.wait() == 1
    assert "no sink of the sound server fits 'bathroom'" in session.said
    assert "card: Null Output" in session.said
    assert is_as_before(server)


def test_a_server_that_is_gone_is_told(server: Server, tmp_path: Path) -> None:
    settings = tmp_path / "live.yaml"
    settings.write_text("output: {resume: false}")
    with live(server, str(settings)) as session:
        session.wait_until_it_plays()
        server.process.kill()
        assert session.wait() == 1
    assert "does not play any more" in session.said
    with live(server) as session:
        assert session.wait() == 1
    assert "cannot be reached" in session.said
    assert "Connection refused" in session.said


def test_a_server_that_is_gone_is_waited_for_until_nobody_wants_to(server: Server) -> None:
    with live(server) as session:
        session.wait_until_it_plays()
        server.process.kill()
        wait_for(lambda: "The sound card is gone; waiting for it" in session.said, "rtsep to wait", LIVE_S)
        session.end("SIGTERM")


def test_other_systems_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, words in (("darwin", "--input BlackHole"), ("win32", '--input "CABLE Output"')):
        monkeypatch.setattr(sys, "platform", platform)
        with pytest.raises(UsageError, match=re.escape(words)):
            desktop.plugin_card()


def test_a_sink_is_found_by_name_or_description_and_candidates_are_listed() -> None:
    sinks = [
        Sink(0, "alsa_hdmi", "HDMI"),
        Sink(1, "alsa_pci", "Built-in Audio"),
        Sink(2, SINK_NAME, SINK_TITLE),
    ]
    assert choose_sink("default", sinks, "alsa_pci").index == 1
    assert choose_sink("hdmi", sinks, "alsa_pci").index == 0
    assert choose_sink("built-in", sinks, "alsa_hdmi").index == 1
    with pytest.raises(DeviceError, match="2 sinks fit 'alsa'"):
        choose_sink("alsa", sinks, "alsa_pci")
    for name, default in (("rtsep", "alsa_pci"), ("default", ""), ("default", SINK_NAME)):
        with pytest.raises(DeviceError, match=f"no sink of the sound server fits '{name}'"):
            choose_sink(name, sinks, default)


def test_the_desktop_is_told_from_files_and_devices() -> None:
    assert Endpoint.read("desktop").is_desktop
    assert Endpoint.read("device:desktop") == Endpoint("device", "desktop")
    assert Endpoint.read("file:desktop").is_file


@given(
    st.text(max_size=20), st.dictionaries(st.from_regex(r"\A[0-9]{1,5}\Z"), st.text(max_size=20), max_size=5)
)
def test_what_is_to_be_put_back_is_read_as_it_was_written(sink: str, streams: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desktop.json"
        Former(sink, streams).write(path)
        assert Former.read(path) == Former(sink, streams)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"sink": "card"}', '{"sink": "card", "streams": 3}', "\xff"]
)
def test_a_damaged_record_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "desktop.json").write_bytes(text.encode("latin-1"))
    assert Former.read(tmp_path / "desktop.json") == Former("")


def test_an_application_cannot_write_itself_into_a_listing() -> None:
    text = 'Sink Input #4\n\tClient: 2\n\tSink: 1\n\tProperties:\n\t\tmedia.name = "x"\n\t\tSink = "7"\n'
    assert list(records(text)) == [(4, {"Client": "2", "Sink": "1", "media.name": "x"})]
