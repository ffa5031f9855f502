"""Cards of one channel each way, such as a USB microphone, where nobody has said which channels are meant."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from jack_server import RATE_HZ, run_server
from sound_spans import spans
from test_jack_change import (
    MID_DB,
    PLAYED_S,
    TOLERANCE,
    Ears,
    Mouth,
    change,
    closing_all,
    mixed,
    noise,
    playing,
    settings,
)


def test_a_microphone_with_one_channel_is_doubled_and_one_output_gets_both_sides(tmp_path: Path) -> None:
    """And the mix changes on it, the card for another such one, as on any other."""
    sound = noise(5, 6)[:1]
    with run_server() as server:
        mouth, ears = Mouth(server, "mouth", sound), [Ears(server, f"ears{i}", 1) for i in range(2)]
        with closing_all(mouth, *ears):
            tree = settings(tmp_path, "device:mouth", "device:ears0")
            with playing(server, tree) as session:
                tree["mixer"] = {**tree["mixer"], "stems": {"mid": {"gain_db": 2 * MID_DB}}}
                stats = [change(session, tree)]
                time.sleep(PLAYED_S)
                tree["output"] = {**tree["output"], "sink": "device:ears1"}
                stats += [change(session, tree)]
                time.sleep(PLAYED_S)
                session.say("stop")
            heard = [one.heard for one in ears]
    assert [(one["refused"], one["n_rigs"]) for one in stats] == [("", 1), ("", 2)]
    whole = np.tile(sound, 3)
    for channels, gain_db in ((heard[0], MID_DB), (heard[0], 2 * MID_DB), (heard[1], 2 * MID_DB)):
        found = spans(channels, 10 ** (gain_db / 20) * whole, TOLERANCE)
        assert max(span.n for span in found) > RATE_HZ // 2


def test_the_main_bus_has_the_outputs_of_the_card_that_takes_over(tmp_path: Path) -> None:
    """From a pair to a single one and back, where nobody has said which."""
    sound = noise(5, 6)
    with run_server() as server:
        mouth = Mouth(server, "mouth", sound)
        pair, single = Ears(server, "pair", 2), Ears(server, "single", 1)
        with closing_all(mouth, pair, single):
            tree = settings(tmp_path, "device:mouth", "device:pair")
            with playing(server, tree) as session:
                stats = []
                for name in ("single", "pair"):
                    tree["output"] = {**tree["output"], "sink": f"device:{name}"}
                    stats.append(change(session, tree))
                    time.sleep(PLAYED_S)
                session.say("stop")
            heard = pair.heard, single.heard
    assert [(one["refused"], one["n_rigs"]) for one in stats] == [("", 2), ("", 3)]
    both = np.tile(mixed(sound), 5)
    before, after = np.split(heard[0], [int(heard[1][0].astype(bool).argmax())], axis=1)
    for channels, whole in ((heard[1], both.mean(axis=0, keepdims=True)), (before, both), (after, both)):
        assert max(span.n for span in spans(channels, whole, TOLERANCE)) > RATE_HZ // 2


def test_channels_that_were_named_are_not_exchanged_and_the_refusal_says_where_they_stand(
    tmp_path: Path,
) -> None:
    with run_server() as server:
        mouth, ears = Mouth(server, "mouth", noise(5, 6)[:1]), Ears(server, "ears", 1)
        with closing_all(mouth, ears):
            tree = settings(tmp_path, "device:mouth", "device:ears")
            with playing(server, tree) as session:
                tree["input"]["channels"] = [1, 2]
                of_input = change(session, tree)["refused"]
                tree["input"].pop("channels")
                tree["output"]["channels"] = [1, 2]
                of_output = change(session, tree)["refused"]
                session.say("stop")
    assert "has 1 input channels; channel 2 was asked for" in of_input
    assert "input.channels" in of_input
    assert "--route" not in of_input
    assert "has 1 output channels; channel 2 was asked for" in of_output
    assert "output.channels" in of_output
