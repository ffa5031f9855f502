"""Spleeter checkpoint -> model folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rtsep.errors import CheckpointError, ConfigError, ModelError
from rtsep.zoo.bundle import INDEX_SUFFIX, Bundle
from rtsep.zoo.card import ModelFolder
from rtsep.zoo.mapping import state_from_bundle
from rtsep.zoo.spleeter import CONFIGS, PREFIX, SpleeterConfig, read_config
from rtsep.zoo.weights import write_folder

CONFIG_FILE = "config.json"
STATE_FILE = "checkpoint"  # TensorFlow's note of which checkpoint in a folder is the latest


def convert(
    src: str | os.PathLike[str],
    dest: str | os.PathLike[str],
    config: str | os.PathLike[str] | SpleeterConfig | None = None,
    *,
    source: str = "",
) -> ModelFolder:
    """Make a model folder of a Spleeter checkpoint.

    Parameters
    ----------
    src
        The checkpoint's folder, or the path of one checkpoint in it (``FOLDER/model.ckpt-1000``, with or
        without ``.index``).
    dest
        The model folder to make. It must not exist, or be empty.
    config
        Spleeter's configuration, where no ``config.json`` lies beside the checkpoint: a JSON file or
        ``spleeter:NAME``. If both are there, they have to agree.
    source
        What the card shall say of the origin; by default the checkpoint's path.

    Returns
    -------
    ModelFolder
        The new folder. It is there whole or not at all.

    Raises
    ------
    CheckpointError
        The checkpoint is missing, damaged or foreign, or does not fit the configuration.
    ConfigError
        There is no configuration, or it is not usable.
    ModelError
        `dest` is taken or cannot be written.
    """
    target = Path(dest)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ModelError(f"{target} exists. Give a folder that does not, or remove it first.")
    prefix = checkpoint_prefix(Path(src))
    settings = _choose_config(prefix, config)
    bundle = Bundle(prefix)
    about = source or f"Spleeter checkpoint {prefix.name} from {prefix.parent}"
    card = settings.card(target.absolute().name, source=about)
    return write_folder(target, card, state_from_bundle(bundle, card.network))


def checkpoint_prefix(src: Path) -> Path:
    """The path of a checkpoint without ``.index``: that which `src` names, or the latest in the folder `src`.

    Raises
    ------
    CheckpointError
        There is none, or there are several and no note tells which is meant.
    """
    if not src.is_dir():
        prefix = src.with_name(src.name.removesuffix(INDEX_SUFFIX))
        if not prefix.with_name(prefix.name + INDEX_SUFFIX).exists():
            there = "is no checkpoint of Spleeter" if src.exists() else "does not exist"
            raise CheckpointError(
                f"{src} {there}. Give the folder of a checkpoint, or FOLDER/NAME where it holds NAME{INDEX_SUFFIX}."
            )
        return prefix
    names = sorted(
        p.name.removesuffix(INDEX_SUFFIX) for p in src.glob(f"*{INDEX_SUFFIX}") if p.name[0] != "."
    )
    latest = _latest(src / STATE_FILE)
    if latest in names:
        return src / latest
    if latest is not None and names:
        raise CheckpointError(
            f"{src / STATE_FILE} names {latest!r}, which is not there. There are: {', '.join(names)}; give one of "
            f"them as {src / names[-1]}."
        )
    if len(names) == 1:
        return src / names[0]
    if names:
        raise CheckpointError(
            f"{src} holds several checkpoints: {', '.join(names)}. Give one: {src / names[-1]}."
        )
    raise CheckpointError(
        f"{src} holds no checkpoint of Spleeter: it should have files *.index and *.data-00000-of-00001."
    )


def _latest(file: Path) -> str | None:
    """The checkpoint that TensorFlow's note names; its folder may have been another machine's."""
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    found = re.search(r'^model_checkpoint_path:\s*"([^"]+)"', text, flags=re.MULTILINE)
    return re.split(r"[/\\]", found[1])[-1] if found else None


def _choose_config(prefix: Path, config: str | os.PathLike[str] | SpleeterConfig | None) -> SpleeterConfig:
    """The configuration beside the checkpoint, else the one that was given."""
    if config is not None and not isinstance(config, SpleeterConfig):
        config = read_config(config)
    beside = prefix.with_name(CONFIG_FILE)
    if not beside.is_file():
        if config is None:
            raise ConfigError(
                f"{prefix.parent} has no {CONFIG_FILE}, and the checkpoint itself does not tell its activations nor "
                f"whether a softmax joins the masks. Give --config: Spleeter's JSON file, or, for the published "
                f"weights, one of {', '.join(PREFIX + name for name in CONFIGS)}."
            )
        return config
    own = read_config(beside)
    if config is not None and config.model_copy(update={"model_dir": own.model_dir}) != own:
        raise ConfigError(
            f"{beside} says otherwise than the configuration that was given ({_first_difference(own, config)}). "
            f"Leave the latter out, or move {CONFIG_FILE} away."
        )
    return own


def _first_difference(one: SpleeterConfig, other: SpleeterConfig) -> str:
    pairs = zip(one, other, strict=True)
    return next(f"{key}: {a} and {b}" for (key, a), (_, b) in pairs if key != "model_dir" and a != b)
