"""The stems of the real command against those that Deezer's Spleeter itself made.

Of the two tests the second one is robust. The first allows 1e-5 where TensorFlow's transform alone makes up to 9.9e-6:
another NumPy or processor may push it over. The second emulates that transform and needs 4e-7 of the 1e-6 that it
allows: if it holds, networks, masks and overlap-add are Spleeter's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import eigen_fft
import numpy as np
import pytest
import soundfile

import rtsep
from rtsep.dsp import stft
from rtsep.zoo import convert

FOLDERS = ["2stems", "4stems", "5stems"]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_command_makes_spleeters_stems(shared: Path, tmp_path: Path, name: str) -> None:
    golden = shared / "golden"
    model = convert(golden / name, tmp_path / name)
    command = [sys.executable, "-m", "rtsep", "separate", "-m", str(model.path), "-o", str(tmp_path / "out")]
    command += ["--subtype", "FLOAT", "--device", "cpu", str(golden / "mixture.wav")]
    subprocess.run(command, check=True, capture_output=True)
    written = {path.stem: path for path in (tmp_path / "out" / "mixture").iterdir()}
    expected = np.load(golden / name / "expected_stems.npz")
    assert set(written) == set(expected.files) == set(model.card.stems)
    for stem, path in written.items():
        samples, rate_hz = soundfile.read(path, dtype="float32")
        assert rate_hz == 44100
        np.testing.assert_allclose(samples, expected[stem], rtol=0, atol=1e-5, err_msg=stem)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_between_us_and_spleeter_is_its_fourier_transform(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    golden = shared / "golden"
    separator = rtsep.load(convert(golden / name, tmp_path / name), device="cpu")
    mixture, rate_hz = soundfile.read(golden / "mixture.wav", dtype="float32")
    monkeypatch.setattr(stft.np.fft, "rfft", lambda frames, axis: eigen_fft.rfft(frames))
    monkeypatch.setattr(stft.np.fft, "irfft", eigen_fft.irfft)
    stems = separator.separate(mixture.T, rate_hz)
    expected = np.load(golden / name / "expected_stems.npz")
    for stem, samples in stems.items():
        np.testing.assert_allclose(samples.T, expected[stem], rtol=0, atol=1e-6, err_msg=stem)
