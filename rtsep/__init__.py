"""Music in, stems out, while it plays.

::

                  audio thread (compiled, no GIL)                engine thread
    sound card ──▶ callback ──▶ input tape ───────────▶ frames ─▶ STFT ─▶ U-Nets ─▶ masks ─▶ overlap-add
                                                                                                 │
    sound card ◀── callback ◀── mix matrix ◀── stem tape ◀───────── (inserts, later) ◀───────────┘
                       ▲  └──▶ meters
                       └── coefficients (gain, mute, solo, route) ◀── keys, MIDI, OSC, web, Python

Whole recordings, and blocks of any length:

>>> separator = rtsep.load("2stems")                       # doctest: +SKIP
>>> stems = separator.separate(mixture, 44100)             # {"vocals": (2, samples), ...}
>>> stream = separator.stream(44100)
>>> stems = stream.process(block)                          # (stems, 2, samples of the block)

A live session, from a card or a file to a card or a file:

>>> with rtsep.Host("configs/live.yaml") as host:          # doctest: +SKIP
...     host.stems["vocals"].gain_db = -12
...     host.wait()

Everything a person can mend is an `errors.RtsepError`. Names are imported when they are first used: ``import rtsep``
loads neither torch nor numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rtsep import errors

if TYPE_CHECKING:
    from rtsep.host import Host
    from rtsep.separator import Separator, load
    from rtsep.settings import LiveSettings
    from rtsep.stream import StemStream

    __version__: str

_HOMES = {
    "Host": "rtsep.host",
    "LiveSettings": "rtsep.settings",
    "Separator": "rtsep.separator",
    "StemStream": "rtsep.stream",
    "load": "rtsep.separator",
}

__all__ = ["Host", "LiveSettings", "Separator", "StemStream", "__version__", "errors", "load"]


def __getattr__(name: str) -> Any:
    """A public name, from where it lives, when it is first asked for."""
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("rtsep")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'rtsep' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, and what every module has."""
    return sorted({*globals(), *__all__})
