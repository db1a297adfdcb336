"""Folders as people have them: parts are never classes, what a system left behind is not there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from shutil import move
from subprocess import run

import pytest

from nshot.core.errors import InputError
from nshot.data import Loaded, load, read_inputs
from scenes import scene, shelf


def counts(loaded: Loaded) -> tuple[Counter[str], Counter[str]]:
    """Rows of each label, to learn from and to test."""
    train, test = loaded.train, loaded.test or ()
    return Counter(row.label for row in train), Counter(row.label for row in test)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "val"),
        ("train", "valid"),
        ("train", "dev"),
        ("Train", "Test"),
        ("TRAIN", "Validation"),
        ("training", "testing"),
    ],
)
def test_parts_are_never_classes(tmp_path: Path, train: str, test: str) -> None:
    shelf(tmp_path / "set" / train, {"circle": 3, "square": 3})
    shelf(tmp_path / "set" / test, {"circle": 2, "square": 2}, first=7)
    loaded = load(tmp_path / "set")
    assert counts(loaded) == ({"circle": 3, "square": 3}, {"circle": 2, "square": 2})
    assert f"parts of set: {train} to learn from; {test} to test" in loaded.notes
    assert loaded.task.name == "set"


def test_three_parts_say_what_each_is_used_for(tmp_path: Path) -> None:
    for first, part in enumerate(("train", "val", "test")):
        shelf(tmp_path / part, {"circle": 2, "square": 2}, first=10 * first)
    shelf(tmp_path / "extra", {"circle": 1}, first=50)
    loaded = load(tmp_path)
    assert counts(loaded) == ({"circle": 2, "square": 2}, {"circle": 2, "square": 2})
    assert "test/circle/20.png" in {
        Path(row.input.images[0].path).relative_to(tmp_path).as_posix() for row in loaded.test or ()
    }
    note = next(note for note in loaded.notes if note.startswith("parts of"))
    assert note.endswith(
        "train to learn from; test to test; val not used: settings are chosen on folds of train; "
        "not used: extra"
    )


def test_a_test_that_is_given_goes_before_the_folder_s(tmp_path: Path) -> None:
    shelf(tmp_path / "set" / "train", {"circle": 2, "square": 2})
    shelf(tmp_path / "set" / "val", {"circle": 1, "square": 1}, first=7)
    shelf(tmp_path / "later", {"circle": 3, "square": 3}, first=20)
    loaded = load(tmp_path / "set", test=tmp_path / "later")
    assert counts(loaded)[1] == {"circle": 3, "square": 3}
    assert any("val not used (--test was given)" in note for note in loaded.notes)


def test_a_task_file_s_folder_has_parts_too(tmp_path: Path) -> None:
    shelf(tmp_path / "set" / "train", {"circle": 2, "square": 2})
    shelf(tmp_path / "set" / "test", {"circle": 1, "square": 1}, first=7)
    (tmp_path / "task.yaml").write_text("data: {train: set}\n")
    assert counts(load(tmp_path / "task.yaml"))[1] == {"circle": 1, "square": 1}


def test_a_class_may_be_called_like_a_part(tmp_path: Path) -> None:
    shelf(tmp_path, {"train": 2, "bus": 2, "car": 2})
    assert load(tmp_path).task.label_names == ("bus", "car", "train")


def test_two_of_one_part_are_refused_with_a_command(tmp_path: Path) -> None:
    for first, part in enumerate(("train", "val", "dev")):
        shelf(tmp_path / part, {"circle": 2, "square": 2}, first=10 * first)
    with pytest.raises(InputError, match="several of one part: dev, train, val") as caught:
        load(tmp_path)
    assert caught.value.faults[0].do == f"nshot check {tmp_path}/train --test {tmp_path}/dev"
    load(tmp_path / "train", test=tmp_path / "dev")


def test_classes_beside_a_test_part_are_refused_and_the_cure_works(tmp_path: Path) -> None:
    root = shelf(tmp_path / "my set", {"circle": 2, "square": 2})
    shelf(root / "test", {"circle": 1, "square": 1}, first=7)
    with pytest.raises(InputError, match="no part to learn from beside test") as caught:
        load(root)
    run(["sh", "-c", caught.value.faults[0].do], check=True)
    assert counts(load(root)) == ({"circle": 2, "square": 2}, {"circle": 1, "square": 1})


def test_files_of_a_folder_are_parts(tmp_path: Path) -> None:
    rows = "text,label\nfine,good\nawful,bad\n"
    for name in ("ratings_train.csv", "ratings_test.csv", "ratings.csv"):
        (tmp_path / name).write_text(rows)
    loaded = load(tmp_path)
    assert len(loaded.test or ()) == 2
    assert any(
        "ratings_train.csv to learn from; ratings_test.csv to test; not used: ratings.csv" in note
        for note in loaded.notes
    )
    for name in ("ratings_test.csv", "ratings.csv"):
        (tmp_path / name).unlink()
    alone = load(tmp_path)
    assert (len(alone.train), alone.test) == (2, None)


def test_what_a_system_left_behind_is_not_there(tmp_path: Path) -> None:
    shelf(tmp_path, {"circle": 3, "square": 3})
    for name in (".DS_Store", "circle/.DS_Store", "circle/Thumbs.db", "square/desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("__MACOSX/circle", "circle/.ipynb_checkpoints", "square/__MACOSX", ".git"):
        (tmp_path / name).mkdir(parents=True)
        scene(77, (32, 24)).save(tmp_path / name / "one.png")
    (tmp_path / "circle" / "._0.png").write_bytes(b"x")
    loaded = load(tmp_path)
    assert counts(loaded)[0] == {"circle": 3, "square": 3}
    assert loaded.notes == ()
    assert len(read_inputs(tmp_path, loaded.task)) == 6


def test_links_are_followed_within_the_folder_only(tmp_path: Path) -> None:
    root = shelf(tmp_path / "set", {"circle": 2, "square": 2})
    shelf(tmp_path / "else", {"circle": 2}, first=30)
    (root / "square" / "twice.png").symlink_to(root / "square" / "0.png")
    (root / "square" / "far.png").symlink_to(tmp_path / "else" / "circle" / "30.png")
    (root / "square" / "again").symlink_to(root, target_is_directory=True)
    loaded = load(root)
    assert counts(loaded)[0] == {"circle": 2, "square": 3}
    assert any("1 links of set lead out of it" in note for note in loaded.notes)
    (root / "oval").symlink_to(tmp_path / "else" / "circle", target_is_directory=True)
    with pytest.raises(InputError, match="folder oval: a link that leads out of here") as caught:
        load(root)
    copy = caught.value.faults[0].do.partition(",")[0].replace("COPY", str(tmp_path / "copy"))
    run(["sh", "-c", copy], check=True)
    (root / "oval").unlink()
    move(tmp_path / "copy", root / "oval")
    assert counts(load(root))[0]["oval"] == 2


def test_a_class_of_one_picture_is_read(tmp_path: Path) -> None:
    shelf(tmp_path, {"circle": 3, "square": 1})
    assert counts(load(tmp_path))[0] == {"circle": 3, "square": 1}
