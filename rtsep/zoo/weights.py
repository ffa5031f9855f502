"""A model folder's two files: written whole or not at all, read only when they are what the card says.

Weights travel as safetensors: names, shapes and numbers, and nothing that could run. The names are those of
`rtsep.nets.unet.SeparationNet`; batch-norm step counters are left out, for nothing reads them.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from rtsep.config import write_yaml
from rtsep.errors import ModelError
from rtsep.nets.unet import SeparationNet
from rtsep.whole import replacing
from rtsep.zoo.card import CARD_FILE, WEIGHTS_FILE, ModelCard, ModelFolder

_STEP_COUNTER = "num_batches_tracked"
_HASH_CHUNK_BYTES = 1 << 20
ABANDONED_S = (
    3600.0  # whoever has written nothing for so long was killed: a silent download ends in half a minute
)


def load_network(folder: ModelFolder, *, device: str | torch.device = "cpu") -> SeparationNet:
    """Build a model's networks, in float32, and fill them with its verified weights.

    Parameters
    ----------
    folder
        The model, as `rtsep.zoo.find` gives it.
    device
        Where the networks shall live.

    Returns
    -------
    SeparationNet
        In evaluation mode.

    Raises
    ------
    ModelError
        The weights are not those the card was written for: their checksum, a name or a shape differs.
    """
    state = read_weights(folder)
    with torch.device(
        "meta"
    ):  # shapes only: no time and no random numbers spent on weights about to be replaced
        network = SeparationNet(folder.card.network.instruments, folder.card.network.unet)
    _check_fit(folder, state, network.state_dict())
    for name in network.state_dict():
        if name.endswith(_STEP_COUNTER):
            state[name] = torch.zeros((), dtype=torch.int64)
    network.load_state_dict(state, assign=True)
    return network.to(device=device, dtype=torch.float32).eval()


def read_weights(folder: ModelFolder) -> dict[str, Tensor]:
    """Read the tensors of a model as they are stored, after comparing their checksum with the card's.

    Raises
    ------
    ModelError
        The file cannot be read, differs from the card's sha256, or is no safetensors file.
    """
    try:
        data = folder.weights.read_bytes()
    except OSError as error:
        raise ModelError(f"{folder.weights} cannot be read: {error.strerror or error}.") from error
    compare_checksum(folder, hashlib.sha256(data).hexdigest())
    try:
        return dict(safetensors.torch.load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder.weights} is no safetensors file: {error}. Install the model anew."
        ) from error


def verify_weights(folder: ModelFolder) -> None:
    """Compare the checksum of a model's weights with its card's, without loading them.

    Raises
    ------
    ModelError
        They differ.
    """
    compare_checksum(folder, sha256_of(folder.weights))


def compare_checksum(folder: ModelFolder, found: str) -> None:
    """Refuse weights whose sha256 is not that of the card."""
    if not folder.card.sha256:
        raise ModelError(
            f"{folder.path / CARD_FILE} has no sha256, so {WEIGHTS_FILE} cannot be trusted. "
            f"Install the model anew, or, if you made it yourself, write sha256: {found}"
        )
    if found != folder.card.sha256:
        raise ModelError(
            f"{folder.weights} is damaged or was exchanged: its sha256 is {found}, the card says "
            f"{folder.card.sha256}. Remove the model and install it anew."
        )


def _check_fit(folder: ModelFolder, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not, name by name and shape by shape, those of the card's network."""
    wanted = {name: tuple(t.shape) for name, t in expected.items() if not name.endswith(_STEP_COUNTER)}
    for name, shape in wanted.items():
        if name not in state:
            raise ModelError(f"{folder.weights} lacks {name}, which the network of its card needs.")
        if tuple(state[name].shape) != shape:
            raise ModelError(
                f"{folder.weights}: {name} has shape {tuple(state[name].shape)}, "
                f"the network of its card needs {shape}."
            )
        if not state[name].is_floating_point():
            raise ModelError(
                f"{folder.weights}: {name} holds {state[name].dtype}, not floating point numbers."
            )
    surplus = sorted(set(state) - set(wanted))
    if surplus:
        raise ModelError(
            f"{folder.weights} holds {surplus[0]}, of which the network of its card knows nothing."
        )


def write_folder(dest: Path, card: ModelCard, state: Mapping[str, Tensor]) -> ModelFolder:
    """Write a model folder: the weights, and the card with their checksum.

    The folder is made beside `dest` and takes its place in one step, instead of an older model if one is
    there, so that an interruption leaves either the old state or the new one.

    Parameters
    ----------
    dest
        The folder to make.
    card
        The card; its `sha256` is filled in here.
    state
        A state dict of `SeparationNet`, in the precision it shall be stored in.
    """
    weights = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in state.items()
        if not name.endswith(_STEP_COUNTER)
    }
    with new_folder(dest) as made:
        with replacing(made / WEIGHTS_FILE) as file:
            file.write(safetensors.torch.save(weights))
        return finish_folder(made, card, dest)


def finish_folder(made: Path, card: ModelCard, dest: Path) -> ModelFolder:
    """Write the card beside the weights in `made`; the folder will be known as `dest`."""
    card = card.model_copy(update={"sha256": sha256_of(made / WEIGHTS_FILE)})
    write_yaml(made / CARD_FILE, card)
    return ModelFolder(dest, card)


@contextlib.contextmanager
def new_folder(dest: Path) -> Iterator[Path]:
    """An empty folder that becomes `dest` when the block ends well, and vanishes when it does not.

    Raises
    ------
    ModelError
        The folder cannot be made, the disk is full, or `dest` is something else than an older model.
    """
    _sweep(dest)
    refuse_strangers(dest)
    parent = dest.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{dest.name}-", suffix=".part", dir=parent))
    except OSError as error:
        raise ModelError(f"{dest} cannot be made: {error.strerror or error}.") from error
    try:
        made = scratch / dest.name
        made.mkdir()
        yield made
        if dest.exists() or dest.is_symlink():
            dest.rename(scratch / "replaced")
        made.rename(dest)
    except OSError as error:
        raise ModelError(f"{dest} cannot be written: {error.strerror or error}.") from error
    finally:
        _put_back(scratch / "replaced", dest)
        shutil.rmtree(scratch, ignore_errors=True)


def refuse_strangers(path: Path) -> None:
    """Refuse to replace or delete what is there, unless it is a model folder with nothing else in it.

    Raises
    ------
    ModelError
        `path` is a file, or holds files that rtsep did not write.
    """
    if not path.exists():
        return
    names = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    strangers = [name for name in names if name not in (CARD_FILE, WEIGHTS_FILE)]
    if strangers:
        raise ModelError(
            f"{path} holds files that rtsep did not write ({', '.join(strangers[:3])}): "
            f"move them away, or delete the folder yourself."
        )


def _sweep(dest: Path) -> None:
    """Clear away what runs that were killed left beside `dest`; an old model goes back to its place."""
    ours = re.compile(rf"\.{re.escape(dest.name)}-[^-]+\.part")
    parent = dest.absolute().parent
    for scratch in parent.iterdir() if parent.is_dir() else ():
        if not ours.fullmatch(scratch.name):
            continue
        with contextlib.suppress(OSError):  # somebody else may be sweeping, too
            if time.time() - scratch.stat().st_mtime > ABANDONED_S:
                _put_back(scratch / "replaced", dest)
                shutil.rmtree(scratch)


def _put_back(replaced: Path, dest: Path) -> None:
    """If the new folder did not arrive, the old one returns to its place."""
    if replaced.exists() and not dest.exists():
        replaced.rename(dest)


def sha256_of(file: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
