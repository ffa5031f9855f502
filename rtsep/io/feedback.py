"""Whether loudspeakers may be heard by the microphone that feeds them; guessed from what is known of the cards."""

from __future__ import annotations

import re

from rtsep.io.cards import Card

WARNING = (
    "The input seems to be a microphone, and the output loudspeakers in the same room: it may hear what is played, "
    "and howl. Use headphones, or take what other applications play instead: --input desktop (Linux)."
)

_MICROPHONE = re.compile(
    r"\bmics?\b|mi[ck]r[oó](ph|f)[oó]n|built-?in|\binternal\b|web-?cam|camera", re.IGNORECASE
)
_ON_THE_HEAD = re.compile(r"head-?(phone|set)|ear-?(phone|bud)|airpods", re.IGNORECASE)
#: Cables inside the machine, and inputs that are none of a room.
_VIRTUAL = re.compile(
    r"monitor|loop-?back|blackhole|soundflower|vb-?(audio|cable)|\bcable\b|voicemeeter|stereo mix|what u hear"
    r"|line[ -]?in\b|s/?pdif|\bjack\b",
    re.IGNORECASE,
)


def may_howl(inputs: Card | None, outputs: Card | None) -> bool:
    """Whether it is likely enough to say so.

    Parameters
    ----------
    inputs, outputs
        The cards that are open; None is a file or nothing.

    A microphone is what is named like one, or what the system takes for its input and its output by default. What
    is a cable, or worn on the head, is silent in the room. Of a sound interface that somebody named, nothing is said.
    """
    if inputs is None or outputs is None:
        return False
    if _VIRTUAL.search(inputs.full_name) or _VIRTUAL.search(outputs.full_name):
        return False
    if _ON_THE_HEAD.search(outputs.full_name):
        return False
    are_defaults = inputs.is_default_input and outputs.is_default_output
    return are_defaults or _MICROPHONE.search(inputs.name) is not None
