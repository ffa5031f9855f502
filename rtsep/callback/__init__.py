"""The compiled audio callback: input to tape, stems and mixture through fade and matrix to the outputs.

One call moves one block. At card position p (samples delivered so far) a chain plays stem position p − offset::

    card inputs, file's reel ─▶ intake ─▶ input tape [p, p + n): mixture, direct inputs
                                                │ at p                        │ at p − offset
    stem tape [p − offset ..) ──────────────────┼─▶ fade a ─▶ rows ◀──────────┘
                                                ▼               │
                                          direct inputs ─────▶ matrix ─▶ outputs ─▶ limiter (main) ─▶ card, sink tape
                                                          (of one chain, or of two and a fade between)

It takes no lock, allocates nothing and never touches Python: numba compiles it to a C function over raw addresses,
all of which stand in two records, `records.STATE` and `records.CHAIN`. A block is cut into chunks of `CHUNK_SAMPLES`.

- `records`: the memory that all of it works on; `rtsep.desk` and `rtsep.chain` own it
- `intake`: what comes in, onto the input tape
- `rows`: stems, residual, fallback and direct inputs, through the fade
- `mix`: rows times matrix, for one chain or two
- `limiter`, `meters`, `events`: what they say
- `entry`: the C functions
"""

from __future__ import annotations

from rtsep.callback.entry import callback, halves
from rtsep.callback.records import CHUNK_SAMPLES, FADE_SAMPLES

__all__ = ["CHUNK_SAMPLES", "FADE_SAMPLES", "callback", "halves"]
