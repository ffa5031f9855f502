"""Other cards while it plays: a JACK server whose clients are cards, all of them heard and compared by the sample."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from jack_server import RATE_HZ, jack_module, run_server
from live_session import Session, environment
from sound_spans import spans

from rtsep.io.files import AudioWriter, read_audio

TOLERANCE = 2e-6
RAMP_SAMPLES = 441
MID_DB = -6.0
PLAYED_S = 1.0


class Ears:
    """A client that other programs take for a card to play on."""

    def __init__(self, server: str, name: str, n_channels: int) -> None:
        self._client = jack_module().Client(name, servername=server, no_start_server=True)
        self._ports = [self._client.inports.register(f"in_{i}") for i in range(n_channels)]
        self._blocks: list[np.ndarray] = []
        self._client.set_process_callback(self._listen)
        self._client.activate()

    def _listen(self, n: int) -> None:
        self._blocks.append(np.array([port.get_array() for port in self._ports]))

    @property
    def heard(self) -> np.ndarray:
        return np.concatenate(self._blocks, axis=1)

    def close(self) -> None:
        self._client.deactivate()
        self._client.close()


class Mouth:
    """A client that other programs take for a card to record from; it plays its sound over and over."""

    def __init__(self, server: str, name: str, sound: np.ndarray) -> None:
        self._client = jack_module().Client(name, servername=server, no_start_server=True)
        self._ports = [self._client.outports.register(f"out_{i}") for i in range(len(sound))]
        self._sound, self._at = sound, 0
        self._client.set_process_callback(self._play)
        self._client.activate()

    def _play(self, n: int) -> None:
        places = (self._at + np.arange(n)) % self._sound.shape[1]
        self._at += n
        for port, row in zip(self._ports, self._sound, strict=True):
            port.get_array()[:] = row[places]

    def close(self) -> None:
        self._client.deactivate()
        self._client.close()


@contextmanager
def closing_all(*clients: Ears | Mouth) -> Iterator[None]:
    """Before their server ends: a client that is left to the collector takes the process along."""
    try:
        yield
    finally:
        for client in clients:
            client.close()


def noise(duration_s: float, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-(2**13), 2**13, (2, round(duration_s * RATE_HZ)))
    return (values / 2**15).astype(np.float32)


def write_song(path: Path) -> np.ndarray:
    song = noise(60, 3)
    with AudioWriter(path, RATE_HZ, 2, subtype="PCM_16") as writer:
        writer.write(song)
    return song


def settings(folder: Path, source: str, sink: str, /, **groups: dict) -> dict:
    """What is late would say nothing."""
    tree: dict = {
        "input": {"source": source},
        "model": {"name": "midside"},
        "mixer": {"stems": {"mid": {"gain_db": MID_DB}}, "limiter": None},
        "output": {"sink": sink, "record": str(folder / "takes"), "compute_ms": 300.0},
    }
    for name, values in groups.items():
        tree[name] = {**tree[name], **values}
    return tree


def mid_and_side(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mid, side = sound.mean(axis=0), (sound[0] - sound[1]) / 2
    return 10 ** (MID_DB / 20) * np.stack((mid, mid)), np.stack((side, -side))


def mixed(sound: np.ndarray) -> np.ndarray:
    mid, side = mid_and_side(sound)
    return mid + side


def compare(heard: np.ndarray, whole: np.ndarray) -> tuple[int, np.ndarray]:
    """Where `heard` lies in `whole`, and how much of that every sample is; fails where one is anything else."""
    assert heard.any()
    longest = max(spans(heard, whole, TOLERANCE), key=lambda span: span.n)
    place = longest.in_whole - longest.in_part
    first, end = max(0, -place), min(heard.shape[1], whole.shape[1] - place)
    assert not heard[:, :first].any()
    expected, found = whole[:, first + place : end + place].astype(np.float64), heard[:, first:end]
    energy = (expected**2).sum(axis=0)
    share = (found * expected).sum(axis=0) / np.maximum(energy, 1e-9)
    np.testing.assert_allclose(found, share * expected, atol=TOLERANCE)
    share[energy < 1e-3] = np.nan
    return place + first, share


def check_ramp(share: np.ndarray) -> None:
    known = np.flatnonzero(~np.isnan(share))
    assert share[known].min() > -1e-3
    assert share[known].max() < 1 + 1e-3
    steps = np.abs(np.diff(share[known])) / np.diff(known)
    assert steps.max() <= 1.01 / RAMP_SAMPLES + 1e-3


def ends(share: np.ndarray) -> tuple[int, int]:
    """The first sample that is heard, and the one behind the last."""
    audible = np.flatnonzero(np.nan_to_num(share) > 1e-3)
    return int(audible[0]), int(audible[-1]) + 1


@contextmanager
def playing(server: str, tree: dict) -> Iterator[Session]:
    with Session(tree, environment(server)) as session:
        session.say("stats")  # it plays by now
        time.sleep(PLAYED_S)
        yield session


def change(session: Session, tree: dict) -> dict:
    return session.say(f"change {json.dumps(tree)}")


def joined_takes(folder: Path) -> tuple[np.ndarray, list[int]]:
    parts = [read_audio(folder / "takes" / place / "mixture.wav")[0] for place in ("", "take-2")]
    return np.concatenate(parts, axis=1), [part.shape[1] for part in parts]


def test_a_song_goes_on_to_another_card_at_its_sample(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav")
    source = f"file:{tmp_path / 'song.wav'}"
    with run_server() as server:
        first, second = Ears(server, "first", 2), Ears(server, "second", 2)
        with closing_all(first, second):
            with playing(server, settings(tmp_path, source, "device:first")) as session:
                stats = change(session, settings(tmp_path, source, "device:second"))
                assert stats["refused"] == ""
                time.sleep(PLAYED_S)
                stats = session.say("stop")
            heard = first.heard, second.heard
    assert stats["n_rigs"] == 2
    assert stats["n_late_samples"] == 0
    mixture, lengths = joined_takes(tmp_path)
    np.testing.assert_array_equal(mixture, song[:, : mixture.shape[1]])
    assert min(lengths) > RATE_HZ // 2
    (place, share), (place_2, share_2) = (compare(one, mixed(song)) for one in heard)
    ramped = share.copy()
    begin, end = ends(share)
    ramped[: begin + 1] = np.nan  # the first sample of a file is heard in full
    check_ramp(ramped)
    begin_2, end_2 = ends(share_2)
    check_ramp(share_2[: end_2 - RATE_HZ // 20])  # the end of the session is no change
    assert place + begin == 0
    assert abs(place + end - lengths[0]) <= 1024 + 256
    assert lengths[0] <= place_2 + begin_2 < lengths[0] + RATE_HZ // 2


def test_another_card_to_listen_to_and_further_buses(tmp_path: Path) -> None:
    """The input changes, and the side gets outputs of its own, on one card."""
    sounds = noise(5, 4), noise(5, 5)
    with run_server() as server:
        mouths = [Mouth(server, f"mouth{i}", sound) for i, sound in enumerate(sounds)]
        ears = Ears(server, "ears", 4)
        with closing_all(*mouths, ears):
            with playing(server, settings(tmp_path, "device:mouth0", "device:ears")) as session:
                stems = {"mid": {"gain_db": MID_DB}, "side": {"route": [3, 4]}}
                mixer = {"stems": stems, "buses": {"cue": {"channels": [1, 2]}}}
                tree = settings(tmp_path, "device:mouth1", "device:ears", mixer=mixer)
                stats = change(session, tree)
                assert stats["refused"] == ""
                time.sleep(PLAYED_S)
                stats = session.say("stop")
            heard = ears.heard
    assert stats["n_rigs"] == 2
    assert stats["n_late_samples"] == 0
    wholes = [np.tile(sound, 3) for sound in sounds]
    mid, side = mid_and_side(wholes[1])
    # The two lie apart, with silence in between: the first on two channels, the second on four.
    begun = int(np.argmax(heard[2:].any(axis=0)))
    before, after = heard[:2, :begun], heard[:, begun:]
    quiet = RATE_HZ // 20
    assert not before[:, -quiet:].any()
    end = int(np.flatnonzero(before.any(axis=0))[-1]) + 1
    _, share = compare(before[:, :end], mixed(wholes[0]))
    check_ramp(share[ends(share)[0] + 1 :])
    last = int(np.flatnonzero(after.any(axis=0))[-1]) + 1 - quiet
    _, share = compare(after[:, :last], np.concatenate((mid, side)))
    check_ramp(share)
    assert np.nanmax(share[-quiet:]) == pytest.approx(1, abs=1e-3)
    takes = [read_audio(tmp_path / "takes" / place / "mixture.wav")[0] for place in ("", "take-2")]
    for take, whole in zip(takes, wholes, strict=True):
        assert take.shape[1] > RATE_HZ // 2
        (span,) = spans(take[:, 2048:], whole, 2**-23)  # before it is connected it hears nothing
        assert span.n == take.shape[1] - 2048


TOO_FEW = "has 1 output channels; channel 2 was asked for"


@pytest.mark.parametrize(
    ("sink", "groups", "refused"),
    [
        ("device:nowhere", {}, "device"),
        ("device:second", {"output": {"channels": [1, 2]}}, TOO_FEW),
        ("device:second", {"mixer": {"buses": {"aux": {"channels": [1, 2]}}}}, TOO_FEW),
        ("device:second", {"mixer": {"stems": {"side": {"route": [2]}}}}, TOO_FEW),
    ],
)
def test_a_card_that_cannot_be_had_leaves_the_old_one_untouched(
    tmp_path: Path, sink: str, groups: dict, refused: str
) -> None:
    """One that is not there, and one that lacks channels which the settings name."""
    song = write_song(tmp_path / "song.wav")
    source = f"file:{tmp_path / 'song.wav'}"
    with run_server() as server:
        first, second = Ears(server, "first", 2), Ears(server, "second", 1)
        with closing_all(first, second):
            with playing(server, settings(tmp_path, source, "device:first")) as session:
                stats = change(session, settings(tmp_path, source, sink, **groups))
                assert refused in stats["refused"]
                time.sleep(PLAYED_S)
                stats = session.say("stop")
            heard = first.heard
    assert stats["n_rigs"] == 1
    place, share = compare(heard, mixed(song))
    begin, end = ends(share)
    assert place + begin == 0
    assert np.nanmin(share[begin:end]) == pytest.approx(1, abs=1e-3)
    assert end - begin > 1.5 * RATE_HZ
    assert not (tmp_path / "takes" / "take-2" / "mixture.wav").exists()
