"""What a control has to do with its parameter: so that nothing jumps, and what was begun ends."""

from __future__ import annotations

from dataclasses import dataclass

from rtsep.control.midi.messages import TOP_7
from rtsep.scales import SAME

NEAR = 1.01 / TOP_7  # a step of a fader: what lies no further away is met


@dataclass
class Hold:
    """What a control has to do with the one parameter that it was last used for.

    Attributes
    ----------
    address
        The parameter.
    last
        The position that the control stood for last.
    sent
        The position of the parameter after it was moved by this control, if the control stands there still.
    is_down
        Whether the button is pressed.
    rest
        The position to which the parameter goes when the button is let go; None: it stays.
    """

    address: str
    last: float | None = None
    sent: float | None = None
    is_down: bool = False
    rest: float | None = None

    def takes(self, position: float, now: float, ends: tuple[float, float]) -> bool:
        """Whether the parameter, which stands at `now`, follows: it is where it was left, or met, or passed by.

        Beyond the `ends` of what the control reaches it is met at the nearer one.
        """
        if self.is_at(now):
            return True
        meets = min(max(now, min(ends)), max(ends))
        if abs(position - meets) <= NEAR:
            return True
        return self.last is not None and (self.last - meets) * (position - meets) < 0

    def is_at(self, now: float) -> bool:
        """Whether the parameter, which stands at `now`, is where this control left it and stands itself."""
        return self.sent is not None and abs(self.sent - now) < SAME
