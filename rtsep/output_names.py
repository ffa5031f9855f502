"""Names of output files: from a format to paths that do no harm.

Everything is refused before any work begins: names that two stems would share, that lie outside of the output
folder, or that belong to an input.
"""

from __future__ import annotations

import os
import string
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from rtsep.errors import UsageError
from rtsep.io.encode import CODECS

PLACEHOLDERS = ("filename", "instrument", "foldername", "codec")


def plan_outputs(
    paths: Sequence[Path], stems: Sequence[str], output_dir: Path, filename_format: str, codec: str
) -> list[dict[str, Path]]:
    """Where every stem of every input goes.

    Parameters
    ----------
    paths
        The inputs.
    stems
        The stems that will be written of each.
    output_dir
        The folder under which all files lie.
    filename_format
        A path under it, with any of `PLACEHOLDERS`.
    codec
        The value of ``{codec}``.

    Returns
    -------
    list of dict
        For every input, stem -> file; nothing for a folder, which is an input that cannot be read.

    Raises
    ------
    UsageError
        What `check_names` refuses; a name outside of the output folder; two outputs with one name; an output
        that would overwrite an input.
    """
    check_names(paths, filename_format, codec)
    plan = [
        {}
        if os.path.isdir(path)  # noqa: PTH112 (a name that the system refuses is no folder, and no reason to stop)
        else {stem: _output_path(path, stem, output_dir, filename_format, codec) for stem in stems}
        for path in paths
    ]
    _check_conflicts(paths, plan)
    return plan


def check_names(paths: Sequence[Path], filename_format: str, codec: str) -> None:
    """Refuse what is wrong whatever the stems are.

    Raises
    ------
    UsageError
        An unknown placeholder, an ending of another codec, or an input that is given twice.
    """
    _check_format(filename_format, codec)
    seen = set()
    for path in paths:
        if (name := identity(path)) in seen:
            raise UsageError(f"{path} is given twice")
        seen.add(name)


def _check_format(text: str, codec: str) -> None:
    allowed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise UsageError(
            f"the format {text!r} cannot be read ({error}); placeholders are {allowed}"
        ) from error
    unknown = [name for name in fields if name not in PLACEHOLDERS]
    if unknown:
        raise UsageError(f"the format {text!r} holds {{{unknown[0]}}}; placeholders are {allowed}")
    ending = Path(text).suffix.removeprefix(".").lower()
    if ending in CODECS and ending != codec:
        raise UsageError(f"the format {text!r} ends in .{ending}, but the codec is {codec}; use {{codec}}")


def _output_path(path: Path, stem: str, output_dir: Path, filename_format: str, codec: str) -> Path:
    values = {
        "filename": path.stem,
        "foldername": path.absolute().parent.name,
        "instrument": stem,
        "codec": codec,
    }
    try:
        name = filename_format.format_map(values)
    except (ValueError, TypeError) as error:
        raise UsageError(f"the format {filename_format!r} cannot be filled in ({error})") from error
    folder = Path(os.path.normpath(output_dir.absolute()))
    output = Path(os.path.normpath(folder / name))
    if folder not in output.parents or name.endswith(("/", os.sep)):
        raise UsageError(f"{path}: {name!r} is no file inside of the output folder {output_dir}")
    return output_dir / output.relative_to(folder)


def _check_conflicts(paths: Sequence[Path], plan: Sequence[Mapping[str, Path]]) -> None:
    """Refuse outputs that would overwrite each other or an input."""
    inputs = {identity(path): path for path in paths}
    taken: dict[str, tuple[Path, str]] = {}
    for path, outputs in zip(paths, plan, strict=True):
        for stem, output in outputs.items():
            key = identity(output)
            if key in inputs:
                raise UsageError(f"{output}: the {stem} of {path} would overwrite the input {inputs[key]}")
            if key in taken:
                raise UsageError(_conflict(output, taken[key], (path, stem)))
            taken[key] = path, stem


def _conflict(output: Path, first: tuple[Path, str], second: tuple[Path, str]) -> str:
    what = f"{output}: the {first[1]} of {first[0]} and the {second[1]} of {second[0]} would both be written there"
    if first[0] == second[0]:
        return f"{what}; put {{instrument}} into the format"
    if (
        first[0].absolute().parent.name == second[0].absolute().parent.name
    ):  # that name would not tell them apart
        return f"{what}; separate them one by one, each with its own --output-dir"
    return f"{what}; put {{foldername}} into the format, or separate them into two folders"


def identity(path: Path) -> str:
    """Equal for paths that name one file, also where a file system does not tell letters apart."""
    name = os.path.normcase(path.resolve())
    return unicodedata.normalize("NFC", name).casefold() if sys.platform == "darwin" else name


def is_same_file(one: Path, other: Path) -> bool:
    """Whether to write the one is to write the other: by their names, or as two names of what is there now."""
    try:
        return identity(one) == identity(other) or one.samefile(other)
    except OSError:  # one of them is not there yet
        return False
