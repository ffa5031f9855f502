"""Model folders: what is written is read, and what is not what the card says is refused."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from rtsep.config import write_yaml
from rtsep.errors import ModelError
from rtsep.nets.unet import SeparationNet
from rtsep.zoo import ModelCard, ModelFolder, NetworkCard, load_network, read_folder, write_folder
from rtsep.zoo.weights import new_folder, sha256_of

CARD = ModelCard(
    name="tiny",
    stems=("vocals", "keys", "rest"),
    n_frames=64,
    n_bins=64,
    network=NetworkCard(instruments=("vocals", "keys"), conv_n_filters=(2, 3, 2, 3, 2, 3)),
)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return SeparationNet(CARD.network.instruments, CARD.network.unet).state_dict()


def test_written_and_read(tmp_path: Path, state: dict[str, Tensor]) -> None:
    written = write_folder(tmp_path / "tiny", CARD, state)
    assert read_folder(tmp_path / "tiny") == written
    assert written.card.sha256 == sha256_of(written.weights)
    network = load_network(written)
    assert not network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name])
        assert not tensor.is_meta
    assert all(parameter.requires_grad for parameter in network.parameters())  # training may go on from here


def test_half_precision_is_stored_and_comes_back_as_float32(tmp_path: Path, state: dict[str, Tensor]) -> None:
    halves = {name: tensor.half() for name, tensor in state.items()}
    written = write_folder(tmp_path / "tiny", CARD, halves)
    full = write_folder(tmp_path / "full", CARD, state)
    assert written.weights.stat().st_size < 0.7 * full.weights.stat().st_size
    network = load_network(written)
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
    magnitude = torch.rand(1, 2, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(magnitude), load_network(full)(magnitude), atol=2e-3, rtol=0)


def test_loading_leaves_the_random_numbers_alone(tmp_path: Path, state: dict[str, Tensor]) -> None:
    written = write_folder(tmp_path / "tiny", CARD, state)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_network(written)
    assert torch.equal(torch.rand(3), expected)


def test_exchanged_or_damaged_weights_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    written = write_folder(tmp_path / "tiny", CARD, state)
    data = bytearray(written.weights.read_bytes())
    data[-1] ^= 1
    written.weights.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged or was exchanged: its sha256"):
        load_network(written)
    write_yaml(written.path / "card.yaml", CARD)
    with pytest.raises(ModelError, match=f"has no sha256.*{sha256_of(written.weights)}"):
        load_network(read_folder(written.path))


def save_under_its_checksum(folder: Path, state: dict[str, Tensor]) -> ModelFolder:
    folder.mkdir(exist_ok=True)
    safetensors.torch.save_file(state, folder / "model.safetensors")
    write_yaml(
        folder / "card.yaml", CARD.model_copy(update={"sha256": sha256_of(folder / "model.safetensors")})
    )
    return read_folder(folder)


def test_weights_of_another_network_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    state = {name: tensor for name, tensor in state.items() if "num_batches" not in name}
    name = "unet_keys.convs.1.weight"
    load_network(save_under_its_checksum(tmp_path / "t", state))
    cases = {
        f"lacks {name}": {k: v for k, v in state.items() if k != name},
        f"{name} has shape": state | {name: torch.zeros(1)},
        f"{name} holds torch.int64": state | {name: torch.zeros_like(state[name], dtype=torch.int64)},
        "holds unet_other.x": state | {"unet_other.x": torch.zeros(1)},
    }
    for message, changed in cases.items():
        with pytest.raises(ModelError, match=message):
            load_network(save_under_its_checksum(tmp_path / "t", changed))


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    for content in (b"", b"\x80\x04K\x01.", b"PK\x03\x04" * 10):
        written = write_folder(tmp_path / "tiny", CARD, state)
        written.weights.write_bytes(content)
        sha256 = sha256_of(written.weights)
        with pytest.raises(ModelError, match="no safetensors file"):
            load_network(ModelFolder(written.path, CARD.model_copy(update={"sha256": sha256})))


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    def leave(name: str, hours: float) -> Path:
        scratch = tmp_path / name
        (scratch / "replaced").mkdir(parents=True)
        (scratch / "replaced" / "card.yaml").write_text("old")
        at_s = time.time() - 3600 * hours
        os.utime(scratch, (at_s, at_s))
        return scratch

    old, at_work, other = leave(".m-abc1.part", 25), leave(".m-abc2.part", 0.5), leave(".m-b-abc3.part", 99)
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "m"):
        raise KeyboardInterrupt
    assert (tmp_path / "m" / "card.yaml").read_text() == "old", "killed before the new one took its place"
    assert not old.exists()
    assert at_work.exists()
    assert other.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ModelError])
def test_an_interrupted_replacement_leaves_the_old_folder(tmp_path: Path, error: type[BaseException]) -> None:
    def replace_and_fail() -> None:
        with new_folder(tmp_path / "m") as made:
            (made / "half").write_text("")
            raise error

    with pytest.raises(error):
        replace_and_fail()
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "m") as made:
        (made / "card.yaml").write_text("")
    with pytest.raises(error):
        replace_and_fail()
    assert [p.name for p in tmp_path.rglob("*")] == ["m", "card.yaml"]
    with new_folder(tmp_path / "m") as made:
        (made / "model.safetensors").write_text("")
    assert [p.name for p in tmp_path.rglob("*")] == ["m", "model.safetensors"]


def test_a_last_step_that_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    with new_folder(tmp_path / "m") as made:
        (made / "card.yaml").write_text("")
    with pytest.raises(ModelError, match="cannot be written"), new_folder(tmp_path / "m") as made:
        made.rmdir()  # so that it cannot take its place
    assert [p.name for p in tmp_path.rglob("*")] == ["m", "card.yaml"]


def test_what_is_no_model_is_never_replaced(tmp_path: Path, state: dict[str, Tensor]) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "vocals.wav").write_text("music")
    (tmp_path / "file").write_text("text")
    for name, named in (("m", "vocals.wav"), ("file", "file")):
        with pytest.raises(ModelError, match=rf"did not write \({named}\)"):
            write_folder(tmp_path / name, CARD, state)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "m", "vocals.wav"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ModelError, match="cannot be made"),
        new_folder(tmp_path / "file" / "m"),
    ):
        pass


def test_cards_that_cannot_be_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    written = write_folder(tmp_path / "tiny", CARD, state)
    text = (written.path / "card.yaml").read_text()
    for old, new, message in (
        ("n_frames: 64", "n_frames: 100", "n_frames is 100.*64"),
        ("n_bins: 64", "n_bins: 2112", "n_bins is 2112.*2049"),
        ("- vocals", "- ../vocals", "stems.0"),
        ("- keys", "- vocals", "vocals is named twice"),
        ("type: unet.unet", "type: unet.softmax_unet", "softmax"),
        ("exponent", "exponnt", "did you mean 'exponent'"),
    ):
        assert old in text
        (written.path / "card.yaml").write_text(text.replace(old, new))
        with pytest.raises(ModelError, match=message):
            read_folder(written.path)
