"""What a page is told of a session, as plain values: its parameters, and thirty times a second how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtsep.control.player import Player
from rtsep.control.web.spectrum import Spectrum
from rtsep.control.wire import plain
from rtsep.parameters import Parameter
from rtsep.scales import FADER_LAW, Gain, Names, Range, Scale, Text


def draw_world(player: Player) -> dict[str, Any]:
    """All parameters, and what is said of the session beside them."""
    return {
        "about": draw_about(player),
        "parameters": [draw_parameter(p) for p in player.board.parameters.values()],
    }


def draw_about(player: Player) -> dict[str, Any]:
    """What changes with the model, and rarely."""
    latency, transport = player.latency, player.transport
    return {
        "model": player.model_name,
        "stems": list(player.stems),
        "sides": player.sides,
        "latency_ms": {name: round(latency.ms(n), 2) for name, n in latency.parts.items() if n},
        "latency_total_ms": round(latency.ms(latency.total_samples), 2),
        "duration_s": None if transport is None else round(transport.duration_s, 2),
    }


def draw_parameter(parameter: Parameter) -> dict[str, Any]:
    """A parameter with everything that a page needs to show and to move it."""
    return {
        "address": parameter.address,
        "kind": parameter.kind,
        "what": parameter.what,
        "default": plain(parameter.default),
        "unit": parameter.scale.unit,
        "scale": draw_scale(parameter.scale),
    }


def draw_scale(scale: Scale) -> dict[str, Any]:
    """The values of a parameter: what kind, and where they lie on a fader."""
    if isinstance(scale, Gain):
        return {"kind": "gain", "law": FADER_LAW, "high": scale.high_db}
    if isinstance(scale, Range):
        return {"kind": "range", "low": scale.low, "high": scale.high}
    if isinstance(scale, Text):
        return {"kind": "text", "options": scale.options, "longest": scale.longest}
    if isinstance(scale, Names):
        return {"kind": "names", "longest": scale.longest}
    return {"kind": "switch"}


def draw_status(player: Player, spectrum: Spectrum) -> dict[str, Any]:
    """How it stands now.

    Levels are ``[peak, rms]`` in dBFS, `plays` holds the stems that are heard, `spectra` a column of each spectrogram.
    """
    status, transport = player.status(), player.transport
    stems, levels = tuple(player.stems), player.levels()
    return {
        "levels": {name: [_tenth(peak), _tenth(rms)] for name, (peak, rms) in levels.items()},
        "plays": [stem for stem in stems if player.plays(stem)],
        "spectra": spectrum.columns(stems, player.heard_stems(spectrum.n_samples)),
        "load": round(status.load, 3),
        "late": status.n_late_blocks,
        "is_late": status.is_late,
        "xruns": status.n_xruns,
        "update_hops": status.update_hops,
        "place_s": round(status.position_s if transport is None else transport.position_s, 2),
        "has_place": transport is not None,
    }


def _tenth(level_dbfs: float) -> float:
    return round(level_dbfs, 1)


def draw_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by address, for JSON."""
    return {address: plain(value) for address, value in values.items()}
