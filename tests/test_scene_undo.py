"""Undo takes back what the last scene moved, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_board import ADDRESSES
from test_scenes import Stage

from rtsep.errors import UsageError

MIX = ("/stem/", "/group/", "/direct/", "/bus/", "/crossfade", "/separation", "/bypass")


def stands(stage: Stage) -> dict[str, object]:
    """Where everything stands that is heard."""
    return {address: value for address, value in stage.board.values.items() if address.startswith(MIX)}


def test_undo_leaves_alone_what_the_scene_did() -> None:
    stage = Stage()
    stage.board["/scene/recall"] = "karaoke"
    stage.board["/bus/main/gain_db"] = -30.0
    stage.board["/stem/bass/gain_db"] = -6.0
    stage.board["/scene/undo"] = True
    assert stage.board["/stem/vocals/mute"] is False
    assert stage.board["/bus/main/gain_db"] == -30.0
    assert stage.board["/stem/bass/gain_db"] == -6.0
    stage.board["/scene/undo"] = True
    assert stage.board["/stem/vocals/mute"] is True
    assert stage.board["/bus/main/gain_db"] == -30.0


def test_a_pad_that_is_hit_twice_does_not_cost_the_mix_before() -> None:
    stage = Stage()
    stage.board["/stem/drums/gain_db"] = -5.0
    before = stands(stage)
    for _ in range(3):
        stage.board["/scene/recall"] = "karaoke"
    stage.board["/scene/undo"] = True
    assert stands(stage) == before
    assert stage.board["/scene/current"] == ""


def test_a_scene_that_moves_nothing_is_nothing_to_undo() -> None:
    stage = Stage()
    stage.board["/scene/recall"] = "everything"
    assert stage.board["/scene/current"] == "everything"
    with pytest.raises(UsageError, match="nothing to undo"):
        stage.board["/scene/undo"] = True


def test_undo_names_no_scene_that_is_deleted() -> None:
    stage = Stage()
    stage.board["/stem/bass/mute"] = True
    stage.board["/scene/save"] = "gone"
    stage.board["/scene/recall"] = "karaoke"
    stage.board["/scene/delete"] = "gone"
    stage.board["/scene/undo"] = True
    assert stage.board["/stem/bass/mute"] is True
    assert stage.board["/scene/current"] == ""
    stage.board["/scene/undo"] = True
    assert stage.board["/scene/current"] == "karaoke"


MOVES = st.dictionaries(st.sampled_from(ADDRESSES), st.floats(0, 1), max_size=6)


@settings(max_examples=50, deadline=None)
@given(before=MOVES, scene=MOVES, after=MOVES)
def test_undo_and_undo_again_are_back_and_forth(
    before: dict[str, float], scene: dict[str, float], after: dict[str, float]
) -> None:
    stage = Stage()
    for moves in (scene, before):
        for address, position in moves.items():
            stage.board.move(address, position)
        if moves is scene:
            stage.board["/scene/save"] = "mine"
    stood = stands(stage)
    stage.board["/scene/recall"] = "mine"
    recalled = stands(stage)
    moved = {address for address in stood if stood[address] != recalled[address]}
    if not moved:
        return
    for address, position in after.items():
        stage.board.move(address, position)
    touched = stands(stage)
    stage.board["/scene/undo"] = True
    assert stands(stage) == touched | {address: stood[address] for address in moved}
    stage.board["/scene/undo"] = True
    assert stands(stage) == touched
