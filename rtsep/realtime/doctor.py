"""What this system grants a live session: tried for real, on threads that end here; and what a person can change.

What is common to all systems is here; each has a file ``SYSTEM_advice`` for what is its own.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtsep import realtime
from rtsep.realtime.finding import Finding, Measurement
from rtsep.realtime.grant import Grant, Level

PERIOD_S = 0.0232  # an update of one hop
N_NAPS, NAP_S = 200, 0.001
GOOD_WAKE_S = 0.001  # a poll of the engine
FAIR_WAKE_S = 0.003  # what every session's latency has in reserve for it
MOST_LOAD = 0.5  # see rtsep.tuning
MEANS: dict[Level, tuple[str, str]] = {
    "audio": ("audio thread", "calls the mixer; goes before all else"),
    "engine": ("engine", "runs the model; no other program holds it up"),
    "helper": ("networks", "as the engine, which waits for them"),
}
REFUSED = "a busy program can hold it up: late blocks"


@dataclass(frozen=True)
class Trial:
    """What was granted, and how late a thread with the engine's grant wakes up, in seconds."""

    grants: dict[Level, Grant]
    process: Grant
    late_s: list[float]


def examine(measured: Sequence[Measurement]) -> list[Finding]:
    """All there is to say.

    Parameters
    ----------
    measured
        What ``rtsep bench`` has stored.
    """
    trial = try_out()
    findings = [*_threads(trial), _wake_up(trial), _cores(os.cpu_count() or 1, measured)]
    return [*findings, *_own(trial)]


def try_out() -> Trial:
    """Ask for every level on a thread of its own, as a session does."""
    grants: dict[Level, Grant] = {}
    late_s: list[float] = []

    def ask(level: Level) -> None:
        with realtime.raised(level, PERIOD_S) as standing:
            grants[level] = standing.grant
            if level == "engine":
                late_s.extend(_naps())

    with realtime.prepared() as process:
        for level in MEANS:
            thread = threading.Thread(target=ask, args=(level,), name="rtsep-doctor")
            thread.start()
            thread.join()
    return Trial(grants, process, late_s)


def _naps() -> Iterator[float]:
    """How late each of some sleeps ends."""
    for _ in range(N_NAPS):
        until_s = time.perf_counter() + NAP_S
        time.sleep(NAP_S)
        yield time.perf_counter() - until_s


def _threads(trial: Trial) -> Iterator[Finding]:
    for level, grant in trial.grants.items():
        what, means = MEANS[level]
        if grant.is_realtime:
            yield Finding(what, "good", grant.how, means)
        else:
            yield Finding(what, "fair" if grant.is_raised else "poor", grant.how, REFUSED)


def _wake_up(trial: Trial) -> Finding:
    """How late the engine wakes up."""
    late_s = sorted(trial.late_s)
    p50_s, max_s = late_s[len(late_s) // 2], late_s[-1]
    state, means = "poor", "longer than a session allows for: late blocks"
    if max_s < FAIR_WAKE_S:
        state, means = "fair", "within what a session allows for"
    if max_s < GOOD_WAKE_S:
        state, means = "good", "after a sleep; shorter than a poll of the engine"
    return Finding("wake-up", state, f"{1000 * p50_s:.2f} ms late, at most {1000 * max_s:.2f}", means)  # type: ignore[arg-type]


def _cores(n_cores: int, measured: Sequence[Measurement]) -> Finding:
    """Cores against what was measured; the slowest model counts."""
    found = "1 core" if n_cores == 1 else f"{n_cores} cores"
    if not measured:
        means = "how much of them a model needs is not measured yet"
        return Finding("processor", "fair", found, means, ("rtsep bench",))
    worst = max(measured, key=lambda one: one.load)
    found = f"{found}, load {worst.load:.0%}"
    if worst.load > MOST_LOAD:
        means = f"{worst.model} needs more than half of its time: a smaller model, or larger updates"
        return Finding("processor", "poor", found, means, ("rtsep bench -m SMALLER_MODEL",))
    if (worst.n_threads or 1) >= n_cores:
        return Finding("processor", "fair", found, f"{worst.model} takes all cores, if for a short time")
    return Finding(
        "processor", "good", found, f"{worst.model}, by rtsep bench; up to {MOST_LOAD:.0%} is fine"
    )


def _own(trial: Trial) -> list[Finding]:
    """What only this system has."""
    if sys.platform == "linux":
        from rtsep.realtime import linux_advice

        return linux_advice.findings(trial.grants["engine"], trial.process)
    if sys.platform == "darwin":
        from rtsep.realtime import macos_advice

        return macos_advice.findings()
    if sys.platform == "win32":
        from rtsep.realtime import windows_advice

        return windows_advice.findings(trial.grants["engine"], trial.process)
    return []
