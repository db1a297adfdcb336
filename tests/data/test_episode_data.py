"""Items of many classes: what is read, how classes are cut, and every fault at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphs import glyph_file, glyphs
from nshot.core.errors import InputError
from nshot.data.collections import load
from nshot.data.fitted import fitted


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_the_files_own_cut_by_class(tmp_path: Path) -> None:
    cut = load(glyph_file(tmp_path / "letters.npz"))
    assert len(cut.background.names) == 30
    assert cut.evaluation.names[0] == "letter 30"
    assert cut.evaluation.items.shape == (80, 1, 16, 16)
    pictures = glyphs(40, 8, moved=1.5)
    np.testing.assert_array_equal(cut.evaluation.items[:, 0], pictures[240:])


def test_items_of_a_class_may_lie_anywhere_in_the_file(tmp_path: Path) -> None:
    pictures, ids = glyphs(6, 4), np.repeat([7, 3, 9, 1, 5, 2], 4)
    order = np.random.default_rng(0).permutation(24)
    cut = load(saved(tmp_path / "mixed.npz", images=pictures[order], class_id=ids[order]))
    assert cut.evaluation.names == ("1", "2", "3", "5", "7", "9")
    start = cut.evaluation.starts[2]
    found = {picture.tobytes() for picture in cut.evaluation.items[start : start + 4]}
    assert found == {picture.tobytes() for picture in pictures[4:8]}


def test_a_drawn_cut_is_always_the_same_and_parts_no_class(tmp_path: Path) -> None:
    path = glyph_file(tmp_path / "letters.npz")
    one, other = load(path, background=25), load(path, background=25)
    assert one.background.names == other.background.names
    assert not set(one.background.names) & set(one.evaluation.names)
    assert len(one.background.names) == 25
    assert len(one.evaluation.names) == 15


def test_turned_copies_are_classes_on_the_side_of_their_origin(tmp_path: Path) -> None:
    cut = load(glyph_file(tmp_path / "letters.npz"), rotations=True)
    assert len(cut.background.names) == 120
    assert len(cut.evaluation.names) == 40
    quarter = cut.evaluation.only([10 + 3]).items
    np.testing.assert_array_equal(quarter, np.rot90(cut.evaluation.only([3]).items, 1, axes=(2, 3)))
    assert cut.evaluation.names[13] == "letter 33 turned 90"
    assert cut.evaluation.origins[13] == cut.evaluation.origins[3]


def test_vectors_are_items_too(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 5))
    path = saved(tmp_path / "given.npz", features=vectors, class_id=np.repeat([0, 1, 2], 4))
    cut = load(path)
    assert cut.evaluation.items.dtype == np.float32
    assert cut.evaluation.shape == (5,)
    with pytest.raises(InputError, match="vectors cannot be turned"):
        load(path, rotations=True)


def test_data_cut_by_item_is_put_together(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    ids = np.tile(np.arange(3), 4)
    path = saved(
        tmp_path / "photos.npz", x_train=colours[:9], y_train=ids[:9], x_test=colours[9:],
        y_test=ids[9:], class_names=np.array(["cat", "dog", "frog"]),
    )  # fmt: skip
    cut = load(path, background=1)
    assert cut.evaluation.shape == (3, 8, 8)
    assert {*cut.background.names, *cut.evaluation.names} == {"cat", "dog", "frog"}
    assert len(cut.evaluation.items) == 8


def folder_of(root: Path, *classes: str) -> Path:
    for i, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for j, picture in enumerate(glyphs(1, 3, seed=i)):
            Image.fromarray(picture).save(root / name / f"{j}.png")
    return root


def test_a_folder_of_classes(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "letters", "a", "b")
    (root / "a" / "notes.txt").write_text("not a picture")
    cut = load(root, side=16)
    assert cut.evaluation.names == ("a", "b")
    np.testing.assert_array_equal(cut.evaluation.items[3, 0], glyphs(1, 3, seed=1)[0])
    assert cut.notes == ("1 files that are no pictures were left out",)


def test_a_folder_may_say_itself_which_classes_are_for_learning(tmp_path: Path) -> None:
    folder_of(tmp_path / "all" / "background", "a", "b")
    folder_of(tmp_path / "all" / "evaluation", "c")
    cut = load(tmp_path / "all", side=16)
    assert cut.background.names == ("background/a", "background/b")
    assert cut.evaluation.names == ("evaluation/c",)
    folder_of(tmp_path / "all" / "evaluation", "b")
    with pytest.raises(InputError, match="classes are in both parts: b"):
        load(tmp_path / "all", side=16)


def test_all_faults_of_a_folder_at_once(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "letters", "a", "b")
    (root / "a" / "x.png").write_bytes(b"")
    (root / "b" / "y.jpg").write_bytes(b"nothing that is a picture")
    (root / "c").mkdir()
    with pytest.raises(InputError) as caught:
        load(root, side=16)
    assert len(caught.value.faults) == 3
    for name in ("x.png", "y.jpg", "letters/c: no pictures"):
        assert name in str(caught.value)


PICTURES = np.zeros((4, 8, 8), dtype=np.uint8)
IDS = np.array([0, 0, 1, 1])
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no classes": ({"images": PICTURES}, "arrays images"),
    "two kinds": ({"images": PICTURES, "features": PICTURES[:, 0], "class_id": IDS}, "arrays"),
    "floats": ({"images": PICTURES / 255, "class_id": IDS}, "images are float64"),
    "channels": ({"images": np.zeros((4, 8, 8, 4), np.uint8), "class_id": IDS}, "4 channels"),
    "length": ({"images": PICTURES, "class_id": IDS[:3]}, "class_id is int64 of shape (3,)"),
    "split": ({"images": PICTURES, "class_id": IDS, "split": IDS * 2}, "split has [0 2]"),
    "nan": ({"features": np.full((4, 3), np.nan), "class_id": IDS}, "no finite numbers"),
    "objects": ({"images": np.array([{}, []], dtype=object), "class_id": IDS}, "cannot be read"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_is_wrong_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    arrays, words = FAULTS[name]
    path = saved(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(InputError) as caught:
        load(path)
    assert "wrong.npz" in str(caught.value)
    assert words in str(caught.value)


def test_a_class_on_both_sides_of_the_cut_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npz", images=PICTURES, class_id=IDS, split=np.array([0, 1, 1, 1]))
    with pytest.raises(InputError, match="1 classes are in both parts of split"):
        load(path)


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    for name, content in (("text.npz", b"hello"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            load(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "absent.npz")


def test_a_picture_that_fits_stays_byte_for_byte() -> None:
    grey = glyphs(1, 1)[0]
    colours = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(fitted(colours, (1, 16, 16))[0], grey)
    np.testing.assert_array_equal(fitted(grey[:, :, None], (3, 16, 16)), [grey] * 3)
    assert fitted(colours, (1, 8, 8)).mean() == pytest.approx(grey.mean(), rel=0.02)


@pytest.mark.data
def test_omniglot_as_vinyals_cut_it(data: Path) -> None:
    path = data / "omniglot" / "omniglot28.npz"
    cut = load(path, background=1200, rotations=True)
    assert len(cut.background.names) == 4800
    assert len(cut.evaluation.names) == 1692
    assert set(cut.background.counts) == {20}
    assert not set(cut.background.origins) & set(cut.evaluation.origins)
    assert len(load(path).background.names) == 964
