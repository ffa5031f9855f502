"""Names of outputs: what is filled in, and what is refused before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rtsep.errors import UsageError
from rtsep.output_names import plan_outputs

STEMS = ("vocals", "accompaniment")


def plan(
    *paths: str, text: str = "{filename}/{instrument}.{codec}", codec: str = "wav"
) -> list[dict[str, Path]]:
    return plan_outputs([Path(path) for path in paths], STEMS, Path("out"), text, codec)


def test_every_placeholder_is_filled_in() -> None:
    (outputs,) = plan("songs/a.b.mp3", text="{foldername}/{filename}-{instrument}.{codec}", codec="flac")
    assert outputs == {
        "vocals": Path("out/songs/a.b-vocals.flac"),
        "accompaniment": Path("out/songs/a.b-accompaniment.flac"),
    }
    (outputs,) = plan("song.mp3", text="{foldername}/{instrument}")
    assert outputs["vocals"] == Path("out") / Path.cwd().name / "vocals"


def test_names_are_not_taken_for_placeholders() -> None:
    (outputs,) = plan("songs/{instrument} 100%.mp3")
    assert outputs["vocals"] == Path("out/{instrument} 100%/vocals.wav")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{artist}/{instrument}", r"holds \{artist\}; placeholders are \{filename\}, \{instrument\}"),
        ("{filename.__class__}/{instrument}", "placeholders are"),
        ("{0}/{instrument}", "placeholders are"),
        ("{}/{instrument}", "placeholders are"),
        ("{filename/{instrument}", "cannot be read"),
        ("{filename:%d}/{instrument}", "cannot be filled in"),
        ("../{filename}/{instrument}.{codec}", "no file inside of the output folder out"),
        ("{filename}/../../{instrument}.{codec}", "no file inside"),
        ("/tmp/{filename}/{instrument}.{codec}", "no file inside"),
        ("{filename}/..", "no file inside"),
        ("{filename}/{instrument}/", "no file inside"),
        ("{filename}/{instrument}.mp3", r"ends in \.mp3, but the codec is wav"),
        ("{filename}.{codec}", r"both be written there; put \{instrument\}"),
    ],
)
def test_formats_that_are_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan("songs/a.mp3", text=text)


def test_the_advice_for_two_inputs_of_one_name_helps() -> None:
    for paths in (("in/song.wav", "in/song.flac"), ("a/in/song.wav", "b/in/song.wav")):
        with pytest.raises(UsageError, match="one by one, each with its own --output-dir"):
            plan(*paths)


def test_two_inputs_of_one_name() -> None:
    with pytest.raises(UsageError, match=r"a/song\.mp3 and .* b/song\.wav would both .*\{foldername\}"):
        plan("a/song.mp3", "b/song.wav")
    outputs = plan("a/song.mp3", "b/song.wav", text="{foldername}/{filename}/{instrument}.{codec}")
    assert outputs[1]["vocals"] == Path("out/b/song/vocals.wav")
    with pytest.raises(UsageError, match=r"a/song\.mp3 is given twice"):
        plan("a/song.mp3", "a/song.mp3")
    with pytest.raises(UsageError, match=r"a/song\.mp3 is given twice"):
        plan("a/song.mp3", "x/../a/song.mp3")


def test_names_that_meet_by_accident() -> None:
    with pytest.raises(UsageError, match=r"the vocals of a\.mp3 and the vocals of x/a\.mp3 would both"):
        plan("a.mp3", "b.mp3", "x/a.mp3", text="{filename}-{instrument}")


def test_an_input_is_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for place in ("out/song/vocals.wav", "link/song/vocals.wav", str(tmp_path / "out/./song/vocals.wav")):
        with pytest.raises(UsageError, match="would overwrite the input"):
            plan("song.mp3", place)


def test_capital_letters_count_only_where_the_file_system_counts_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert len(plan("a/song.mp3", "a/Song.mp3")) == 2
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match="is given twice"):
        plan("a/song.mp3", "a/Song.mp3")
    with pytest.raises(UsageError, match="would both be written"):  # é as one sign, and as two
        plan("a/\u00e9t\u00e9.mp3", "b/e\u0301te\u0301.mp3")
