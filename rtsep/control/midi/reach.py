"""What a control cannot do to a parameter, whatever is played: a map that says so is refused, with what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtsep.errors import UsageError
from rtsep.parameters import Parameter
from rtsep.scales import TOP_DB, Range, Switch, Text, is_above

if TYPE_CHECKING:
    from rtsep.control.midi.maps import Binding


def unreachable(binding: Binding, row: Parameter) -> str:
    """Why a control cannot move what a row of the table stands for; empty if it can."""
    if binding.is_pressed(row):
        return _not_pressed(binding, row)
    if binding.is_relative and (reason := _not_turned(binding, row)):
        return reason
    ends = binding.line.range
    if ends is not None and any(is_above(row.scale, row.scale.check(end)) for end in ends):
        return f"is moved up to {TOP_DB:g} dB at most: end the range there; a button can set more: note and value"
    if row.kind == "momentary" and isinstance(row.scale, Range) and ends is None:
        return f"is {row.scale.allowed}: give a fader a part of that, such as range: [0, 240], or a button a value"
    return ""


def _not_pressed(binding: Binding, row: Parameter) -> str:
    press = binding.line.press
    if press == "toggle" and (row.kind != "held" or not isinstance(row.scale, Switch)):
        return "is no switch, so nothing to toggle; press: set sets it to a value"
    has_value = binding.value is not None or _has_default(row)
    value = "" if has_value else ", such as value: karaoke"
    if press == "momentary":
        goes_back = row.kind == "held" and not is_name(row)
        return (
            ""
            if goes_back
            else f"does not go back when a button is let go: leave press: momentary out{value}"
        )
    return "" if has_value else f"needs a value{value}"


def _not_turned(binding: Binding, row: Parameter) -> str:
    if row.kind != "held" or is_name(row):
        done = "is done once" if row.kind != "held" else "is a name"
        return f"{done}, and a knob without ends turns: bind buttons, each with its own value"
    if binding.value is not None or binding.line.press is not None:
        return "is turned by a knob without ends: value and press are for buttons; leave them out"
    return ""


def _has_default(row: Parameter) -> bool:
    """Whether a button without a value has something to set."""
    try:
        row.scale.check(row.default)
    except UsageError:
        return False
    return True


def is_name(parameter: Parameter) -> bool:
    """Whether it is a text of any kind, which lies nowhere on a fader."""
    return isinstance(parameter.scale, Text) and not parameter.scale.options
