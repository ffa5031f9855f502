"""Another model or mix while it plays: all of it changes, or nothing."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from file_session import RATE_HZ, STEP_24_BIT, music, session, write_song

from rtsep.chain import Chain
from rtsep.errors import AudioFileError, RtsepError, UsageError
from rtsep.host import Host
from rtsep.io.files import read_audio
from rtsep.separation import Separation, load_model, tune_model, warm_up

ELSEWHERE = {"stems": {"rest": {"route": [3, 4]}}}


@pytest.mark.parametrize("latency_grows", [True, False])
def test_another_model_fades_in_while_it_plays_and_faders_stay(
    tmp_path: Path, model: str, latency_grows: bool
) -> None:
    samples = music(20.0)  # longer than a busy machine takes
    song = write_song(tmp_path / "song.wav", samples)
    names = ("midside", model) if latency_grows else (model, "midside")
    before, after = (session(song, tmp_path / "out.wav", name, "real") for name in names)
    warm_up(
        after, tune_model(after, load_model(after))
    )  # the first time this compiles, for longer than the song
    host = Host(before)
    with host:
        first = host.latency.total_samples
        host.stems[next(iter(host.stems))].gain_db = -6.0
        time.sleep(0.3)
        host.stems[next(iter(host.stems))].gain_db = 0.0
        host.change(after)
        assert set(host.stems) == ({"vocals", "rest"} if latency_grows else {"mid", "side"})
        second = host.latency.total_samples
        assert (second > first) == latency_grows
        sink = host._rig.desk.sink_tape
        time.sleep(0.3)
        assert not host.done
    [switch] = [label for label in host._rig.recording.labels if label.text.startswith("switch")]
    out = sink.read(0, sink.written)
    assert out is not None
    position = switch.start_samples + first
    settled = out[:, position + 2048 :]
    expected = samples[:, position + 2048 - second :][:, : settled.shape[1]]
    assert np.abs(settled - expected).max() < 1.2e-7 or host.stats()["n_late_samples"]


def test_another_model_is_heard_when_all_that_it_plays_was_made(tmp_path: Path, model: str) -> None:
    """Otherwise the mixture would be heard for the length of its latency, with the voice that karaoke had muted."""
    song = write_song(tmp_path / "song.wav", music(0.1))
    host = Host(session(song, tmp_path / "out.wav", "midside"))
    try:
        rig = host._rig
        rig.desk.input_tape.append(music(1.0))
        begun = rig.desk.input_tape.written
        model_again = tune_model(host.settings, load_model(host.settings))
        after = Separation(host.settings, model_again, rig.ends, rig.mixer, rig.desk.input_tape)
        heard = begun + after.latency.total_samples
        assert not after.is_ahead_of(begun)
        assert not after.is_ahead_of(heard)  # nothing is made
        rig.desk.input_tape.append(music(1.0))
        while after.engine.step():
            pass
        assert not after.is_ahead_of(heard - 1)
        assert after.is_ahead_of(heard)
        after.close()
    finally:
        host.stop()


def test_a_model_that_is_not_played_any_more_is_let_go_of(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    output = {"record": str(tmp_path / "takes")}
    settings = session(song, tmp_path / "out.wav", "midside", "real", output=output)
    host = Host(settings)
    with host:
        time.sleep(0.2)
        first = weakref.ref(host._rig.separation), weakref.ref(host._rig.desk.chain.stem_tape)
        host.change(settings.with_overrides({"model": {"lookahead_frames": 1}}))
        gc.collect()
        assert [one() for one in first] == [None, None]
        assert len(host.mix._players) == 1


def test_a_change_that_is_refused_changes_nothing_at_all(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    settings = session(song, tmp_path / "out.wav", "midside", "real")
    host = Host(settings)
    with host:
        rig, chain = host._rig, host._rig.desk.chain
        record = {"record": str(song / "takes")}
        with pytest.raises(AudioFileError, match="cannot be made"):
            host.change(session(song, tmp_path / "out.wav", model, "real", output=record, mixer=ELSEWHERE))
        assert host._rig is rig
        assert rig.desk.chain is chain
        assert chain.coefficients.newest.max() != 0
        with pytest.raises(UsageError, match="midside makes no stem 'middle'; it makes mid, side"):
            host.change(settings.with_overrides({"mixer": {"stems": {"middle": {"mute": True}}}}))
        assert "middle" not in host.mix.state


def test_a_session_that_is_not_playing_cannot_change(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(1.0))
    settings = session(song, tmp_path / "out.wav", "midside", "real")
    host = Host(settings)
    with pytest.raises(UsageError, match="does not play"):
        host.change(settings)
    with host:
        pass
    with pytest.raises(UsageError, match="does not play"):
        host.change(settings)


def test_a_change_that_is_under_way_at_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands between the end of a take and the fade, where it cannot go back, when the session ends."""
    song = write_song(tmp_path / "song.wav", music(20.0))
    takes = tmp_path / "takes"
    settings = session(song, tmp_path / "out.wav", "midside", "real", output={"record": str(takes)})
    host = Host(settings)
    fade_to, is_here, may_go = host._rig.desk.fade_to, threading.Event(), threading.Event()

    def wait_and_fade(chain: Chain) -> None:
        is_here.set()
        may_go.wait(10)
        fade_to(chain)

    monkeypatch.setattr(host._rig.desk, "fade_to", wait_and_fade)
    with host:
        time.sleep(0.3)
        host.ask("model", "...", lambda: settings.with_overrides({"model": {"lookahead_frames": 1}}))
        assert is_here.wait(20)
        threading.Timer(0.3, may_go.set).start()
    host._podium.join()
    assert "the session ended before midside was heard" in host.message
    assert not [thread for thread in threading.enumerate() if thread.name == "rtsep-engine"]
    names = {path.name for path in takes.iterdir()} - {"marks.txt"}  # a busy machine may have lost something
    assert names == {"mid.wav", "mix.wav", "mixture.wav", "session.yaml", "side.wav"}


def test_music_goes_on_without_a_take_where_none_can_be_made(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    takes = tmp_path / "takes"
    settings = session(song, tmp_path / "out.wav", "midside", "real", output={"record": str(takes)})
    host = Host(settings)
    with host:
        time.sleep(0.3)
        (takes / "take-2").write_text("not a folder")
        host.change(settings.with_overrides({"model": {"lookahead_frames": 1}}))
        assert host.settings.model.lookahead_frames == 1
        assert len(host.mix._players) == 1
        with pytest.raises(RtsepError, match="take-2"):
            host.check()
        host._rig.recording._error = None


def test_a_changed_mix_moves_what_is_named_and_leaves_what_a_hand_has_moved(
    tmp_path: Path, model: str
) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    host = Host(
        session(song, tmp_path / "out.wav", model, "real", mixer={"stems": {"vocals": {"gain_db": -3}}})
    )
    with host:
        host.stems["rest"].gain_db = -10
        host.change(
            session(song, tmp_path / "out.wav", model, "real", mixer={"stems": {"vocals": {"gain_db": -9}}})
        )
        assert host.mix.state["vocals"].gain_db == -9
        assert host.mix.state["rest"].gain_db == -10


def test_what_cannot_change_is_refused_and_the_music_goes_on(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(2.0))
    settings = session(song, tmp_path / "out.wav", model, "real")
    host = Host(settings)
    with host:
        for groups, text in (
            ({"output": {"clock": "free"}}, "without a clock only mix and recording can change"),
            ({"output": {"sink": "file:none/out.wav"}}, "does not exist"),
            ({"input": {"source": "file:none.wav"}}, "no such file"),
            ({"mixer": {"stems": {"drums": {"route": [3, 4]}}}}, "makes no stem 'drums'"),
            ({"model": {"name": "nothing"}}, "nothing"),
        ):
            with pytest.raises(RtsepError, match=text):
                host.change(settings.with_overrides(groups))
            assert host.settings == settings
            assert not host.done
        assert host.wait(10)


def test_settings_are_read_anew_beside_whoever_watches(tmp_path: Path, model: str) -> None:
    song = write_song(tmp_path / "song.wav", music(20.0))
    before = session(song, tmp_path / "out.wav", "midside", "real")
    host = Host(before)
    with host:
        asked = session(song, tmp_path / "out.wav", model, "real")
        host.ask("a", "reading ...", lambda: asked, lambda: f"{host.settings is asked}: read anew; ")
        assert host.message == "reading ..."
        host._podium.join()
        assert host.message.startswith("True: read anew; tiny plays; latency ")
        assert "ms were repeated." in host.message
        host.ask("b", "...", lambda: before.with_overrides({"output": {"clock": "free"}}))
        host._podium.join()
        assert host.message.startswith("nothing changed: without a clock only")
        host.ask("c", "...", lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        host._podium.join()
        assert "for an error in rtsep" in host.message
        assert "ZeroDivisionError" in host.message
        assert host.model_name == "tiny"


def test_a_take_ends_with_its_model_and_the_next_one_begins(tmp_path: Path, model: str) -> None:
    samples = music(30.0)
    song = write_song(tmp_path / "song.wav", samples)
    output = {"record": str(tmp_path / "takes"), "compute_ms": 200.0}
    names = ("midside", model)
    before, after = (session(song, tmp_path / "out.wav", name, "real", output=output) for name in names)
    host = Host(before)
    with host:
        time.sleep(1.0)
        host.change(after)
        time.sleep(1.0)
    first, second = tmp_path / "takes", tmp_path / "takes" / "take-2"
    assert {path.name for path in first.glob("*.wav")} == {"mixture.wav", "mid.wav", "side.wav", "mix.wav"}
    assert {path.name for path in second.glob("*.wav")} == {
        "mixture.wav",
        "vocals.wav",
        "rest.wav",
        "mix.wav",
    }
    for folder, stems in ((first, ("mid", "side")), (second, ("vocals", "rest"))):
        mixture, mix, *parts = (read_audio(folder / f"{name}.wav")[0] for name in ("mixture", "mix", *stems))
        assert mixture.shape == mix.shape == parts[0].shape
        assert mixture.shape[1] > 0.5 * RATE_HZ
        begin = np.lib.stride_tricks.sliding_window_view(samples[0], 8)
        start = int(np.argmax((begin == mixture[0, :8]).all(axis=1)))
        np.testing.assert_allclose(mixture, samples[:, start : start + mixture.shape[1]], atol=STEP_24_BIT)
        there = (parts[0] != 0).any(axis=0)  # where a stem was made: all of the take, if nothing was late
        np.testing.assert_allclose(mix, mixture, atol=3 * STEP_24_BIT)
        assert there.mean() > 0.5
    stats = host.stats()
    assert stats["n_switches"] == 1
    assert len(stats["files"]) == 9
