"""Trees of plain values that are laid over settings: those of the command line, with its presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`under` with the values of `over` in their place, mapping by mapping."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlay(below, value)
        else:
            merged[key] = value
    return merged


#: A preset is a stem and what becomes of it.
PRESETS: dict[str, dict[str, dict[str, bool]]] = {
    "karaoke": {"vocals": {"mute": True}},
    "acapella": {"vocals": {"solo": True}},
    "drumless": {"drums": {"mute": True}},
}


def stem_overrides(
    *,
    preset: str | None = None,
    gains_db: Mapping[str, float] | None = None,
    mutes: Iterable[str] = (),
    solos: Iterable[str] = (),
    routes: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, Any]:
    """The tree for `LiveSettings.with_overrides` that changes stems and nothing else."""
    stems: dict[str, Any] = {}
    parts: list[Mapping[str, Mapping[str, Any]]] = [
        PRESETS[preset] if preset else {},
        {name: {"gain_db": gain_db} for name, gain_db in (gains_db or {}).items()},
        {name: {"mute": True} for name in mutes},
        {name: {"solo": True} for name in solos},
        {name: {"route": route} for name, route in (routes or {}).items()},
    ]
    for part in parts:
        stems = overlay(stems, part)
    return {"mixer": {"stems": stems}} if stems else {}
