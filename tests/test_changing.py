"""A mix of other settings, in which a hand has moved what it has moved."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.changing import mixed, needs_rig
from rtsep.mix import MAIN, Bus, Strip
from rtsep.rig import make_mixer
from rtsep.settings import LiveSettings

STEMS = ("mid", "side")


def settings(**groups: dict) -> LiveSettings:
    tree = {"mixer": {"stems": {"mid": {"gain_db": -3.0}}, "buses": {"cue": {"channels": [3, 4]}}}}
    return LiveSettings().with_overrides(tree).with_overrides(groups)


STRIPS = st.builds(
    Strip,
    gain_db=st.sampled_from([-9.0, -3.0, 0.0]),
    mute=st.booleans(),
    pan=st.sampled_from([0.0, 0.5]),
    cue=st.booleans(),
    route=st.sampled_from([None, (0, 1), (2, 3)]),
)


@given(written=STRIPS, rewritten=STRIPS, by_hand=STRIPS)
def test_a_field_moves_if_the_settings_name_it_otherwise_and_stays_if_not(
    written: Strip, rewritten: Strip, by_hand: Strip
) -> None:
    before, after = (settings(mixer={"stems": {"mid": tree(one)}}) for one in (written, rewritten))
    mixer = make_mixer(before)
    mixer.edit("strips", "mid", **vars(by_hand))
    found = mixed(mixer, before, after, 4).state["mid"]
    for field in fields(Strip):
        old, new, hand, now = (getattr(one, field.name) for one in (written, rewritten, by_hand, found))
        assert now == (hand if old == new else new), field.name


def tree(strip: Strip) -> dict:
    route = None if strip.route is None else [output + 1 for output in strip.route]
    return {**vars(strip), "route": route, "sends": dict(strip.sends)}


def test_the_master_stays_where_a_hand_has_put_it_when_its_outputs_change() -> None:
    before, after = settings(), settings(output={"channels": [3, 4]})
    mixer = make_mixer(before)
    mixer.edit("buses", MAIN, gain_db=-12.0)
    assert mixed(mixer, before, after).buses[MAIN] == Bus((2, 3), -12.0)


@pytest.mark.parametrize(("first", "then"), [((1, 2), (1,)), ((1,), (1, 2))])
def test_the_master_stays_where_a_hand_has_put_it_on_a_card_of_other_channels(
    first: tuple[int, ...], then: tuple[int, ...]
) -> None:
    before, after = (LiveSettings().on_channels((1, 2), outputs) for outputs in (first, then))
    mixer = make_mixer(before)
    mixer.edit("buses", MAIN, gain_db=-12.0)
    found = mixed(mixer, before, after)
    assert found.buses[MAIN] == Bus(tuple(channel - 1 for channel in then), -12.0)
    assert found.n_outputs == len(then)


def test_what_is_not_there_any_more_is_not_gone_to_and_nothing_gets_louder() -> None:
    before = settings(mixer={"buses": {"aux": {"channels": [5]}}})
    after = LiveSettings()
    mixer = make_mixer(before)
    mixer.edit("strips", "mid", gain_db=-1.0, sends={"aux": 0.0})
    mixer.add(["side"])
    mixer.edit("strips", "side", gain_db=-2.0, mute=True, route=(3, 4))
    mixer.edit("buses", MAIN, outputs=(3, 4), gain_db=-5.0)
    found = mixed(mixer, before, after)
    assert found.n_outputs == 2
    assert found.state == {"mid": Strip(), "side": Strip(-2.0, mute=True)}
    assert found.buses == {MAIN: Bus((0, 1), -5.0)}
    found.matrix(STEMS)


def test_a_button_of_a_bus_that_is_not_there_any_more_is_up_and_all_else_stays() -> None:
    stems = {"stems": {"mid": {"gain_db": -3.0}}}
    before, after = settings(), LiveSettings().with_overrides({"mixer": stems})
    mixer = make_mixer(before)
    mixer.edit("strips", "mid", gain_db=-1.0, mute=True, cue=True)
    assert mixed(mixer, before, after).state["mid"] == Strip(-1.0, mute=True)
    assert mixed(mixer, before, before).state["mid"].cue


@pytest.mark.parametrize(
    ("groups", "is_needed"),
    [
        ({"mixer": {"stems": {"mid": {"gain_db": -1.0}}}}, False),
        ({"mixer": {"buses": {"cue": {"gain_db": -1.0, "channels": [4]}}}}, False),
        ({"model": {"name": "other"}}, False),
        ({"output": {"resume": False}}, False),
        ({"output": {"record": "takes", "record_format": "flac"}}, False),
        ({"control": {"keys": False}}, False),
        ({"mixer": {"stems": {"mid": {"route": [5]}}}}, True),
        ({"mixer": {"buses": {"more": {"channels": [1]}}}}, True),
        ({"mixer": {"direct": {"microphone": {"channels": [1]}}}}, True),
        ({"mixer": {"limiter": None}}, True),
        ({"mixer": {"ramp_ms": 5.0}}, True),
        ({"input": {"channels": [1]}}, True),
        ({"output": {"block_samples": 64}}, True),
    ],
)
def test_only_what_is_connected_otherwise_needs_another_rig(groups: dict, is_needed: bool) -> None:
    before = settings()
    mixer = make_mixer(before)
    assert needs_rig(mixer, before, settings(**groups)) == is_needed


def test_a_direct_input_s_fader_moves_without_another_rig() -> None:
    before, after = (
        settings(mixer={"direct": {"microphone": {"channels": [1], "gain_db": gain_db}}})
        for gain_db in (0.0, -6.0)
    )
    mixer = make_mixer(before)
    mixer.edit("directs", "microphone", pan=0.5)
    assert not needs_rig(mixer, before, after)
    found = mixed(mixer, before, after, mixer.n_outputs)
    assert found.directs == ("microphone",)
    assert found.state["microphone"] == replace(Strip(), gain_db=-6.0, pan=0.5)
