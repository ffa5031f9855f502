"""The tape machine of a file: play, pause, seek and loop, onto the source tape that the callback reads as its input.

What is on the tape is decided: a control takes effect where the tape ends, `AHEAD_S` from now at most. Every splice is
a short cross-fade, so none clicks; a loop from A to B is exactly B − A long, as its rhythm needs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

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
MIN_LOOP_S = 0.1
N_SPLICES_KEPT = 256
PRE_ROLL_SAMPLES = 4096  # after a jump the converter has to forget its beginning


@dataclass(frozen=True)
class Splice:
    """From position `start` of the tape on there is the file from `sample` on; standing still if not `moves`."""

    start: int
    sample: int
    moves: bool


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
        self._splices: tuple[Splice, ...] = (
            Splice(0, 0, True),
        )  # replaced whole, so that other threads may look
        self.end: int | None = None  # tape position at which the file ended
        self.error: Exception | None = None

    @property
    def duration_s(self) -> float:
        """The length of the file; 0 where it does not say."""
        return (self._reader.n_samples or 0) / self._reader.sample_rate_hz

    @property
    def position_s(self) -> float:
        """The place in the file that is heard now."""
        return self.place_s(self._heard())

    def place_s(self, position: int) -> float:
        """The place in the file that is on the tape at a position."""
        return min(self._sample_at(max(0, position)) / self._rate_hz, self.duration_s or math.inf)

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused

    @property
    def loop_s(self) -> tuple[float, float] | None:
        """Start and end of the loop, in seconds."""
        return None if self._loop is None else (self._loop[0] / self._rate_hz, self._loop[1] / self._rate_hz)

    def begin_at(
        self, position_s: float, *, paused: bool, loop_s: tuple[float, float] | None, fades_in: bool = True
    ) -> None:
        """Begin elsewhere than at the start of the file, with a fade if the mix has none. Before the first `fill`."""
        with self._lock:
            if loop_s is not None:
                self._loop = (round(loop_s[0] * self._rate_hz), round(loop_s[1] * self._rate_hz))
            self._go_to(round(position_s * self._rate_hz))
            self._paused = paused
            self._splices = (Splice(0, self._at, not paused),)
            if fades_in and not paused:
                self._tape.append(self._next(SPLICE_SAMPLES) * _up())

    def fill(self, until: int) -> None:
        """Write the source tape up to a position at least."""
        with self._lock:
            while self._tape.written < until:
                self._play(min(READ_SAMPLES, until - self._tape.written))

    def run(self, stop: threading.Event, now: Callable[[], int]) -> None:
        """Keep the tape ahead of the card until told to stop."""
        try:
            while not stop.wait(POLL_S):
                self.fill(now() + round(AHEAD_S * self._rate_hz))
        except Exception as error:  # whoever watches the host is told
            self.error = error

    def pause(self, paused: bool) -> None:
        """Stand still, or go on from there."""
        with self._lock:
            if paused == self._paused:
                return
            if not paused:
                self._mark(moves=True)
            self._tape.append(self._next(SPLICE_SAMPLES) * (_down() if paused else _up()))
            if paused:
                self._mark(moves=False)
            self._paused = paused

    def seek(self, delta_s: float) -> None:
        """Jump by so many seconds from what is heard now; the ends of the file are the limits.

        A jump that is not heard yet counts: two presses of a key are two jumps.
        """
        with self._lock:
            heard = max(0, self._heard())
            here = self._at if self._splices[-1].start > heard else self._sample_at(heard)
            last = round(self.duration_s * self._rate_hz) or math.inf
            self._jump(int(min(max(0, here + round(delta_s * self._rate_hz)), last)))

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
        end_s = min(end_s, self.duration_s or math.inf)
        if not 0 <= start_s <= end_s - MIN_LOOP_S:
            raise UsageError(
                f"loop from {start_s:.2f} s to {end_s:.2f} s: the end must lie {MIN_LOOP_S} s behind the start"
            )
        with self._lock:
            self._loop = (round(start_s * self._rate_hz), round(end_s * self._rate_hz))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _sample_at(self, position: int) -> int:
        """The sample of the file at a position of the tape."""
        splices = self._splices
        splice = next((one for one in reversed(splices) if one.start <= position), splices[0])
        return splice.sample + (max(0, position - splice.start) if splice.moves else 0)

    def _play(self, n_samples: int) -> None:
        """Append the next samples: of the file, of the loop, or silence."""
        if self._paused:
            self._tape.append(np.zeros((N_CHANNELS, n_samples), np.float32))
        elif self._loop is None:
            self._tape.append(self._next(n_samples))
        elif self._at >= self._loop[1] or self.end is not None:
            self._jump(self._loop[0])
        else:
            self._tape.append(self._next(min(n_samples, self._loop[1] - self._at)))

    def _jump(self, sample: int) -> None:
        """Cross-fade from here to another place in the file."""
        old = None if self._paused else self._next(SPLICE_SAMPLES)
        self._file_ended, self.end = False, None
        self._go_to(sample)
        self._mark(moves=not self._paused)
        if old is not None:
            self._tape.append(old * _down() + self._next(SPLICE_SAMPLES) * _up())

    def _go_to(self, sample: int) -> None:
        """Make `sample` the next one.

        A conversion begins at an instant that both rates share, and some time before: so every sample is the one
        that playing from the start would have given.
        """
        n_drop = 0
        if self._converter is None:
            self._reader.seek(sample)
        else:
            common_hz = math.gcd(self._reader.sample_rate_hz, self._rate_hz)
            n_grid = max(0, sample - PRE_ROLL_SAMPLES) // (self._rate_hz // common_hz)
            self._reader.seek(n_grid * (self._reader.sample_rate_hz // common_hz))
            self._converter.reset()
            n_drop = sample - n_grid * (self._rate_hz // common_hz)
        self._ready = self._ready[:, :0]
        self._load(n_drop)
        self._ready, self._at = self._ready[:, n_drop:], sample

    def _mark(self, *, moves: bool) -> None:
        splice = Splice(self._tape.written, self._at, moves)
        self._splices = (*self._splices[1 - N_SPLICES_KEPT :], splice)

    def _load(self, n_samples: int) -> None:
        """Have so many samples ready, or all that the file still has."""
        while self._ready.shape[1] < n_samples and not self._file_ended:
            block = self._reader.read(READ_SAMPLES)
            self._file_ended = not block.shape[1]
            if self._converter is not None:
                block = self._converter.process(block, last=self._file_ended)
            self._ready = np.concatenate((self._ready, block), axis=1)

    def _next(self, n_samples: int) -> Audio:
        """The next samples of the file; silence behind its end, which is noted."""
        self._load(n_samples)
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
