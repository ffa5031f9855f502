"""From the bytes of a wire to messages: nothing that comes along it does harm, and nothing but messages comes out.

Channels are counted from 1, as on every controller; numbers and values are those of the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

#: ``cc14``: a pair of controllers, the number that of the coarse one. ``nrpn``: a registered number behind controllers.
#: ``step``: such a number, or a controller, moved up or down by one (data increment and decrement).
Kind = Literal["note", "cc", "cc14", "nrpn", "program", "bend", "step"]

TOP_7, TOP_14 = 127, 16383
PRESSED = 64  # from here on a button that is a controller is down
#: What the highest value of a message is.
TOP: dict[Kind, int] = {
    "note": TOP_7,
    "cc": TOP_7,
    "cc14": TOP_14,
    "nrpn": TOP_14,
    "program": TOP_7,
    "bend": TOP_14,
    "step": 1,
}

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
REAL_TIME = 0xF8
_N_DATA = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}

FINE = 32  # from a coarse controller to its fine one
DATA, INCREMENT, DECREMENT, NRPN_FINE, NRPN_COARSE, RPN_FINE, RPN_COARSE = 6, 96, 97, 98, 99, 100, 101
NO_NUMBER = TOP_14


@dataclass(frozen=True)
class Message:
    """One thing that a controller says.

    Attributes
    ----------
    kind, channel, number
        What was touched; a bend has the number 0, a program is its own.
    value
        Where it stands, up to `TOP`; of a note its velocity, 0 when it is let go; of a step 1 or -1.
    """

    kind: Kind
    channel: int
    number: int
    value: int

    def __str__(self) -> str:
        names = {"cc": "CC", "cc14": "CC pair", "nrpn": "NRPN", "bend": "pitch bend"}
        what = names.get(self.kind, self.kind) + ("" if self.kind == "bend" else f" {self.number}")
        return f"channel {self.channel:2}  {what:11}{'' if self.kind == 'program' else self.value:>6}"


class Parser:
    """Bytes, in whatever pieces they come, to messages.

    Running status is understood; clock and its like may stand between any two bytes; SysEx, common messages, pressure
    and bytes that belong to nothing are left out.
    """

    def __init__(self) -> None:
        self._status = 0  # 0: what comes belongs to nothing
        self._data: list[int] = []

    def feed(self, data: Iterable[int]) -> Iterator[Message]:
        """The messages that are complete with these bytes."""
        for byte in data:
            if byte >= REAL_TIME:
                continue
            if byte >= NOTE_OFF:
                self._status, self._data = byte, []
            elif (message := self._take(byte)) is not None:
                yield message

    def _take(self, byte: int) -> Message | None:
        """A data byte."""
        n_data = _N_DATA.get(self._status & 0xF0)
        if n_data is None:  # of a SysEx or of what else the system says, or of nothing
            return None
        self._data.append(byte)
        if len(self._data) < n_data:
            return None
        data, self._data = self._data, []
        return _message(self._status & 0xF0, (self._status & 0x0F) + 1, data)


def _message(status: int, channel: int, data: list[int]) -> Message | None:
    match status:
        case 0x90:
            return Message("note", channel, data[0], data[1])
        case 0x80:
            return Message("note", channel, data[0], 0)
        case 0xB0:
            return Message("cc", channel, data[0], data[1])
        case 0xC0:
            return Message("program", channel, data[0], TOP_7)
        case 0xE0:
            return Message("bend", channel, 0, data[0] | data[1] << 7)
    return None


@dataclass
class _Channel:
    """What a channel has said so far of values that take several messages."""

    pairs: dict[int, int] = field(default_factory=dict)  # coarse controller -> 14 bits
    numbers: dict[int, int] = field(default_factory=dict)  # NRPN -> 14 bits
    selected: int = NO_NUMBER


class Assembler:
    """Messages, and beside them those that several of them make together: pairs of controllers, and NRPN.

    A coarse value alone means the nearest to where the value was: no pair ever steps back on its way, and a controller
    that sends only one half of it works too.
    """

    def __init__(self) -> None:
        self._channels = {channel: _Channel() for channel in range(1, 17)}

    def assemble(self, message: Message) -> Iterator[Message]:
        """The message itself first, then what it completes."""
        yield message
        if message.kind != "cc":
            return
        channel = self._channels[message.channel]
        yield from _pair(channel, message)
        yield from _nrpn(channel, message)


def _pair(channel: _Channel, message: Message) -> Iterator[Message]:
    coarse, is_fine = message.number % FINE, message.number >= FINE
    if message.number >= 2 * FINE:
        return
    before = channel.pairs.get(coarse)
    if is_fine and before is None:
        return
    channel.pairs[coarse] = value = joined(before, message.value, is_fine=is_fine)
    yield Message("cc14", message.channel, coarse, value)


def _nrpn(channel: _Channel, message: Message) -> Iterator[Message]:
    number, value = message.number, message.value
    selected = channel.selected
    if number in (RPN_FINE, RPN_COARSE):
        channel.selected = NO_NUMBER
    elif number in (NRPN_FINE, NRPN_COARSE):
        channel.selected = selected & ~TOP_7 | value if number == NRPN_FINE else selected & TOP_7 | value << 7
    elif selected != NO_NUMBER and number in (DATA, DATA + FINE):
        before = channel.numbers.get(selected, 0)
        channel.numbers[selected] = after = joined(before, value, is_fine=number != DATA)
        yield Message("nrpn", message.channel, selected, after)
    elif number in (INCREMENT, DECREMENT):
        yield from _step(channel, message, 1 if number == INCREMENT else -1)


def _step(channel: _Channel, message: Message, step: int) -> Iterator[Message]:
    selected = channel.selected
    yield Message("step", message.channel, selected if selected != NO_NUMBER else 0, step)
    if selected != NO_NUMBER and (before := channel.numbers.get(selected)) is not None:
        channel.numbers[selected] = after = min(TOP_14, max(0, before + step))
        yield Message("nrpn", message.channel, selected, after)


def joined(before: int | None, half: int, *, is_fine: bool) -> int:
    """14 bits, of which a half is new."""
    if before is None:
        return half << 7
    if is_fine:
        return before & ~TOP_7 | half
    return min(half << 7 | TOP_7, max(half << 7, before))


def lamp_of(data: bytes) -> bytes:
    """Which light a message is for, whatever it says to it: a note or a controller of one channel."""
    return data[:2]


def encoded(message: Message) -> list[bytes]:
    """The bytes that say it, without running status; what takes several messages is several."""
    channel, value = message.channel - 1, message.value
    fine, coarse = value & TOP_7, value >> 7
    match message.kind:
        case "note":
            return [bytes((NOTE_ON | channel, message.number, value))]
        case "cc":
            return [bytes((CONTROL | channel, message.number, value))]
        case "cc14":
            return [
                bytes((CONTROL | channel, message.number, coarse)),
                bytes((CONTROL | channel, message.number + FINE, fine)),
            ]
        case "nrpn":
            pairs = (
                (NRPN_COARSE, message.number >> 7),
                (NRPN_FINE, message.number & TOP_7),
                (DATA, coarse),
                (DATA + FINE, fine),
            )
            return [bytes((CONTROL | channel, *pair)) for pair in pairs]
        case "bend":
            return [bytes((BEND | channel, fine, coarse))]
        case "program":
            return [bytes((PROGRAM | channel, message.number))]
    return [bytes((CONTROL | channel, INCREMENT if value > 0 else DECREMENT, 1))]
