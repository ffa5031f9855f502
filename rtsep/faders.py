"""The board as attributes: ``host.stems["vocals"].gain_db = -12``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rtsep.board import Board
from rtsep.parameters import lacking
from rtsep.scales import Value


class Faders:
    """All that belongs to one stem, direct input, group or bus, as attributes named as in `rtsep.parameters`.

    What has a further name in it, such as a send, is set by its address: ``host.board["/stem/vocals/send/aux"] = -6``.
    """

    _board: Board
    _folder: str

    def __init__(self, board: Board, folder: str) -> None:
        object.__setattr__(self, "_board", board)
        object.__setattr__(self, "_folder", folder)

    def __getattr__(self, name: str) -> Value:
        return self._board[self._address(name)]

    def __setattr__(self, name: str, value: Any) -> None:
        self._board[self._address(name)] = value

    def _address(self, name: str) -> str:
        address = f"{self._folder}/{name}"
        if address not in self._board:
            needs = lacking(address, self._board)
            hint = f"it needs {needs}" if needs else f"it has {', '.join(self.__dir__())}"
            raise AttributeError(f"{self._folder} has no {name!r}; {hint}")
        return address

    def __dir__(self) -> list[str]:
        under = f"{self._folder}/"
        names = [
            address.removeprefix(under) for address in self._board.parameters if address.startswith(under)
        ]
        return [name for name in names if "/" not in name]

    def __repr__(self) -> str:
        return (
            f"<{self._folder}: "
            + ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dir__())
            + ">"
        )


class Rack(Mapping[str, Faders]):
    """Name to faders, of all stems, groups and so on.

    Parameters
    ----------
    board
        Where they are.
    kind
        The first word of their addresses.
    names
        Gives the names that there are now.
    """

    def __init__(self, board: Board, kind: str, names: Callable[[], tuple[str, ...]]) -> None:
        self._board, self._kind, self._names = board, kind, names

    def __getitem__(self, name: str) -> Faders:
        if name not in self._names():
            raise KeyError(f"there is no {self._kind} {name!r}; there are {', '.join(self._names())}")
        return Faders(self._board, f"/{self._kind}/{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        return f"<{self._kind}: {', '.join(self._names())}>"
