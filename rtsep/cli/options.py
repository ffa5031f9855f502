"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar, get_args

import typer

from rtsep.errors import UsageError
from rtsep.stream import Device

T = TypeVar("T")
NEXT_PAIR = re.compile(r",(?=[^,=]*=)")  # between vocals=3,4 and drums=5,6
DEVICES: dict[str, Device] = {name: name for name in get_args(Device)}


ModelOption = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        "-p",
        "--params",
        metavar="NAME|FOLDER",
        help="The model: a name of `rtsep models list`, a model folder, `spleeter:4stems` or Spleeter's JSON. "
        "Without it: 2stems if installed, else the small one that comes with rtsep.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where the networks run; auto takes a GPU if any."
    ),
]
MaskOption = Annotated[
    str,
    typer.Option(
        "--mask",
        metavar="card|ratio|direct",
        help="ratio: the stems share the mixture, as in Spleeter. direct: each stem by its own network, and only "
        "those that are wanted run. card: as the model's card says.",
    ),
]
ExtensionOption = Annotated[
    str,
    typer.Option(
        "--extension",
        metavar="card|zeros|average|top_band",
        help="Above the network's top bin: nothing, the mean mask, or the mean of its highest 3 kHz.",
    ),
]


def read_device(text: str) -> Device:
    """Where to compute.

    Raises
    ------
    UsageError
        The text is no such place.
    """
    if text not in DEVICES:
        raise UsageError(
            f"--device {text}: there are {', '.join(DEVICES)}, where the networks run. A sound card is named with "
            f"--input and --output."
        )
    return DEVICES[text]


def read_gains(texts: Iterable[str]) -> dict[str, float]:
    """``vocals=-12`` as stem to dB; several have commas between them.

    Raises
    ------
    UsageError
        A text is no stem, equals sign and number.
    """
    return _read_pairs(texts, "--gain", "vocals=-12", _gain_db)


def read_routes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """``vocals=3,4`` as stem to output channels, counted from 1; several have commas between them too.

    Raises
    ------
    UsageError
        A text is no stem, equals sign and one or two numbers.
    """
    return _read_pairs(texts, "--route", "vocals=3,4", _channels)


def read_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Names, each given by itself or several with commas, in their order and once each."""
    return tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))


def read_time_s(text: str | None) -> float | None:
    """``90``, ``1:30`` or ``1:02:03.5`` in seconds.

    Raises
    ------
    UsageError
        The text is none of these.
    """
    if text is None:
        return None
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(math.isfinite(part) and part >= 0 for part in parts):
        raise UsageError(f"{text!r} is no time: write seconds (90) or minutes and seconds (1:30)")
    return sum(part * weight_s for part, weight_s in zip(reversed(parts), (1, 60, 3600), strict=False))


def _read_pairs(texts: Iterable[str], option: str, example: str, read: Callable[[str], T]) -> dict[str, T]:
    pairs: dict[str, T] = {}
    for text in (pair for given in texts for pair in NEXT_PAIR.split(given)):
        stem, equals, value = text.partition("=")
        try:
            if not (stem.strip() and equals):
                raise ValueError
            pairs[stem.strip()] = read(value.strip())
        except ValueError:
            raise UsageError(f"{option} {text}: write stem=value, like {option} {example}") from None
    return pairs


def _gain_db(text: str) -> float:
    value = float(text.lower().removesuffix("db").strip())
    if math.isnan(value):
        raise ValueError
    return value


def _channels(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
