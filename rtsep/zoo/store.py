"""Name -> model folder: the models in the user's cache folder, and those that ship inside the package.

The store is one folder with one folder for each model; ``RTSEP_MODELS`` names another one. An installed model hides
a shipped one of the same name.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from rtsep.errors import ModelError, UsageError
from rtsep.zoo.card import CARD_FILE, WEIGHTS_FILE, ModelCard, ModelFolder, read_folder
from rtsep.zoo.spleeter import CONFIGS
from rtsep.zoo.weights import refuse_strangers

STORE_VARIABLE = "RTSEP_MODELS"
SHIPPED = Path(__file__).parent / "shipped"
REAL_MODEL = "2stems"
SHIPPED_MODEL = "demo-2stems"

CONVERTED = ".converted"  # in the store: made of checkpoints that Spleeter's JSON files name, see `find_json`

Origin = Literal["installed", "shipped", "converted", "folder"]


@dataclass(frozen=True)
class ModelEntry:
    """One line of the list of models.

    Attributes
    ----------
    name
        What ``-m`` takes.
    origin
        Where it is from: installed in the store, shipped with the package, converted on the way from a JSON file of
        Spleeter's, or a folder anywhere else.
    path
        Its folder.
    weights_bytes
        Size of its weights, 0 when they are missing.
    card
        Its card, or None where that cannot be read.
    problem
        Why it cannot be used, or empty.
    """

    name: str
    origin: Origin
    path: Path
    weights_bytes: int
    card: ModelCard | None
    problem: str = ""


def store_folder() -> Path:
    """The folder that models are installed in; it need not exist yet."""
    chosen = os.environ.get(STORE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("rtsep", appauthor=False) / "models"


def find_installed(name: str) -> ModelFolder:
    """The installed or shipped model of this name.

    Raises
    ------
    ModelError
        There is none.
    """
    entry = entry_named(name)
    if entry is None:
        raise ModelError(unknown(name))
    return read_folder(entry.path)


def default_model() -> tuple[ModelFolder, str]:
    """The model for whoever named none, and the line that tells so.

    Returns
    -------
    tuple
        ``2stems`` if it is installed, else the model that ships; and a notice of one line.
    """
    if entry_named(REAL_MODEL) is not None:
        return find_installed(REAL_MODEL), f"Model: {REAL_MODEL}, the default (-m chooses another)."
    notice = (
        f"Model: {SHIPPED_MODEL}, the small one that comes with rtsep. "
        f"`rtsep models pull {REAL_MODEL}` gets the real one, which is used from then on."
    )
    return find_installed(SHIPPED_MODEL), notice


def list_models() -> list[ModelEntry]:
    """All models that can be named: the installed ones, the shipped ones they do not hide, then the converted ones."""
    places: dict[Origin, Path] = {
        "installed": store_folder(),
        "shipped": SHIPPED,
        "converted": store_folder() / CONVERTED,
    }
    entries: dict[str, ModelEntry] = {}
    for origin, place in places.items():
        for path in _folders(place):
            entries.setdefault(path.name, _entry(path, origin))
    return list(entries.values())


def remove(name: str) -> Path:
    """Delete an installed or a converted model.

    Returns
    -------
    Path
        The folder that is no more.

    Raises
    ------
    UsageError
        `name` is a path, not a name.
    ModelError
        There is no such installed model, or its folder holds files that rtsep did not write.
    """
    entry = entry_named(name) if is_bare(name) else None
    if entry is None and (not is_bare(name) or Path(name).is_dir()):
        raise UsageError(
            f"{name!r} is not the name of an installed model, and only those are removed: names are in "
            f"`rtsep models list`. A folder elsewhere is yours to delete."
        )
    if entry is None:
        raise ModelError(unknown(name))
    if entry.origin == "shipped":
        raise ModelError(f"{name} comes with rtsep and is part of its installation; it cannot be removed.")
    if entry.path.is_symlink():
        entry.path.unlink()
    else:
        _delete(entry.path)
    return entry.path


def _delete(path: Path) -> None:
    """Delete a model folder, unless somebody keeps other files in it."""
    refuse_strangers(path)
    try:
        # Moved first: a deletion that is interrupted leaves no half model under the old name.
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}-", suffix=".removed", dir=path.parent
        ) as scratch:
            path.rename(Path(scratch) / path.name)
    except OSError as error:
        raise ModelError(f"{path} cannot be removed: {error.strerror or error}.") from error


def unknown(name: str) -> str:
    """The message for a name that no model has: what there is, what was perhaps meant, how to get others."""
    known = {entry.name: entry.origin for entry in list_models()}
    parts = [f"there is no model {name!r}."]
    if name in CONFIGS:
        parts.append(f"It can be had: `rtsep models pull {name}`.")
    near = difflib.get_close_matches(name, [*known, *CONFIGS], n=1, cutoff=0.6)
    if near and near[0] != name:
        parts.append(f"Did you mean {near[0]!r}?")
    parts.append("Here: " + (", ".join(f"{n} ({origin})" for n, origin in known.items()) or "none") + ".")
    if name not in CONFIGS:
        parts.append(
            f"`rtsep models pull NAME` gets {', '.join(CONFIGS)}; a model folder's path will do too."
        )
    return " ".join(parts)


def is_bare(name: str) -> bool:
    """Whether this is one plain name, which can lead nowhere out of the store."""
    return bool(name) and not name.startswith(".") and Path(name).name == name and "\\" not in name


def entry_named(name: str) -> ModelEntry | None:
    """The installed or shipped model of this name, usable or not."""
    return next((entry for entry in list_models() if entry.name == name), None)


def _folders(parent: Path) -> list[Path]:
    """The model folders in a store, by name; unfinished and foreign ones are not among them."""
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if not p.name.startswith(".") and (p / CARD_FILE).is_file())


def _entry(path: Path, origin: Origin) -> ModelEntry:
    weights = path / WEIGHTS_FILE
    size_bytes = weights.stat().st_size if weights.is_file() else 0
    try:
        return ModelEntry(path.name, origin, path, size_bytes, read_folder(path).card)
    except ModelError as error:
        return ModelEntry(path.name, origin, path, size_bytes, None, str(error))
