"""What a person can change on Windows, from what ``powercfg`` says of the power plan."""

from __future__ import annotations

import re
import subprocess

from rtsep.realtime.finding import Finding
from rtsep.realtime.grant import Grant

FAST_PLANS = {
    "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c": "high performance",
    "e9a42b02-d5df-448d-aa00-03f14749eb61": "ultimate performance",
}
OTHER_PLANS = {
    "381b4222-f694-41f0-9685-ff5bb260df2e": "balanced",
    "a1841308-3541-4fab-bc81-f71556f20b4a": "power saver",
}


def findings(engine: Grant, process: Grant) -> list[Finding]:
    """All that is Windows's."""
    return [mmcss(engine), timer(process), power(_run("powercfg", "/getactivescheme"))]


def mmcss(engine: Grant) -> Finding:
    """The service that raises threads for the time of their work."""
    if "MMCSS" in engine.how:
        return Finding("MMCSS", "good", "runs", "grants what the engine asks for")
    means = f"refused: {engine.refused}"
    return Finding("MMCSS", "poor", "no answer", means, ("sc start MMCSS      as an administrator",))


def timer(process: Grant) -> Finding:
    """Without it a sleep of a millisecond takes up to sixteen."""
    if process.is_raised:
        return Finding("timer", "good", process.how, "while a session runs")
    return Finding("timer", "poor", "15.6 ms", f"{process.refused}: the engine wakes up late")


def power(text: str) -> Finding:
    """The power plan, by its GUID: the name is in the user's language.

    Parameters
    ----------
    text
        What ``powercfg /getactivescheme`` prints.
    """
    match = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text.lower())
    plan = match[0] if match else ""
    if plan in FAST_PLANS:
        return Finding("power plan", "good", FAST_PLANS[plan], "full speed, always")
    line = f"powercfg /setactive {next(iter(FAST_PLANS))}"
    found = OTHER_PLANS.get(plan, "another")
    return Finding("power plan", "fair", found, "short bursts of work begin at a slow clock", (line,))


def _run(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
