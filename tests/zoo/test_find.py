"""What a person may write after -m, and which model that is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_model import make_model

from rtsep.errors import ConfigError, ModelError
from rtsep.zoo import convert, find, info, load_network


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_names_and_folders(store: Path, desk: Path) -> None:
    installed, local, other = (make_model(p) for p in (store / "choir", desk / "choir", desk / "band"))
    assert find("choir") == installed
    assert find("spleeter:choir") == installed
    assert find("./choir").path.samefile(local.path)
    assert find(Path("choir")).path.samefile(local.path)
    assert find(str(local.path)) == local
    assert find("band").path.samefile(other.path)  # no such name, but such a folder
    (desk / "4stems").mkdir()  # an output folder, say
    make_model(store / "4stems")
    assert find("4stems").path == store / "4stems"
    make_model(store / "2stems")
    assert find(None).path == find().path == store / "2stems"


def test_what_is_not_there(store: Path, desk: Path, golden: Path) -> None:
    with pytest.raises(ModelError, match="no model 'choir'"):
        find("choir")
    with pytest.raises(ModelError, match="rtsep models pull 4stems-16kHz"):
        find("spleeter:4stems-16kHz")
    with pytest.raises(ModelError, match=r"choir does not exist"):
        find("./choir")
    with pytest.raises(ModelError, match=r"checkpoint of Spleeter.*rtsep models convert"):
        find(golden / "2stems")
    make_model(desk / "choir")
    with pytest.raises(ModelError, match=r"card\.yaml is a file; a model is a folder.*: choir\."):
        find("./choir/card.yaml")
    (desk / "notes.txt").touch()
    with pytest.raises(
        ModelError, match=r"notes\.txt is a file; a model is a folder\. Give one, or a name of"
    ):
        find("./notes.txt")
    (desk / "empty").mkdir()
    with pytest.raises(ModelError, match="no model folder"):
        find("empty")
    with pytest.raises(ConfigError, match="cannot be read"):
        find("config.json")


def test_spleeters_json_converts_its_checkpoint_once(
    store: Path, desk: Path, golden: Path, tmp_path: Path
) -> None:
    shutil.copyfile(golden / "2stems" / "config.json", tmp_path / "mine.json")
    shutil.copytree(golden / "2stems", tmp_path / "2stems")
    found = find(tmp_path / "mine.json")  # model_dir "2stems", beside the file
    assert found.path.parent == store / ".converted"
    assert found.card.sha256 == convert(golden / "2stems", tmp_path / "out").card.sha256
    load_network(found)
    made = found.weights.stat().st_mtime_ns
    assert find(str(tmp_path / "mine.json")).weights.stat().st_mtime_ns == made
    data = json.loads((tmp_path / "mine.json").read_text())
    (tmp_path / "2stems" / "config.json").unlink()
    (tmp_path / "mine.json").write_text(json.dumps(data | {"F": 1536}))
    assert find(tmp_path / "mine.json").card.n_bins == 1536


def test_where_a_model_dir_is_looked_for(
    store: Path, desk: Path, golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json").mkdir()
    file = shutil.copyfile(golden / "2stems" / "config.json", tmp_path / "json" / "mine.json")
    with pytest.raises(ModelError, match=r"model_dir '2stems' is not in .*desk.2stems, .*pull 2stems"):
        find(file)
    expected = []
    # From the last resort to the first choice: each, once there, wins over those before.
    for place in (
        store / "2stems",
        desk / "pretrained_models/2stems",
        tmp_path / "json/2stems",
        desk / "2stems",
    ):
        expected.append(convert(golden / "2stems", place).path)
        assert find(file).path == expected[-1]
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "models"))
    for path in expected[1:]:
        shutil.rmtree(path)
    there = convert(golden / "2stems", tmp_path / "models" / "2stems")
    assert find(file).path == there.path
    data = json.loads(Path(file).read_text())
    Path(file).write_text(json.dumps(data | {"model_dir": str(expected[0])}))
    assert find(file).path == expected[0]


def test_the_json_decides_how_installed_weights_are_used(store: Path, desk: Path, golden: Path) -> None:
    installed = convert(golden / "2stems", store / "2stems", source="here")
    data = json.loads((golden / "2stems" / "config.json").read_text())
    changes = {"F": 1536, "mask_extension": "average", "separation_exponent": 1}
    (desk / "mine.json").write_text(json.dumps(data | changes))
    found = find("mine.json")
    assert found.weights == installed.weights
    assert (found.card.n_bins, found.card.extension, found.card.exponent) == (1536, "average", 1)
    assert (found.card.sha256, found.card.source) == (installed.card.sha256, "here")
    load_network(found)
    data["model"]["params"]["conv_activation"] = "ELU"
    (desk / "mine.json").write_text(json.dumps(data))
    with pytest.raises(ModelError, match="conv_activation is ELU in the one and LeakyReLU in the other"):
        find("mine.json")
    (desk / "mine.json").write_text(json.dumps(data | {"model_dir": ""}))
    with pytest.raises(ConfigError, match="has no model_dir"):
        find("mine.json")


def test_info_verifies(store: Path, desk: Path) -> None:
    made = make_model(store / "choir")
    entry = info("choir")
    assert (entry.name, entry.origin, entry.card, entry.problem) == ("choir", "installed", made.card, "")
    assert entry.weights_bytes == made.weights.stat().st_size
    assert info(str(make_model(desk / "band").path)).origin == "folder"
    with made.weights.open("ab") as file:
        file.write(b"x")
    assert "damaged or was exchanged" in info("choir").problem
    made.weights.unlink()
    assert "model.safetensors is missing" in info("choir").problem
    with pytest.raises(ModelError, match="no model"):
        info("chior")
