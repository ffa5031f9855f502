"""What `rtsep models` and `rtsep devices` show."""

from __future__ import annotations

from pathlib import Path

from command_line import rtsep


def test_models_are_listed_shown_and_removed(model: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(model)
    listed = rtsep("models", "list")
    assert "mine" in listed.stdout
    assert "vocals, accompaniment" in listed.stdout
    assert "rtsep models pull" in listed.stderr
    shown = rtsep("models", "info", "mine")
    assert shown.exit_code == 0
    assert "sha256" in shown.stdout
    assert "conv_n_filters: 1, 1, 1, 1, 1, 1" in shown.stdout
    assert "{" not in shown.stdout
    assert rtsep("models", "remove", "mine").exit_code == 0
    assert "mine" not in rtsep("models", "list").stdout


def test_damaged_weights_are_found_by_info(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "card.yaml").write_bytes((model / "card.yaml").read_bytes())
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    result = rtsep("models", "info", copy)
    assert result.exit_code == 1
    assert "sha256" in result.stderr


def test_devices_are_shown_or_said_to_be_missing() -> None:
    result = rtsep("devices")
    assert result.exit_code in (0, 1)
    assert "host API" in result.stdout or "no sound card" in result.stderr or "PortAudio" in result.stderr
