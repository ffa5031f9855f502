"""A scene is a whole mix: where a solo that is pressed ends the others, one that is recalled does not."""

from __future__ import annotations

from test_scenes import Stage


def solos(stage: Stage) -> set[str]:
    return {
        address.split("/")[2]
        for address, value in stage.board.values.items()
        if address.endswith("/solo") and value
    }


def test_a_scene_of_several_solos_comes_back_whole_and_undone() -> None:
    stage = Stage()
    for address in ("/stem/vocals/solo", "/stem/bass/solo", "/group/instrumental/solo"):
        stage.board[address] = True
    stage.board["/scene/save"] = "three"
    stage.board["/scene/recall"] = "everything"
    stage.mixer.solo_is_exclusive = True
    stage.board["/stem/drums/solo"] = True
    stage.board["/scene/recall"] = "three"
    assert solos(stage) == {"vocals", "bass", "instrumental"}
    assert stage.board["/scene/current"] == "three"
    stage.board["/scene/recall"] = "everything"
    stage.board["/scene/undo"] = True
    assert solos(stage) == {"vocals", "bass", "instrumental"}
    stage.board["/stem/other/solo"] = True  # a hand
    assert solos(stage) == {"other"}
