"""Who may come in: the rules."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.web import guard
from rtsep.control.web.guard import Bucket, MalformedError
from rtsep.control.wire import line, read_line

NAMES = frozenset({"stage", "stage.local"})


@pytest.mark.parametrize(
    "host", ["localhost:8737", "127.0.0.1", "192.168.1.7:80", "[::1]:8737", "Stage.local:8737", "stage"]
)
def test_a_host_is_an_address_or_a_name_of_this_machine(host: str) -> None:
    assert guard.is_host_allowed(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8737",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.1",
        "127.0.0.1:8737@evil.example",
        "a b",
        "stage:99999999",
        "stage\r\n",
        "[::1",
        "2130706433",
        "; script-src *",
    ],
)
def test_another_name_is_none(host: str | None) -> None:
    assert not guard.is_host_allowed(host, NAMES)


def test_only_pages_of_the_host_that_is_asked_may_talk() -> None:
    assert guard.is_origin_allowed("http://stage.local:8737", "stage.local:8737")
    assert guard.is_origin_allowed("https://stage.local", "stage.local")
    for origin in (
        None,
        "",
        "null",
        "http://evil.example",
        "http://stage.local",
        "http://stage.local:8737.evil.example",
    ):
        assert not guard.is_origin_allowed(origin, "stage.local:8737")


def test_a_token_is_right_or_wrong_whatever_is_sent() -> None:
    assert guard.is_token_right('{"token": "secret"}', "secret")
    assert guard.is_token_right('{"token": "any"}', "")
    wrong = [
        '{"token": "secre"}',
        '{"token": ["secret"]}',
        '{"token": null}',
        "{}",
        "[]",
        "7",
        "",
        "[" * 4000,
        b"\xff",
    ]
    for text in [*wrong, '{"token": "\\ud800"}', '{"token": "sécret"}']:
        assert not guard.is_token_right(text, "secret")


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in guard.policy("stage:1").split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert not any(word in guard.policy("stage:1") for word in ("unsafe", "*", "http:", "https:"))


@given(st.lists(st.floats(0, 1), max_size=100))
def test_a_bucket_never_gives_more_than_its_rate(gaps_s: list[float]) -> None:
    bucket, now_s, done_s = Bucket(10, 5), 100.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        now_s += bucket.wait_s(now_s)
        done_s.append(now_s)
    for first, first_s in enumerate(done_s):
        for last, last_s in enumerate(done_s[first:], first):
            assert last - first + 1 <= 5 + 1 + 10 * (last_s - first_s) + 1e-6


def test_a_message_says_what_it_sets() -> None:
    move = guard.read_sets('{"n": 3, "set": [["/a", -6.5], ["/b", true], ["/c", "x"]]}')
    assert (move.n, move.sets) == (3, (("/a", -6.5), ("/b", True), ("/c", "x")))


MALFORMED = [
    "",
    "{",
    "null",
    "[]",
    "[" * 4000,
    '{"n": 1}',
    '{"set": [["/a", 1]]}',
    '{"n": true, "set": [["/a", 1]]}',
    '{"n": -1, "set": [["/a", 1]]}',
    '{"n": 1, "set": []}',
    '{"n": 1, "set": {"/a": 1}}',
    '{"n": 1, "set": [["/a"]]}',
    '{"n": 1, "set": [["/a", null]]}',
    '{"n": 1, "set": [["/a", [1]]]}',
    '{"n": 1, "set": [[1, 1]]}',
    '{"n": 1, "set": [["/a", NaN]]}',
    '{"n": 1, "set": [["/a", -Infinity]]}',
    '{"n": 1, "set": [["/a", 1e999]]}',
    '{"n": 1, "set": [["/a", -1e999]]}',
    '{"n": 1, "set": [["/a", 1' + "0" * 300 + ".0e99]]}",
    '{"n": 1e999, "set": [["/a", 1]]}',
    '{"n": 1, "set": [["/a", ' + "[" * 3900 + "]]}",
    '{"n": 1, "set": [["/a", {"b": 1}]]}',
    json.dumps({"n": 1, "set": [["/a" * 200, 1]]}),
    '{"n": 1, "set": [["/a", 1' + "0" * 300 + "]]}",
    '{"n": 1, "set": [["/a", 1' + "0" * 4000 + "]]}",
    json.dumps({"n": 1, "set": [["/a", 1]] * 65}),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(MalformedError, match=r"message|set|number|value"):
        guard.read_sets(text)


ODD_VALUES = st.one_of(
    st.sampled_from(
        ["1e999", "-1e999", "1e-999", "-0.0", "NaN", "Infinity", '"\\ud800"', '"\\udfff\\ud800"', "[]", "{}"]
    ),
    st.from_regex(r"-?[1-9]\d{0,400}(\.\d{1,400})?([eE][+-]?\d{1,6})?", fullmatch=True),
    st.floats().map(json.dumps),
    st.text(st.characters(categories=("Cs", "Cc", "Lo", "So")), max_size=40).map(json.dumps),
)


@given(st.lists(st.tuples(ODD_VALUES, ODD_VALUES), min_size=1, max_size=4))
def test_what_is_let_through_can_be_told_to_the_session(odd: list[tuple[str, str]]) -> None:
    sets = ", ".join(f"[{json.dumps(address)}, {value}]" for address, value in odd)
    with contextlib.suppress(MalformedError):
        move = guard.read_sets(f'{{"n": 1, "set": [{sets}]}}')
        assert read_line(line("set", move.sets)) == ("set", [list(one) for one in move.sets])


@given(
    st.one_of(
        st.text(),
        st.binary(),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps),
    )
)
def test_nothing_else_can_come_of_it(text: str | bytes) -> None:
    with contextlib.suppress(MalformedError):
        guard.read_sets(text)
