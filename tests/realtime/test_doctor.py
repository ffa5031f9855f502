"""What the doctor says: of this machine, and of machines that are planted in a folder."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rtsep.cli import app
from rtsep.cli.devices import findings_table
from rtsep.realtime import doctor
from rtsep.realtime.finding import Finding, Measurement
from rtsep.realtime.grant import Grant

GRANTED, REFUSED = Grant("SCHED_FIFO 3", True), Grant(refused="everything")

if sys.platform == "linux":
    from rtsep.realtime import linux_advice
else:
    linux_advice = None  # type: ignore[assignment]
on_linux = pytest.mark.skipif(linux_advice is None, reason="reads /proc and /sys")


def printed(findings: list[Finding], *, is_terminal: bool) -> list[str]:
    console = Console(
        file=io.StringIO(), width=80, force_terminal=is_terminal, color_system=None, soft_wrap=not is_terminal
    )
    console.print(findings_table(findings))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_this_machine_is_examined_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path))
    result = CliRunner().invoke(app, ["devices", "--doctor"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    for what in ("audio thread", "engine", "networks", "wake-up", "processor"):
        assert what in result.stdout
    assert "  rtsep bench\n" in result.stdout  # nothing is measured yet


def test_every_row_fits_into_80_columns_and_lines_to_type_are_whole() -> None:
    measured = [Measurement("a-model-with-a-long-name", 0.9, 2)]
    findings = doctor.examine(measured)
    long = "sudo " + "a-long-word " * 12 + "end"
    findings.append(Finding("something", "poor", "found", "it means " * 12, (long,)))
    assert max(map(len, printed(findings, is_terminal=True))) <= 80
    assert f"  {long}" in printed(findings, is_terminal=False)


def test_what_needs_no_change_has_no_lines() -> None:
    lines = printed([Finding("all", "good", "well", "ends well")], is_terminal=True)
    assert not any("What to change" in line for line in lines)


@pytest.mark.parametrize(
    ("n_cores", "measured", "state"),
    [
        (2, [], "fair"),
        (2, [Measurement("slow", 0.7, 1)], "poor"),
        (8, [Measurement("quick", 0.2, 2), Measurement("slow", 0.7, 2)], "poor"),
        (2, [Measurement("all", 0.3, 2)], "fair"),
        (4, [Measurement("quick", 0.3, None)], "good"),
    ],
)
def test_cores_against_what_was_measured(n_cores: int, measured: list[Measurement], state: str) -> None:
    assert doctor._cores(n_cores, measured).state == state


@pytest.mark.parametrize(("late_ms", "state"), [(0.2, "good"), (2.0, "fair"), (5.0, "poor")])
def test_the_latest_wake_up_counts(late_ms: float, state: str) -> None:
    trial = doctor.Trial({}, GRANTED, [0.0001] * 199 + [late_ms / 1000])
    assert doctor._wake_up(trial).state == state


def test_threads_are_judged_by_what_they_were_granted() -> None:
    grants = {"audio": GRANTED, "engine": Grant("nice -11", False, "real time"), "helper": REFUSED}
    states = [finding.state for finding in doctor._threads(doctor.Trial(grants, GRANTED, [0.0]))]  # type: ignore[arg-type]
    assert states == ["good", "fair", "poor"]


def plant(root: Path, **files: str) -> Path:
    """A tree of small files; a double underscore is a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


CPU = "sys__devices__system__cpu__cpu"
BATTERY = "sys__class__power_supply__BAT0__"


@on_linux
@pytest.mark.parametrize(
    ("judge", "files", "state"),
    [
        (
            lambda root: linux_advice.governor(root),
            {f"{CPU}0__cpufreq__scaling_governor": "performance"},
            "good",
        ),
        (
            lambda root: linux_advice.governor(root),
            {
                f"{CPU}0__cpufreq__scaling_governor": "performance",
                f"{CPU}1__cpufreq__scaling_governor": "powersave",
            },
            "fair",
        ),
        (
            lambda root: linux_advice.governor(root),
            {
                f"{CPU}0__cpufreq__scaling_governor": "powersave",
                f"{CPU}0__cpufreq__energy_performance_preference": "balance_performance",
            },
            "good",
        ),
        (lambda root: linux_advice.governor(root), {}, None),
        (lambda root: linux_advice.kernel(root, "#1 SMP PREEMPT_RT"), {}, "good"),
        (lambda root: linux_advice.kernel(root, "#1 SMP"), {"sys__kernel__realtime": "1"}, "good"),
        (lambda root: linux_advice.kernel(root, "#1 SMP PREEMPT_DYNAMIC"), {}, "fair"),
        (
            lambda root: linux_advice.kernel(root, "#1 SMP PREEMPT_DYNAMIC"),
            {"proc__cmdline": "quiet preempt=full threadirqs"},
            "good",
        ),
        (lambda root: linux_advice.power(root), {}, None),
        (
            lambda root: linux_advice.power(root),
            {f"{BATTERY}type": "Battery", f"{BATTERY}status": "Discharging"},
            "fair",
        ),
        (
            lambda root: linux_advice.power(root),
            {f"{BATTERY}type": "Battery", f"{BATTERY}status": "Charging"},
            "good",
        ),
        (
            lambda root: linux_advice.power(root),
            {"sys__firmware__acpi__platform_profile": "low-power"},
            "fair",
        ),
        (lambda root: linux_advice.memory(REFUSED, root), {"proc__swaps": "Filename\n/swap file"}, "fair"),
        (lambda root: linux_advice.memory(REFUSED, root), {"proc__swaps": "Filename"}, "good"),
        (lambda root: linux_advice.memory(GRANTED, root), {"proc__swaps": "Filename\n/swap file"}, "good"),
        (lambda root: linux_advice.service(GRANTED, "no bus"), {}, "good"),
        (lambda root: linux_advice.service(REFUSED, "no bus"), {}, "fair"),
        (lambda root: linux_advice.service(REFUSED, {"MaxRealtimePriority": 20}), {}, "good"),
        (lambda root: linux_advice.limits(REFUSED), {}, "poor"),
        (lambda root: linux_advice.limits(GRANTED), {}, "good"),
    ],
)
def test_a_linux_is_judged(
    judge: Callable[[Path], Finding | None], files: dict[str, str], state: str | None, tmp_path: Path
) -> None:
    finding = judge(plant(tmp_path, **files))
    assert (finding.state if finding is not None else None) == state
    if finding is not None and state != "good":
        assert finding.change


@on_linux
def test_the_lines_for_the_limits_are_the_whole_recipe() -> None:
    change = "\n".join(linux_advice.limits(REFUSED).change)
    for line in ("/etc/security/limits.d/audio.conf", "@audio - rtprio 95", "@audio - memlock unlimited"):
        assert line in change


@on_linux
def test_audio_servers_are_seen_by_the_names_of_their_processes(tmp_path: Path) -> None:
    assert linux_advice.server(tmp_path).found == "none"
    plant(tmp_path, proc__17__comm="pipewire", proc__18__comm="jackd", proc__19__comm="bash")
    assert linux_advice.server(tmp_path).found == "PipeWire, JACK"
