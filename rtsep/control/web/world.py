"""What the server knows of the session, and what each page does not know yet.

A page owes nothing and is owed no history: it lacks a set of addresses, a count that says which of its own messages
were done, and perhaps the newest status. So a slow page gets the newest, and nothing grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rtsep.control.wire import to_json

ERRORS_KEPT = 16


@dataclass(eq=False)
class Page:
    """What one page lacks.

    Attributes
    ----------
    number
        Its name among pages, never used again.
    lacks_world
        Whether the parameters themselves are other ones than it knows, or it knows none.
    addresses
        Values that it lacks.
    done, told_done
        The last of its messages that was done, and what it was told of that.
    errors
        What was wrong with its messages.
    n_status
        The last status that it got.
    """

    number: int
    lacks_world: bool = True
    addresses: set[str] = field(default_factory=set)
    done: int = 0
    told_done: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    n_status: int = 0

    def refuse(self, text: str, **where: Any) -> None:
        """Note what was wrong; of very many the last."""
        self.errors = [*self.errors[1 - ERRORS_KEPT :], {"text": text, **where}]


class World:
    """What the session last said."""

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        self._described: Any = None
        self._values: dict[str, Any] = {}
        self._status, self._n_status = "", 0

    def describe(self, content: Any) -> None:
        """There are these parameters, with these values."""
        self._described, self._values = content["world"], content["values"]
        for page in self.pages.values():
            page.lacks_world = True

    def learn(self, news: Any) -> None:
        """Values have changed, and messages of pages were done, or refused."""
        known = {address: value for address, value in news["values"].items() if address in self._values}
        self._values |= known
        for page in self.pages.values():
            page.addresses |= known.keys()
        for number, n in news["done"]:
            if (found := self.pages.get(number)) is not None:
                found.done = max(found.done, n)
        for number, n, address, text in news["errors"]:
            if (found := self.pages.get(number)) is not None:
                found.refuse(text, n=n, address=address)

    def see(self, status: str) -> None:
        """A new status, as JSON."""
        self._status, self._n_status = status, self._n_status + 1

    def lacking(self, page: Page) -> list[str]:
        """The messages that bring a page up to date; from then on it is."""
        messages = []
        if self._described is None:
            return self._errors_alone(page)
        if page.lacks_world:
            messages.append(to_json({"world": self._described, "values": self._values, "done": page.done}))
        elif page.addresses or page.done > page.told_done:
            values = {address: self._values[address] for address in page.addresses}
            messages.append(to_json({"values": values, "done": page.done}))
        page.lacks_world, page.told_done = False, page.done
        page.addresses.clear()
        messages += self._errors_alone(page)
        if page.n_status != self._n_status:
            page.n_status = self._n_status
            messages.append(self._status)
        return messages

    def _errors_alone(self, page: Page) -> list[str]:
        errors, page.errors = page.errors, []
        return [to_json({"errors": errors})] if errors else []
