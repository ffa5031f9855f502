"""Strict YAML: a file becomes frozen settings, or an error that names the key and the nearest known one.

This is the only room that sees yaml. Model cards (`rtsep.zoo`) and training recipes (`rtsep.train`) are read
by the same two functions, so that a misspelt key is refused everywhere in the same words.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import platformdirs
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rtsep.errors import ConfigError
from rtsep.whole import replacing

#: Pydantic's complaints as people say them; the braces are filled with what it knows of each.
_PLAIN = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a group of keys",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list, like [1, 2]",
    "model_type": "must be a group of keys",
    "path_type": "must be a path",
    "string_pattern_mismatch": "must fit the pattern {pattern}",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} values",
    "too_short": "must have at least {min_length} values",
    "tuple_type": "must be a list, like [1, 2]",
}


class _Loader(yaml.SafeLoader):
    """Plain values only, and no key twice: the second would silently win. Keys are names, also ``1`` and ``off``."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Take keys as they are written, those of merged groups too."""
        super().flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = "tag:yaml.org,2002:str"

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse what YAML forbids and PyYAML takes."""
        keys = [key.value for key, _ in node.value]
        for key_node, _ in node.value:
            if keys.count(key_node.value) > 1 and key_node.value != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} stands there twice", key_node.start_mark
                )
        return super().construct_mapping(node, deep)


class Strict(BaseModel):
    """A frozen group of settings that knows all of its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")  # YAML has infinity

    @model_validator(mode="before")
    @classmethod
    def _empty_when_commented_out(cls, data: object) -> object:
        """A group without keys is None to YAML, also where its keys are names (``stems:``)."""
        if not isinstance(data, Mapping):
            return {} if data is None else data
        groups = {key for key, field in cls.model_fields.items() if get_origin(field.annotation) is dict}
        return {key: value for key, value in data.items() if value is not None or key not in groups}


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
    data = read_tree(path)
    return parse(data if data is not None else {}, kind, str(path))


def read_tree(path: str | os.PathLike[str]) -> object:
    """Read a YAML file into plain values, whatever they are; of an empty one that is None.

    Raises
    ------
    ConfigError
        The file is missing, or is no YAML.
    """
    file = Path(path)
    try:
        return yaml.load(file.read_text(encoding="utf-8-sig"), _Loader)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}. Give the path of a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from error


def parse(data: object, kind: type[S], where: str) -> S:
    """Check a tree of plain values against settings; `where` names its origin in errors."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: " + "; ".join(_explain(e, kind) for e in error.errors())) from None


def changed(settings: S, changes: Mapping[str, object]) -> S:
    """The same settings with other values at dotted keys, such as ``training.seed``.

    Raises
    ------
    ConfigError
        A key is unknown, or a value out of range.
    """
    data = settings.model_dump()
    for key, value in changes.items():
        *groups, last = key.split(".")
        inside = data
        for group in groups:
            inside = inside.setdefault(group, {})
            if not isinstance(inside, dict):
                raise ConfigError(f"{key}: {group} is a value, no group of keys.")
        inside[last] = value
    return parse(data, type(settings), ", ".join(changes)) if changes else settings


def read_value(text: str) -> object:
    """A value as it would stand in a YAML file: a number, a word, ``[-22, 4]``.

    Raises
    ------
    ConfigError
        It is no YAML.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{text!r} is no value: {' '.join(str(error).split())}") from error


def user_folder() -> Path:
    """The folder of this user's settings and measurements: ``$RTSEP_CONFIG``, or the system's for settings."""
    folder = os.environ.get("RTSEP_CONFIG")
    return Path(folder) if folder else platformdirs.user_config_path("rtsep", appauthor=False)


def write_yaml(path: str | os.PathLike[str], settings: Strict) -> None:
    """Write settings as YAML; the file is replaced whole or not at all."""
    with replacing(Path(path)) as file:
        file.write(to_yaml(settings.model_dump(mode="json")).encode())


def to_yaml(values: Mapping[str, Any], *, is_dense: bool = False) -> str:
    """Plain values as a YAML file; none are an empty one, to which others can be appended.

    Parameters
    ----------
    values
        By their keys.
    is_dense
        Whether what holds nothing but plain values stands on a line.
    """
    if not values:
        return ""
    flow = None if is_dense else False
    return yaml.safe_dump(
        dict(values), sort_keys=False, allow_unicode=True, width=110, default_flow_style=flow
    )


def _explain(error: Any, kind: type[BaseModel]) -> str:
    """One of pydantic's errors as a sentence with the dotted key, and the nearest known key."""
    keys, kinds = _walk(kind, error["loc"])
    place = ".".join(keys) or "the file"
    if error["type"] == "extra_forbidden":
        known = list(dict.fromkeys(key for one in kinds for key in one.model_fields))
        near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {place!r}; {hint}"
    if error["type"] == "missing":
        return f"{place} is missing"
    if error["type"] == "union_tag_invalid":
        tags = error["ctx"]
        key = tags["discriminator"].strip("'")
        return f"{place}.{key} must be one of {tags['expected_tags']} (given: {tags['tag']!r})"
    what = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if error["type"] in _PLAIN:
        what = _PLAIN[error["type"]].format(**error.get("ctx", {}))
        return f"{place}: {what} (given: {error['input']!r})"
    if isinstance(error["input"], dict):  # a rule about several keys says itself what is wrong
        return f"{place}: {what}" if keys else what
    return f"{place}: {what} (given: {error['input']!r})"


def _walk(kind: type[BaseModel], loc: tuple[Any, ...]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys that a person wrote on the way to `loc`, and the settings classes that its last key may be of.

    Where several classes are possible, pydantic puts the tag of the one that was meant among the keys.
    """
    keys: list[str] = []
    inside, kinds = [kind], [kind]
    for part in loc:
        if len(inside) > 1 and (tagged := [one for one in inside if part in _tags(one)]):
            inside = tagged
            continue
        keys.append(str(part))
        kinds = inside
        field = next((one.model_fields[part] for one in inside if part in one.model_fields), None)
        inside = (_nested(field.annotation) if field else []) or inside
    return keys, kinds


def _tags(kind: type[BaseModel]) -> set[Any]:
    """The words by which a settings class can be told from others."""
    fields = kind.model_fields.values()
    return {tag for f in fields if get_origin(f.annotation) is Literal for tag in get_args(f.annotation)}


def _nested(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes inside an annotation such as ``dict[str, X]`` or ``X | Y | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [kind for inner in get_args(annotation) for kind in _nested(inner)]
