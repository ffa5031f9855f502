"""The tape machine of a file: play, pause, seek and loop, onto the source tape that the callback reads as its input.

What is on the tape is decided: a control takes effect where the tape ends, `AHEAD_S` from now at most. Every splice is
a short cross-fade, so none clicks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from rtsep.dsp.resample import StepResampler
from rtsep.errors import UsageError
from rtsep.io.files import AudioReader
from rtsep.stream import N_CHANNELS, Audio
from rtsep.tape import Tape

AHEAD_S = 0.2  # how much the source tape is kept ahead of the card
POLL_S = 0.02
SPLICE_SAMPLES = 256
READ_SAMPLES = 4096
N_SPLICES_KEPT = 256


class Transport:
    """Feeds a file to the source tape.

    Parameters
    ----------
    reader
        The open file; closed by `close`.
    tape
        The source tape.
    sample_rate_hz
        The tape's rate; the file is converted if it has another.
    heard
        Gives the absolute position that is heard now.
    """

    def __init__(
        self, reader: AudioReader, tape: Tape, sample_rate_hz: int, heard: Callable[[], int]
    ) -> None:
        self._reader, self._tape, self._rate_hz, self._heard = reader, tape, sample_rate_hz, heard
        self._lock = threading.Lock()
        self._converter: StepResampler | None = None
        if reader.sample_rate_hz != sample_rate_hz:
            self._converter = StepResampler(reader.sample_rate_hz, sample_rate_hz, N_CHANNELS)
        self._ready: Audio = np.zeros((N_CHANNELS, 0), np.float32)
        self._at = 0  # the next sample of the file, at the tape's rate
        self._file_ended = False
        self._loop: tuple[int, int] | None = None
        self._paused = False
        # (position on the tape, sample of the file, whether it moves): what is where, for `position_s`.
        self._splices: deque[tuple[int, int, bool]] = deque([(0, 0, True)], maxlen=N_SPLICES_KEPT)
        self.end: int | None = None  # tape position at which the file ended

    @property
    def duration_s(self) -> float:
        """The length of the file; 0 where it does not say."""
        return (self._reader.n_samples or 0) / self._reader.sample_rate_hz

    @property
    def position_s(self) -> float:
        """The place in the file that is heard now."""
        heard = max(0, self._heard())
        for start, sample, moves in reversed(self._splices):
            if start <= heard:
                return (sample + (heard - start if moves else 0)) / self._rate_hz
        return 0.0

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused

    @property
    def loop_s(self) -> tuple[float, float] | None:
        """Start and end of the loop, in seconds."""
        return None if self._loop is None else (self._loop[0] / self._rate_hz, self._loop[1] / self._rate_hz)

    def fill(self, until: int) -> None:
        """Write the source tape up to a position at least."""
        with self._lock:
            while self._tape.written < until:
                self._play(min(READ_SAMPLES, until - self._tape.written))

    def run(self, stop: threading.Event, now: Callable[[], int]) -> None:
        """Keep the tape ahead of the card until told to stop."""
        while not stop.wait(POLL_S):
            self.fill(now() + round(AHEAD_S * self._rate_hz))

    def pause(self, paused: bool) -> None:
        """Stand still, or go on from there."""
        with self._lock:
            if paused and not self._paused:
                self._append(self._next(SPLICE_SAMPLES) * _down())
            elif self._paused and not paused:
                self._mark(True)
                self._append(self._next(SPLICE_SAMPLES) * _up())
            self._paused = paused
            if paused:
                self._mark(False)

    def seek(self, delta_s: float) -> None:
        """Jump by so many seconds from what is heard now; the ends of the file are the limits."""
        target_s = max(0.0, self.position_s + delta_s)
        if self.duration_s:
            target_s = min(target_s, self.duration_s)
        with self._lock:
            self._jump(round(target_s * self._rate_hz))

    def loop(self, start_s: float | None, end_s: float | None) -> None:
        """Repeat from start to end; two times None: play on.

        Raises
        ------
        UsageError
            The end does not lie behind the start by a tenth of a second.
        """
        if start_s is None or end_s is None:
            self._loop = None
            return
        if not 0 <= start_s <= end_s - 0.1:
            raise UsageError(
                f"loop from {start_s:.2f} s to {end_s:.2f} s: the end must lie 0.1 s behind the start"
            )
        with self._lock:
            self._loop = (round(start_s * self._rate_hz), round(end_s * self._rate_hz))
            if self._at >= self._loop[1]:
                self._jump(self._loop[0])

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _play(self, n_samples: int) -> None:
        """Append the next samples: of the file, of the loop, or silence."""
        if self._paused:
            self._append(np.zeros((N_CHANNELS, n_samples), np.float32))
            return
        if self._loop is not None and self._at >= self._loop[1] - SPLICE_SAMPLES:
            self._jump(self._loop[0])
            return
        if self._loop is not None:
            n_samples = min(n_samples, self._loop[1] - SPLICE_SAMPLES - self._at)
        self._append(self._next(n_samples))

    def _jump(self, sample: int) -> None:
        """Cross-fade from here to another place in the file."""
        old = self._next(SPLICE_SAMPLES)
        self._reader.seek(round(sample * self._reader.sample_rate_hz / self._rate_hz))
        if self._converter is not None:
            self._converter.reset()
        self._ready, self._file_ended, self.end, self._at = self._ready[:, :0], False, None, sample
        self._mark(not self._paused)
        if not self._paused:
            self._append(old * _down() + self._next(SPLICE_SAMPLES) * _up())

    def _mark(self, moves: bool) -> None:
        self._splices.append((self._tape.written, self._at, moves))

    def _append(self, block: Audio) -> None:
        self._tape.append(block)

    def _next(self, n_samples: int) -> Audio:
        """The next samples of the file; silence behind its end, which is noted."""
        while self._ready.shape[1] < n_samples and not self._file_ended:
            block = self._reader.read(READ_SAMPLES)
            self._file_ended = not block.shape[1]
            if self._converter is not None:
                block = self._converter.process(block, last=self._file_ended)
            self._ready = np.concatenate((self._ready, block), axis=1)
        block, self._ready = self._ready[:, :n_samples], self._ready[:, n_samples:]
        if block.shape[1] < n_samples:
            if self.end is None:
                self.end = self._tape.written + block.shape[1]
            block = np.pad(block, ((0, 0), (0, n_samples - block.shape[1])))
        self._at += n_samples
        return block


def _up() -> Audio:
    return np.linspace(0, 1, SPLICE_SAMPLES, dtype=np.float32)


def _down() -> Audio:
    return np.linspace(1, 0, SPLICE_SAMPLES, dtype=np.float32)
