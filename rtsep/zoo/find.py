"""What a person wrote after ``-m`` -> the model folder that is meant."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from rtsep.errors import CheckpointError, ConfigError, ModelError
from rtsep.zoo.bundle import INDEX_SUFFIX
from rtsep.zoo.card import CARD_FILE, WEIGHTS_FILE, ModelFolder, read_folder
from rtsep.zoo.convert import checkpoint_prefix, convert
from rtsep.zoo.spleeter import PREFIX, SpleeterConfig, read_config
from rtsep.zoo.store import (
    CONVERTED,
    ModelEntry,
    Origin,
    default_model,
    entry_named,
    find_installed,
    is_bare,
    store_folder,
    unknown,
)
from rtsep.zoo.weights import verify_weights

SPLEETER_STORE_VARIABLE = "MODEL_PATH"  # where Spleeter keeps its models; by default this folder:
SPLEETER_STORE = "pretrained_models"


def find(name: str | os.PathLike[str] | None = None) -> ModelFolder:
    """The model that a person means.

    Parameters
    ----------
    name
        The name of an installed or shipped model; a model folder (``./2stems`` where the bare name would
        mean an installed one); ``spleeter:4stems``, the installed model of that name; or one of Spleeter's
        JSON files, see `find_json`. None: the model of `default_model`.

    Raises
    ------
    ModelError
        There is no such model, or it is not whole; the message lists what there is and how to get others.
    ConfigError
        A JSON file is not usable.
    """
    if name is None:
        return default_model()[0]
    text = os.fspath(name)
    if text.startswith(PREFIX):
        return find_installed(text.removeprefix(PREFIX))
    if text.lower().endswith(".json"):
        return find_json(Path(text).expanduser())
    if isinstance(name, str) and is_bare(name) and (entry_named(name) or not Path(name).is_dir()):
        return find_installed(name)
    return _find_folder(Path(text).expanduser())


def find_json(file: Path) -> ModelFolder:
    """The model of one of Spleeter's JSON files: its settings, and the weights of its `model_dir`.

    `model_dir` is looked for in the current folder, beside the JSON file, where Spleeter keeps its models
    (``$MODEL_PATH``, else ``pretrained_models``), and at last among the installed models. A checkpoint found there
    is converted, once for each content, into a hidden folder of the store.

    Raises
    ------
    ConfigError
        The file is not usable.
    ModelError
        Its `model_dir` is nowhere, or holds other networks than the file describes.
    """
    config = read_config(file)
    if not config.model_dir:
        raise ConfigError(f"{file} has no model_dir: it should name the folder of the checkpoint.")
    places = _places(file, config.model_dir)
    for place in places:
        if (place / CARD_FILE).is_file():
            return _with_settings(read_folder(place), config, file)
        if any(place.glob(f"*{INDEX_SUFFIX}")):
            return _converted(place, config)
    name = Path(config.model_dir).name
    if entry_named(name) is None:
        looked = ", ".join(str(place) for place in places)
        raise ModelError(f"{file}: model_dir {config.model_dir!r} is not in {looked}, and {unknown(name)}")
    return _with_settings(find_installed(name), config, file)


def info(name: str | os.PathLike[str]) -> ModelEntry:
    """One model in full, its weights compared with the card's checksum; a misfit is told in `problem`.

    Raises
    ------
    ModelError
        There is no such model.
    """
    named = entry_named(name) if isinstance(name, str) and is_bare(name) else None
    if named is not None and named.card is None:
        return named
    folder = find(name)
    origin: Origin = named.origin if named is not None else "folder"
    problem = ""
    try:
        verify_weights(folder)
    except ModelError as error:
        problem = str(error)
    weights_bytes = folder.weights.stat().st_size
    return ModelEntry(folder.path.name, origin, folder.path, weights_bytes, folder.card, problem)


def _find_folder(path: Path) -> ModelFolder:
    if not path.exists():
        raise ModelError(f"{path} does not exist. Give a model folder, or a name of `rtsep models list`.")
    if path.is_file():
        advice = "Give one, or a name of `rtsep models list`."
        if (path.parent / CARD_FILE).exists():
            advice = f"Give the one that it lies in: {path.parent}."
        raise ModelError(f"{path} is a file; a model is a folder. {advice}")
    if not (path / CARD_FILE).exists() and any(path.glob(f"*{INDEX_SUFFIX}")):
        raise ModelError(
            f"{path} is a checkpoint of Spleeter, not a model folder. "
            f"`rtsep models convert {path} NEW_FOLDER` makes one of it."
        )
    return read_folder(path)


def _places(file: Path, model_dir: str) -> list[Path]:
    """The folders that a `model_dir` may mean, most likely first; an absolute one means itself."""
    if Path(model_dir).is_absolute():
        return [Path(model_dir)]
    spleeter_store = Path(os.environ.get(SPLEETER_STORE_VARIABLE) or SPLEETER_STORE)
    return [Path.cwd() / model_dir, file.absolute().parent / model_dir, spleeter_store.absolute() / model_dir]


def _with_settings(folder: ModelFolder, config: SpleeterConfig, file: Path) -> ModelFolder:
    """The weights of a model folder under the settings of a JSON file: F, T, exponent, extension and so on."""
    wanted = config.card(folder.card.name)
    if wanted.network != folder.card.network:
        pairs = zip(wanted.network, folder.card.network, strict=True)
        key, given, there = next((key, a, b) for (key, a), (_, b) in pairs if a != b)
        raise ModelError(
            f"{file} describes other networks than {folder.path} holds: {key} is {given} in the one and {there} in "
            f"the other. Let model_dir name the folder of the right checkpoint."
        )
    kept = {"sha256", "licence", "source", "credits"}  # what belongs to the weights
    return ModelFolder(folder.path, wanted.model_copy(update=folder.card.model_dump(include=kept)))


def _converted(place: Path, config: SpleeterConfig) -> ModelFolder:
    """The model folder of a checkpoint, made when it is first asked for.

    The index holds a checksum of every variable, so it and the settings stand for the whole.
    """
    prefix = checkpoint_prefix(place)
    index = prefix.with_name(prefix.name + INDEX_SUFFIX)
    try:
        content = index.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{index} cannot be read: {error.strerror or error}.") from error
    settings = json.dumps(config.model_dump(mode="json"), sort_keys=True).encode()
    key = hashlib.sha256(content + settings).hexdigest()[:16]
    cached = store_folder() / CONVERTED / f"{place.name}-{key}"
    if (cached / CARD_FILE).is_file() and (cached / WEIGHTS_FILE).is_file():
        return read_folder(cached)
    return convert(prefix, cached, config)
