from __future__ import annotations

import pytest

from rtsep.errors import TrainingError
from rtsep.train.songs import find_songs

STEMS = ("vocals", "accompaniment")


def test_folders_of_stems(songs):
    (songs / "two" / "mixture.wav").write_bytes((songs / "two" / "vocals.wav").read_bytes())
    (songs / "two" / "notes.txt").write_text("no audio")
    (songs / "empty").mkdir()
    one, two = find_songs(songs, STEMS)
    assert (one.name, sorted(one.stems), one.mixture) == ("one", ["drums", "other", "vocals"], None)
    assert (two.name, sorted(two.stems), two.mixture) == (
        "two",
        ["drums", "vocals"],
        songs / "two" / "mixture.wav",
    )


def test_songs_left_out(songs):
    assert [song.name for song in find_songs(songs, STEMS, leave_out=["o*"])] == ["two"]
    with pytest.raises(TrainingError, match="holds no song"):
        find_songs(songs, STEMS, leave_out=["*"])


def test_no_such_folder(tmp_path):
    with pytest.raises(TrainingError, match="there is no such folder"):
        find_songs(tmp_path / "songs", STEMS)


def write_index(tmp_path, text):
    path = tmp_path / "index.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_an_index_as_spleeter_reads_it(songs, tmp_path):
    index = write_index(
        tmp_path, "mix_path,vocals_path,drums_path,duration\none/other.wav,one/vocals.wav,one/drums.wav,2.5\n"
    )
    (song,) = find_songs(songs, ("vocals", "drums"), index=index)
    assert song.mixture == songs / "one" / "other.wav"
    assert song.stems == {"vocals": songs / "one" / "vocals.wav", "drums": songs / "one" / "drums.wav"}
    assert song.duration_s == 2.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mix_path,duration\na,1\n", "column 'vocals_path' is missing; it has mix_path, duration"),
        ("", "it has none"),
        ("mix_path,vocals_path,duration\none/drums.wav,one/vocals.wav,long\n", "line 2: duration 'long'"),
        (
            "mix_path,vocals_path,duration\none/drums.wav,one/v.wav,3\n",
            r"line 2: vocals_path .*v\.wav is not there",
        ),
        ("mix_path,vocals_path,duration\n", "holds no song"),
    ],
)
def test_an_index_that_is_wrong(songs, tmp_path, text, message):
    with pytest.raises(TrainingError, match=message):
        find_songs(songs, ("vocals",), index=write_index(tmp_path, text))


def test_an_index_that_is_not_there(songs, tmp_path):
    with pytest.raises(TrainingError, match="no such index"):
        find_songs(songs, ("vocals",), index=tmp_path / "no.csv")
