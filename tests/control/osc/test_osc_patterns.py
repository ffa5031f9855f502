"""Patterns of OSC: what they match, and what none of them costs."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rtsep.control.osc import patterns
from rtsep.control.osc.patterns import compiled
from rtsep.errors import UsageError


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("/stem/*/mute", "/stem/vocals/mute", True),
        ("/stem/*", "/stem/vocals/mute", False),
        ("/stem//mute", "/stem/vocals/mute", True),
        ("/stem/?ocals/mute", "/stem/vocals/mute", True),
        ("/stem/[a-v]ocals/mute", "/stem/vocals/mute", True),
        ("/stem/[!a-v]ocals/mute", "/stem/vocals/mute", False),
        ("/stem/{bass,vocals}/mute", "/stem/vocals/mute", True),
        ("/stem/{bass,drums}/mute", "/stem/vocals/mute", False),
        ("/stem/vo.als/mute", "/stem/vocals/mute", False),
        ("/stem//mute", "/stem/mute", True),
        ("//mute", "/stem/vocals/mute", True),
        ("//*", "/stem/vocals/mute", True),
        ("//stem//mute", "/stem/vocals/mute", True),
        ("//vocals", "/stem/vocals/mute", False),
        ("/stem/{v,vo}*{s,ls}/mute", "/stem/vocals/mute", True),
        ("/stem/[u-wxyz]ocals/mute", "/stem/vocals/mute", True),
        ("/stem/[-v]ocals/mute", "/stem/vocals/mute", True),
        ("/s*m/*/m*t*", "/stem/vocals/mute", True),
    ],
)
def test_patterns(pattern: str, address: str, matches: bool) -> None:
    assert bool(compiled(pattern)(address)) == matches


@pytest.mark.parametrize(
    "pattern",
    [
        "/" + "{,}" * 20,
        "/{a,,b}",
        "/{}",
        "/[]",
        "/[!]",
        "/" + "?" * 7,
        "/" + "{a,b}" * 7,
        "/" + "[a-z]" * 7,
        "/" + "*" * 7,
        "/a//b//c//d//e//f//g//h",
        "/" + "a" * 200,
        "stem",
        "/stem/",
        "",
    ],
)
def test_monstrous_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        compiled(pattern)


@pytest.mark.parametrize(
    "part", ["*" * 6, "*a" * 6, "{a,aa,aaa}" * 6, "{" + ",".join("a" * n for n in range(1, 19)) + "}*"]
)
def test_the_worst_that_is_left_takes_few_steps(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = itertools.count()
    reached = patterns.reached

    def counted(token: patterns.Token, name: str, at: int) -> Iterable[int]:
        next(steps)
        return reached(token, name, at)

    monkeypatch.setattr(patterns, "reached", counted)
    name = "a" * 60
    assert not compiled(f"/{part}b")("/" + name)
    assert next(steps) <= 13 * (len(name) + 1)  # tokens, by places


@given(pattern=st.text(alphabet="/abc*?[]{}!,-.\\^$(", min_size=1, max_size=30))
def test_no_pattern_breaks_anything(pattern: str) -> None:
    with contextlib.suppress(UsageError):
        compiled(pattern)("/stem/abc/mute")


@given(
    pattern=st.lists(st.sampled_from(["*", "?", "a", "b", "/", "{a,bb}", "[ab]", "[!a]"]), max_size=8),
    address=st.text(alphabet="abc/", min_size=1, max_size=8),
)
def test_patterns_match_as_regular_expressions_do(pattern: list[str], address: str) -> None:
    translated = {"*": "[^/]*", "?": "[^/]", "{a,bb}": "(?:a|bb)", "[!a]": "[^a/]"}
    text = "/" + "".join(pattern)
    assume("//" not in text and "//" not in "/" + address and not address.endswith("/"))
    with contextlib.suppress(UsageError):
        matches = compiled(text)
        expression = "/" + "".join(translated.get(token, token) for token in pattern)
        assert matches("/" + address) == bool(re.fullmatch(expression, "/" + address))
