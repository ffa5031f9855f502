"""The store: what is listed, what is default, what may be removed, and the words for what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import make_model

from rtsep.errors import ModelError, UsageError
from rtsep.zoo import default_model, list_models, remove, store_folder
from rtsep.zoo import store as store_module
from rtsep.zoo.store import find_installed


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that ships exactly one model."""
    folder = tmp_path / "package" / "shipped"
    monkeypatch.setattr(store_module, "SHIPPED", folder)
    make_model(folder / "demo-2stems")
    return folder


def test_the_folder_is_the_users_cache_or_the_variables(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_folder() == store
    monkeypatch.setenv("RTSEP_MODELS", "~/models")
    assert store_folder() == Path.home() / "models"
    monkeypatch.setenv("RTSEP_MODELS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert store_folder().parts[-2:] == ("rtsep", "models")


def test_the_list(store: Path, shipped: Path) -> None:
    assert [(m.name, m.origin) for m in list_models()] == [("demo-2stems", "shipped")]
    made = make_model(store / "mine")
    (store / "broken").mkdir()
    (store / "broken" / "card.yaml").write_text("name: broken")
    (store / ".pull-x.part").mkdir()
    (store / "notes").mkdir()
    broken, mine, demo = list_models()
    assert (mine.name, mine.origin, mine.path, mine.problem) == ("mine", "installed", made.path, "")
    assert mine.card == made.card
    assert mine.weights_bytes == made.weights.stat().st_size
    assert (broken.name, broken.card, broken.weights_bytes) == ("broken", None, 0)
    assert "model.safetensors is missing" in broken.problem
    assert (demo.name, demo.origin) == ("demo-2stems", "shipped")
    with pytest.raises(ModelError, match="missing"):
        find_installed("broken")


def test_an_installed_model_hides_a_shipped_one(store: Path, shipped: Path) -> None:
    make_model(store / "demo-2stems")
    assert [(m.name, m.origin) for m in list_models()] == [("demo-2stems", "installed")]
    assert find_installed("demo-2stems").path == store / "demo-2stems"
    remove("demo-2stems")
    assert find_installed("demo-2stems").path == shipped / "demo-2stems"


def test_the_default_is_the_real_one_if_it_is_there(store: Path, shipped: Path) -> None:
    model, notice = default_model()
    assert model.path == shipped / "demo-2stems"
    assert "demo-2stems" in notice
    assert "rtsep models pull 2stems" in notice
    assert "\n" not in notice
    make_model(store / "2stems")
    model, notice = default_model()
    assert model.path == store / "2stems"
    assert "2stems" in notice
    assert "pull" not in notice


def test_removing(store: Path, shipped: Path, tmp_path: Path) -> None:
    made = make_model(store / "mine")
    make_model(store / "other")
    assert remove("mine") == made.path
    assert [p.name for p in store.iterdir()] == ["other"]
    with pytest.raises(ModelError, match=r"no model 'mine'.*other \(installed\)"):
        remove("mine")
    with pytest.raises(ModelError, match="comes with rtsep"):
        remove("demo-2stems")
    outside = make_model(tmp_path / "outside")
    for path in (
        "../outside",
        str(outside.path),
        "other/../../outside",
        ".",
        "..",
        "",
        ".hidden",
        "a\\b",
        "other/",
    ):
        with pytest.raises(UsageError, match="not the name of an installed model"):
            remove(path)
    assert outside.weights.is_file()
    assert [p.name for p in store.iterdir()] == ["other"]


def test_converted_models_are_listed_and_removed(store: Path, shipped: Path) -> None:
    made = make_model(store / ".converted" / "choir-0123")
    make_model(store / "mine")
    assert [(m.name, m.origin) for m in list_models()] == [
        *(("mine", "installed"), ("demo-2stems", "shipped"), ("choir-0123", "converted"))
    ]
    assert find_installed("choir-0123").path == made.path
    assert remove("choir-0123") == made.path
    assert not made.path.exists()


def test_removing_spares_what_is_not_ours(store: Path, tmp_path: Path) -> None:
    made = make_model(store / "mine")
    (made.path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match=r"files that rtsep did not write \(thesis\.txt\)"):
        remove("mine")
    assert len(list(made.path.iterdir())) == 3
    (store / "photos").mkdir()
    with pytest.raises(ModelError, match="no model 'photos'"):
        remove("photos")
    elsewhere = make_model(tmp_path / "elsewhere")
    (store / "link").symlink_to(elsewhere.path)
    remove("link")
    assert elsewhere.weights.is_file()
    assert not (store / "link").is_symlink()


def test_words_for_an_unknown_name(store: Path, shipped: Path) -> None:
    make_model(store / "choir")
    with pytest.raises(ModelError) as caught:
        find_installed("chior")
    assert "no model 'chior'. Did you mean 'choir'?" in str(caught.value)
    assert "choir (installed), demo-2stems (shipped)" in str(caught.value)
    assert "`rtsep models pull NAME` gets 2stems, 4stems" in str(caught.value)
    with pytest.raises(ModelError, match=r"can be had: `rtsep models pull 5stems-16kHz`"):
        find_installed("5stems-16kHz")
