"""Input and output on two cards with a clock each, of which one is lost: two sound servers, through ALSA's plugin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from live_process import BACK, GONE, Live
from pulse_server import RATE_HZ, Server, read_sound, run_server, wait_for, write_sound
from sound_spans import spans

from rtsep.follower import FADE_SAMPLES
from rtsep.io.files import AudioWriter, read_audio

STEP_24_BIT = 2**-23
PEAK, FROM_HZ, TO_HZ = 0.5, 100.0, 300.0
DURATION_S = 90.0
MOST_SLOPE = PEAK * 2 * np.pi * TO_HZ / RATE_HZ
MID_DB = -6
PCM = 'pcm.{name} {{ type pulse device "{device}" server "{server}" hint {{ show on description "{name}" }} }}\n'


class Cards:
    """One sound server, and so one clock, for the input `lines`, and one for the output `speakers`."""

    def __init__(self, lines: Server, speakers: Server, home: Path) -> None:
        self.lines, self.speakers = lines, speakers
        ends = (("lines", "lines.monitor", lines), ("speakers", "speakers", speakers))
        (home / ".asoundrc").write_text(
            "".join(
                PCM.format(name=name, device=device, server=server.environment["PULSE_SERVER"])
                for name, device, server in ends
            )
        )
        self.environment = {**lines.environment, "HOME": str(home)}

    def lose(self, name: str, how: str) -> None:
        server: Server = getattr(self, name)
        server.unplug(name) if how == "unplugged" else server.kill()

    def give_back(self, name: str, how: str) -> None:
        server: Server = getattr(self, name)
        server.plug(name) if how == "unplugged" else server.start()


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[Cards]:
    with run_server(("lines", 2)) as lines, run_server(("speakers", 2)) as speakers:
        yield Cards(lines, speakers, tmp_path)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def sweep() -> np.ndarray:
    """A tone that rises slowly: every place in it is found, and every jump. It is the same on both sides: all `mid`."""
    t = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    cycles = FROM_HZ * t + (TO_HZ - FROM_HZ) / (2 * DURATION_S) * t**2
    return np.tile((PEAK * np.sin(2 * np.pi * cycles)).astype(np.float32), (2, 1))


CARDS = {"input": {"source": "lines"}, "output": {"sink": "speakers", "record": "takes"}}


def n_after_silence(file: Path) -> int:
    sound = read_sound(file).any(axis=0)
    return sound.size - int(sound.argmax()) if sound.any() else 0


def largest_step_at_end(file: Path) -> float:
    """Of the last fades that were heard, and the silence behind them; a server that is held up leaves holes before."""
    sound = read_sound(file)[0]
    end = int(np.flatnonzero(sound)[-1])
    return float(np.abs(np.diff(sound[end - 4 * FADE_SAMPLES : end + 100])).max())


@contextmanager
def played(cards: Cards, music: Path, heard: Path, n_seconds: float) -> Iterator[None]:
    """Music goes in, and so many seconds of it have come out."""
    with cards.speakers.listening("speakers", heard), ExitStack() as opened:
        if "player" not in cards.lines.places:
            opened.enter_context(cards.lines.playing("player", music))
        wait_for(lambda: n_after_silence(heard) > n_seconds * RATE_HZ, f"{n_seconds} seconds of music")
        yield


def check_take(folder: Path, music: np.ndarray, account: dict) -> None:
    """All files are as long as each other, and of the music nothing is missing but what is counted."""
    names = ("mixture", "mid", "side", "mix")
    mixture, mid, side, mix = (read_audio(folder / f"{name}.wav")[0] for name in names)
    assert mixture.shape == mid.shape == side.shape == mix.shape
    assert mixture.shape[1] > RATE_HZ
    found = spans(mixture, music, STEP_24_BIT)
    assert len(found) <= account["n_xruns"] + 1
    assert [span.in_whole for span in found] == sorted(span.in_whole for span in found)
    n_music = mixture.shape[1] - int(mixture.any(axis=0).argmax())
    assert sum(span.n for span in found) >= n_music - 64 * (account["n_xruns"] + 2)
    lost = account["n_late_samples"] + account["n_recording_lost_samples"]
    assert (np.abs(mid - mixture).max(axis=0) > 2 * STEP_24_BIT).sum() <= lost
    if account["n_clock_jumps"] == 0:  # which are heard, and silent in the mix, as a busy machine has it
        wrong = np.abs(mix - 10 ** (MID_DB / 20) * mixture).max(axis=0)[-RATE_HZ // 4 :] > 4 * STEP_24_BIT
        assert wrong.sum() <= lost


@pytest.mark.parametrize("how", ["unplugged", "killed"])
@pytest.mark.parametrize("lost", [("lines",), ("speakers",), ("lines", "speakers")], ids="-".join)
def test_a_card_of_two_is_lost_and_comes_back(
    cards: Cards, opened: ExitStack, tmp_path: Path, lost: tuple[str, ...], how: str
) -> None:
    music, heard = sweep(), tmp_path / "heard.raw"
    raw = write_sound(tmp_path / "music.raw", music)
    live = Live(cards.environment, tmp_path, CARDS)
    opened.callback(live.close)
    live.wait_for("Latency")
    with played(cards, raw, heard, 1.0):
        live.press("-" * -MID_DB)  # the first stem
        wait_for(lambda: n_after_silence(heard) > 3 * RATE_HZ, "three seconds of music")
        for name in lost:
            cards.lose(name, how)
        live.wait_for(GONE)
        if "speakers" not in lost:
            wait_for(lambda: not read_sound(heard)[0, -1000:].any(), "silence")
    first = live.stats
    assert not list(tmp_path.glob("takes/.rtsep*"))
    check_take(tmp_path / "takes", music, first)
    time.sleep(1.0)
    if "speakers" not in lost:  # it has faded
        assert largest_step_at_end(heard) < 1.05 * MOST_SLOPE + PEAK / FADE_SAMPLES
    for name in lost:
        cards.give_back(name, how)
    live.wait_for("Latency", 2)
    with played(cards, raw, tmp_path / "again.raw", 3.0):
        live.press("q")
        assert live.end() == 0
    account = live.stats
    assert live.said.count(BACK) >= 1
    assert account["n_restarts"] == 1
    assert account["lost_s"] > 1
    [earlier] = account["earlier_parts"]
    assert earlier["files"] == first["files"]
    check_take(tmp_path / "takes" / "take-2", music, account)
    assert live.left() == []


def test_a_song_beside_a_direct_input_goes_on_at_its_sample(
    cards: Cards, opened: ExitStack, tmp_path: Path
) -> None:
    """The microphone's card gives the time, another one plays, and it is the microphone's that is lost."""
    song = sweep()
    song = (np.round(song * 32768) / 32768).astype(np.float32)
    with AudioWriter(tmp_path / "song.wav", RATE_HZ, 2, subtype="PCM_16") as writer:
        writer.write(song)
    direct = {"microphone": {"channels": [1, 2], "gain_db": -20.0}}
    settings = {
        "input": {"source": "song.wav", "card": "lines"},
        "mixer": {"direct": direct},
        "output": CARDS["output"],
    }
    live = Live(cards.environment, tmp_path, settings)
    opened.callback(live.close)
    for number, name in enumerate(("lines", "speakers"), 1):
        live.wait_for("Latency", number)
        time.sleep(2.0)
        cards.lose(name, "killed")
        live.wait_for(GONE, number)
        cards.give_back(name, "killed")
    live.wait_for("Latency", 3)
    time.sleep(2.0)
    live.press("q")
    assert live.end() == 0
    assert live.stats["n_restarts"] == 2
    takes = [tmp_path / "takes" / place / "mixture.wav" for place in ("", "take-2", "take-3")]
    parts = [read_audio(path)[0] for path in takes]
    assert min(part.shape[1] for part in parts) > RATE_HZ
    n_starved = [account["n_starved_samples"] for account in (*live.stats["earlier_parts"], live.stats)]
    assert (
        min(n_starved) == 0
    )  # the file is read for the card that takes it in, also before the other one plays
    begin = 0
    for part, n in zip(parts, n_starved, strict=True):
        settled = slice(512, part.shape[1])  # it fades in where it goes on
        differs = (part[:, settled] != song[:, begin:][:, settled]).any(axis=0)
        assert differs.sum() <= n
        begin += part.shape[1]
    assert live.left() == []
