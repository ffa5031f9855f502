"""What a person can change on macOS, from what ``pmset`` says of the power settings."""

from __future__ import annotations

import subprocess

from rtsep.realtime.finding import Finding


def findings() -> list[Finding]:
    """All that is macOS's."""
    return [power(_run("pmset", "-g"), _run("pmset", "-g", "batt")), microphone()]


def power(settings: str, source: str) -> Finding:
    """Low power mode, and the battery.

    Parameters
    ----------
    settings, source
        What ``pmset -g`` and ``pmset -g batt`` print.
    """
    words = dict(line.split()[:2] for line in settings.splitlines() if len(line.split()) >= 2)
    is_low, is_on_battery = words.get("lowpowermode") == "1", "Battery Power" in source
    found = f"{'on battery' if is_on_battery else 'on mains'}{', low power mode' if is_low else ''}"
    if is_low:
        line = "sudo pmset -a lowpowermode 0"
        return Finding("power", "fair", found, "saving energy slows the processor down", (line,))
    return Finding("power", "good", found, "nothing is saved at the music's cost")


def microphone() -> Finding:
    """A permission that a program without a window cannot ask for."""
    return Finding(
        "microphone",
        "good",
        "cannot be asked",
        "without permission the input is silent, and `rtsep live` says so; see System Settings, "
        "Privacy & Security, Microphone",
    )


def _run(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
