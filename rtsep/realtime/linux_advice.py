"""What a person can change on Linux: read from ``/proc`` and ``/sys``, judged, and told with the lines to type."""

from __future__ import annotations

import grp
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from rtsep.realtime import rtkit
from rtsep.realtime.finding import Finding
from rtsep.realtime.grant import Grant

assert sys.platform == "linux"  # for the type checker: the rest is for no other

LIMITS_FILE = "/etc/security/limits.d/audio.conf"
GROUP = "audio"
SERVERS = {
    "pipewire": ("PipeWire", "its quantum is the block: pw-metadata -n settings shows it"),
    "jackd": ("JACK", "its period is the block, the shortest way to a card"),
    "jackdbus": ("JACK", "its period is the block, the shortest way to a card"),
    "pulseaudio": ("PulseAudio", "adds buffers of its own; JACK and PipeWire are faster"),
}
GRUB = ("sudo update-grub      or sudo grub2-mkconfig -o /boot/grub2/grub.cfg; then restart",)


def findings(engine: Grant, process: Grant, root: Path = Path("/")) -> list[Finding]:
    """All that is Linux's.

    Parameters
    ----------
    engine, process
        What was granted.
    root
        Of the file system.
    """
    rows = [limits(engine), service(engine, rtkit.limits()), memory(process, root), governor(root)]
    rows += [kernel(root, os.uname().version), power(root), server(root)]
    return [row for row in rows if row is not None]


def limits(engine: Grant) -> Finding:
    """RLIMIT_RTPRIO, which decides without rtkit."""
    priority = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    found = "priority any" if priority == resource.RLIM_INFINITY else f"real-time priority {priority}"
    if engine.is_realtime and os.geteuid() == 0:
        found = "none for root"
    if engine.is_realtime:
        return Finding("limits", "good", found, "the engine got what it asked for")
    lines = (
        f"sudo tee {LIMITS_FILE} <<END",
        f"@{GROUP} - rtprio 95",
        f"@{GROUP} - memlock unlimited",
        "END",
        *([] if _is_in(GROUP) else [f"sudo usermod -a -G {GROUP} $USER"]),
        "then log in anew. In a container, instead:",
        "--cap-add SYS_NICE --ulimit rtprio=95 --ulimit memlock=-1",
    )
    return Finding("limits", "poor", found, "your login may not use real-time priorities", lines)


def _is_in(group: str) -> bool:
    """Whether this process has the group's rights; True where there is no such group to be in."""
    try:
        return grp.getgrnam(group).gr_gid in {os.getegid(), *os.getgroups()}
    except KeyError:
        return True


def service(engine: Grant, answer: dict[str, int] | str) -> Finding:
    """rtkit, which decides where the limits do not allow it."""
    if isinstance(answer, dict):
        found = f"priority up to {answer.get('MaxRealtimePriority', 0)}"
        return Finding("rtkit", "good", found, "grants real time where the limits do not")
    if engine.is_realtime:
        return Finding("rtkit", "good", answer, "not needed, for the limits allow it")
    lines = ("sudo apt install rtkit      or dnf, pacman, zypper; it serves who sits at a desktop",)
    return Finding("rtkit", "fair", answer, "it would grant real time without other limits", lines)


def memory(process: Grant, root: Path) -> Finding:
    """Whether pages can be written out while they are wanted."""
    if process.is_raised:
        return Finding("memory", "good", process.how, "nothing of it is ever written out to a disk")
    has_swap = len(_read(root / "proc/swaps").splitlines()) > 1
    if not has_swap:
        return Finding("memory", "good", "not locked, no swap", "only code can be dropped and read again")
    lines = (
        f"@{GROUP} - memlock unlimited      in {LIMITS_FILE}; log in anew",
        "sudo sysctl vm.swappiness=10      until the next start; /etc/sysctl.d/ keeps it",
    )
    return Finding(
        "memory", "fair", "not locked, with swap", "parts may have to be read from a disk first", lines
    )


def governor(root: Path) -> Finding | None:
    """How the cores' clocks follow their work; None where the system does not say, as in virtual machines."""
    folder = root / "sys/devices/system/cpu"
    names = {_read(path) for path in folder.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""}
    if not names:
        return None
    found = ", ".join(sorted(names))
    if names == {"performance"}:
        return Finding("cpu clock", "good", found, "full speed, always")
    wishes = {_read(path) for path in folder.glob("cpu[0-9]*/cpufreq/energy_performance_preference")} - {""}
    line = f"echo performance | sudo tee {folder}/cpu*/cpufreq/scaling_governor"
    if wishes and wishes <= {"performance", "balance_performance"}:
        return Finding(
            "cpu clock", "good", f"{found}, {', '.join(sorted(wishes))}", "fast when there is work"
        )
    return Finding("cpu clock", "fair", found, "short bursts of work begin at a slow clock", (line,))


def kernel(root: Path, version: str) -> Finding:
    """How long the kernel itself keeps a thread waiting."""
    words = _read(root / "proc/cmdline").split()
    irqs = "threadirqs" in words
    mode = _read(root / "sys/kernel/debug/sched/preempt")
    if _read(root / "sys/kernel/realtime") == "1" or "PREEMPT_RT" in version:
        return Finding("kernel", "good", "PREEMPT_RT", "interrupts wait for the audio, not the other way")
    is_full = "preempt=full" in words or "(full)" in mode or "PREEMPT " in f"{version} "
    found = "PREEMPT" if is_full else "PREEMPT_DYNAMIC" if "PREEMPT_DYNAMIC" in version else "not preemptible"
    found += ", threadirqs" if irqs else ""
    if is_full and irqs:
        return Finding("kernel", "good", found, "blocks of 64 samples and less can be reached")
    missing = [word for word, there in (("preempt=full", is_full), ("threadirqs", irqs)) if not there]
    lines = (f"add to GRUB_CMDLINE_LINUX in /etc/default/grub: {' '.join(missing)}", *GRUB)
    return Finding("kernel", "fair", found, "fine, but for blocks under 128 samples", lines)


def power(root: Path) -> Finding | None:
    """What runs on a battery saves it; None where there is none."""
    supplies = root / "sys/class/power_supply"
    states = [_read(path / "status") for path in _folders(supplies) if _read(path / "type") == "Battery"]
    profile = _read(root / "sys/firmware/acpi/platform_profile")
    if not states and not profile:
        return None
    is_saving = "Discharging" in states or profile == "low-power"
    found = " and ".join(filter(None, ["on battery" if "Discharging" in states else "on mains", profile]))
    if not is_saving:
        return Finding("power", "good", found, "nothing is saved at the music's cost")
    lines = ("plug it in", "powerprofilesctl set performance")
    return Finding("power", "fair", found, "saving energy slows the processor down", lines)


def server(root: Path) -> Finding:
    """What stands between PortAudio and the card."""
    names = {_read(path) for path in (root / "proc").glob("[0-9]*/comm")}
    seen = dict(SERVERS[name] for name in SERVERS if name in names)
    if not seen:
        return Finding("audio server", "good", "none", "cards are opened by ALSA, for one program at a time")
    return Finding("audio server", "good", ", ".join(seen), next(iter(seen.values())))


def _folders(path: Path) -> Iterator[Path]:
    yield from sorted(path.iterdir()) if path.is_dir() else []


def _read(path: Path) -> str:
    """A small file of the kernel's; empty if it is not there, or not for us."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
