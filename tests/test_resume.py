"""What a session leaves to the process that goes on: the mix, the place, the account, and a name for its file."""

from __future__ import annotations

import json
import math
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.cli.play import write_stats
from rtsep.errors import CardLostError, ConfigError, DeviceError
from rtsep.host import Host
from rtsep.io.files import AudioWriter
from rtsep.mix import MAIN, Bus, Strip
from rtsep.resume import Session, Standing, next_name, save_session, take_session
from rtsep.rig import make_mixer
from rtsep.settings import LiveSettings
from rtsep.standing import mix_now

OUTSIDE = Path(__file__).parent / "outside"
STEMS = ("mid", "side")
SETTINGS = LiveSettings().with_overrides(
    {
        "mixer": {
            "stems": {"mid": {"sends": {"aux": -3}}},
            "direct": {"microphone": {"channels": [3], "gain_db": -3}},
            "buses": {"cue": {"channels": [3, 4]}, "aux": {"channels": [5]}},
        }
    }
)
GAINS = st.one_of(st.just(-math.inf), st.floats(-90, 24))
OUTPUTS = st.lists(st.integers(0, 4), min_size=1, max_size=2, unique=True).map(tuple)
STRIPS = st.builds(
    Strip,
    gain_db=GAINS,
    mute=st.booleans(),
    solo=st.booleans(),
    route=st.none() | OUTPUTS,
    pan=st.floats(-1, 1),
    invert=st.booleans(),
    cue=st.booleans(),
    sends=st.dictionaries(st.sampled_from(["cue", "aux"]), GAINS),
)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSEP_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@given(
    strips=st.fixed_dictionaries(dict.fromkeys((*STEMS, "microphone"), STRIPS)),
    buses=st.fixed_dictionaries(dict.fromkeys((MAIN, "cue", "aux"), st.builds(Bus, OUTPUTS, GAINS))),
)
def test_a_mixer_made_of_the_mix_as_it_stands_is_the_same(
    strips: dict[str, Strip], buses: dict[str, Bus]
) -> None:
    mixer = make_mixer(SETTINGS)
    mixer.add(STEMS)
    for name, strip in strips.items():
        mixer.edit("directs" if name in mixer.directs else "strips", name, **vars(strip))
    for name, bus in buses.items():
        mixer.edit("buses", name, **vars(bus))
    now = SETTINGS.mixer.model_copy(update=mix_now(mixer, STEMS, SETTINGS.mixer))
    main = [channel + 1 for channel in buses[MAIN].outputs]
    after = SETTINGS.model_copy(update={"mixer": now}).with_overrides({"output": {"channels": main}})
    again = make_mixer(after)
    assert again.state == mixer.state
    assert again.buses == mixer.buses
    assert after.mixer.direct["microphone"].channels == (3,)


class Loss:
    """Parts of a session that are lost one after the other, by the clock of a test."""

    def __init__(self, sink: str = "default") -> None:
        settings = LiveSettings().with_overrides({"output": {"sink": sink}})
        self.session = Session.begin(settings)

    def lose(self, started_s: float, since_s: float, *files: str, duration_s: float = 10.0) -> None:
        stats = {"duration_s": duration_s, "files": list(files)}
        error, standing = CardLostError("gone", since_s), self.session.standing
        self.session = self.session.after_loss(error, standing, stats, started_s)


def test_time_without_sound_and_all_parts_are_in_the_account() -> None:
    loss = Loss()
    assert loss.session.account({"x": 1}, 5.0) == {
        "x": 1,
        "n_restarts": 0,
        "lost_s": 0.0,
        "earlier_parts": [],
    }
    loss.lose(5.0, 15.0)
    assert loss.session.last_account(16.5) == {
        "duration_s": 10.0,
        "files": [],
        "n_restarts": 0,
        "lost_s": 1.5,
        "earlier_parts": [],
    }
    loss.lose(20.0, 30.0)
    assert loss.session.lost_until_s(None) == 5.0  # a part that never started lost nothing more
    account = loss.session.account({"x": 2}, 37.0)
    assert (account["n_restarts"], account["lost_s"], len(account["earlier_parts"])) == (2, 12.0, 2)
    assert account["x"] == 2


def test_attempts_that_come_to_nothing_are_made_more_rarely() -> None:
    loss = Loss()
    loss.lose(0, 0.5, duration_s=0.5)
    assert loss.session.pause_s == 0  # the first loss is no attempt
    pauses = []
    for number in range(6):
        if number % 2:
            loss.session = loss.session.after_refusal()
        else:
            loss.lose(0, 0.5, duration_s=0.5)
        pauses.append(loss.session.pause_s)
    assert pauses == [1, 2, 4, 8, 10, 10]
    loss.lose(0, 10)
    assert loss.session.pause_s == 0


def test_an_output_file_goes_on_in_another(tmp_path: Path) -> None:
    (tmp_path / "out-3.wav").touch()  # somebody else's
    loss = Loss("out.wav")
    sinks = []
    for file in ((), ("out.wav",), ("out-2.wav",), ()):
        for made in file:
            (tmp_path / made).touch()
        loss.lose(0, 10, *file)
        sinks.append(loss.session.settings.output.endpoint.name)
    assert sinks == ["out.wav", "out-2.wav", "out-4.wav", "out-4.wav"]


@pytest.mark.parametrize("name", ["out.wav", "a.b/out.1.flac"])
def test_the_next_name_is_beside_the_first(name: str, tmp_path: Path) -> None:
    first = tmp_path / name
    assert next_name(first, set()) == first
    following = next_name(first, {str(first)})
    assert (following.parent, following.suffix) == (first.parent, first.suffix)
    assert following.stem == f"{first.stem}-2"


def test_a_session_survives_its_file_which_goes(tmp_path: Path) -> None:
    strips = {"mid": {"gain_db": -math.inf, "route": [3, 4]}}
    settings = LiveSettings().with_overrides({"mixer": {"stems": strips}, "output": {"record": "takes"}})
    options = {"mixer": {"stems": {"mid": {"gain_db": -math.inf, "route": (3, 4)}}}}
    by_hand = Standing(settings=settings, written=settings.with_overrides({"model": {"latency": "low"}}))
    session = Session.begin(settings, tmp_path / "mine.yaml", options, by_hand)
    stats = {"duration_s": 3.5, "files": ["takes/mix.wav"], "load_max": math.inf}
    session = session.after_loss(CardLostError("gone", 1.5), session.standing, stats, 0.25)
    path = save_session(session)
    assert path.parent == tmp_path / "state"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    found = take_session(path)
    assert not path.exists()
    assert found.standing == session.standing
    assert found.standing.written.model.latency == "low"
    assert found.asked == settings  # what a hand has chosen never passes for written
    assert (found.parts, found.config, found.since_s) == (session.parts, session.config, 1.5)
    assert settings.with_overrides(found.options) == settings.with_overrides(options)
    with pytest.raises(ConfigError):
        take_session(path)


def test_where_the_session_cannot_be_kept_it_ends(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(DeviceError, match="the session cannot go on"):
        save_session(Session.begin(LiveSettings()))


@pytest.fixture
def song(tmp_path: Path) -> Iterator[Path]:
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 3 * 44100)).astype(np.float32)
    with AudioWriter(tmp_path / "song.wav", 44100, 2) as writer:
        writer.write(noise)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(OUTSIDE)
        yield tmp_path / "song.wav"


def test_a_host_goes_on_where_another_stood(song: Path, tmp_path: Path) -> None:
    written = LiveSettings().with_overrides(
        {"input": {"source": str(song)}, "model": {"name": "midside"}, "output": {"clock": "real"}}
    )
    with Host(written) as host:
        assert host.transport is not None
        host.stems["side"].gain_db = -7
        host.mix.edit("buses", MAIN, outputs=(1, 0), gain_db=-2.0)
        host.transport.seek(1.0)
        host.transport.loop(0.5, 2.5)
        host.transport.pause(True)
        host.wait(0.5)
        standing = host.now()
    assert standing.written == written
    assert standing.place is not None
    assert standing.place.position_s >= 1.0
    with Host(standing.settings) as second:
        assert second.mix.buses[MAIN] == Bus((1, 0), -2.0)
    second = Host(Standing.model_validate(standing.model_dump()).settings)
    second.take_over(standing)
    with second:
        assert second.settings == written
        assert second.mix.state["side"].gain_db == -7
        assert second.now() == standing
        write_stats(tmp_path / "stats.json", Session.begin(written).account(second.stats(), second.started_s))
    assert json.loads((tmp_path / "stats.json").read_text())["n_restarts"] == 0
