"""The session and its server: what is moved arrives, and neither needs the other to live."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from visitors import Visitor, WatchedSession

from rtsep.board import Control
from rtsep.control.web.link import LOOK_S, Notes, Teller, WebSurface
from rtsep.control.wire import read_line
from rtsep.knobs import mix_controls
from rtsep.parameters import Parameter
from rtsep.scales import Switch, Value

GAIN = "/stem/vocals/gain_db"


def test_a_page_is_told_everything_that_there_is(web: WebSurface, session: WatchedSession) -> None:
    with Visitor(web.port) as visitor:
        message = visitor.world()
        about, parameters = message["world"]["about"], message["world"]["parameters"]
        assert [one["address"] for one in parameters] == list(session.board.parameters)
        assert message["values"].keys() == session.board.values.keys()
        assert about["stems"] == list(session.stems)
        assert about["latency_total_ms"] == pytest.approx(
            session.latency.ms(session.latency.total_samples), abs=0.01
        )
        gain = next(one for one in parameters if one["address"] == GAIN)
        assert gain["scale"] == {
            "kind": "gain",
            "law": [[0, -90], [0.0625, -60], [0.25, -30], [0.5, -10], [1, 10]],
            "high": 24,
        }
        status = visitor.wait_for(lambda message: message.get("status"))
        assert status["levels"]["/bus/main"] == [-1.0, -9.0]
        assert status["spectra"].keys() == set(session.stems)
        assert status["load"] == pytest.approx(0.23)


def test_a_page_is_told_which_stems_are_heard(web: WebSurface, session: WatchedSession) -> None:
    """With groups, too: a page would have to know which stems are in them."""
    moves = [
        ("/group/instrumental/solo", True, set(session.stems) - {"vocals"}),
        ("/group/instrumental/mute", True, set()),
        ("/group/instrumental/solo", False, {"vocals"}),
        ("/group/instrumental/mute", False, set(session.stems)),
        ("/crossfade", 1.0, set(session.stems) - {"vocals"}),
        ("/stem/drums/gain_db", "-inf", set(session.stems) - {"vocals", "drums"}),
    ]
    with Visitor(web.port) as visitor:
        for address, value, heard in moves:
            n = visitor.set((address, value))
            visitor.wait_for(lambda message, n=n: message.get("done") == n)
            visitor.wait_for(lambda message: message.get("status"))  # may have been drawn before
            assert set(visitor.wait_for(lambda message: message.get("status"))["plays"]) == heard


def test_silence_goes_both_ways(web: WebSurface, session: WatchedSession) -> None:
    with Visitor(web.port) as visitor, Visitor(web.port) as other:
        other.world()
        visitor.set((GAIN, "-inf"))
        assert other.value(GAIN) == "-inf"
        assert session.board[GAIN] == float("-inf")


def test_changes_from_elsewhere_reach_every_page(web: WebSurface, session: WatchedSession) -> None:
    with Visitor(web.port) as first, Visitor(web.port) as second:
        for page in (first, second):
            page.world()
        session.board.set("/stem/drums/mute", True, "midi")
        session.mix.edit("strips", "bass", gain_db=-4)
        session.board.refresh()
        for page in (first, second):
            told: dict = {}
            while len(told) < 2:
                told |= page.wait_for(lambda message: message.get("values"))
            assert told == {"/stem/drums/mute": True, "/stem/bass/gain_db": -4.0}


def test_a_page_that_waits_for_its_confirmation_ends_where_the_board_does(
    web: WebSurface, session: WatchedSession
) -> None:
    """As the page does: of what it moves itself it ignores everything until its last message is confirmed."""
    over = threading.Event()

    def fight() -> None:
        k = 0
        while not over.wait(0.001):
            k += 1
            session.board.set(GAIN, -(k % 60), "midi")

    rival = threading.Thread(target=fight)
    with Visitor(web.port) as visitor:
        shown = visitor.world()["values"][GAIN]
        rival.start()
        for k in range(100):
            n = visitor.set((GAIN, k / 10))
            shown, is_done = k / 10, False
            while not is_done:
                message = visitor.wait_for(lambda message: message if "values" in message else None)
                is_done = message["done"] == n
                if is_done and GAIN in message["values"]:
                    shown = message["values"][GAIN]
        over.set()
        rival.join()
        last = visitor.set(("/separation", 0.25))
        while True:
            message = visitor.wait_for(lambda message: message if "values" in message else None)
            shown = message["values"].get(GAIN, shown)
            if message["done"] == last:
                break
        assert shown == session.board[GAIN]


def test_a_confirmation_brings_what_came_between(
    session: WatchedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst turn: while it is told, a page moves a fader, and a controller moves it on."""
    notes, feed = Notes(), session.board.feed()
    teller = Teller(session, feed, notes)
    teller.changes(anew=True)

    def take() -> dict[str, Value]:
        session.board.set(GAIN, 1.0, "web:1")
        notes.note(1, 7, [GAIN])
        session.board.set(GAIN, 2.0, "midi")
        monkeypatch.undo()
        return feed.take()

    monkeypatch.setattr(feed, "take", take)
    first, second = (read_line(teller.changes(anew=False)[0])[1] for _ in range(2))
    assert (first["values"], first["done"]) == ({GAIN: 2.0}, [])  # which the page leaves aside
    assert (second["values"], second["done"]) == ({GAIN: 2.0}, [[1, 7]])


def test_other_parameters_are_told_anew(web: WebSurface, session: WatchedSession) -> None:
    with Visitor(web.port) as visitor:
        visitor.world()
        extra = Control(Parameter("/midi/extra", Switch(), False, "a test"), lambda: True, lambda value: None)
        session.mix.add(["piano"])
        session.board.replace([*mix_controls(session.mix, ("vocals", "piano")), extra])
        message = visitor.world()
        addresses = [one["address"] for one in message["world"]["parameters"]]
        assert "/stem/piano/mute" in addresses
        assert "/stem/drums/mute" not in addresses
        assert message["values"]["/midi/extra"] is True


def test_a_server_that_dies_is_started_again_and_the_session_does_not_care(session: WatchedSession) -> None:
    said: list[str] = []
    with WebSurface(session, "127.0.0.1", 0, say=said.append) as web:
        port, first = web.port, web.server_pid
        with Visitor(port) as visitor:
            visitor.world()
            os.kill(first, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        session.board[GAIN] = -8
        while web.n_restarts == 0 or web.server_pid == first:
            time.sleep(0.02)
        assert web.port == port
        with Visitor(port) as visitor:
            assert visitor.world()["values"][GAIN] == -8.0
            visitor.set((GAIN, -9))
            assert visitor.value(GAIN) == -9
    assert any("started again" in text for text in said)
    assert len(session.board._feeds) == 0


def test_a_server_that_stands_still_holds_nothing_up(session: WatchedSession) -> None:
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("this system cannot stop a process")
    with WebSurface(session, "127.0.0.1", 0) as web, Visitor(web.port) as visitor:
        visitor.world()
        os.kill(web.server_pid, signal.SIGSTOP)
        for k in range(20000):  # far more than a pipe holds
            session.board.set("/separation", (k % 100) / 100, "midi")
        session.board[GAIN] = -11
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rtsep-web")]


def test_without_a_page_nothing_is_drawn(session: WatchedSession) -> None:
    class Shy(WatchedSession):
        n_looks = 0

        def levels(self) -> dict:
            Shy.n_looks += 1
            return super().levels()

    shy = Shy(None)
    with WebSurface(shy, "127.0.0.1", 0) as web:
        time.sleep(3 * LOOK_S)
        assert Shy.n_looks == 0
        with Visitor(web.port) as visitor:
            visitor.wait_for(lambda message: message.get("status"))
        assert Shy.n_looks > 0


def test_pictures_that_fail_are_told_of_once_and_the_next_one_is_seen(
    session: WatchedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with WebSurface(session, "127.0.0.1", 0, say=said.append) as web, Visitor(web.port) as visitor:
        visitor.world()
        with monkeypatch.context() as broken:
            broken.setattr(session, "status", lambda: 1 // 0)
            until_s = time.monotonic() + 20
            while not said and time.monotonic() < until_s:
                time.sleep(0.01)
            session.board[GAIN] = -5
        while visitor.value(GAIN) != -5:
            pass
    assert len(said) == 1
    assert said[0].startswith("The web mixer: an error in rtsep: ZeroDivisionError")
