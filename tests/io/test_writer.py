"""Writing: what is asked for or a clear refusal; whole files or none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from rtsep.errors import AudioFileError, UsageError
from rtsep.io.encode import CODECS
from rtsep.io.files import AudioWriter, commit_together, read_audio
from rtsep.io.wav import WavEncoder

RATE_HZ = 44100
NOISE = np.random.default_rng(1).normal(0, 0.2, (2, 50_001)).astype(np.float32).clip(-0.99, 0.99)
HISS_BEFORE = b"what was here before"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- what can be asked for


@pytest.mark.parametrize(
    ("codec", "options", "words"),
    [
        ("mp4", {}, "wav, flac, mp3, ogg, opus, m4a, wma"),
        ("wav", {"subtype": "PCM_8"}, "PCM_16, PCM_24, FLOAT"),
        ("flac", {"subtype": "FLOAT"}, "flac has no subtype FLOAT; it has PCM_16, PCM_24"),
        ("mp3", {"subtype": "PCM_16"}, "mp3 is lossy"),
        ("wav", {"bitrate": "192k"}, "wav is lossless"),
        ("mp3", {"bitrate": "1000k"}, "8k to 320k"),
        ("opus", {"bitrate": "loud"}, "for example 192k"),
    ],
)
def test_what_a_codec_does_not_have_is_refused_with_what_it_has(
    tmp_path: Path, codec: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        AudioWriter(tmp_path / "a.x", RATE_HZ, 2, codec=codec, **options)
    assert names(tmp_path) == []


def test_other_misuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ending '\.xyz' names no codec; there are \.wav"):
        AudioWriter(tmp_path / "a.xyz", RATE_HZ, 2)
    with pytest.raises(UsageError, match="3 channels do not go into mp3; it takes 1 to 2"):
        AudioWriter(tmp_path / "a.mp3", RATE_HZ, 3)
    with pytest.raises(UsageError, match="sample_rate_hz=0"):
        AudioWriter(tmp_path / "a.wav", 0, 2)
    with pytest.raises(AudioFileError, match="does not exist"):
        AudioWriter(tmp_path / "no" / "a.wav", RATE_HZ, 2)
    with pytest.raises(AudioFileError, match="is a folder"):
        AudioWriter(tmp_path, RATE_HZ, 2, codec="wav")
    writer = AudioWriter(tmp_path / "a.wav", RATE_HZ, 2)
    with pytest.raises(UsageError, match=r"shape \(5, 2\).*\(2, samples\)"):
        writer.write(np.zeros((5, 2), np.float32))
    writer.close()
    with pytest.raises(UsageError, match="is closed"):
        writer.write(NOISE)


@pytest.mark.parametrize("codec", ["mp3", "ogg", "opus", "m4a", "wma"])
def test_a_higher_bitrate_is_a_larger_and_truer_file(tmp_path: Path, codec: str) -> None:
    sizes, errors = [], []
    for bitrate in ("64k", "256000"):
        with AudioWriter(tmp_path / f"a.{codec}", 48000, 2, bitrate=bitrate) as writer:
            writer.write(NOISE)
        sizes.append((tmp_path / f"a.{codec}").stat().st_size)
        errors.append(np.sum((read_audio(tmp_path / f"a.{codec}")[0][:, :40_000] - NOISE[:, :40_000]) ** 2))
    assert sizes[1] > 1.8 * sizes[0]
    assert errors[1] < errors[0]
    assert sizes[1] * 8 / (NOISE.shape[1] / 48000) == pytest.approx(256_000, rel=0.5)


@pytest.mark.parametrize(("codec", "file_rate_hz"), [("opus", 48000), ("mp3", 48000), ("wma", 48000)])
@pytest.mark.parametrize("rate_hz", [44100, 88200])
def test_a_rate_that_the_codec_lacks_is_converted(
    tmp_path: Path, codec: str, file_rate_hz: int, rate_hz: int
) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz, dtype=np.float64).astype(np.float32) / 2
    with AudioWriter(tmp_path / f"a.{codec}", rate_hz, 1) as writer:
        for start in range(0, rate_hz, 7001):
            writer.write(tone[None, start : start + 7001])
    expected_hz = rate_hz if rate_hz == 44100 and codec != "opus" else file_rate_hz
    assert writer.file_rate_hz == expected_hz
    heard, heard_hz = read_audio(tmp_path / f"a.{codec}")
    assert heard_hz == expected_hz
    true = np.sin(2 * np.pi * 440 * np.arange(expected_hz) / expected_hz) / 2
    inside = slice(2000, expected_hz - 4000)
    assert np.abs(heard[0, inside] - true[inside]).max() < 0.02  # one sample's shift is 0.03


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rate_hz", [8000, 192_000, 384_000])
def test_every_codec_takes_every_rate_that_is_separated(tmp_path: Path, codec: str, rate_hz: int) -> None:
    with AudioWriter(tmp_path / f"a.{codec}", rate_hz, 2) as writer:
        writer.write(NOISE[:, :4000])
    n_expected = 4000 * writer.file_rate_hz / rate_hz
    heard, heard_hz = read_audio(tmp_path / f"a.{codec}")
    assert heard_hz == writer.file_rate_hz
    assert heard.shape[1] >= int(n_expected)
    if codec == "ogg":
        assert writer.file_rate_hz == min(rate_hz, 192_000), "libvorbis has no settings above 200 kHz"


def test_a_bitrate_that_one_channel_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="510k is too high for 1 channel of opus; it takes up to 256k"):
        AudioWriter(tmp_path / "a.opus", 48000, 1, bitrate="510k")
    assert names(tmp_path) == []
    for n_channels, bitrate in ((1, "256k"), (2, "510k")):
        AudioWriter(tmp_path / "a.opus", 48000, n_channels, bitrate=bitrate).close()


def test_an_encoder_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"a\.flac cannot be written: .*sample rate"):
        AudioWriter(tmp_path / "a.flac", 2_000_000, 2)  # beyond what FLAC's header can say
    assert names(tmp_path) == []


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_short_files(tmp_path: Path, codec: str, n_samples: int) -> None:
    with AudioWriter(tmp_path / f"a.{codec}", 48000, 2) as writer:
        writer.write(NOISE[:, :n_samples])
    if n_samples == 100:
        assert read_audio(tmp_path / f"a.{codec}")[0].shape[1] >= 100


def test_clipped_values_are_counted(tmp_path: Path) -> None:
    loud = np.array([[0.5, 1.0, 1.5, -1.0], [-2.0, np.inf, 0.0, 0.1]], np.float32)
    for name, options, n_clipped in [
        ("a.wav", {}, 3),
        ("b.flac", {"subtype": "PCM_24"}, 3),
        ("c.wav", {"subtype": "FLOAT"}, 0),
    ]:
        with AudioWriter(tmp_path / name, RATE_HZ, 2, **options) as writer:
            writer.write(loud)
        assert writer.n_clipped_samples == n_clipped
        heard = read_audio(tmp_path / name)[0]
        assert heard[1, 0] == (-2 if n_clipped == 0 else -1)
        assert 0.9999 < heard[0, 2] <= 1.5


def test_many_channels_in_a_recording(tmp_path: Path) -> None:
    rows = np.arange(10, dtype=np.float32)[:, None].repeat(100, axis=1) / 16
    with AudioWriter(tmp_path / "ten.wav", RATE_HZ, 10, subtype="PCM_24") as writer:
        writer.write(rows)
    np.testing.assert_array_equal(read_audio(tmp_path / "ten.wav")[0], rows)


# ---------------------------------------------------------------- WAV beyond 4 GiB


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_wav_that_outgrows_the_limit_is_rf64(tmp_path: Path, subtype: str, n_channels: int) -> None:
    for limit, kind in [(1 << 32, b"RIFF"), (10_000, b"RF64")]:
        path = tmp_path / f"{limit}.wav"
        with path.open("wb") as sink:
            encoder = WavEncoder(sink, RATE_HZ, n_channels, subtype, riff_limit_bytes=limit)
            encoder.write(NOISE[:n_channels])
            encoder.close()
        assert path.read_bytes()[:4] == kind
        assert soundfile.info(path).frames == NOISE.shape[1]
        with av.open(str(path)) as file:  # a second library agrees
            assert sum(frame.samples for frame in file.decode(audio=0)) == NOISE.shape[1]
    heard = [soundfile.read(path, always_2d=True)[0] for path in sorted(tmp_path.iterdir())]
    np.testing.assert_array_equal(heard[0], heard[1])


def test_the_header_of_five_gigabytes(tmp_path: Path) -> None:
    """The file is sparse: its samples are one hole between two blocks."""
    path, n_samples = tmp_path / "long.wav", 5 * (1 << 30) // 8
    with path.open("wb") as sink:
        encoder = WavEncoder(sink, RATE_HZ, 2, "FLOAT")
        hole_samples = n_samples - NOISE.shape[1]
        sink.seek(hole_samples * 8, os.SEEK_CUR)
        encoder._data_bytes += hole_samples * 8
        encoder.write(NOISE)
        encoder.close()
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.frames) == ("RF64", n_samples)
        file.seek(n_samples - NOISE.shape[1])
        np.testing.assert_array_equal(file.read(dtype="float32").T, NOISE)


# ---------------------------------------------------------------- whole or not at all


def write_and_stop(path: Path) -> None:
    with AudioWriter(path, 48000, 2) as writer:
        writer.write(NOISE)
        raise KeyboardInterrupt


@pytest.mark.parametrize("codec", CODECS)
def test_an_exception_leaves_nothing_and_the_old_file(tmp_path: Path, codec: str) -> None:
    (tmp_path / f"old.{codec}").write_bytes(HISS_BEFORE)
    for stem in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            write_and_stop(tmp_path / f"{stem}.{codec}")
    assert names(tmp_path) == [f"old.{codec}"]
    assert (tmp_path / f"old.{codec}").read_bytes() == HISS_BEFORE


def test_until_the_end_the_old_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(HISS_BEFORE)
    with AudioWriter(path, RATE_HZ, 2) as writer:
        writer.write(NOISE)
        assert path.read_bytes() == HISS_BEFORE
    assert read_audio(path)[0].shape == NOISE.shape
    assert names(tmp_path) == ["a.wav"]


def test_new_files_have_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    with AudioWriter(tmp_path / "a.wav", RATE_HZ, 2) as writer:
        writer.write(NOISE)
    assert (tmp_path / "a.wav").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_files_are_renamed_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(HISS_BEFORE)
    writers = [AudioWriter(tmp_path / f"{stem}.wav", RATE_HZ, 2) for stem in "abc"]
    for writer in writers:
        writer.write(NOISE)
    (tmp_path / "c.wav").mkdir()  # nobody can rename a file to this
    (tmp_path / "c.wav" / "full").write_text("")
    writers[2].part_path.unlink()
    with pytest.raises(AudioFileError, match="cannot be renamed"):
        commit_together(writers)
    assert names(tmp_path) == ["a.wav", "c.wav"]
    assert (tmp_path / "a.wav").read_bytes() == HISS_BEFORE
    assert names(tmp_path / "c.wav") == ["full"]


def test_the_old_file_is_there_until_the_new_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks right before the renaming finds the old file, not a gap; also without hard links."""
    found: list[bytes] = []
    rename = Path.replace

    def look_and_rename(path: Path, target: Path) -> Path:
        found.append((tmp_path / "a.wav").read_bytes())
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", look_and_rename)
    for has_links in (True, False):
        if not has_links:
            monkeypatch.setattr(os, "link", refuse)
        (tmp_path / "a.wav").write_bytes(HISS_BEFORE)
        with AudioWriter(tmp_path / "a.wav", RATE_HZ, 2) as writer:
            writer.write(NOISE)
        assert found.pop() == HISS_BEFORE
        assert found == []
        assert read_audio(tmp_path / "a.wav")[0].shape == NOISE.shape
        assert names(tmp_path) == ["a.wav"]


def refuse(*paths: object) -> None:
    raise PermissionError("no second names here")


def test_a_failed_renaming_gives_back_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(HISS_BEFORE)
    (tmp_path / "a.wav").symlink_to("there")
    (tmp_path / "b.wav").symlink_to("nowhere")
    writers = [AudioWriter(tmp_path / f"{stem}.wav", RATE_HZ, 2) for stem in "abc"]
    writers[2].part_path.unlink()
    with pytest.raises(AudioFileError, match="cannot be renamed"):
        commit_together(writers)
    assert names(tmp_path) == ["a.wav", "b.wav", "there"]
    assert [(tmp_path / f"{stem}.wav").readlink() for stem in "ab"] == [Path("there"), Path("nowhere")]


WRITE_FOR_EVER = """
    import sys
    import numpy as np
    from rtsep.io.files import AudioWriter
    noise = np.random.default_rng(0).normal(0, 0.2, (2, 20000)).astype(np.float32)
    with AudioWriter(sys.argv[1], 48000, 2) as writer:
        while True:
            writer.write(noise)
            print("written", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are sent")
@pytest.mark.parametrize(("sent", "left"), [(signal.SIGINT, []), (signal.SIGKILL, [".part"])])
def test_a_killed_program_never_leaves_half_a_file(
    tmp_path: Path, sent: signal.Signals, left: list[str]
) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(HISS_BEFORE)
    command = [sys.executable, "-c", textwrap.dedent(WRITE_FOR_EVER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"written\n"
        program.send_signal(sent)
    assert path.read_bytes() == HISS_BEFORE
    assert [Path(name).suffix for name in names(tmp_path) if name != "a.flac"] == left


# ---------------------------------------------------------------- full disks


def write_much(path: Path, n_samples: int | None) -> None:
    with AudioWriter(path, 48000, 2, n_samples=n_samples) as writer:
        for _ in range(400):
            writer.write(NOISE)


def write_until_full(path: Path, *, n_samples: int | None = None) -> str:
    with pytest.raises(AudioFileError) as caught:
        write_much(path, n_samples)
    return str(caught.value)


@contextmanager
def files_limited_to(n_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond this: the kernel then refuses to write, as a full disk does.

    It holds for whatever the tests' own report goes to as well, so it must not outlast what it is for.
    """
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_that_cannot_grow(tmp_path: Path, codec: str) -> None:
    path = tmp_path / f"a.{codec}"
    path.write_bytes(HISS_BEFORE)
    with files_limited_to(200_000):
        message = write_until_full(path)
    assert message.startswith(f"{path} cannot be written: File too large")
    assert f"are free in {tmp_path}" in message
    assert names(tmp_path) == [f"a.{codec}"]
    assert path.read_bytes() == HISS_BEFORE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no small disk can be mounted: {error}")
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("codec", CODECS)
def test_a_full_disk(small_disk: Path, codec: str) -> None:
    message = write_until_full(small_disk / f"a.{codec}", n_samples=400 * NOISE.shape[1])
    assert "No space left on device" in message
    needed = "80.0 MB" if codec in ("wav", "flac") else "10.0 MB"
    assert f"it needs about {needed}" in message
    assert names(small_disk) == []


@pytest.mark.parametrize("codec", CODECS)
def test_a_reserve_keeps_what_was_written_until_the_disk_was_full(small_disk: Path, codec: str) -> None:
    path = small_disk / f"a.{codec}"
    writer = AudioWriter(path, 48000, 2, reserve_bytes=65536)
    written: list[int] = []
    with pytest.raises(AudioFileError, match=r"No space left on device; it had grown to 0\.\d MB"):
        written.extend(writer.write(NOISE[:, :5000]) or 5000 for _ in range(2000))
    n_written = sum(written)
    assert writer.is_open
    writer.close()
    assert names(small_disk) == [f"a.{codec}"]
    found, rate_hz = read_audio(path)
    assert rate_hz == 48000
    assert n_written <= found.shape[1] <= n_written + 5000 + 4096
    if codec in ("wav", "flac"):
        expected = np.tile(NOISE[:, :5000], found.shape[1] // 5000 + 1)[:, : found.shape[1]]
        np.testing.assert_allclose(found, expected, atol=2**-15)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_reserve_is_given_back(small_disk: Path, end: str) -> None:
    free_bytes = shutil.disk_usage(small_disk).free
    writer = AudioWriter(small_disk / "a.wav", 48000, 2, reserve_bytes=200_000)
    assert shutil.disk_usage(small_disk).free < free_bytes - 200_000
    with pytest.raises(AudioFileError, match=r"b\.wav cannot be written: No space left"):
        AudioWriter(small_disk / "b.wav", 48000, 2, reserve_bytes=200_000)
    getattr(writer, end)()
    assert shutil.disk_usage(small_disk).free > free_bytes - 10_000


def test_the_last_bytes_do_not_fit(tmp_path: Path) -> None:
    """What is only found out at the end is found out before the file gets its name."""
    writer = AudioWriter(tmp_path / "a.wav", 48000, 1, subtype="PCM_24")
    writer.write(NOISE[:1, :1001])  # an odd number of bytes, which the end makes even
    with (
        files_limited_to(writer.part_path.stat().st_size),
        pytest.raises(AudioFileError, match="File too large"),
    ):
        writer.close()
    assert names(tmp_path) == []
