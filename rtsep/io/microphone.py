"""Whether a card is allowed to be heard at all.

macOS gives a program without the permission to use the microphone zeros, for every card and without an error. No
converter does: the last bits of an open input are never all zero for seconds.
"""

from __future__ import annotations

from rtsep.stream import Audio

LISTEN_S = 3.0  # Core Audio itself may begin with a moment of zeros
DEAF_SYSTEM = "darwin"
DEAF = (
    "The card gives nothing but zeros, which is how macOS treats a program that may not use the microphone. Open "
    "System Settings, Privacy & Security, Microphone, allow your terminal (or whatever runs rtsep), and start it anew. "
    "A virtual cable into which nobody plays gives zeros, too."
)


def hear(system: str, first: Audio) -> str | None:
    """What to tell a person about the input of a card, or None.

    Parameters
    ----------
    system
        ``sys.platform``.
    first
        ``(channels, samples)``: the first `LISTEN_S` of it.
    """
    return DEAF if system == DEAF_SYSTEM and not first.any() else None
