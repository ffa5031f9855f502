"""A digest of the sources of compiled code, so that no machine code on the disk outlives them."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def digest_of(module: str) -> str:
    """SHA-256 of the source of a module of rtsep, and of all that it imports from rtsep, directly or not.

    numba finds out that a function kept on the disk has changed by the file that it stands in. An entry point has
    functions and constants of other files compiled into it; after an upgrade that changes only those, the old machine
    code would be taken. What a function closes over is part of numba's key too, so entry points close over this.
    The functions that they call must not be kept (no ``cache=True``), or those would be the stale ones.

    Parameters
    ----------
    module
        The dotted name, usually `__name__`.
    """
    paths: dict[str, Path] = {}
    names = [module]
    while names:
        name = names.pop()
        path = _path_of(name)
        if path is not None and name not in paths:
            paths[name] = path
            names.extend(_imports_of(path))
    digest = hashlib.sha256()
    for _, path in sorted(paths.items()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _path_of(name: str) -> Path | None:
    """The file of a module of rtsep; None for whatever else may stand behind an ``import``."""
    package, *rest = name.split(".")
    place = _PACKAGE.joinpath(*rest)
    files = (place.with_suffix(".py"), place / "__init__.py") if package == _PACKAGE.name and rest else ()
    return next((path for path in files if path.is_file()), None)


@cache
def _imports_of(path: Path) -> tuple[str, ...]:
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
