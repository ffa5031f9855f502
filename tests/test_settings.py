from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.config import read_yaml, write_yaml
from rtsep.errors import ConfigError, UsageError
from rtsep.settings import Endpoint, LiveSettings, overlay, stem_overrides

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_is_read(path: Path) -> None:
    assert isinstance(read_yaml(path, LiveSettings), LiveSettings)


def test_the_commented_config_shows_every_key_with_its_default_in_signal_order() -> None:
    path = next(path for path in CONFIGS if path.name == "live.yaml")
    settings = read_yaml(path, LiveSettings)
    assert settings == LiveSettings()
    assert settings.model_fields_set == set(LiveSettings.model_fields)
    for group in LiveSettings.model_fields:
        assert getattr(settings, group).model_fields_set == set(type(getattr(settings, group)).model_fields)
    keys = [line[:-1] for line in path.read_text().splitlines() if line.endswith(":") and line[0] not in " #"]
    assert keys == ["input", "model", "mixer", "output", "control"]


def test_groups_with_everything_commented_out_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "live.yaml"
    path.write_text("mixer:\n  # ramp_ms: 10\ninput:\n  channels: [2]\n")
    assert read_yaml(path, LiveSettings) == LiveSettings.model_validate({"input": {"channels": [2]}})
    path.write_text("mixer:\n  stems:\n    # vocals: {mute: true}\n  ramp_ms: 3\n")
    assert read_yaml(path, LiveSettings) == LiveSettings.model_validate({"mixer": {"ramp_ms": 3}})


GAINS = st.one_of(st.just(-math.inf), st.floats(-200, 24))
STEMS = st.fixed_dictionaries(
    {},
    optional={
        "gain_db": GAINS,
        "mute": st.booleans(),
        "solo": st.booleans(),
        "route": st.one_of(st.none(), st.lists(st.integers(1, 256), min_size=1, max_size=2, unique=True)),
    },
)


@given(stems=st.dictionaries(st.sampled_from(["vocals", "drums", "5.1"]), STEMS), ramp_ms=st.floats(1, 1000))
def test_settings_survive_a_file(
    stems: dict[str, object], ramp_ms: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = LiveSettings().with_overrides(
        {"mixer": {"stems": stems, "ramp_ms": ramp_ms}, "output": {"record": "takes"}}
    )
    path = tmp_path_factory.mktemp("settings") / "live.yaml"
    write_yaml(path, settings)
    assert read_yaml(path, LiveSettings) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mixr": {}}, "unknown key 'mixr'; did you mean 'mixer'?"),
        ({"mixer": {"stems": {"vocals": {"gain": 1}}}}, "'mixer.stems.vocals.gain'; did you mean 'gain_db'?"),
        ({"mixer": {"stems": {"vocals": {"gain_db": 30}}}}, "mixer.stems.vocals.gain_db: must be less than"),
        ({"mixer": {"stems": {"vocals": {"gain_db": math.nan}}}}, "a gain must be a number of dB"),
        ({"mixer": {"stems": {"vocals": {"gain_db": True}}}}, "to silence a stem write `mute: true`"),
        ({"mixer": {"stems": {"vocals": {"route": [0]}}}}, "greater than or equal to 1"),
        ({"mixer": {"stems": {"vocals": {"route": [3, 3]}}}}, "a channel must not be named twice"),
        (
            {"output": {"channels": [1, 2, 3]}},
            "output.channels: must have at most 2 values (given: [1, 2, 3])",
        ),
        (
            {"mixer": {"stems": {"vocals": {"sends": {"aux": 0}}}}},
            "vocals is sent to the bus 'aux'; buses are none",
        ),
        (
            {"mixer": {"direct": {"mic": {"channels": [1], "cue": True}}}},
            "mic has cue: true, but there is no bus",
        ),
        ({"mixer": {"buses": {"main": {"channels": [3]}}}}, "the bus 'main' is there already"),
        ({"mixer": {"direct": {"mic": {"gain_db": 0}}}}, "mixer.direct.mic.channels"),
        (
            {"mixer": {"limiter": {"ceiling_dbfs": 1}}},
            "mixer.limiter.ceiling_dbfs: must be less than or equal to 0",
        ),
        ({"output": {"record": 3}}, "output.record: must be a path (given: 3)"),
        ({"control": {"keys": "often"}}, "control.keys: must be true or false"),
        ({"mixer": {"ramp_ms": 0}}, "mixer.ramp_ms: must be greater than or equal to 1 (given: 0)"),
        ({"output": {"clock": "fast"}}, "output.clock: must be 'device', 'real' or 'free' (given: 'fast')"),
        ({"model": {"update_hops": 0}}, "model.update_hops"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LiveSettings().with_overrides(values)
    assert message in str(caught.value)
    assert str(caught.value).startswith("command line: ")


def test_infinite_silence_is_written_in_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("mixer: {stems: {a: {gain_db: -.inf}, b: {gain_db: -inf}}}")
    stems = read_yaml(path, LiveSettings).mixer.stems
    assert stems["a"].gain_db == stems["b"].gain_db == -math.inf


def test_options_are_laid_over_the_file_key_by_key() -> None:
    below = LiveSettings().with_overrides({"mixer": {"stems": {"vocals": {"gain_db": -3, "route": [3]}}}})
    above = below.with_overrides(stem_overrides(gains_db={"vocals": -12.0}, mutes=["drums"]))
    assert above.mixer.stems["vocals"].gain_db == -12
    assert above.mixer.stems["vocals"].route == (3,)
    assert above.mixer.stems["drums"].mute
    assert below.mixer.stems["vocals"].gain_db == -3


def test_overlay_leaves_what_it_is_given_alone() -> None:
    under = {"a": {"b": 1}}
    assert overlay(under, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}
    assert under == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("preset", "stem", "button"),
    [("karaoke", "vocals", "mute"), ("acapella", "vocals", "solo"), ("drumless", "drums", "mute")],
)
def test_presets_press_one_button(preset: str, stem: str, button: str) -> None:
    stems = LiveSettings().with_overrides(stem_overrides(preset=preset)).mixer.stems
    assert list(stems) == [stem]
    assert getattr(stems[stem], button)


def test_a_stem_that_the_model_does_not_make_is_refused_with_those_it_makes() -> None:
    mixer = LiveSettings().with_overrides(stem_overrides(preset="drumless")).mixer
    mixer.check_stems("4stems", ("vocals", "drums", "bass", "other"))
    with pytest.raises(UsageError, match="2stems makes no stem 'drums'; it makes vocals, accompaniment"):
        mixer.check_stems("2stems", ("vocals", "accompaniment"))
    misspelt = LiveSettings().with_overrides(stem_overrides(mutes=["vocal"])).mixer
    with pytest.raises(UsageError, match="Did you mean 'vocals'"):
        misspelt.check_stems("2stems", ("vocals", "accompaniment"))


def test_files_are_told_from_devices(tmp_path: Path) -> None:
    there = tmp_path / "USB Audio"
    there.touch()
    assert Endpoint.read(str(there)) == Endpoint("file", str(there))
    assert Endpoint.read("USB Audio") == Endpoint("device", "USB Audio")
    assert Endpoint.read(f"device:{there}") == Endpoint("device", str(there))
    assert Endpoint.read("file:hw") == Endpoint("file", "hw")
    assert Endpoint.read("mix.WAV").is_file
    assert not Endpoint.read("hw:0,0").is_file
    assert LiveSettings().with_overrides({"input": {"source": 3}}).input.endpoint == Endpoint("device", "3")


@pytest.mark.parametrize("kind", ["buses", "groups", "direct"])
def test_names_are_part_of_an_address(kind: str) -> None:
    more = {"stems": ["drums"]} if kind == "groups" else {"channels": [1]}
    LiveSettings().with_overrides({"mixer": {kind: {"lead-back.2": more}}})
    for name in ("lead/back", "a b", "x{}", "", "n" * 33):
        with pytest.raises(ConfigError, match="cannot be a name: letters, digits, hyphens and dots can"):
            LiveSettings().with_overrides({"mixer": {kind: {name: more}}})
