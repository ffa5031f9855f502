"""Memory is there before it is needed."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.realtime.memory import PAGE_BYTES, touched
from rtsep.tape import Tape

N_PAGES = 32768
LEAST_FAULTS = 20


@given(
    shape=st.lists(st.integers(1, 70), min_size=1, max_size=3),
    kind=st.sampled_from([np.float32, np.int64, np.uint8, np.complex64]),
)
def test_values_stay(shape: list[int], kind: type) -> None:
    values = np.random.default_rng(1).integers(0, 100, shape).astype(kind)
    before = values.copy()
    assert touched(values) is values
    np.testing.assert_array_equal(values, before)


def n_faults(array: np.ndarray) -> int:
    """How often the system has to find a page while an array is filled."""
    import resource

    counts: list[int] = []

    def fill() -> None:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        array.fill(1)
        counts.append(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
    return counts[0]


@pytest.mark.skipif(sys.platform != "linux", reason="counts the faults of a thread as Linux does")
def test_no_page_has_to_be_found_later() -> None:
    """Less than a tenth of the faults of fresh memory, whose pages may be larger than the smallest."""
    fresh, ready = (np.zeros(N_PAGES * PAGE_BYTES, np.uint8) for _ in range(2))
    n_fresh, n_ready = n_faults(fresh), n_faults(touched(ready))
    if n_fresh < LEAST_FAULTS:
        pytest.skip(f"pages are so large here that {fresh.nbytes >> 20} MiB are found in {n_fresh} goes")
    assert n_ready < n_fresh / 10
    tape = Tape(4, N_PAGES * PAGE_BYTES // 16 - 4096)
    assert n_faults(tape.samples) < n_fresh / 10
