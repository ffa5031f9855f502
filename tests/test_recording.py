"""Where what happened lies in the files of a session."""

from __future__ import annotations

from rtsep.recording import InSink, in_take


def test_a_span_that_began_before_a_take_ends_where_it_ended() -> None:
    events = [(800, "late", 100), (900, "late", 100), (950, "late", 80), (1200, "late", 10)]
    assert list(in_take(1000, events)) == [(0, "late", 30), (200, "late", 10)]


def test_a_splice_before_a_take_is_its_first_mark() -> None:
    assert list(in_take(1000, [(990, "switch", -500), (1500, "xrun", 0)])) == [
        (0, "switch", -500),
        (500, "xrun", 0),
    ]


def test_what_a_change_repeats_moves_all_marks_of_the_sink_file_behind_it() -> None:
    """At card position 5000 the offset grows from 1000 to 1300, and at 9000 it falls to 900."""
    place = InSink()
    assert list(place([(3000, "late", 64), (3700, "switch", 300), (3800, "late", 10)])) == [
        (3000, "late", 64),
        (4000, "switch", 300),
        (4100, "late", 10),
    ]
    assert list(place([(8100, "switch", -400)])) == [(8000, "switch", -400)]
