"""What each page lacks: always the newest, never more than there is."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.web.world import ERRORS_KEPT, Page, World

ADDRESSES = ("/a", "/b", "/c")


def make_world(*pages: Page) -> World:
    world = World()
    world.describe({"world": "described", "values": dict.fromkeys(ADDRESSES, 0)})
    world.pages = {page.number: page for page in pages}
    return world


def news(values: dict[str, int] | None = None, done: tuple = (), errors: tuple = ()) -> dict:
    return {"values": values or {}, "done": done, "errors": errors}


def test_a_new_page_gets_everything_once() -> None:
    page = Page(1)
    world = make_world(page)
    assert [json.loads(text) for text in world.lacking(page)] == [
        {"world": "described", "values": {"/a": 0, "/b": 0, "/c": 0}, "done": 0}
    ]
    assert world.lacking(page) == []


def test_nobody_is_told_before_there_is_a_session() -> None:
    world, page = World(), Page(1)
    world.see("{}")
    assert world.lacking(page) == []


def test_confirmations_and_errors_are_for_whoever_asked() -> None:
    first, second = Page(1), Page(2)
    world = make_world(first, second)
    for page in (first, second):
        world.lacking(page)
    world.learn(news({"/a": 1}, done=([1, 7], [9, 3]), errors=([2, 4, "/b", "no"], [9, 1, "/b", "no"])))
    assert [json.loads(text) for text in world.lacking(first)] == [{"values": {"/a": 1}, "done": 7}]
    assert [json.loads(text) for text in world.lacking(second)] == [
        {"values": {"/a": 1}, "done": 0},
        {"errors": [{"text": "no", "n": 4, "address": "/b"}]},
    ]


def test_a_slow_page_gets_the_newest_status_and_the_last_errors() -> None:
    page = Page(1)
    world = make_world(page)
    for k in range(1000):
        world.see(str(k))
        page.refuse(f"error {k}")
    *_, errors, status = world.lacking(page)
    assert status == "999"
    assert [error["text"] for error in json.loads(errors)["errors"]] == [
        f"error {k}" for k in range(1000 - ERRORS_KEPT, 1000)
    ]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("learn"), st.sampled_from((*ADDRESSES, "/unknown")), st.integers(0, 9)),
            st.tuples(st.just("show"), st.integers(0, 1), st.just(0)),
            st.tuples(st.just("describe"), st.integers(0, 9), st.just(0)),
        )
    )
)
def test_whenever_a_page_is_told_it_knows_all(steps: list) -> None:
    pages = Page(1), Page(2)
    world, shown = make_world(*pages), ({}, {})
    truth = dict.fromkeys(ADDRESSES, 0)

    def tell(number: int) -> None:
        for text in world.lacking(pages[number]):
            shown[number].update(json.loads(text)["values"])

    for kind, what, value in steps:
        if kind == "learn":
            world.learn(news({what: value}))
            truth |= {what: value} if what in truth else {}
        elif kind == "describe":
            truth = dict.fromkeys(ADDRESSES, what)
            world.describe({"world": "again", "values": dict(truth)})
        else:
            tell(what)
            assert shown[what] == truth
    for number in (0, 1):
        tell(number)
        assert shown[number] == truth
