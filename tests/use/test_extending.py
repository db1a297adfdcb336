"""Classes are added to folders of texts as to folders of pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nshot.core.errors import InputError
from nshot.core.types import Input, Label, ModelRef, Task
from nshot.data.loading import load_classes
from nshot.models import open_models
from nshot.predictors.checks import CHECKED, read_checks, write_checks
from nshot.predictors.constant import Constant
from nshot.predictors.features import Encoded
from nshot.predictors.folder import read
from nshot.predictors.nearest import Nearest, class_means
from nshot.use.extending import extend
from scenes import shelf

TASK = Task("t", "classify", (Label("refund"), Label("parcel")), field_names=(("message", "M"),))
TEXTS = {"refund": "money back please", "parcel": "where is my parcel"}


def asked(text: str) -> Input:
    return Input(fields=(("message", text),))


def delivered(folder: Path) -> Nearest:
    source = Encoded(open_models(), ModelRef("fake", "encoder"))
    vectors = source.read([asked(text) for text in TEXTS.values()]).matrix
    model = Nearest(TASK, source, class_means(vectors, np.array([0, 1]), 2))
    model.save(folder)
    write_checks(
        folder, model.predict, [asked(f"{text} {i}") for text in TEXTS.values() for i in range(40)]
    )
    (folder / "method.json").write_text(json.dumps({"job": "j", "spec": {}}))
    return model


def test_a_data_file_adds_classes_of_texts(tmp_path: Path) -> None:
    before = delivered(tmp_path / "old")
    (tmp_path / "new.csv").write_text(
        "message,topic\nthe password is wrong,login\ncannot sign in,login\nclose it,account\n"
    )
    examples = load_classes(tmp_path / "new.csv", TASK, "topic")
    made = extend(tmp_path / "old", examples, open_models())
    assert made.added == {"login": 2, "account": 1}
    assert made.changed() == (0, CHECKED)
    (tmp_path / "new").mkdir()
    made.save(tmp_path / "new")
    old, new = read(tmp_path / "old"), read(tmp_path / "new")
    kept = new.arrays["prototypes"][: len(TASK.labels)]
    assert kept.tobytes() == old.arrays["prototypes"].tobytes() == before.prototypes.tobytes()
    assert new.task.label_names == ("refund", "parcel", "login", "account")
    assert made.predictor.predict([asked("the password")])[0].answer == "login"
    again = extend(tmp_path / "new", load_classes_of(tmp_path / "one"), open_models())
    assert again.predictor.task.label_names[-1] == "one"


def load_classes_of(folder: Path) -> list[object]:
    folder.mkdir()
    (folder / "a.txt").write_text("one and only")
    return list(load_classes(folder, TASK))


def test_an_answer_that_the_new_class_takes_is_counted(tmp_path: Path) -> None:
    delivered(tmp_path / "old")
    (tmp_path / "new.csv").write_text("message,label\nmoney back please 1,again\n")
    made = extend(tmp_path / "old", load_classes(tmp_path / "new.csv", TASK), open_models())
    changed, checks = made.changed()
    assert 0 < changed < checks == CHECKED


def test_new_classes_must_be_new_and_of_the_task(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("message,label\nx,Refund\ny,parcel\nz,fresh\n")
    with pytest.raises(InputError) as caught:
        load_classes(tmp_path / "new.csv", TASK)
    assert "line 2: the label 'refund' is known already" in str(caught.value)
    assert "line 3: the label 'parcel' is known already" in str(caught.value)
    with pytest.raises(InputError, match="these are pictures"):
        load_classes(shelf(tmp_path / "photos", {"cup": 1}), TASK)
    (tmp_path / "other.csv").write_text("body,label\nx,fresh\n")
    with pytest.raises(InputError, match="no column 'message'"):
        load_classes(tmp_path / "other.csv", TASK)


def test_a_method_without_vectors_cannot(tmp_path: Path) -> None:
    Constant(TASK, (-1.0, -2.0)).save(tmp_path / "constant")
    with pytest.raises(InputError, match="cannot learn classes later"):
        extend(tmp_path / "constant", [], open_models())


def test_checks_are_spread_over_all_inputs(tmp_path: Path) -> None:
    delivered(tmp_path)
    told = [one.text for one, _ in read_checks(tmp_path)]
    assert len(told) == CHECKED
    assert sum(text.startswith("money") for text in told) == CHECKED // 2
