"""Threads of a surface, and what fails in them."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.crew import MOST_TOLD, Crew, Guard
from rtsep.errors import UsageError


@given(failures=st.lists(st.sampled_from(["", "a", "b", "c", "d", "e"])), patience=st.integers(1, 4))
def test_every_failure_is_counted_and_each_reason_told_once_when_it_lasts(
    failures: list[str], patience: int
) -> None:
    said: list[str] = []
    guard = Guard("Lamp", said.append, patience)
    told: list[str] = []
    for at, reason in enumerate(failures):
        with guard:
            if reason:
                raise ValueError(reason)
        last = failures[max(0, at + 1 - patience) : at + 1]
        if reason and len(last) == patience and all(last) and reason not in told and len(told) < MOST_TOLD:
            told.append(reason)
    assert said == [f"Lamp: an error in rtsep: ValueError({reason!r})" for reason in told]
    assert guard.n_failed == sum(map(bool, failures))
    goes_well = [at for at, reason in enumerate(failures) if not reason]
    assert guard.n_in_a_row == len(failures) - (goes_well[-1] + 1 if goes_well else 0)


def test_what_a_person_can_mend_is_told_in_its_own_words() -> None:
    said: list[str] = []
    with Guard("Lamp", said.append):
        raise UsageError("no such bulb; there are E14, E27")
    assert said == ["Lamp: no such bulb; there are E14, E27"]


def test_an_interruption_goes_through() -> None:
    guard = Guard("Lamp", print)
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt
    assert guard.n_failed == 0


def test_threads_have_names_and_end_when_they_are_woken() -> None:
    crew, queue = Crew(Guard("Lamp", print)), SimpleQueue[str]()
    seen: list[str] = []

    def wait() -> None:
        while not crew.over.is_set():
            seen.append(queue.get())

    crew.start({"lamp-wait": wait, "lamp-look": crew.over.wait})
    names = {thread.name for thread in threading.enumerate()}
    assert {"lamp-wait", "lamp-look"} <= names
    crew.end(lambda: queue.put("end"))
    crew.end()
    assert seen == ["end"]
    assert not {"lamp-wait", "lamp-look"} & {thread.name for thread in threading.enumerate()}


def test_a_thread_that_ends_by_a_failure_is_told_of() -> None:
    said = SimpleQueue[str]()
    crew = Crew(Guard("Lamp", said.put))
    crew.start({"lamp": lambda: 1 // 0})  # type: ignore[dict-item, return-value]
    assert said.get(timeout=10).startswith("Lamp: an error in rtsep: ZeroDivisionError")
    crew.end()
