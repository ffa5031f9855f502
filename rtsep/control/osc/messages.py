"""What messages mean: what they set, ask and press on the board, and what is replied."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rtsep.board import Board
from rtsep.control.osc.clients import Address, Clients
from rtsep.control.osc.limits import Account, Budget
from rtsep.control.osc.lookup import Lookup
from rtsep.errors import UsageError
from rtsep.parameters import Parameter
from rtsep.scales import Gain, Range, Value

POSITION = "/position"
METER, STATUS, PLACE, ERROR, NAMESPACE = "/meter/", "/status", "/place", "/error", "/namespace"
BY_NAME = "what does something at once is reached by its whole address only, not by a pattern"

TOO_MUCH = "too much for now: what is left of this was dropped"

Reply = tuple[Any, ...]  # an address of OSC, and the values
Step = Reply | int  # what comes of a message, one by one; or what the next one costs, before it is done


class Messages:
    """Does what messages say.

    Parameters
    ----------
    board
        Gives what they move.
    clients
        Whom they subscribe to.
    """

    def __init__(self, board: Callable[[], Board], clients: Clients) -> None:
        self._get_board, self._clients = board, clients
        self._lookup = Lookup()

    @property
    def _board(self) -> Board:
        return self._get_board()

    def act(self, messages: Sequence[Any], sender: Address, budget: Budget) -> list[Reply]:
        """Do what they say, at one instant; what is to be answered, when no lock is held any more.

        Everybody else waits for the board meanwhile, so it ends where there is nothing left to pay it from. One step
        for each message has been taken from the budget already: what names single addresses is done whole.
        """
        replies: list[Reply] = []
        account = Account(budget, len(messages))
        try:
            with self._board.together():
                for step in itertools.chain.from_iterable(self._steps(one, sender) for one in messages):
                    if not isinstance(step, int):
                        replies.append(step)
                    if not account.spend(step if isinstance(step, int) else 1):
                        replies.append((ERROR, TOO_MUCH))
                        break
        except Exception as error:
            replies.append(complaint(error))
        return replies

    def _steps(self, message: Any, sender: Address) -> Iterator[Step]:
        try:
            yield from self._do(str(message.address), list(message.params), sender)
        except Exception as error:  # no message may stop the others of its bundle
            yield complaint(error)

    def _do(self, address: str, values: list[Any], sender: Address) -> Iterator[Step]:
        if self._is_answer(address, values):
            return  # two sessions that tell each other what happens would answer for ever
        if address == "/subscribe":
            yield len(self._board.parameters)  # it is told everything
            self._clients.subscribe(sender, values[0] if values else sender[1])
        elif address == "/unsubscribe":
            self._clients.unsubscribe(sender)
        elif address == NAMESPACE:
            pattern = str(values[0]) if values else "//*"
            yield self._lookup.cost(self._board, pattern)
            for found in self._lookup.find(self._board, pattern):
                yield (NAMESPACE, *described(self._board.parameter(found)))
        else:
            yield from self._set_or_ask(address, values, self._clients.origin_of(sender))

    def _set_or_ask(self, pattern: str, values: list[Any], origin: str) -> Iterator[Step]:
        by_position, pattern = pattern.endswith(POSITION), pattern.removesuffix(POSITION)
        yield self._lookup.cost(self._board, pattern)
        is_exact, addresses = pattern in self._board, self._lookup.find(self._board, pattern)
        buttons = [] if is_exact else [one for one in addresses if self._does_something(one, values)]
        if values or len(buttons) == len(addresses):  # who only asks all that there is wants no button
            yield from (complaint(UsageError(f"{one}: {BY_NAME}")) for one in buttons)
        for address in [one for one in addresses if one not in buttons]:
            yield 1
            try:
                if not values and not self._does_something(address, values):
                    yield from stand(self._board, address, self._board[address])
                elif by_position:
                    self._board.move(address, as_position(values), origin)
                else:
                    value = values[0] if values else self._board.parameter(address).default
                    self._board.set(address, value, origin)
            except Exception as error:  # the others of the pattern can
                yield complaint(error)

    def _is_answer(self, address: str, values: list[Any]) -> bool:
        """Whether it is what a session answers or tells by itself, and asks for nothing."""
        if address.startswith(METER) or address in (STATUS, PLACE, ERROR):
            return True
        if address == NAMESPACE:
            return len(values) > 1
        parameter = self._board.parameters.get(address.removesuffix(POSITION))
        return bool(values) and parameter is not None and parameter.kind == "told"

    def _does_something(self, address: str, values: list[Any]) -> bool:
        """Whether a message does something, once: nothing that a pattern may do by the way.

        A button needs no value; where something goes is asked for without one.
        """
        parameter = self._board.parameter(address)
        return parameter.kind == "momentary" and (bool(values) or not isinstance(parameter.scale, Range))


def stand(board: Board, address: str, value: Value) -> Iterator[Reply]:
    """Where a parameter stands, as it is told; of a fader also as a position."""
    yield (address, *as_values(value))
    parameter = board.parameters.get(address)
    if parameter is not None and isinstance(parameter.scale, (Gain, Range)):
        yield (address + POSITION, parameter.scale.position(value))


def as_values(value: Value) -> Sequence[float | str]:
    """A value as OSC has it: a switch is 1 or 0, a list several values."""
    if isinstance(value, tuple):
        return value
    return (int(value) if isinstance(value, bool) else value,)


def complaint(error: Exception) -> Reply:
    """What is answered when something cannot be done."""
    return (ERROR, str(error) if isinstance(error, UsageError) else f"an error in rtsep: {error!r}")


def described(parameter: Parameter) -> Iterator[Any]:
    """A parameter in a reply: address, unit, lowest, highest, default, and what it does.

    Highest is what is allowed: 24 dB for a gain, though its fader ends at 10 dB, which is position 1.
    """
    scale, default = parameter.scale, parameter.default
    yield from (parameter.address, scale.unit)
    match scale:
        case Gain():
            yield from (-math.inf, scale.high_db)
        case Range():
            yield from (scale.low, scale.high)
        case _:
            yield from ("", scale.allowed)
    yield from as_values(default) or ("",)
    yield parameter.what


def as_position(values: Sequence[Any]) -> float:
    """The position in a message.

    Raises
    ------
    UsageError
        There is none.
    """
    if values and isinstance(values[0], (int, float)) and 0 <= values[0] <= 1:
        return float(values[0])
    raise UsageError(
        f"{POSITION}: a position is a number from 0 to 1, not {values[0] if values else 'nothing'!r}"
    )
