"""The examples of the README run as they stand there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rtsep.config import read_yaml, write_yaml
from rtsep.io.files import AudioWriter, read_audio
from rtsep.nets.unet import SeparationNet
from rtsep.settings import LiveSettings
from rtsep.zoo import ModelCard, NetworkCard, write_folder

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ = 44100

#: Names that the text does not define, since they are the reader's own.
STAND_INS = ("mixture", "block")


def examples() -> list[str]:
    """The Python of the README, block by block."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def noise(n_samples: int) -> np.ndarray:
    return np.random.default_rng(6).uniform(-0.3, 0.3, (2, n_samples)).astype(np.float32)


@pytest.fixture
def _reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who has a model called 2stems, though a narrow one, and settings that play a short song."""
    monkeypatch.setenv("RTSEP_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(6)
    network = NetworkCard(instruments=("vocals", "accompaniment"), conv_n_filters=(1, 1, 1, 1, 1, 1))
    card = ModelCard(name="2stems", stems=network.instruments, n_frames=64, network=network)
    state = SeparationNet(network.instruments, network.unet).state_dict()
    write_folder(tmp_path / "models" / "2stems", card, state)
    with AudioWriter(tmp_path / "song.wav", RATE_HZ, 2) as writer:
        writer.write(noise(2 * RATE_HZ))
    laid_over = {"input": {"source": "song.wav"}, "output": {"sink": "out.wav", "clock": "real"}}
    (tmp_path / "configs").mkdir()
    shipped = read_yaml(ROOT / "configs" / "live.yaml", LiveSettings)
    write_yaml(tmp_path / "configs" / "live.yaml", shipped.with_overrides(laid_over))


def test_the_readers_own_names_are_not_those_of_the_text() -> None:
    nodes = [node for text in examples() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    assert {node.id for node in nodes if isinstance(node.ctx, ast.Store)}.isdisjoint(STAND_INS)
    assert {node.id for node in nodes} >= set(STAND_INS)


@pytest.mark.usefixtures("_reader")
def test_the_examples_run_as_they_stand_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offline, live = examples()
    names: dict[str, Any] = {"mixture": noise(RATE_HZ), "block": noise(12345)}
    exec(compile(offline, "README.md", "exec"), names)
    assert {name: stem.shape for name, stem in names["stems"].items()} == {
        "vocals": (2, RATE_HZ),
        "accompaniment": (2, RATE_HZ),
    }
    assert names["vocals"].shape == names["accompaniment"].shape == names["block"].shape
    assert names["rest"].shape == (2, 2, names["stream"].latency_samples)
    exec(compile(live, "README.md", "exec"), names)
    host = names["host"]
    assert host.done
    assert host.board["/scene/current"] == "karaoke"
    assert host.board["/stem/vocals/mute"] is True
    assert "'vocals'" in capsys.readouterr().out
    mix, _ = read_audio(tmp_path / "out.wav")
    assert mix.any()
