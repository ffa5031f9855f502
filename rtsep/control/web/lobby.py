"""Those who have not said yet that they may come in: so many at most, and places are shared out fairly.

A newcomer always gets a place. If it was the last, the address that has most of them loses its oldest. So whoever takes
all places from one machine keeps nobody out: neither a phone that comes from another one nor, behind a proxy, who comes
from the same and says the token soon. Who has said it leaves the lobby, and is nobody's rival any more.

Addresses count as they are: neighbours on a network share the beginning of theirs, IPv6 or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

Guest = TypeVar("Guest", bound=Hashable)


class Lobby(Generic[Guest]):
    """Places for guests.

    Parameters
    ----------
    n_places
        How many.
    """

    def __init__(self, n_places: int) -> None:
        self._n_places = n_places
        self._addresses: dict[Guest, str] = {}  # the oldest guest first

    def enter(self, guest: Guest, address: str) -> Guest | None:
        """Take a place; another guest, if one has to go for it, who has lost its own."""
        self._addresses[guest] = address
        if len(self._addresses) <= self._n_places:
            return None
        counts = Counter(self._addresses.values())
        most = max(counts.values())
        unlucky = next(guest for guest, address in self._addresses.items() if counts[address] == most)
        self.leave(unlucky)
        return unlucky

    def leave(self, guest: Guest) -> None:
        """Make room, if it has a place."""
        self._addresses.pop(guest, None)
