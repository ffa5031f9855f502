"""What is asked for in vain again and again is said once, and then now and then."""

from __future__ import annotations

import pytest
from midi_bench import Bench

from rtsep.control.midi import surface


def test_a_reason_is_said_once_however_often_it_is_met() -> None:
    bench = Bench(
        {"cc": 1, "to": "/scene/recall", "value": "nobody"},
        {"note": 1, "to": "/scene/recall", "value": "nothing"},
    )
    for value in (127, 0) * 20:
        bench.say("cc", 1, value)
        bench.say("note", 1, value)
    assert bench.surface.n_refused == 40
    assert len(bench.said) == 2
    assert "no scene 'nobody'" in bench.said[0]
    assert "no scene 'nothing'" in bench.said[1]


def test_a_reason_that_goes_on_is_said_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench({"note": 1, "to": "/scene/recall", "value": "nothing"})
    bench.say("note", 1, 127)
    monkeypatch.setattr(surface, "AGAIN_S", 0.0)
    bench.say("note", 1, 127)
    assert len(bench.said) == 2
