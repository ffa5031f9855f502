"""What happens in the callback is placed where it can be heard."""

from __future__ import annotations

import numpy as np

from rtsep.chain import Chain
from rtsep.io.labels import union
from rtsep.mixer import Mixer, Strip
from rtsep.notes import WORDS, label
from rtsep.session_files import Counted

RATE_HZ, OFFSET, BLOCK, FADE = 8000, 1000, 100, 64


def test_late_spans_are_placed_where_the_mixture_was_heard() -> None:
    chain = Chain(1, Mixer({"a": Strip(mute=True)}, (0, 1), 2), OFFSET, RATE_HZ, 0.01, has_source=True)
    assert chain.source_tape is not None
    events = Counted(chain)
    labels = []
    for turn in range(60):
        if turn < 40:
            chain.source_tape.append(np.full((2, BLOCK), 0.5, np.float32))
        if 20 <= turn < 50:  # the stems come, and fail to come again
            start = chain.stem_tape.written
            stem = chain.input_tape.read(start, chain.position - start)
            assert stem is not None
            chain.stem_tape.append(stem)
        chain.call(BLOCK)
        labels += [label(event, RATE_HZ) for event in events()]
    found = union(labels)
    late = [one for one in found if one.text == WORDS["late"]]
    assert sum(one.end_samples - one.start_samples for one in late) == int(chain.state["n_late_samples"])
    heard = chain.sink_tape.read(OFFSET, chain.position - OFFSET)
    assert heard is not None
    is_mixture = np.zeros(heard.shape[1], bool)
    for one in late:
        is_mixture[max(0, one.start_samples - BLOCK) : one.end_samples + BLOCK] = True
    assert not heard[0, ~is_mixture].any(), "the stem, which is all there is, is muted"
    assert [(one.start_samples, one.text) for one in found if one.text == WORDS["starved"]] == [
        (40 * BLOCK, WORDS["starved"])
    ]
    chain.state["n_xruns"] += 1
    assert events() == [(chain.position, "xrun", 0)]
    assert events() == []
