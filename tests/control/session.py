"""A session that stands still: real faders, a real tape machine, and a position that the test sets."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np

from rtsep.board import Board
from rtsep.deck import Deck
from rtsep.host import Status
from rtsep.io.files import AudioReader, AudioWriter
from rtsep.knobs import mix_controls, scene_controls, transport_controls
from rtsep.mix import MAIN, Bus, Group, Mix, Strip
from rtsep.mixer import Mixer
from rtsep.reels import Reels
from rtsep.scenes import Scenes, SceneStore
from rtsep.stream import Latency
from rtsep.transport import Transport
from rtsep.wishes import Wish

RATE_HZ = 8000
FILE_S = 20.0
STEMS = ("vocals", "drums", "bass", "an instrument with a long name")


def at_once(what: str, doing: str, wish: Wish) -> None:
    """In place of `Wishes.ask`."""
    wish()


class StillSession:
    model_name = "four"
    latency = Latency(
        RATE_HZ, {"card input": 64, "synthesis window": 743, "lookahead": 0, "fade": 64, "block": 512}
    )

    def __init__(
        self, folder: Path | None, stems: tuple[str, ...] = STEMS, buses: tuple[str, ...] = ()
    ) -> None:
        self.stems = stems
        vocals = frozenset({"vocals"})
        mix = Mix(
            dict.fromkeys(stems, Strip()),
            {name: Bus((2 * n, 2 * n + 1)) for n, name in enumerate((MAIN, *buses))},
            groups={"vocals": Group(vocals), "instrumental": Group(vocals, is_all_but=True)},
            sides=("vocals", "instrumental"),
        )
        self.mix = Mixer(mix, 2 * len(mix.buses))
        self.heard_samples = 0
        self.loud: dict[str, tuple[float, float]] = {}  # what else has a level
        self.transport: Transport | None = None
        levels_dbfs = dict(zip(stems, (-6.0, -0.5, -math.inf, -40.0), strict=False))
        self.current = Status(65.0, 0.23, 0, 0, 0, levels_dbfs, levels_dbfs, -3.25, False)
        if folder is not None:
            with AudioWriter(folder / "song.wav", RATE_HZ, 2) as writer:
                writer.write(np.zeros((2, round(FILE_S * RATE_HZ)), np.float32))
            reader = AudioReader(folder / "song.wav")
            self.transport = Transport(reader, Reels(1 << 18), RATE_HZ, self.heard, self.heard)
        self.board = Board(together=self.mix.together)
        scenes = Scenes(self.board, self.mix, SceneStore(None), lambda: stems, at_once)
        controls = (
            mix_controls(self.mix, stems),
            transport_controls(Deck(lambda: self.transport, at_once)),
            scene_controls(scenes),
        )
        self.board.replace(itertools.chain(*controls))

    def heard(self) -> int:
        return self.heard_samples

    def play_until(self, position_s: float) -> None:
        assert self.transport is not None
        self.heard_samples = round(position_s * RATE_HZ)
        self.transport.fill(self.heard_samples)

    def levels(self) -> dict[str, tuple[float, float]]:
        now = self.current
        rows = {f"/stem/{stem}": (now.peak_dbfs[stem], now.rms_dbfs[stem]) for stem in now.peak_dbfs}
        return {**rows, f"/bus/{MAIN}": (now.main_dbfs, now.main_dbfs), **self.loud}

    @property
    def is_late(self) -> bool:
        return self.current.is_late

    def plays(self, stem: str) -> bool:
        return self.mix.mix.plays(stem, self.stems)

    def status(self) -> Status:
        return self.current
