"""What is used wrongly exits with 2, what fails with 1: both say why, and nothing is begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import rtsep


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("live --gian vocals=3", "--gain"),
        ("live song.wav --gain vocals", "--gain vocals: write stem=value, like --gain vocals=-12"),
        ("live song.wav --gain vocals=-1,5", "--gain vocals=-1,5: write stem=value"),
        ("live song.wav --gain vocals=loud", "--gain vocals=loud: write stem=value"),
        ("live song.wav --gain vocals=nan", "--gain vocals=nan: write stem=value"),
        ("live song.wav --gain vocals=40", "--gain vocals: must be less than or equal to 24"),
        ("live song.wav --route vocals=left", "like --route vocals=3,4"),
        (
            "live song.wav --route vocals=1,2,3",
            "--route vocals: must have at most 2 values (given: (1, 2, 3))",
        ),
        ("live song.wav --route vocals=0", "--route vocals: must be greater than or equal to 1 (given: 0)"),
        ("live song.wav --clock fast", "--clock: must be 'device', 'real' or 'free' (given: 'fast')"),
        ("live song.wav --input other.wav", "two inputs are named, 'song.wav' and --input 'other.wav'"),
        ("live song.wav song.wav", "two songs are named"),
        ("live .", "'.' is a folder; `live` plays one file"),
        ("live song.wav --device USB-Audio", "A sound card is named with --input and --output"),
        ("live a.yaml b.yml", "two settings files are named"),
        ("live missing.mp3", "there is no file 'missing.mp3'"),
        (
            "live --input missing.mp3",
            "there is no file 'missing.mp3'; `device:missing.mp3` would mean a device",
        ),
        ("live song.wav --output song.wav", "is input and output"),
        ("live song.wav --clock free -o mix.wav --stats-json song.wav", "would replace the music"),
        ("live song.wav --clock free -o mix.wav --stats-json ./mix.wav", "would replace the music"),
        ("live song.wav --clock free -o file:mix --stats-json mix", "would replace the music"),
        (
            "live song.wav --clock free --record takes --stats-json takes/mixture.wav",
            "would replace the music",
        ),
        (
            "live song.wav --clock free --record takes --stats-json takes/session.yaml",
            "would replace the account of the recording",
        ),
        ("live song.wav --record-format mp3", "--record-format: must be 'wav' or 'flac' (given: 'mp3')"),
        ("recover missing", "there is no folder 'missing'"),
        ("live song.wav --karaoke --drumless", "--karaoke and --drumless are two mixes"),
        ("live bad.yaml", "unknown key 'mixer.rmap_ms'; did you mean 'ramp_ms'?"),
        ("live missing.yaml", "missing.yaml: No such file"),
        (
            "live song.wav --clock free --drumless -m {model}",
            "narrow makes no stem 'drums'; it makes vocals, acc",
        ),
        ("live song.wav --clock free --solo vocal -m {model}", "Did you mean 'vocals'?"),
        ("separate", "Missing argument"),
        ("separate song.wav --mwf", "--mwf: multichannel Wiener filtering comes with a later version"),
        ("separate song.wav -s soon -m {model}", "'soon' is no time"),
        ("separate song.wav -c mp5 -m {model}", "mp5"),
        ("separate song.wav --stems drums -m {model}", "drums"),
        ("separate song.wav --mask soft -m {model}", "soft"),
        ("separate song.wav -f {{filename}} -m {model}", "put {instrument} into the format"),
        ("models pull 2stems --from missing.tar.gz", "missing.tar.gz cannot be read"),
        ("models pull 2stem", "Did you mean '2stems'?"),
        (
            "song.wav --karaoke",
            "'song.wav' is a song, and before it comes what to do with it: `rtsep live song.wav`",
        ),
        ("models pull 3stems", "'3stems' is not among the published models"),
        ("models remove folder", "'folder' is not the name of an installed model"),
        ("models remove ../2stems", "not the name of an installed model"),
        ("models", "Usage"),
        ("train -p bad.yaml -d . --device tpu", "--device tpu: there are auto, cpu, cuda"),
        ("train -p bad.yaml -d .", "bad.yaml"),
        ("train -p bad.yaml", "Missing option"),
        ("demo missing.mp3", "there is no file 'missing.mp3'"),
        ("demo folder", "'folder' is a folder"),
        ("dance", "No such command 'dance'"),
    ],
)
def test_what_is_used_wrongly_is_said_and_exits_with_2(
    words: str, message: str, model: Path, song: Path, tmp_path: Path
) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    (tmp_path / "bad.yaml").write_text("mixer: {rmap_ms: 3}\n")
    (tmp_path / "folder").mkdir()
    result = rtsep(*words.format(model=model).split())
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert not {path.name for path in tmp_path.iterdir()} - {"song.wav", "bad.yaml", "folder", "models"}, (
        "nothing is begun"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-c mp33 song.wav", "the codec 'mp33' is not known"),
        ("-d 0 song.wav", "the duration is 0.0 s"),
        ("-f {song} song.wav", "placeholders are {filename}"),
        ("song.wav song.wav", "song.wav is given twice"),
    ],
)
def test_what_needs_no_model_is_refused_before_one_is_looked_for(words: str, message: str) -> None:
    result = rtsep("separate", "-m", "no-such-model", *words.split())
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("models info nothing", "there is no model 'nothing'"),
        ("models remove 2stems", "2stems"),
        ("models convert . somewhere", "holds no checkpoint of Spleeter"),
        ("separate -m nothing song.wav", "there is no model 'nothing'"),
        ("live -m nothing --clock free song.wav", "there is no model 'nothing'"),
    ],
)
def test_what_fails_is_said_and_exits_with_1(words: str, message: str, song: Path, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    result = rtsep(*words.split())
    assert result.exit_code == 1, result.output
    assert f"error: {message}" in result.output or message in result.stderr
    assert "Traceback" not in result.output


def test_messages_with_brackets_are_printed_as_they_are(song: Path) -> None:
    assert "[red]x[/] does not exist" in rtsep("separate", "-m", "[red]x[/]", song).stderr


@pytest.mark.parametrize("words", ["live", "live -i", "demo", "live song.wav -m", "models info"])
def test_names_that_are_too_long_are_told_everywhere(words: str, song: Path, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    result = rtsep(*words.split(), f"{'x' * 300}.mp3")
    assert result.exit_code == 1
    assert "xx.mp3: File name too long" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [(["song.wav", "--stats-json", ""], "the name is empty"), ([""], "song is empty, ''")],
)
def test_what_has_no_name_is_refused(words: list[str], message: str) -> None:
    result = rtsep("live", *words)
    assert result.exit_code == 2
    assert message in result.stderr
