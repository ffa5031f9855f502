"""Separators of somebody else, as an installed package would bring them: found by entry point, never by import.

`midside` is transparent: its two stems are the mixture. `faulty` is any model or separator whose engine is held up, or
breaks, at a sample that the environment names: ``OUTSIDE_FAULT="midside 44100 0.5"`` sleeps half a second when sample
44100 after the first sound comes in, ``0.1x10`` ten times a tenth of a second, once in each update from there on;
``raise`` in place of the seconds raises an exception there. `slow` is `midside` that takes its time to load: so many
seconds as ``OUTSIDE_SLOW="1.5 FILE"`` says; the file is there when it begins and longer when it has ended.
"""

from __future__ import annotations

import os
import time

import numpy as np

import rtsep
from rtsep.stream import Audio, Latency, Options, Schedule, StemStream

LATENCY_SAMPLES = 100
UPDATE_SAMPLES = 1024


class MidSideStream:
    """Mid: what both channels share; side: what differs."""

    stems = ("mid", "side")
    update_samples = UPDATE_SAMPLES
    due_samples = 1
    latency_samples = LATENCY_SAMPLES
    latency = Latency(44100, {"delay": LATENCY_SAMPLES})

    def __init__(self) -> None:
        self.prepare()

    def prepare(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._past = np.zeros((2, LATENCY_SAMPLES), np.float32)

    def process(self, block: Audio) -> Audio:
        both = np.concatenate((self._past, block), axis=1)
        self._past = both[:, block.shape[1] :]
        left, right = both[:, : block.shape[1]]
        mid, side = (left + right) / 2, (left - right) / 2
        return np.stack([np.stack([mid, mid]), np.stack([side, -side])])

    def skip(self, block: Audio) -> Audio:
        return np.full_like(self.process(block), np.nan)

    def flush(self) -> Audio:
        return self.process(np.zeros((2, LATENCY_SAMPLES), np.float32))

    def close(self) -> None:
        pass


class MidSide:
    stems = MidSideStream.stems
    sample_rate_hz = 44100
    summary = "mid and side"

    def open_stream(self, schedule: Schedule | None) -> StemStream:
        return MidSideStream()


def open_midside(folder: object, options: Options) -> MidSide:
    return MidSide()


class FaultyStream:
    """A stream that does something else from one sample on, once or a few times."""

    def __init__(self, inner: StemStream, at: int, fault: str) -> None:
        self._inner, self._at = inner, at
        self._fault, _, times = fault.partition("x")
        self._n_faults = int(times or 1)
        self._n_since_sound = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def process(self, block: Audio) -> Audio:
        if self._n_since_sound or block.any():
            before, self._n_since_sound = self._n_since_sound, self._n_since_sound + block.shape[1]
            at = self._at
            if self._n_faults and before <= at < self._n_since_sound:
                self._n_faults, self._at = self._n_faults - 1, at + self._inner.update_samples
                if self._fault == "raise":
                    raise RuntimeError("the engine broke on purpose")
                time.sleep(float(self._fault))
        return self._inner.process(block)


class Faulty:
    def __init__(self, inner: rtsep.Separator, at: int, fault: str) -> None:
        self._inner, self._at, self._fault = inner, at, fault
        self.stems, self.sample_rate_hz, self.summary = inner.stems, inner.sample_rate_hz, "faulty"

    def open_stream(self, schedule: Schedule | None) -> StemStream:
        schedule = schedule or Schedule()
        inner = self._inner.stream(
            self.sample_rate_hz,
            context_frames=schedule.context_frames,
            update_hops=schedule.update_hops,
            lookahead_frames=schedule.lookahead_frames,
            synthesis_hops=schedule.synthesis_hops,
        )
        return FaultyStream(inner, self._at, self._fault)


def open_slow(folder: object, options: Options) -> MidSide:
    seconds, path = os.environ["OUTSIDE_SLOW"].split()
    with open(path, "a", encoding="utf-8", buffering=1) as file:  # noqa: PTH123
        file.write("begun\n")
        time.sleep(float(seconds))
        file.write("loaded\n")
    return MidSide()


def open_faulty(folder: object, options: Options) -> Faulty:
    model, at, fault = os.environ["OUTSIDE_FAULT"].split()
    inner = rtsep.load(model, mask=options.mask, extension=options.extension)
    return Faulty(inner, int(at), fault)
