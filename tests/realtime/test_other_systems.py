"""macOS and Windows, as far as they can be judged from elsewhere: what is decided, not what is granted."""

from __future__ import annotations

import ctypes
import sys
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.realtime import macos, macos_advice, windows, windows_advice
from rtsep.realtime.grant import Elsewhere, Grant, Level

LEVELS: tuple[Level, ...] = ("audio", "engine", "helper")


@given(
    level=st.sampled_from(LEVELS), period_s=st.floats(1e-4, 10.0), ticks_per_s=st.sampled_from([24e6, 1e9])
)
def test_a_time_constraint_is_one_that_the_kernel_takes(
    level: Level, period_s: float, ticks_per_s: float
) -> None:
    """Its rules: computation within constraint within period, and at most 50 ms of it."""
    wanted = macos.constraint(level, period_s, ticks_per_s)
    assert 0 < wanted.computation <= wanted.constraint <= wanted.period < 2**32
    assert wanted.computation <= 0.05 * ticks_per_s
    assert wanted.preemptible == 1
    assert wanted.computation >= min(period_s / 5, 0.05) * ticks_per_s - 1


def test_structures_have_the_size_that_their_headers_give() -> None:
    assert ctypes.sizeof(macos.Constraint) == 4 * 4  # THREAD_TIME_CONSTRAINT_POLICY_COUNT words
    assert ctypes.sizeof(macos.Timebase) == 2 * 4


class Dlls:
    """Windows's answers; keeps what was asked."""

    def __init__(self, *, mmcss: bool, thread: bool) -> None:
        self.calls: list[tuple] = []
        self._answers = {"AvSetMmThreadCharacteristicsW": 7 if mmcss else 0, "OpenThread": 9 if thread else 0}

    def __call__(self, name: str) -> SimpleNamespace:
        class Library(SimpleNamespace):
            def __getattr__(inner, function: str) -> object:  # noqa: N805
                def call(*arguments: object) -> int:
                    self.calls.append((function, *arguments))
                    return self._answers.get(function, 1)

                return call

        return Library()

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.calls]


@pytest.fixture
def dlls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Dlls:
    made = Dlls(**request.param)
    monkeypatch.setattr(windows, "_library", made)
    monkeypatch.setattr(windows, "_last_error", lambda: 5)
    return made


@pytest.mark.parametrize("dlls", [{"mmcss": True, "thread": True}], indirect=True)
def test_windows_raises_the_caller_by_mmcss_and_reverts_it(dlls: Dlls) -> None:
    system, me = windows.Windows(), threading.current_thread()
    assert system.ask("engine", me, 0.02) == Grant("Pro Audio by MMCSS", True)
    assert dlls.calls[0][:2] == ("AvSetMmThreadCharacteristicsW", "Pro Audio")
    system.give_back(me)
    assert dlls.calls[-1] == ("AvRevertMmThreadCharacteristics", 7)
    system.give_back(me)
    assert dlls.names.count("AvRevertMmThreadCharacteristics") == 1


@pytest.mark.parametrize("dlls", [{"mmcss": True, "thread": True}], indirect=True)
def test_windows_raises_other_threads_without_mmcss(dlls: Dlls) -> None:
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    system = windows.Windows()
    assert system.ask("helper", other, 0.02) == Grant("time-critical", True)
    system.give_back(other)
    end.set()
    other.join()
    assert [call for call in dlls.calls if call[0] == "SetThreadPriority"] == [
        ("SetThreadPriority", 9, windows.TIME_CRITICAL),
        ("SetThreadPriority", 9, windows.NORMAL),
    ]
    assert dlls.names.count("CloseHandle") == dlls.names.count("OpenThread") == 2


@pytest.mark.parametrize("dlls", [{"mmcss": False, "thread": False}], indirect=True)
def test_windows_says_what_was_refused(dlls: Dlls) -> None:
    grant = windows.Windows().ask("engine", threading.current_thread(), 0.02)
    assert not grant.is_raised
    assert "MMCSS refused Pro Audio (error 5)" in grant.refused
    assert "time-critical was refused (error 5)" in grant.refused
    mmcss = windows_advice.mmcss(grant)
    assert mmcss.state == "poor"
    assert grant.refused in mmcss.means
    assert mmcss.change


def test_a_system_unknown_grants_nothing_and_breaks_nothing() -> None:
    system, me = Elsewhere(), threading.current_thread()
    assert not system.ask("engine", me, 0.02).is_raised
    system.give_back(me)
    with system.prepared() as grant:
        assert grant.refused
    system.raise_natives(system.native_ids())


PMSET = """System-wide power settings:
Currently in use:
 standby              1
 Sleep On Power Button 1
 lowpowermode         {low}
 sleep                1 (sleep prevented by coreaudiod)
"""


@pytest.mark.parametrize(
    ("low", "source", "state", "found"),
    [
        (0, "Now drawing from 'AC Power'", "good", "on mains"),
        (1, "Now drawing from 'Battery Power'", "fair", "on battery, low power mode"),
        (0, "Now drawing from 'Battery Power'", "good", "on battery"),
    ],
)
def test_the_power_settings_of_macos(low: int, source: str, state: str, found: str) -> None:
    finding = macos_advice.power(PMSET.format(low=low), source)
    assert (finding.state, finding.found) == (state, found)
    assert bool(finding.change) == (state != "good")


@pytest.mark.parametrize(
    ("text", "state", "found"),
    [
        ("Power Scheme GUID: 381b4222-f694-41f0-9685-ff5bb260df2e  (Balanced)", "fair", "balanced"),
        (
            "GUID des Energieschemas: 8C5E7FDA-E8BF-4A96-9A85-A6E23A8C635C  (Höchstleistung)",
            "good",
            "high performance",
        ),
        ("", "fair", "another"),
    ],
)
def test_the_power_plan_of_windows_in_any_language(text: str, state: str, found: str) -> None:
    finding = windows_advice.power(text)
    assert (finding.state, finding.found) == (state, found)
    assert bool(finding.change) == (state != "good")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there they are real")
def test_they_can_be_imported_anywhere() -> None:
    assert macos.MacOS().native_ids() == windows.Windows().native_ids() == set()
