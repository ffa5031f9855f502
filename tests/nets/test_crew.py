"""Threads that map a function over jobs."""

from __future__ import annotations

import threading

import pytest
import torch

from rtsep.nets.crew import Crew


@pytest.mark.parametrize(("n_threads", "n_jobs"), [(1, 3), (2, 1), (2, 2), (2, 5), (3, 4), (4, 2), (5, 5)])
def test_a_crew_keeps_the_order_and_leaves_threads_as_they_were(n_threads: int, n_jobs: int) -> None:
    before = torch.get_num_threads()
    crew = Crew(n_threads, n_jobs)
    assert crew.map(lambda job: job * job, range(n_jobs)) == [job * job for job in range(n_jobs)]
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), seen) == (before, [before])


def test_what_breaks_in_a_crew_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        Crew(2, 2).map(lambda job: 1 // job, [1, 0])
