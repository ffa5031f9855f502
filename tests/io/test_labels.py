"""Labels: they survive the label track and the cue points of a WAV file, and say what their parts said."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from rtsep.io.files import AudioWriter, read_audio
from rtsep.io.labels import LARGEST, N_CUES_MAX, Label, cue_chunks, from_track, to_track, union, within

RATES_HZ = st.sampled_from([8000, 44100, 48000, 192_000, 384_000])
SPANS = st.tuples(st.integers(0, 300), st.integers(0, 20), st.sampled_from(["late", "skip: no stems"]))
LABELS = st.lists(SPANS.map(lambda span: Label(span[0], span[0] + span[1], span[2])), max_size=20)


def chunks(data: bytes) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    while data:
        name, size = struct.unpack_from("<4sI", data)
        found.setdefault(name, []).append(data[8 : 8 + size])
        data = data[8 + size + size % 2 :]
    return found


def covered(labels: list[Label], text: str) -> set[int]:
    return {at for one in labels if one.text == text for at in range(one.start_samples, one.end_samples)}


@given(LABELS)
def test_a_union_covers_the_same_without_overlap(labels: list[Label]) -> None:
    merged = union(labels)
    assert merged == sorted(merged)
    for text in {one.text for one in labels}:
        assert covered(merged, text) == covered(labels, text)
        same = [one for one in merged if one.text == text]
        assert all(one.end_samples < two.start_samples for one, two in itertools.pairwise(same))


@given(LABELS, st.integers(1, 310))
def test_what_is_cut_lies_within(labels: list[Label], n_samples: int) -> None:
    for text in {one.text for one in labels}:
        expected = {at for at in covered(labels, text) if at < n_samples}
        assert covered(within(labels, n_samples), text) == expected
    assert all(one.start_samples < n_samples for one in within(labels, n_samples))


@given(LABELS, RATES_HZ, st.integers(0, 10**10), st.integers(0, 40))
def test_a_track_gives_back_the_samples(labels: list[Label], rate_hz: int, shift: int, n_cut: int) -> None:
    moved = [one._replace(start_samples=one[0] + shift, end_samples=one[1] + shift) for one in labels]
    track = to_track(moved, rate_hz)
    assert from_track(track, rate_hz) == moved
    cut = track[: max(0, len(track) - n_cut)]  # the process ended in the middle of a line
    assert from_track(cut, rate_hz) == moved[: cut.count("\n")]


def test_cue_points_are_named_and_have_lengths() -> None:
    found = chunks(cue_chunks([Label(100, 100, "xrun"), Label(200, 350, "late")]))
    (cue,), (listed,) = found[b"cue "], found[b"LIST"]
    assert struct.unpack("<I", cue[:4]) == (2,)
    assert struct.unpack("<II4sIII", cue[4:28]) == (1, 100, b"data", 0, 0, 100)
    assert struct.unpack("<II4sIII", cue[28:]) == (2, 200, b"data", 0, 0, 200)
    assert listed[:4] == b"adtl"
    notes = chunks(listed[4:])
    assert notes[b"labl"] == [b"\x01\0\0\0xrun\0", b"\x02\0\0\0late\0"]
    assert [struct.unpack("<II4s8x", region) for region in notes[b"ltxt"]] == [(2, 150, b"rgn ")]


def test_what_32_bits_cannot_say_is_left_out() -> None:
    assert cue_chunks([Label(LARGEST + 1, LARGEST + 2, "late")]) == b""
    many = [Label(i, i + 1, "late") for i in range(N_CUES_MAX + 5)]
    assert struct.unpack("<I", chunks(cue_chunks(many))[b"cue "][0][:4]) == (N_CUES_MAX,)


def test_a_file_with_cue_points_sounds_as_without(tmp_path: Path) -> None:
    noise = (np.random.default_rng(1).integers(-(2**15), 2**15, (1, 1001)) / 2**15).astype(np.float32)
    with AudioWriter(tmp_path / "a.wav", 8000, 1, subtype="PCM_24") as writer:  # an odd number of bytes
        writer.write(noise)
        writer.labels = [Label(3, 10, "late: odd")]
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], noise)
    data = (tmp_path / "a.wav").read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    assert [len(cue) for cue in chunks(data[12:])[b"cue "]] == [28]
    assert "late: odd" in soundfile.SoundFile(tmp_path / "a.wav").extra_info
