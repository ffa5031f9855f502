"""The loop of the engine thread: input tape to stem tape.

The engine takes whatever is on the input tape and not yet separated, and appends the stems where they belong: stem
sample n is the same instant as input sample n, however late it was made. When it has fallen too far behind, it shows
the stream what it missed without separating it, which is quick, and leaves the networks as if nothing had happened.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from rtsep import realtime
from rtsep.rest import Rest
from rtsep.stream import N_CHANNELS, Audio, StemStream
from rtsep.tape import Tape

STEP_SAMPLES = 4096  # the most that it takes at once, so that what is done is published soon
SKIP_AFTER_S = 0.5  # a backlog of this much beyond the offset: to make all of it up would take too long
SPARE_SHARE = 0.25  # of the time that the offset leaves beyond the stream's own latency, for a sleep
N_LOADS_KEPT = 16384


class Engine:
    """Separates the input tape onto the stem tape.

    Parameters
    ----------
    stream
        What separates, fresh.
    input_tape, stem_tape
        From where, to where; the mixture is in the first two rows of the one, the other has two rows a stem.
    sample_rate_hz
        The rate of both.
    offset_samples
        How late the stems are played.
    may_skip
        Whether a backlog too old to be heard is given up. Without a clock nothing is ever too old.
    helpers
        The stream's own threads.

    Attributes
    ----------
    priority
        What the system granted to the engine's thread, and to those that work for it, in words; empty before it runs.
    """

    def __init__(
        self,
        stream: StemStream,
        input_tape: Tape,
        stem_tape: Tape,
        sample_rate_hz: int,
        offset_samples: int,
        *,
        may_skip: bool,
        helpers: Sequence[threading.Thread] = (),
    ) -> None:
        self._stream, self._input, self._stems = stream, input_tape, stem_tape
        self.helpers = helpers
        self._rate_hz = sample_rate_hz
        self._skip_samples = offset_samples + SKIP_AFTER_S * sample_rate_hz if may_skip else math.inf
        self._position = stem_tape.written  # of the next input sample
        self._n_zeros = stream.latency_samples  # still to come before the first stem sample
        self._work_s, self._worked_samples = 0.0, 0
        self.loads: deque[float] = deque(maxlen=N_LOADS_KEPT)
        self._is_skipping = False
        self.n_skips = self.n_restarts = self.n_skipped_samples = 0
        self.priority: dict[str, str] = {}
        self.error: Exception | None = None
        self._spare_s = SPARE_SHARE * (offset_samples - stream.latency_samples) / sample_rate_hz

    @property
    def load(self) -> float:
        """Work over deadline, the mean of the last ten updates; 1 is full."""
        recent = list(self.loads)[-10:]
        return float(np.mean(recent)) if recent else 0.0

    def step(self) -> bool:
        """Separate what is there, up to `STEP_SAMPLES`; whether there was anything."""
        backlog = self._input.written - self._position
        if backlog <= 0:
            return False
        self._watch(backlog)
        rows = self._input.read(self._position, min(backlog, STEP_SAMPLES))
        if rows is None:
            self._begin_anew()
            return True
        block = rows[:N_CHANNELS]  # direct inputs are on the tape too, and nobody separates them
        started_s = time.perf_counter()
        if self._is_skipping:
            stems = self._stream.skip(block)
            self.n_skipped_samples += block.shape[1]
        else:
            stems = self._stream.process(block)
            self._count(time.perf_counter() - started_s, block.shape[1])
        self._append(stems)
        self._position += block.shape[1]
        return True

    def _watch(self, backlog: int) -> None:
        """Skip to the present when it is too far, until it is reached; what is missing is played as the mixture."""
        if backlog > self._skip_samples and not self._is_skipping:
            self._is_skipping = True
            self.n_skips += 1
        elif backlog < STEP_SAMPLES:
            self._is_skipping = False

    def run(self, stop: threading.Event) -> None:
        """The engine's thread: step until told to stop, ahead of everything but the audio."""
        try:
            period_s = self._stream.update_samples / self._rate_hz
            with realtime.raised("engine", period_s, self.helpers) as standing:
                self.priority = _describe(standing)
                self.loop(stop, standing)
        except Exception as error:  # the callback plays the mixture; whoever watches the host is told
            self.error = error

    def loop(self, stop: threading.Event, standing: realtime.Standing | None = None) -> None:
        """Step until told to stop, and sleep until the next update is due.

        Parameters
        ----------
        stop
            Ends it.
        standing
            What the thread was granted; given back if the engine needs all of the time.
        """
        rest = Rest(self._spare_s, time.perf_counter())
        while not stop.is_set():
            looked_s = time.perf_counter()
            if not self.step():
                time.sleep(rest.without_work(looked_s, self._stream.due_samples / self._rate_hz))
                continue
            now_s = time.perf_counter()
            if standing is not None and rest.is_overworked(now_s) and standing.give_back():
                self.priority = {"engine": "given back, for the model needs all of the time"}
            if (breath_s := rest.after_work(looked_s, now_s)) > 0:
                time.sleep(breath_s)

    def _append(self, stems: Audio) -> None:
        """Publish stems, less the zeros that a fresh stream begins with.

        Inserts (effects per stem, with the verbs of `StemStream`) will stand here, in front of the stem tape: behind
        it they would run in the audio thread.
        """
        rows = stems.reshape(len(stems) * N_CHANNELS, -1)
        n = min(self._n_zeros, rows.shape[1])
        self._n_zeros -= n
        self._stems.append(rows[:, n:])

    def _begin_anew(self) -> None:
        """The input was overwritten before it was read: go on from the present, with silence before it."""
        present = self._input.written
        lost = present - self._stems.written
        # Not-a-number is the mark: the callback takes stems that are not finite for late ones.
        hole = np.full((self._stems.n_channels, min(lost, STEP_SAMPLES)), np.nan, np.float32)
        while self._stems.written < present:
            self._stems.append(hole[:, : present - self._stems.written])
        self._stream.reset()
        self._n_zeros = self._stream.latency_samples
        self._position = present
        self.n_restarts += 1
        self.n_skipped_samples += lost

    def _count(self, work_s: float, n_samples: int) -> None:
        self._work_s += work_s
        self._worked_samples += n_samples
        if self._worked_samples >= self._stream.update_samples:
            self.loads.append(self._work_s * self._rate_hz / self._worked_samples)
            self._work_s, self._worked_samples = 0.0, 0


def _describe(standing: realtime.Standing) -> dict[str, str]:
    """Who was granted what; helpers in a word if all were granted the same."""
    helpers = dict.fromkeys(map(str, standing.helpers))
    return {"engine": str(standing.grant)} | ({"helpers": ", ".join(helpers)} if helpers else {})
