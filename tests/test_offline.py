"""Files to stems, with a separator that can be checked by hand: mid and side, with a latency."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.errors import AudioFileError, DeviceError, UsageError
from rtsep.io.decode import SoundFileDecoder
from rtsep.io.files import read_audio
from rtsep.offline import FileResult, OfflineSettings, separate_files
from rtsep.stream import Audio, Latency

RATE_HZ = 44100
MUSIC = np.random.default_rng(3).normal(0, 0.2, (2, 150_001)).astype(np.float32).clip(-0.9, 0.9)


class MidSideStream:
    """What both sides share, and what they do not; late by a given number of samples."""

    stems = ("mid", "side")

    def __init__(self, rate_hz: int, latency_samples: int, *, fails_at: int | None = None) -> None:
        self.latency = Latency(rate_hz, {"segment": latency_samples})
        self.latency_samples = latency_samples
        self.is_closed = False
        self._fails_at = fails_at
        self.reset()

    def prepare(self) -> None:
        self.reset()

    def process(self, block: Audio) -> Audio:
        self._taken += block.shape[1]
        if self._fails_at is not None and self._taken > self._fails_at:
            raise DeviceError("the card caught fire")
        mid = np.repeat(block.mean(axis=0, keepdims=True), 2, axis=0)
        late = np.concatenate([self._line, np.stack([mid, block - mid])], axis=2)
        self._line = late[:, :, block.shape[1] :]
        return late[:, :, : block.shape[1]]

    def flush(self) -> Audio:
        return self._line

    def reset(self) -> None:
        self._line = np.zeros((2, 2, self.latency_samples), np.float32)
        self._taken = 0

    def close(self) -> None:
        self.is_closed = True


class MidSide:
    stems = MidSideStream.stems

    def __init__(self, latency_samples: int = 20_000, fails_at: int | None = None) -> None:
        self._latency_samples, self._fails_at = latency_samples, fails_at
        self.streams: list[MidSideStream] = []

    def offline_stream(self, sample_rate_hz: int) -> MidSideStream:
        self.streams.append(MidSideStream(sample_rate_hz, self._latency_samples, fails_at=self._fails_at))
        return self.streams[-1]


class Watcher:
    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def start(self, path: Path, n_samples: int | None, sample_rate_hz: int) -> None:
        self.calls.append(("start", (path, n_samples, sample_rate_hz)))

    def advance(self, n_samples: int) -> None:
        self.calls.append(("advance", n_samples))

    def finish(self, result: FileResult) -> None:
        self.calls.append(("finish", result))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "song.wav", MUSIC.T, RATE_HZ, subtype="FLOAT")
    return tmp_path / "song.wav"


@pytest.fixture
def settings(tmp_path: Path) -> OfflineSettings:
    return OfflineSettings(tmp_path / "out", subtype="FLOAT")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("latency_samples", [0, 1, 20_000, 65_536, 150_001, 400_000])
def test_stems_are_aligned_and_as_long_as_the_song(
    song: Path, settings: OfflineSettings, latency_samples: int
) -> None:
    separator = MidSide(latency_samples)
    (result,) = separate_files([song], separator, settings)
    assert result.error is None
    assert (result.n_samples, result.sample_rate_hz, result.notices) == (MUSIC.shape[1], RATE_HZ, ())
    assert result.outputs == {stem: settings.output_dir / "song" / f"{stem}.wav" for stem in ("mid", "side")}
    mid = MUSIC.mean(axis=0, keepdims=True).repeat(2, axis=0)
    for stem, true in {"mid": mid, "side": MUSIC - mid}.items():
        heard, rate_hz = read_audio(result.outputs[stem])
        assert rate_hz == RATE_HZ
        np.testing.assert_array_equal(heard, true)
    assert separator.streams[0].is_closed
    assert files(settings.output_dir) == ["song/mid.wav", "song/side.wav"]


def test_an_excerpt_is_what_the_whole_has_there(song: Path, settings: OfflineSettings) -> None:
    (result,) = separate_files([song], MidSide(), replace(settings, offset_s=0.5, duration_s=1.25))
    start, end = round(0.5 * RATE_HZ), round(0.5 * RATE_HZ) + round(1.25 * RATE_HZ)
    heard = read_audio(result.outputs["mid"])[0]
    np.testing.assert_array_equal(heard[0], MUSIC[:, start:end].mean(axis=0))


@pytest.mark.parametrize("codec", ["flac", "mp3", "ogg", "opus", "m4a", "wma"])
def test_other_codecs(song: Path, settings: OfflineSettings, codec: str) -> None:
    (result,) = separate_files([song], MidSide(), replace(settings, codec=codec, subtype=None))
    assert result.error is None
    assert files(settings.output_dir) == [f"song/mid.{codec}", f"song/side.{codec}"]
    rate_hz = soundfile.info(result.outputs["mid"]).samplerate if codec not in ("m4a", "wma") else RATE_HZ
    heard = read_audio(result.outputs["mid"])[0]
    assert heard.shape[1] == pytest.approx(MUSIC.shape[1] * rate_hz / RATE_HZ, abs=2048)
    assert any("48000 Hz" in notice for notice in result.notices) == (codec == "opus")


def test_only_the_wanted_stems_are_written(song: Path, settings: OfflineSettings) -> None:
    (result,) = separate_files([song], MidSide(), replace(settings, stems=("side",)))
    assert list(result.outputs) == ["side"]
    assert files(settings.output_dir) == ["song/side.wav"]
    np.testing.assert_array_equal(read_audio(result.outputs["side"])[0], MUSIC - MUSIC.mean(axis=0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stems": ("vocals",)}, "no stem 'vocals'; it has mid, side"),
        ({"stems": ()}, "it has mid, side"),
        ({"codec": "mp4"}, "wav, flac, mp3"),
        ({"codec": "mp3"}, "mp3 is lossy"),
        ({"bitrate": "192k"}, "wav is lossless"),
        ({"offset_s": -1.0}, "must be 0 or more"),
        ({"duration_s": 0.0}, "must be more than 0"),
        ({"filename_format": "{filename}.{codec}"}, "put {instrument}"),
        ({"filename_format": "{song}/{instrument}"}, "{song}"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_done(
    song: Path, settings: OfflineSettings, change: dict[str, object], words: str
) -> None:
    separator = MidSide()
    with pytest.raises(UsageError) as caught:
        separate_files([song], separator, replace(settings, **change))  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert separator.streams == []
    assert not settings.output_dir.exists()


def test_one_bad_file_does_not_stop_the_others(song: Path, settings: OfflineSettings, tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_text("this is not music")
    watcher = Watcher()
    results = separate_files(
        [tmp_path / "bad.mp3", song, tmp_path / "nowhere.wav"], MidSide(), settings, watcher
    )
    assert [result.error is None for result in results] == [False, True, False]
    assert isinstance(results[0].error, AudioFileError)
    assert "bad.mp3" in str(results[0].error)
    assert "no such file" in str(results[2].error)
    assert files(settings.output_dir) == ["song/mid.wav", "song/side.wav"]
    assert [result for name, result in watcher.calls if name == "finish"] == results


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_a_name_that_is_no_text_does_not_stop_the_others(
    song: Path, settings: OfflineSettings, tmp_path: Path
) -> None:
    for ending in ("wav", "mp4"):
        odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/so\xffng." + ending.encode()))
        odd.write_bytes(song.read_bytes())
        failed, done = separate_files([odd, song], MidSide(), settings)
        assert isinstance(failed.error, AudioFileError)
        assert "are no text" in str(failed.error)
        assert done.error is None


def test_a_decoder_that_gives_up_does_not_stop_the_others(
    song: Path, settings: OfflineSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek = SoundFileDecoder.seek

    def fail(decoder: SoundFileDecoder, position_samples: int) -> None:
        if decoder.sample_rate_hz != RATE_HZ:
            raise soundfile.LibsndfileError(35)  # "Supported file format but file is malformed."
        seek(decoder, position_samples)

    monkeypatch.setattr(SoundFileDecoder, "seek", fail)
    soundfile.write(tmp_path / "odd.wav", MUSIC.T, 8000)
    failed, done = separate_files([tmp_path / "odd.wav", song], MidSide(), replace(settings, offset_s=0.5))
    assert isinstance(failed.error, AudioFileError)
    assert "odd.wav cannot be read" in str(failed.error)
    assert done.error is None


@pytest.mark.parametrize("name", [".", "folder"])
def test_a_folder_is_said_to_be_one(
    song: Path, settings: OfflineSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    failed, done = separate_files([name, song], MidSide(), settings)
    assert str(failed.error) == f"{name} is a folder. Name the audio files in it."
    assert done.error is None


def test_the_watcher_sees_every_sample(song: Path, settings: OfflineSettings) -> None:
    watcher = Watcher()
    results = separate_files([song], MidSide(), settings, watcher)
    assert watcher.calls[0] == ("start", (song, MUSIC.shape[1], RATE_HZ))
    assert watcher.calls[-1] == ("finish", results[0])
    assert sum(n for name, n in watcher.calls if name == "advance") == MUSIC.shape[1]  # type: ignore[misc]
    assert results[0].speed > 0


def test_a_failure_in_the_middle_leaves_nothing(song: Path, settings: OfflineSettings) -> None:
    separator = MidSide(fails_at=100_000)
    (result,) = separate_files([song], separator, settings)
    assert isinstance(result.error, DeviceError)
    assert result.outputs == {}
    assert not settings.output_dir.exists()
    assert separator.streams[0].is_closed


def test_old_stems_stay_until_all_new_ones_are_whole(song: Path, settings: OfflineSettings) -> None:
    (settings.output_dir / "song").mkdir(parents=True)
    old = settings.output_dir / "song" / "mid.wav"
    old.write_bytes(b"old")
    separate_files([song], MidSide(fails_at=100_000), settings)
    assert old.read_bytes() == b"old"
    assert files(settings.output_dir) == ["song/mid.wav"]
    (settings.output_dir / "song" / "side.wav").mkdir()
    (result,) = separate_files([song], MidSide(), settings)
    assert "is a folder" in str(result.error)
    assert old.read_bytes() == b"old"


def test_an_interruption_leaves_nothing(song: Path, settings: OfflineSettings) -> None:
    class Impatient(Watcher):
        def advance(self, n_samples: int) -> None:
            if n_samples:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        separate_files([song], MidSide(), settings, Impatient())
    assert not settings.output_dir.exists()


def test_a_file_where_a_folder_must_be(song: Path, settings: OfflineSettings) -> None:
    settings.output_dir.write_text("")
    (result,) = separate_files([song], MidSide(), settings)
    assert "cannot be made" in str(result.error)


def test_what_was_mended_is_told(settings: OfflineSettings, tmp_path: Path) -> None:
    surround = np.full((1000, 6), 0.9, np.float32)
    surround[5] = np.nan
    soundfile.write(tmp_path / "six.wav", surround, RATE_HZ, subtype="FLOAT")
    soundfile.write(tmp_path / "loud.wav", np.full((1000, 2), 1.5), RATE_HZ, subtype="FLOAT")
    paths = [tmp_path / "six.wav", tmp_path / "loud.wav"]
    six, loud = separate_files(paths, MidSide(), replace(settings, subtype="PCM_16"))
    assert "6 channels" in six.notices[0]
    assert "6 values were not finite" in six.notices[0]
    assert loud.notices == ("mid: 2000 values exceeded full scale and were clipped",)


def test_mono_and_unicode(settings: OfflineSettings, tmp_path: Path) -> None:
    path = tmp_path / "Ænima – 歌.flac"
    soundfile.write(path, MUSIC[0], RATE_HZ, subtype="PCM_24")
    (result,) = separate_files([path], MidSide(), settings)
    assert files(settings.output_dir) == ["Ænima – 歌/mid.wav", "Ænima – 歌/side.wav"]
    np.testing.assert_allclose(read_audio(result.outputs["mid"])[0][1], MUSIC[0], atol=1e-6)
    assert np.abs(read_audio(result.outputs["side"])[0]).max() == 0
