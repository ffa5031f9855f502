"""Patterns of OSC 1.0: ``* ? [a-z] [!a-z] {one,two}``, and 1.1's ``//``; matched part by part, and never going back.

A pattern comes from a network, so none may take long: what is read of a name is a set of places, as in a finite
automaton, and what is variable in a pattern is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rtsep.errors import UsageError

MOST_PATTERN = 200
MOST_VARIABLE = 6  # stars and the like: nobody needs more, and each costs


@dataclass(frozen=True)
class OneOf:
    """One character that lies between two others, or between none of these pairs."""

    ranges: tuple[tuple[str, str], ...]
    is_not: bool

    def __contains__(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.is_not


STAR = "*"
Token = frozenset[str] | OneOf | str  #: one of these texts; one such character; `STAR`
_TOKEN = re.compile(r"(\*)|(\?)|\[(!?)([^\]]*)\]|\{([^}]*)\}|([^*?\[{]+|.)", re.DOTALL)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Callable[[str], bool]:
    """A pattern of OSC 1.0 (``* ? [a-z] [!a-z] {one,two}``), with 1.1's ``//``, as a function that matches.

    It walks over the parts of an address with the set of all places where it can be, so no pattern makes it go back.

    Raises
    ------
    UsageError
        It is no pattern, or a monstrous one.
    """
    if not pattern.startswith("/") or pattern.endswith("/") or len(pattern) > MOST_PATTERN:
        raise UsageError(
            f"{pattern[:40]!r} is no address: it begins with /, does not end with it, and has at most "
            f"{MOST_PATTERN} characters"
        )
    parts = [tokens_of(part) for part in pattern[1:].split("/")]  # of // comes one without tokens
    if sum(1 if not part else sum(map(is_variable, part)) for part in parts) > MOST_VARIABLE:
        raise UsageError(f"{pattern[:40]!r} has too many of * ? [] {{}} //: at most {MOST_VARIABLE}, please")

    def matches(address: str) -> bool:
        names = address.split("/")[1:]
        places = {0}
        for part in parts:
            if not part:
                places = set(range(min(places), len(names) + 1))
            else:
                places = {at + 1 for at in places if at < len(names) and fits(part, names[at])}
            if not places:
                return False
        return len(names) in places

    return matches


def fits(part: Sequence[Token], name: str) -> bool:
    """Whether a part of a pattern matches a part of an address."""
    places = {0}
    for token in part:
        places = set().union(*(reached(token, name, at) for at in places))
    return len(name) in places


def reached(token: Token, name: str, at: int) -> Iterable[int]:
    """Where one is after a token."""
    if isinstance(token, OneOf):
        return (at + 1,) if at < len(name) and name[at] in token else ()
    if token == STAR:
        return range(at, len(name) + 1)
    return [at + len(text) for text in token if name.startswith(text, at)]


def is_variable(token: Token) -> bool:
    """Whether it is more than a text."""
    return not isinstance(token, frozenset) or len(token) > 1


def tokens_of(part: str) -> list[Token]:
    """What stands between two slashes; a bracket that is never closed is itself.

    Raises
    ------
    UsageError
        There is nothing in a bracket, or a range that runs backwards.
    """
    tokens: list[Token] = []
    for found in _TOKEN.finditer(part):
        star, any_one, is_not, characters, options, text = found.groups()
        if options is not None and "" in options.split(","):
            raise UsageError(f"{found[0]!r} is no choice: every alternative has a character at least")
        if star:
            tokens.append(STAR)
        elif any_one:
            tokens.append(OneOf((), is_not=True))
        elif characters is not None:
            tokens.append(OneOf(_ranges(found[0], characters), bool(is_not)))
        else:
            tokens.append(frozenset([text] if options is None else options.split(",")))
    return tokens


def _ranges(whole: str, characters: str) -> tuple[tuple[str, str], ...]:
    """What stands between brackets, in which only a hyphen between two characters means something."""
    found = re.findall(r"(.)-(.)|(.)", characters, re.DOTALL)
    ranges = tuple((low or one, high or one) for low, high, one in found)
    if not ranges or any(low > high for low, high in ranges):
        raise UsageError(f"{whole!r} is no range of characters; write one as [a-z], [!a-z] or [abc]")
    return ranges
