"""Files that nobody ended: cut anywhere, they become whole files of what was there."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtsep.io.encode import choose_encoding, open_encoder
from rtsep.io.files import read_audio
from rtsep.io.flac import look_flac, mend_flac
from rtsep.io.labels import Label
from rtsep.io.wav import BITS, WavEncoder, WavFormat, look_wav, mend_wav

RATE_HZ = 44100
FLAC_BLOCK = 4096
PIECES = st.lists(st.integers(1, 9000), min_size=1, max_size=8)
IN_ONE_FOLDER = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)


def noise(n_channels: int, n_samples: int, seed: int = 1) -> np.ndarray:
    """Values that 16 bits hold, with a stretch of silence and a tone, which make small frames."""
    values = np.random.default_rng(seed).integers(-(2**15), 2**15, (n_channels, n_samples))
    values[:, n_samples // 3 : n_samples // 2] = 0
    values[:, n_samples // 2 : 2 * n_samples // 3] //= 4096
    return (values / 2**15).astype(np.float32)


def write_pieces(path: Path, codec: str, subtype: str, samples: np.ndarray, pieces: list[int]) -> int:
    """An unended file; its size at the last flush."""
    flushed, at = 0, 0
    with path.open("wb", buffering=0) as sink:
        encoder = open_encoder(sink, choose_encoding(codec, subtype=subtype), RATE_HZ, len(samples))
        for i, n in enumerate(pieces):
            encoder.write(samples[:, at : at + n])
            at += n
            if i % 2 == 0:
                encoder.flush()
                flushed = path.stat().st_size
        data = path.read_bytes()
        encoder.close()
    path.write_bytes(data)
    return flushed


def heard_by_ffmpeg(path: Path) -> int:
    with av.open(str(path)) as file:
        return sum(frame.samples for frame in file.decode(audio=0))


@IN_ONE_FOLDER
@given(
    pieces=PIECES,
    subtype=st.sampled_from(list(BITS)),
    n_channels=st.integers(1, 3),
    share=st.floats(0, 1),
)
def test_a_wav_that_was_cut(
    tmp_path: Path, pieces: list[int], subtype: str, n_channels: int, share: float
) -> None:
    path, samples = tmp_path / "a.wav", noise(n_channels, sum(pieces))
    write_pieces(path, "wav", subtype, samples, pieces)
    head_bytes = len(WavFormat(RATE_HZ, n_channels, subtype).header(0))
    size = head_bytes + round(share * (path.stat().st_size - head_bytes))
    os.truncate(path, size)
    n_expected = (size - head_bytes) // (n_channels * BITS[subtype] // 8)
    assert look_wav(path) == (RATE_HZ, n_expected)
    mend_wav(path, n_expected, [Label(0, 1, "late")])
    assert soundfile.info(path).frames == n_expected
    if n_expected:
        np.testing.assert_array_equal(read_audio(path)[0], samples[:, :n_expected])
    assert look_wav(path) == (RATE_HZ, n_expected), "what is whole is not taken for more"
    assert struct.unpack("<I", path.read_bytes()[4:8])[0] == path.stat().st_size - 8


@IN_ONE_FOLDER
@given(pieces=PIECES, subtype=st.sampled_from(list(BITS)))
def test_a_wav_can_be_read_at_every_flush(tmp_path: Path, pieces: list[int], subtype: str) -> None:
    path, samples = tmp_path / "a.wav", noise(2, sum(pieces))
    with path.open("wb", buffering=0) as sink:
        encoder, n = WavEncoder(sink, RATE_HZ, 2, subtype), 0
        for piece in pieces:
            encoder.write(samples[:, n : n + piece])
            n += piece
            encoder.flush()
            assert soundfile.info(path).frames == n
            np.testing.assert_array_equal(read_audio(path)[0], samples[:, :n])


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"RIFF" + bytes(90), b"fLaC", b"fLaC" + bytes(60), b"x" * 200]
)
@pytest.mark.parametrize("look", [look_wav, look_flac])
def test_what_has_no_header_has_no_samples(tmp_path: Path, data: bytes, look: object) -> None:
    (tmp_path / "a").write_bytes(data)
    assert callable(look)
    assert look(tmp_path / "a")[1] == 0


def test_labels_are_not_taken_for_samples_when_the_process_ends_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `close` does it: what is said last, the size of all, is not said any more."""
    path, samples = tmp_path / "a.wav", noise(1, 1001)
    state_sizes = WavEncoder._state_sizes
    with path.open("wb", buffering=0) as sink:
        encoder = WavEncoder(sink, RATE_HZ, 1, "PCM_24")
        encoder.write(samples)
        with monkeypatch.context() as patch:
            patch.setattr(
                WavEncoder, "_state_sizes", lambda self, n_bytes: None if n_bytes else state_sizes(self, 0)
            )
            encoder.close([Label(3, 9, "late")])
    assert b"late" in path.read_bytes()
    assert look_wav(path) == (RATE_HZ, 1001)
    mend_wav(path, 1001, [Label(3, 9, "late")])
    assert path.read_bytes().count(b"late") == 1
    np.testing.assert_array_equal(read_audio(path)[0], samples)


def test_a_wav_beyond_4_gib_is_rf64_at_every_flush_and_mended(tmp_path: Path) -> None:
    """Five of them, most of which is a hole that takes no room on the disk."""
    path, n_hole, samples = tmp_path / "long.wav", 5 * (1 << 30) // 6, noise(2, 5000)
    with path.open("wb", buffering=0) as sink:
        encoder = WavEncoder(sink, RATE_HZ, 2, "PCM_24")
        sink.seek(n_hole * 6, os.SEEK_CUR)
        encoder._data_bytes += n_hole * 6
        encoder.write(samples[:, :4000])
        encoder.flush()
        with soundfile.SoundFile(path) as file:
            assert (file.format, file.frames) == ("RF64", n_hole + 4000)
        encoder.write(samples[:, 4000:])
    os.truncate(path, path.stat().st_size - 1)  # not even flushed
    assert look_wav(path) == (RATE_HZ, n_hole + 4999)
    mend_wav(path, n_hole + 4999, [Label(1000, 2000, "late")])
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.frames) == ("RF64", n_hole + 4999)
        file.seek(n_hole)
        np.testing.assert_array_equal(file.read(dtype="float32").T, samples[:, :4999])
    assert look_wav(path) == (RATE_HZ, n_hole + 4999)


@IN_ONE_FOLDER
@given(
    pieces=st.lists(st.integers(1, 30_000), min_size=1, max_size=5),
    subtype=st.sampled_from(["PCM_16", "PCM_24"]),
    n_channels=st.integers(1, 3),
    share=st.floats(0, 1),
    rest=st.binary(max_size=50),
)
def test_a_flac_that_was_cut(
    tmp_path: Path, pieces: list[int], subtype: str, n_channels: int, share: float, rest: bytes
) -> None:
    path, samples = tmp_path / "a.flac", noise(n_channels, sum(pieces))
    write_pieces(path, "flac", subtype, samples, pieces)
    whole = path.read_bytes()
    rate_hz, n_whole = look_flac(path)
    assert n_whole == (sum(pieces) - 1) // FLAC_BLOCK * FLAC_BLOCK  # the encoder looks one sample ahead
    assert rate_hz == (RATE_HZ if whole else 0)
    path.write_bytes(whole[: round(share * len(whole))] + rest)
    _, n_samples = look_flac(path)
    assert n_samples % FLAC_BLOCK == 0
    assert (
        n_samples == n_whole or share < 1 or rest
    )  # the end of the last frame is where the file ends, or the next
    assert n_samples >= n_whole - FLAC_BLOCK or share < 1
    if not n_samples:
        return
    mend_flac(path, n_samples)
    assert soundfile.info(path).frames == n_samples
    np.testing.assert_array_equal(read_audio(path)[0], samples[:, :n_samples])
    assert heard_by_ffmpeg(path) == n_samples
    mend_flac(path, n_samples - 1)  # the files of a take are cut to one length
    assert look_flac(path)[1] == n_samples - FLAC_BLOCK


def test_of_a_flac_every_whole_frame_is_found(tmp_path: Path) -> None:
    path, samples = tmp_path / "a.flac", noise(2, 20 * FLAC_BLOCK + 1)
    write_pieces(path, "flac", "PCM_24", samples, [samples.shape[1]])
    data = path.read_bytes()
    ends = [len(data)]
    for n_frames in range(19, 0, -1):
        mend_flac(path, n_frames * FLAC_BLOCK)
        ends.append(path.stat().st_size)
    for n_frames, end in zip(range(20, 0, -1), ends, strict=True):
        for size, expected in ((end, n_frames), (end - 1, n_frames - 1), (end + 7, n_frames)):
            path.write_bytes(data[:size])
            assert look_flac(path) == (RATE_HZ, expected * FLAC_BLOCK)


def test_a_flac_that_was_ended_is_left_as_it_is(tmp_path: Path) -> None:
    """With a last frame that is shorter, and more of it than is looked at first."""
    path, samples = tmp_path / "a.flac", noise(2, 400_123)
    soundfile.write(path, samples.T, RATE_HZ, subtype="PCM_24")
    assert path.stat().st_size > 1 << 20
    assert look_flac(path) == (RATE_HZ, 400_123)
    mend_flac(path, 30_000)  # far from the end
    assert look_flac(path) == (RATE_HZ, 30_000 // FLAC_BLOCK * FLAC_BLOCK)
    np.testing.assert_array_equal(read_audio(path)[0], samples[:, : 30_000 // FLAC_BLOCK * FLAC_BLOCK])
