"""What a datagram holds, seen without reading it: so that none is read which is too much, or never ends."""

from __future__ import annotations

from rtsep.errors import UsageError

# Messages and bundles of one datagram: a panel's worth, and a bundle is heard whole or not at all.
MOST_PARTS = 64
BUNDLE = b"#bundle\0"
HEAD_BYTES = len(BUNDLE) + 8  # and the time that it is for
SIZE_BYTES = 4


def check_outline(datagram: bytes) -> None:
    """Walk over the parts of a datagram, nested ones too.

    The parser trusts the sizes that it reads: by a negative one it would turn in a circle for ever.

    Raises
    ------
    UsageError
        There are too many.
    ValueError
        It is no OSC.
    """
    n_parts, parts = 0, [(0, len(datagram))]
    while parts:
        if n_parts + len(parts) > MOST_PARTS:
            raise UsageError(
                f"a datagram of more than {MOST_PARTS} messages and bundles: send it in several, please; "
                f"nothing of it was done"
            )
        n_parts += 1
        at, end = parts.pop()
        if datagram.startswith(BUNDLE, at, end):
            _split(datagram, at + HEAD_BYTES, end, parts)
        elif not datagram.startswith(b"/", at, end):
            raise ValueError("neither a message nor a bundle")


def _split(datagram: bytes, at: int, end: int, parts: list[tuple[int, int]]) -> None:
    """Add where the parts of a bundle begin and end; those that are too many anyway are not looked for."""
    while at < end and len(parts) <= MOST_PARTS:
        size_bytes = int.from_bytes(datagram[at : at + SIZE_BYTES], "big", signed=True)
        at += SIZE_BYTES
        if size_bytes <= 0 or at + size_bytes > end:
            raise ValueError(f"a part of {size_bytes} bytes where {end - at} are left")
        parts.append((at, at + size_bytes))
        at += size_bytes
