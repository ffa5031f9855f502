"""Other ends for a session that plays: the sound goes on where it was, and whatever fails leaves what played."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from rtsep.errors import AudioFileError, CardBusyError, CardLostError, DeviceError, UsageError
from rtsep.host import Host
from rtsep.io.clocked import ClockedDriver
from rtsep.io.files import AudioWriter, read_audio
from rtsep.mix import MAIN, Bus, Strip
from rtsep.mixer import Coefficients, Mixer
from rtsep.settings import LiveSettings

OUTSIDE = Path(__file__).parent / "outside"
RATE_HZ = 44100
STEP_24_BIT = 2**-23
RAMP_SAMPLES = 441
MID_DB = -6.0


@pytest.fixture(autouse=True)
def _outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(OUTSIDE)
    before = set(threading.enumerate())  # pools of networks that other tests have used
    yield
    left = set(threading.enumerate()) - before
    assert [thread.name for thread in left if thread.name.startswith("rtsep")] == []


def write_noise(path: Path, duration_s: float = 30.0, seed: int = 5) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-(2**13), 2**13, (2, round(duration_s * RATE_HZ)))
    with AudioWriter(path, RATE_HZ, 2, subtype="PCM_16") as writer:
        writer.write((values / 2**15).astype(np.float32))
    return (values / 2**15).astype(np.float32)


def settings(**groups: dict) -> LiveSettings:
    """A song to a file, by the wall's clock; what is late would say nothing."""
    tree = {
        "input": {"source": "file:song.wav"},
        "model": {"name": "midside"},
        "mixer": {"stems": {"mid": {"gain_db": MID_DB}}},
        "output": {"sink": "file:out.wav", "clock": "real", "compute_ms": 200.0, "record": "takes"},
    }
    return LiveSettings().with_overrides(tree).with_overrides(groups)


def mixed(song: np.ndarray) -> np.ndarray:
    mid, side = song.mean(axis=0), (song[0] - song[1]) / 2
    mid = 10 ** (MID_DB / 20) * mid
    return np.stack((mid + side, mid - side))


def shares(heard: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """How much of what is expected is heard, per sample; fails where it is something else."""
    share = (heard * expected).sum(axis=0) / np.maximum((expected**2).sum(axis=0), 1e-9)
    np.testing.assert_allclose(heard, share * expected, atol=2 * STEP_24_BIT)
    return share[(expected**2).sum(axis=0) > 1e-3]


def check_ramp(share: np.ndarray) -> None:
    assert share.min() > -1e-3
    assert share.max() < 1 + 1e-3
    assert np.abs(np.diff(share)).max() < 5 / RAMP_SAMPLES  # a few samples are too quiet to tell


CUE = {"cue": {"channels": [3, 4]}}


@pytest.mark.parametrize(
    "groups",
    [
        {"mixer": {"buses": CUE, "stems": {"side": {"cue": True}}}},
        {"mixer": {"limiter": {"lookahead_ms": 3.0}}},
        {"mixer": {"ramp_ms": 10.5}, "output": {"block_samples": 64}},
        {"mixer": {"stems": {"mid": {"sends": {"aux": -3.0}}}, "buses": {"aux": {"channels": [6]}}}},
    ],
)
def test_the_song_goes_on_at_its_sample_and_the_takes_join(tmp_path: Path, groups: dict) -> None:
    song = write_noise(tmp_path / "song.wav")
    host = Host(settings())
    with host:
        mix = host.mix
        time.sleep(0.7)
        assert host.change(settings(**groups)) == 0
        assert host.mix is mix
        time.sleep(0.7)
    takes = [Path("takes"), Path("takes/take-2")]
    parts = [read_audio(take / "mixture.wav")[0] for take in takes]
    n_first, n_second = (part.shape[1] for part in parts)
    assert min(n_first, n_second) > 0.3 * RATE_HZ
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), song[:, : n_first + n_second])
    stats = host.stats()
    if stats["n_late_samples"] == 0:
        expected = mixed(song)
        for sink, first in (("out.wav", 0), ("out-2.wav", n_first)):
            heard, _ = read_audio(Path(sink))
            check_ramp(shares(heard[:2], expected[:, first : first + heard.shape[1]]))
        first, second = (read_audio(Path(sink))[0][:2] for sink in ("out.wav", "out-2.wav"))
        assert np.abs(first[:, -1]).max() < 0.05
        assert not second[:, 0].any()
        assert second[:, -RATE_HZ // 10 :].any(axis=0).mean() > 0.9
    assert stats["n_rigs"] == 2
    assert stats["duration_s"] > (n_first + n_second) / RATE_HZ
    assert stats["files"][0] == "out.wav"
    assert len(stats["files"]) == 10
    for take in takes:
        assert yaml.safe_load((take / "session.yaml").read_text())["model"] == "midside"
    assert not list(Path("takes").rglob(".rtsep*"))


def test_whoever_is_held_up_ends_no_file_in_what_is_still_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_noise(tmp_path / "song.wav")
    fall = Mixer.fall

    def fall_late(mixer: Mixer, coefficients: Coefficients) -> None:
        time.sleep(0.2)
        fall(mixer, coefficients)

    monkeypatch.setattr(Mixer, "fall", fall_late)
    with Host(settings()) as host:
        time.sleep(0.5)
        host.change(settings(mixer={"ramp_ms": 10.5}))
    first, _ = read_audio(Path("out.wav"))
    assert np.abs(first[:, :-RAMP_SAMPLES]).max() > 0.1
    assert np.abs(first[:, -16:]).max() < 0.05


@pytest.mark.parametrize("sink", ["./out.wav", "file:out.wav"])
def test_however_a_file_is_written_the_first_part_of_it_stays(sink: str, tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav")
    write_noise(tmp_path / "other.wav", seed=6)
    before = settings(output={"sink": sink})
    with Host(before) as host:
        time.sleep(0.3)
        host.change(before.with_overrides({"input": {"source": "file:other.wav"}}))
        time.sleep(0.3)
    files = host.stats()["files"]
    assert {"out.wav", "out-2.wav"} <= set(files)
    assert Path("out.wav").exists()
    assert Path("out-2.wav").exists()


def test_another_song_begins_at_its_first_sample(tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav")
    other = write_noise(tmp_path / "other.wav", seed=6)
    host = Host(settings())
    with host:
        assert host.transport is not None
        host.transport.loop(0.0, 0.4)
        time.sleep(0.7)
        host.change(settings(input={"source": "file:other.wav"}))
        assert host.transport.loop_s is None
        time.sleep(0.7)
    heard, _ = read_audio(Path("out-2.wav"))
    if host.stats()["n_late_samples"] == 0:
        np.testing.assert_allclose(heard, mixed(other)[:, : heard.shape[1]], atol=2 * STEP_24_BIT)


def test_pause_loop_and_what_a_hand_has_moved_stay(tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav")
    host = Host(settings())
    with host:
        assert host.transport is not None
        host.transport.loop(0.1, 2.5)
        host.transport.seek(1.0)
        time.sleep(0.6)
        host.transport.pause(True)
        time.sleep(0.5)
        at_s = host.transport.position_s
        host.stems["mid"].gain_db = -20
        host.stems["mid"].mute = True
        host.stems["side"].gain_db = -3
        host.mix.edit("buses", MAIN, outputs=(1, 0), gain_db=-2.0)
        host.change(settings(mixer={"ramp_ms": 20.0, "stems": {"mid": {"gain_db": -9.0}}}))
        assert host.transport.paused
        assert host.transport.loop_s == (0.1, 2.5)
        assert host.transport.position_s == pytest.approx(at_s, abs=1e-4)
        mid, side = host.mix.state["mid"], host.mix.state["side"]
        assert (mid.gain_db, mid.mute, side.gain_db) == (-9, True, -3)
        assert host.mix.buses[MAIN] == Bus((1, 0), -2.0)


def test_what_goes_to_outputs_that_are_gone_goes_where_the_settings_say_as_loud_as_it_was(
    tmp_path: Path,
) -> None:
    write_noise(tmp_path / "song.wav")
    wide = {"buses": {"aux": {"channels": [3, 4]}}}
    host = Host(settings(mixer=wide))
    with host:
        host.mix.edit("strips", "mid", gain_db=-1.0, sends={"aux": 0.0})
        host.mix.edit("strips", "side", gain_db=-2.0, route=(2, 3))
        host.change(settings())
        assert host.mix.state["mid"] == Strip(-1.0)
        assert host.mix.state["side"] == Strip(-2.0)
        assert host.mix.n_outputs == 2


class Refusing(ClockedDriver):
    """A clock that refuses in place of a card: which of its uses, by number, and whether to be opened or to start."""

    opening: dict[int, Exception] = {}  # noqa: RUF012
    starting: dict[int, Exception] = {}  # noqa: RUF012
    n_opened = n_started = 0

    def __init__(self, *arguments: object, **more: object) -> None:
        Refusing.n_opened += 1
        if Refusing.n_opened in self.opening:
            raise self.opening[Refusing.n_opened]
        super().__init__(*arguments, **more)  # type: ignore[arg-type]

    def start(self) -> None:
        Refusing.n_started += 1
        if Refusing.n_started in self.starting:
            raise self.starting[Refusing.n_started]
        super().start()


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> type[Refusing]:
    monkeypatch.setattr("rtsep.rig.ClockedDriver", Refusing)
    monkeypatch.setattr(Refusing, "opening", {})
    monkeypatch.setattr(Refusing, "starting", {})
    Refusing.n_opened = Refusing.n_started = 0
    return Refusing


def test_a_card_that_does_not_start_leaves_the_old_one_playing_in_its_take(
    tmp_path: Path, refusing: type[Refusing]
) -> None:
    song = write_noise(tmp_path / "song.wav")
    refusing.starting[2] = DeviceError("does not start")
    host = Host(settings())
    with host:
        time.sleep(0.6)
        with pytest.raises(DeviceError, match="does not start"):
            host.change(settings(mixer={"ramp_ms": 20.0}))
        assert host.settings == settings()
        time.sleep(0.6)
        assert not host.done
    heard, _ = read_audio(Path("out.wav"))
    assert heard.shape[1] > RATE_HZ // 2
    if host.stats()["n_late_samples"] == 0:
        share = shares(heard, mixed(song)[:, : heard.shape[1]])
        check_ramp(share)
        assert share.min() == pytest.approx(0, abs=1e-3)
        assert share[-RATE_HZ // 10 :].min() == pytest.approx(1, abs=1e-3)
    mixture, _ = read_audio(Path("takes/mixture.wav"))
    np.testing.assert_array_equal(mixture, song[:, : mixture.shape[1]])
    assert sorted(path.name for path in Path().glob("*.wav")) == ["out.wav", "song.wav"]
    assert host.stats()["n_rigs"] == 1


def test_a_card_that_the_old_rig_has_is_let_go_of_first(tmp_path: Path, refusing: type[Refusing]) -> None:
    song = write_noise(tmp_path / "song.wav")
    refusing.opening[2] = CardBusyError("taken")
    host = Host(settings())
    with host:
        time.sleep(0.5)
        host.change(settings(mixer={"ramp_ms": 20.0}))
        time.sleep(0.5)
    parts = [read_audio(Path("takes") / place / "mixture.wav")[0] for place in ("", "take-2")]
    both = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(both, song[:, : both.shape[1]])


def test_a_card_that_does_not_come_back_is_a_lost_card(tmp_path: Path, refusing: type[Refusing]) -> None:
    write_noise(tmp_path / "song.wav")
    refusing.opening |= {2: CardBusyError("taken"), 3: DeviceError("broken"), 4: DeviceError("gone")}
    host = Host(settings())
    host.start()
    time.sleep(0.5)
    with pytest.raises(
        CardLostError, match=r"broken And the card that played before does not come back: gone"
    ):
        host.change(settings(mixer={"ramp_ms": 20.0}))
    with pytest.raises(CardLostError, match="gone"):
        host.wait(10)
    host.stop()
    assert Path("takes/mixture.wav").is_file()


def test_nobody_waits_for_a_model_that_is_loaded_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end comes while it is loading, and before it is loaded."""
    write_noise(tmp_path / "song.wav")
    log = tmp_path / "log.txt"
    monkeypatch.setenv("OUTSIDE_SLOW", f"3 {log}")
    for groups in ({"model": {"name": "slow"}}, {"model": {"name": "slow"}, "mixer": {"ramp_ms": 20.0}}):
        log.unlink(missing_ok=True)
        host = Host(settings())
        with host:
            host.ask("settings", "...", lambda: settings(**groups))  # noqa: B023
            while not log.exists():
                time.sleep(0.01)
        assert log.read_text() == "begun\n"
        assert host.done
        host._podium.join()
        assert "the session ended before slow was heard" in host.message
    assert not list(Path("takes").rglob(".rtsep*"))


def test_an_earlier_recording_that_broke_is_told_after_a_change(tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav")
    host = Host(settings())
    host.start()
    time.sleep(0.3)
    part = host._rig.recording._recorders[-1]._growing[0].writer._part
    part._file.close()
    part._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123
    host.change(settings(mixer={"ramp_ms": 20.0}))
    host.stop()
    with pytest.raises(AudioFileError, match="No space left"):
        host.check()


def test_without_a_clock_only_the_mix_changes(tmp_path: Path) -> None:
    write_noise(tmp_path / "song.wav", 5.0)
    free = {"clock": "free"}
    host = Host(settings(output=free))
    assert host.transport is not None
    host.transport.pause(True)
    with host:
        host.change(settings(output=free, mixer={"stems": {"mid": {"gain_db": -3.0}}}))
        assert host.mix.state["mid"].gain_db == -3
        for groups in ({"mixer": {"ramp_ms": 20.0}}, {"model": {"lookahead_frames": 1}}):
            with pytest.raises(UsageError, match="without a clock only mix and recording can change"):
                host.change(settings(output=free, **groups))


def test_a_model_and_a_rig_change_together_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = write_noise(tmp_path / "song.wav")
    monkeypatch.setenv("OUTSIDE_SLOW", f"0 {tmp_path / 'log.txt'}")
    host = Host(settings())
    with host:
        time.sleep(0.5)
        host.change(settings(model={"name": "slow"}, mixer={"ramp_ms": 20.0}))
        assert host.model_name == "slow"
        time.sleep(0.5)
        host.change(settings(model={"name": "midside"}, mixer={"ramp_ms": 20.0}))  # fades in as ever
        time.sleep(0.5)
        host.change(settings())
        assert len(host.mix._players) == 1
        time.sleep(0.5)
    parts = [
        read_audio(Path("takes") / f"{place}mixture.wav")[0]
        for place in ("", "take-2/", "take-3/", "take-4/")
    ]
    starts = [0, parts[0].shape[1]]
    starts += [-1, -1]  # a fade lies in between
    for part, start in zip(parts, starts, strict=True):
        if start < 0:
            start = int(
                np.argmax((np.lib.stride_tricks.sliding_window_view(song[0], 8) == part[0, :8]).all(axis=1))
            )
        np.testing.assert_array_equal(part, song[:, start : start + part.shape[1]])
    stats = host.stats()
    assert stats["n_rigs"] == 3
    assert stats["n_switches"] == 1
    assert [Path(file).name for file in stats["files"] if "takes" not in file] == [
        "out.wav",
        "out-2.wav",
        "out-3.wav",
    ]
