"""The tape machine of a file: play, pause, seek and loop, onto the reels that the callback reads as its input.

A reel is kept `AHEAD_S` ahead of the card: for so long may the disk, or the machine, be busy. A control begins another
reel, `SOON_S` from now, and what was decided beyond that is forgotten. Every splice is a short cross-fade, so none
clicks; a loop from A to B is exactly B − A long, as its rhythm needs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep import realtime
from rtsep.callback.records import SPLICE_SAMPLES
from rtsep.dsp.resample import StepResampler
from rtsep.errors import UsageError
from rtsep.io.files import AudioReader
from rtsep.reels import Reels
from rtsep.stream import N_CHANNELS, Audio

AHEAD_S = 0.5  # how much is kept ahead of the card
SOON_S = 0.02  # when a control is heard: time enough to hand over a reel before the card is there,
READY_S = 0.2  # with so much on it: the rest of what shall lie ahead would keep it waiting
POLL_S = 0.02
READ_SAMPLES = 4096
MIN_LOOP_S = 0.1
N_SPLICES_KEPT = 256
PRE_ROLL_SAMPLES = 4096  # after a jump the converter has to forget its beginning


@dataclass(frozen=True)
class Splice:
    """From position `start` on there is the file from `sample` on; standing still if not `moves`."""

    start: int
    sample: int
    moves: bool


class Transport:
    """Plays a file onto reels.

    Parameters
    ----------
    reader
        The open file; closed by `close`.
    reels
        What the callback plays.
    sample_rate_hz
        Their rate; the file is converted if it has another.
    delivered
        Gives the position of the card that takes it in.
    heard
        Gives the position that is heard now, which is behind that by the latency.
    """

    def __init__(
        self,
        reader: AudioReader,
        reels: Reels,
        sample_rate_hz: int,
        delivered: Callable[[], int],
        heard: Callable[[], int],
    ) -> None:
        self._reader, self._reels, self._rate_hz = reader, reels, sample_rate_hz
        self._delivered, self._heard = delivered, heard
        self._lock = threading.Lock()
        self._converter: StepResampler | None = None
        if reader.sample_rate_hz != sample_rate_hz:
            self._converter = StepResampler(reader.sample_rate_hz, sample_rate_hz, N_CHANNELS)
        self._ready: Audio = np.zeros((N_CHANNELS, 0), np.float32)
        self._tape = reels.newest.tape
        self._at = 0  # the next sample of the file, at the reels' rate
        self._file_ended = self._is_closed = False
        self._loop: tuple[int, int] | None = None
        self._paused = False
        # Replaced whole, so that other threads may look; and as they were before the last control.
        self._splices: tuple[Splice, ...] = (Splice(0, 0, True),)
        self._splices_before: tuple[Splice, ...] = self._splices
        self._sought = self._splices[0]
        self._begun = 0  # the sample with which the newest reel begins
        self.end: int | None = None  # position at which the file ended
        self.error: Exception | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._reader.path

    @property
    def duration_s(self) -> float:
        """The length of the file; 0 where it does not say."""
        return (self._reader.n_samples or 0) / self._reader.sample_rate_hz

    @property
    def position_s(self) -> float:
        """The place in the file that is heard now."""
        return self.place_s(self._heard())

    @property
    def _last(self) -> float:
        """The sample behind the last one; infinity where the file does not say."""
        return round(self.duration_s * self._rate_hz) or math.inf

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
        loop = self._loop  # which another thread may take away meanwhile
        return None if loop is None else (loop[0] / self._rate_hz, loop[1] / self._rate_hz)

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
        """Have everything ready up to a position at least."""
        with self._lock:
            self._fill(until)

    def run(self, stop: threading.Event, now: Callable[[], int]) -> None:
        """Keep ahead of the card until told to stop; before everything but the audio, for it takes no time."""
        try:
            with realtime.raised("helper", POLL_S):
                self.fill(now() + round(AHEAD_S * self._rate_hz))
                while not stop.wait(POLL_S):
                    self.fill(now() + round(AHEAD_S * self._rate_hz))
        except Exception as error:  # whoever watches the host is told
            self.error = error

    def pause(self, paused: bool) -> None:
        """Stand still, or go on from there; from the end of the file, anew."""
        with self._lock:
            if paused != self._paused and not self._is_closed:
                sample, at = self._take_hold()
                self._paused = paused
                is_at_end = (
                    not paused and sample == self._last
                )  # by a jump; what has played there lies behind it
                self._turn_to(0 if is_at_end else self._looped(sample), at if paused else None)

    def seek(self, delta_s: float) -> None:
        """Jump by so many seconds from what is heard now; see `seek_to`.

        A jump that is not heard yet counts: two presses of a key are two jumps.
        """
        with self._lock:
            heard = max(0, self._heard())
            here = self._sought.sample if self._sought.start > heard else self._sample_at(heard)
            self._jump_to(here + round(delta_s * self._rate_hz))

    def seek_to(self, position_s: float) -> None:
        """Jump to a place in the file; its ends are the limits.

        At the end it stands still, so that no slip ends a session; from there it plays anew.
        """
        with self._lock:
            self._jump_to(round(position_s * self._rate_hz))

    def _jump_to(self, sample: int) -> None:
        if self._is_closed:
            return
        self._take_hold()
        self._paused = self._paused or sample >= self._last
        self._turn_to(int(min(max(0, sample), self._last)))
        self._sought = self._splices[-1]

    def check_loop(self, start_s: float | None, end_s: float | None) -> tuple[int, int] | None:
        """The samples of a loop, or none.

        Raises
        ------
        UsageError
            See `loop`.
        """
        if start_s is None or end_s is None:
            return None
        end_s = min(end_s, self.duration_s or math.inf)
        if not 0 <= start_s <= end_s - MIN_LOOP_S:
            raise UsageError(
                f"loop from {start_s:.2f} s to {end_s:.2f} s: the end must lie {MIN_LOOP_S} s behind the start"
            )
        return round(start_s * self._rate_hz), round(end_s * self._rate_hz)

    def loop(self, start_s: float | None, end_s: float | None) -> None:
        """Repeat from start to end; two times None: play on.

        Raises
        ------
        UsageError
            The end does not lie behind the start by a tenth of a second.
        """
        wanted = self.check_loop(start_s, end_s)
        with self._lock:
            if wanted != self._loop and not self._is_closed:
                sample, at = self._take_hold()
                self._loop = wanted
                looped = self._looped(sample)  # if nothing changes by that, nothing is heard of it
                self._turn_to(looped, at if looped == sample else None)

    def close(self) -> None:
        """Close the file, when nobody reads it any more; controls do nothing from then on."""
        with self._lock:
            self._is_closed = True
            self._reader.close()

    def _take_hold(self) -> tuple[int, int | None]:
        """Before a control: the reel that plays lasts until the next one takes over, and none is on its way.

        Gives the sample that would be played then, and where; not where if a control before it was not heard yet.
        """
        if self._reels.take_back():
            self._splices = self._splices_before
            return self._begun, None
        self._fill(self._delivered() + round(SOON_S * self._rate_hz) + SPLICE_SAMPLES)
        at = self._soon()
        return self._sample_at(at), at

    def _soon(self) -> int:
        """The first position that a control can still reach."""
        now, last = self._delivered(), self._reels.newest.tape.written - SPLICE_SAMPLES
        return max(now, min(now + round(SOON_S * self._rate_hz), last))

    def _looped(self, sample: int) -> int:
        """A place in the file, or the start of the loop if it lies behind its end."""
        return self._loop[0] if self._loop is not None and sample >= self._loop[1] else sample

    def _turn_to(self, sample: int, at: int | None = None) -> None:
        """Play on from another sample, on another reel; from a position on, or as soon as it is there."""
        self._file_ended, self.end = False, None
        if self._paused:  # nothing is read before it goes on, and some formats are slow to seek in
            self._at = sample
        else:
            self._go_to(sample)
        self._begun, at = sample, self._soon() if at is None else at
        reel = self._reels.free()
        reel.restart(at)
        self._tape = reel.tape
        self._splices_before = self._splices
        self._mark(at, moves=not self._paused)
        self._fill(at + round(READY_S * self._rate_hz))
        self._reels.hand_over(reel)

    def _fill(self, until: int) -> None:
        while self._tape.written < until:
            self._play(min(READ_SAMPLES, until - self._tape.written))

    def _sample_at(self, position: int) -> int:
        """The sample of the file at a position."""
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
            self._wind_back(self._loop[0])
        else:
            self._tape.append(self._next(min(n_samples, self._loop[1] - self._at)))

    def _wind_back(self, sample: int) -> None:
        """Cross-fade from here to the start of the loop."""
        old = self._next(SPLICE_SAMPLES)
        self._file_ended, self.end = False, None
        self._go_to(sample)
        self._mark(self._tape.written, moves=True)
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

    def _mark(self, start: int, *, moves: bool) -> None:
        """Remember what begins at a position; what was to come beyond it does not."""
        before = [one for one in self._splices if one.start < start]
        self._splices = (*before[1 - N_SPLICES_KEPT :], Splice(start, self._at, moves))

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
