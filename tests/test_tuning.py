"""What is chosen by measurement, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_separator import make_card, make_model
from typer.testing import CliRunner

import rtsep
from rtsep import tuning
from rtsep.cli import app
from rtsep.errors import ConfigError, UsageError
from rtsep.nets.runner import choose_device
from rtsep.settings import ModelSettings
from rtsep.stream import Precision
from rtsep.tuning import (
    MOST_LOAD,
    Timing,
    Way,
    choose,
    key_of,
    open_separator,
    precisions,
    read_measured,
    store_measured,
    time_updates,
    tune,
    untimed,
)

HOP_MS = 1024 / 44.1
CARD = make_card(("vocals", "rest"))


def timing(
    p99_ms: float, update_hops: int, precision: Precision = "float32", n_threads: int | None = 1
) -> Timing:
    way = Way(precision=precision, n_threads=n_threads, update_hops=update_hops)
    return Timing(
        way=way,
        p50_ms=p99_ms / 2,
        p99_ms=p99_ms,
        max_ms=p99_ms,
        deadline_ms=update_hops * HOP_MS,
        latency_ms=93,
    )


@pytest.fixture(autouse=True)
def _own_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny", CARD).path


def tuned(settings: ModelSettings) -> tuple[Way, str | None]:
    return tune(settings, open_separator(settings, Way()))


def test_the_most_frequent_update_that_keeps_up_is_chosen() -> None:
    slow, good, coarse = timing(12, 1), timing(20, 2), timing(21, 4)
    assert choose([coarse, slow, good]) is good


def test_float32_is_kept_if_it_runs_at_every_second_hop() -> None:
    exact, near = timing(20, 2), timing(6, 1, "bfloat16")
    assert choose([near, exact]) is exact
    assert choose([near, timing(40, 4)]) is near


def test_the_more_exact_is_kept_if_it_updates_as_often() -> None:
    coarse, near, nearer = timing(60, 8), timing(1, 1, "bfloat16"), timing(9, 1, "tf32")
    assert choose([near, coarse, nearer]) is nearer


def test_on_a_gpu_all_precisions_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "HAS_BFLOAT16", True)
    assert precisions(ModelSettings(device="cpu")) == ("float32", "bfloat16")
    monkeypatch.setattr(tuning, "choose_device", lambda device: torch.device("cuda"))
    assert precisions(ModelSettings()) == ("float32", "tf32", "float16", "bfloat16")
    assert precisions(ModelSettings(precision="tf32")) == ("tf32",)


def test_a_precision_that_the_device_has_not_is_told(model: Path) -> None:
    asked = ModelSettings(name=str(model), device="cpu", precision="float16")
    with pytest.raises(UsageError, match="precision float16 is for a GPU"):
        tuned(asked)


def test_a_thread_that_is_not_needed_is_left_to_others() -> None:
    one, two = timing(10, 1, n_threads=1), timing(5, 1, n_threads=2)
    assert choose([two, one]) is one


def test_nothing_is_chosen_that_does_not_keep_up() -> None:
    assert choose([timing(13, 1), timing(100, 8)]) is None
    assert choose([]) is None


@given(
    st.lists(
        st.builds(
            timing,
            st.floats(0.1, 300),
            st.sampled_from([1, 2, 4, 8]),
            st.sampled_from(["float32", "bfloat16"]),
        )
    )
)
def test_what_is_chosen_has_time_to_spare(timings: list[Timing]) -> None:
    best = choose(timings)
    if best is None:
        assert all(one.load > MOST_LOAD for one in timings)
    else:
        assert best.load <= MOST_LOAD
        finer = [
            one for one in timings if one.way.update_hops < best.way.update_hops and one.load <= MOST_LOAD
        ]
        assert all(one.way.precision == "bfloat16" for one in finer)


def test_what_was_measured_is_taken_where_the_settings_leave_it_open(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ModelSettings(name=str(model))
    store_measured(key_of("tiny", asked), timing(3, 8, "bfloat16", 2))
    assert tuned(asked)[0] == Way(precision="bfloat16", n_threads=2, update_hops=8)
    assert tuned(ModelSettings(name=str(model), update_hops=2, precision="float32"))[0].update_hops == 2
    monkeypatch.setattr(tuning, "time_updates", lambda *_, **__: [1e-6])
    for other in (
        {"precision": "float32"},
        {"lookahead_frames": 3},
        {"context_frames": 64},
        {"mask": "direct"},
    ):
        assert tuned(ModelSettings(name=str(model), **other)) == (Way(update_hops=1), None), other


def test_without_a_measurement_one_is_made(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock is the oracle: every update takes what the table says of its deadline.
    loads = {1: 0.9, 2: 0.6, 4: 0.4, 8: 0.2}

    def fake_times(stream: rtsep.StemStream, rate_hz: int, n_updates: int, *, is_paced: bool) -> list[float]:
        deadline_s = stream.update_samples / rate_hz
        return [deadline_s * loads[stream.update_samples // CARD.hop_samples]] * n_updates

    monkeypatch.setattr(tuning, "time_updates", fake_times)
    monkeypatch.setattr(tuning, "HAS_BFLOAT16", False)
    assert tuned(ModelSettings(name=str(model))) == (Way(update_hops=4), None)
    loads[4], loads[8] = 1.5, 1.2
    way, notice = tuned(ModelSettings(name=str(model)))
    assert way.update_hops == 2  # the least late of them
    assert notice is not None
    assert "tiny is slow for this machine" in notice
    assert "--device cuda" in notice
    assert read_measured().models == {}


def test_without_a_clock_nothing_is_measured(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "measure", None)
    asked = ModelSettings(name=str(model))
    separator = open_separator(asked, Way())
    assert untimed(asked, separator) == (Way(precision="float32", update_hops=1), None)
    explicit = ModelSettings(name=str(model), precision="bfloat16", update_hops=2)
    assert untimed(explicit, separator) == (Way(precision="bfloat16", update_hops=2), None)
    store_measured(key_of("tiny", asked), timing(3, 8))
    assert untimed(asked, separator)[0].update_hops == 8


def test_another_machines_measurements_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    store_measured("tiny", timing(3, 8))
    store_measured("other", timing(3, 1))
    assert set(read_measured().models) == {"tiny", "other"}
    monkeypatch.setattr(tuning, "machine", lambda: "another")
    assert read_measured().models == {}


def test_a_file_that_cannot_be_read_is_measured_anew() -> None:
    store_measured("tiny", timing(3, 8))
    tuning.measured_path().write_text("speed: fast\n")
    assert read_measured().models == {}
    store_measured("tiny", timing(3, 4))
    assert read_measured().models["tiny"].way.update_hops == 4


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RTSEP_CONFIG", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"cannot be written: .* \$RTSEP_CONFIG names another folder"):
        store_measured("tiny", timing(3, 8))


def test_timing_leaves_a_stream_fresh(model: Path) -> None:
    stream = rtsep.load(str(model)).stream(44100, update_hops=2)
    block = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 9000)).astype(np.float32)
    expected = stream.process(block)
    stream.reset()
    times_s = time_updates(stream, 44100, 5, is_paced=True)
    assert len(times_s) == 5
    assert min(times_s) > 0
    np.testing.assert_array_equal(stream.process(block), expected)


def test_the_command_measures_recommends_and_remembers(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtsep.cli.bench.N_UPDATES", 2)
    monkeypatch.setattr(tuning, "time_updates", lambda *_, **__: [0.0001, 0.0002])  # no luck in it
    words = ["bench", "-m", str(model)]
    env = {"TERM": "dumb", "COLUMNS": "120", "NO_COLOR": "1"}
    dry = CliRunner().invoke(app, [*words, "--json", "--dry"], env=env)
    assert dry.exit_code == 0, dry.output
    found = json.loads(dry.stdout)
    assert found["model"] == "tiny"
    assert {one["way"]["update_hops"] for one in found["timings"]} == {1, 2, 4, 8}
    assert found["best"] in found["timings"]
    assert read_measured().models == {}
    shown = CliRunner().invoke(app, words, env=env)
    assert shown.exit_code == 0, shown.output
    assert "precision" in shown.stdout
    assert {one["device"] for one in found["timings"]} == {choose_device("auto").type}
    assert "`rtsep live` starts with that" in shown.stderr
    asked = ModelSettings(name=str(model))
    assert tuned(asked)[0] == read_measured().models[key_of("tiny", asked)].way
