"""What Linux grants, asked of the real kernel: with whatever rights this machine gives, and with none."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from rtsep import realtime
from rtsep.realtime import linux
from rtsep.realtime.grant import Grant

HERE = Path(__file__).parent
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # <linux/prctl.h>, <linux/capability.h>
NO_BUS = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/there/is/none"}
ASK = """
import os, threading, time
from rtsep import realtime
{before}
def work():
    with realtime.raised("engine", 0.02) as standing:
        print(standing.grant, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, sep="|")
        {during}
        print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def in_a_thread(work: object) -> None:
    """Run it where nothing that is left behind matters, and raise here what it raised."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def policy(tid: int = 0) -> int:
    return os.sched_getscheduler(tid) & ~os.SCHED_RESET_ON_FORK


def drop_rights() -> None:
    """Before a program begins: let it, even as root, raise no priority of its own."""
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)


def ask_without_rights(bus: dict[str, str], *, during: str = "pass") -> list[str]:
    """The lines of `ASK` in a process that may nothing."""
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(before="", during=during)],
        env={**os.environ, **bus},
        preexec_fn=drop_rights,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_is_said_to_be_granted_is_what_the_kernel_does() -> None:
    def work() -> None:
        with realtime.raised("engine", 0.02) as standing:
            grant = standing.grant
            if grant.is_realtime:
                assert policy() in (os.SCHED_FIFO, os.SCHED_RR)
                assert os.sched_getparam(0).sched_priority == linux.PRIORITY["engine"]
                children: list[int] = []
                in_a_thread(lambda: children.append(policy()))
                assert children == [os.SCHED_OTHER]
            else:
                assert policy() == os.SCHED_OTHER
                assert grant.refused
                assert grant.is_raised == (os.getpriority(os.PRIO_PROCESS, 0) < 0)
        assert policy() == os.SCHED_OTHER
        assert os.getpriority(os.PRIO_PROCESS, 0) >= 0

    in_a_thread(work)


def test_the_audio_goes_before_the_engine_and_its_helpers_stand_beside_it() -> None:
    assert linux.PRIORITY["audio"] > linux.PRIORITY["engine"] == linux.PRIORITY["helper"] > 0
    assert linux.PRIORITY["engine"] < 5  # PulseAudio's threads, and clients of jackd with its default


def test_helpers_are_raised_with_their_engine_and_nobody_else() -> None:
    """Neither what is no helper, nor those of another engine, which keep what they have when this one gives back."""
    end, there = threading.Event(), threading.Barrier(4)
    names = (realtime.HELPER_NAME, realtime.HELPER_NAME, "somebody-else")

    def wait() -> None:
        there.wait()
        end.wait()

    threads = [threading.Thread(target=wait, name=name) for name in names]
    with realtime.new_helpers() as others:
        realtime.start_helper(threads[0])
        in_a_thread(lambda: realtime.start_helper(threads[1]))  # somebody else's, at the same time
    with realtime.new_helpers() as helpers:
        pass
    threads[2].start()
    there.wait()
    assert others == threads[:1]
    assert helpers == []

    def work() -> None:
        helper, others_helper, other = (thread.native_id or 0 for thread in threads)
        with (
            realtime.raised("engine", 0.02, threads[1:2]),
            realtime.raised("engine", 0.02, threads[:1]) as standing,
        ):
            before = policy(others_helper), os.getpriority(os.PRIO_PROCESS, others_helper)
            assert standing.helpers == [standing.grant]
            assert (policy(helper), os.getpriority(os.PRIO_PROCESS, helper)) == (
                policy(),
                os.getpriority(os.PRIO_PROCESS, 0),
            )
            assert policy(other) == os.SCHED_OTHER
            was_raised = standing.grant.is_raised
            assert standing.give_back() == was_raised
            assert not standing.give_back()
            assert (policy(others_helper), os.getpriority(os.PRIO_PROCESS, others_helper)) == before
        assert policy(helper) == policy() == os.SCHED_OTHER

    try:
        in_a_thread(work)
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_without_rights_it_says_what_was_refused_and_goes_on() -> None:
    granted, after = ask_without_rights(NO_BUS)
    text, how = granted.split("|")
    assert int(how) == int(after) == os.SCHED_OTHER
    assert text.startswith(("normal (", "nice "))
    assert "by the limits: Operation not permitted" in text
    assert "by rtkit: there is no system D-Bus" in text


def may_be_realtime() -> bool:
    grants: list[Grant] = []

    def work() -> None:
        with realtime.raised("engine", 0.02) as standing:
            grants.append(standing.grant)

    in_a_thread(work)
    return grants[0].is_realtime


def test_who_computes_on_end_is_demoted_and_not_killed() -> None:
    """Twice, under a hard limit that would kill: the kernel moves the soft one with every signal."""
    if not may_be_realtime():
        pytest.skip("this user may not have real-time threads")
    before = "from rtsep.realtime import linux\nlinux.guard()\nlinux._set_limit(linux.HARD_US)"
    busy = "end_s = time.perf_counter() + 0.6\n        while time.perf_counter() < end_s: pass"
    code = ASK.format(before=before, during=busy) + "thread = threading.Thread(target=work)\nthread.start()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    first, first_after, second, second_after = done.stdout.splitlines()
    for granted, after in ((first, first_after), (second, second_after)):
        assert int(granted.split("|")[1]) in (os.SCHED_FIFO, os.SCHED_RR)
        assert int(after) == os.SCHED_OTHER


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A system bus of our own, with a service on it that does what rtkit does."""
    if os.geteuid() != 0 or shutil.which("dbus-daemon") is None or not may_be_realtime():
        pytest.skip("needs root, as rtkit does, and dbus-daemon")
    address = f"unix:path={tmp_path}/bus"
    env = {"DBUS_SYSTEM_BUS_ADDRESS": address}
    config = tmp_path / "bus.conf"
    config.write_text((HERE / "bus.conf").read_text().replace("ADDRESS", address))
    with ExitStack() as started:
        daemon = ["dbus-daemon", "--nofork", "--nopidfile", "--print-address=1", f"--config-file={config}"]
        assert first_line(daemon, env, started).startswith("unix:")
        assert first_line([sys.executable, str(HERE / "like_rtkit.py")], env, started) == "ready"
        yield env


def first_line(command: list[str], env: dict[str, str], started: ExitStack) -> str:
    """Start a service and wait for its first line; it is ended with the stack."""
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)
    started.callback(process.wait)
    started.callback(process.kill)
    assert process.stdout is not None
    started.callback(process.stdout.close)
    return process.stdout.readline().strip()


def test_rtkit_grants_what_the_limits_do_not(bus: dict[str, str]) -> None:
    busy = "end_s = time.perf_counter() + 0.6\n        while time.perf_counter() < end_s: pass"
    granted, after = ask_without_rights(bus, during=busy)
    text, how = granted.split("|")
    assert text == f"SCHED_RR {linux.PRIORITY['engine']} by rtkit"
    assert int(how) == os.SCHED_RR
    assert int(after) == os.SCHED_OTHER  # demoted, though the hard limit that rtkit demands would have killed


def locked_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmLck:"))


def test_memory_is_locked_until_the_last_session_ends() -> None:
    with realtime.prepared() as outer:
        if not outer.is_raised:
            assert "RLIMIT_MEMLOCK" in outer.refused
            pytest.skip("this user may not lock memory")
        with realtime.prepared():
            assert locked_kib() > 0
        assert locked_kib() > 0
    assert locked_kib() == 0
