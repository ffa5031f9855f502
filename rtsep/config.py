"""Strict YAML: a file becomes frozen settings, or an error that names the key and the nearest known one.

This is the only room that sees yaml. Model cards (`rtsep.zoo`) and training recipes (`rtsep.train`) are read
by the same two functions, so that a misspelt key is refused everywhere in the same words.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rtsep.errors import ConfigError


class Strict(BaseModel):
    """A frozen group of settings that knows all of its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Strict)


def read_yaml(path: str | os.PathLike[str], kind: type[S]) -> S:
    """Read a YAML file into settings.

    Parameters
    ----------
    path
        The file.
    kind
        The settings class that it must fit.

    Raises
    ------
    ConfigError
        The file is missing, is no YAML, or holds an unknown key or a value out of range.
    """
    file = Path(path)
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}. Give the path of a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    return parse(data if data is not None else {}, kind, str(file))


def parse(data: object, kind: type[S], where: str) -> S:
    """Check a tree of plain values against settings; `where` names its origin in errors."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: " + "; ".join(_explain(e, kind) for e in error.errors())) from None


def write_yaml(path: str | os.PathLike[str], settings: Strict) -> None:
    """Write settings as YAML; the file is replaced whole or not at all."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=target.name, suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _explain(error: Any, kind: type[BaseModel]) -> str:
    """One of pydantic's errors as a sentence with the dotted key, and the nearest known key."""
    place = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] != "extra_forbidden":
        what = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
        return f"{place}: {what} (given: {error['input']!r})"
    known = _known_keys(kind, error["loc"][:-1])
    near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"unknown key {place!r}; {hint}"


def _known_keys(kind: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys allowed at `loc`, walking the fields' annotations."""
    for part in loc:
        field = kind.model_fields.get(str(part))
        nested = _nested(field.annotation if field else None)
        if nested is not None:
            kind = nested
    return list(kind.model_fields)


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The settings class inside an annotation such as ``dict[str, X]`` or ``X | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_nested(inner) for inner in getattr(annotation, "__args__", ()))
    return next((kind for kind in found if kind is not None), None)
