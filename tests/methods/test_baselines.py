"""baseline and baseline_pp on an encoder's features: texts, pictures, a class added later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lent import Lent

from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.data.pictures import as_image
from nshot.methods.fewshot.baseline import Baseline
from nshot.methods.fewshot.baseline_pp import BaselinePP
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.label_head import LabelHead
from nshot.predictors.nearest import Nearest
from nshot.testing.contracts import check_adapt
from scenes import shelf
from toys import QUESTIONS, TASK, Bench, ask, shots


def pictures(folder: Path, counts: dict[str, int], first: int = 0) -> tuple[Example, ...]:
    shelf(folder, counts, first)
    return tuple(
        Example(str(file), Input(images=(as_image(file),)), (file.parent.name,))
        for file in sorted(folder.glob("*/*.png"))
    )


@pytest.mark.parametrize("method", [Baseline(), BaselinePP()])
def test_pictures_are_told_by_the_pictures_encoder(method: Baseline, tmp_path: Path) -> None:
    task = Task("tints", "classify", (Label("green"), Label("red")), pictures=True)
    known = pictures(tmp_path / "known", {"red": 3, "green": 3})
    new = pictures(tmp_path / "new", {"red": 2, "green": 2}, first=10)
    bench = Lent(open_models(), None, tmp_path, encoder=resolve("fake:pictures", "features"))
    asked = [example.input for example in new]
    predictor = check_adapt(method, task, Shots(known), bench, asked)
    told = predictor.predict([example.input for example in known])
    assert [p.answer for p in told] == [example.label for example in known]


def test_a_linear_head_knows_the_features_as_they_are(tmp_path: Path) -> None:
    """It was fitted to features of another size: the shots are told right all the same."""
    predictor = Baseline().adapt(TASK, shots(), Bench(tmp_path))
    assert isinstance(predictor, LabelHead)
    told = predictor.predict([example.input for example in shots().labelled])
    assert [p.answer for p in told] == [example.label for example in shots().labelled]


def test_a_longer_fit_is_surer_of_its_shots(tmp_path: Path) -> None:
    def sureness(passes: int) -> float:
        predictor = Baseline(fit_passes=passes).adapt(TASK, shots(), Bench(tmp_path))
        told = predictor.predict([example.input for example in shots().labelled])
        return float(np.mean([max(p.scores) for p in told]))

    assert sureness(1) < sureness(10) < sureness(100)


def test_a_class_added_later_leaves_the_trained_weights_as_they_are(tmp_path: Path) -> None:
    predictor = BaselinePP().adapt(TASK, shots(), Bench(tmp_path))
    assert isinstance(predictor, Nearest)
    assert predictor.scale != 20
    wider = predictor.extend([Example("x", ask("hello good day"), ("greeting",))])
    assert wider.prototypes[:3].tobytes() == predictor.prototypes.tobytes()
    assert wider.scale == predictor.scale
    wider.save(tmp_path / "kept")
    again = load(tmp_path / "kept", FakeModels())
    assert again.predict(QUESTIONS) == wider.predict(QUESTIONS)
    assert again.predict([ask("hello good day")])[0].answer == "greeting"


def test_the_seed_draws_where_a_cosine_head_begins(tmp_path: Path) -> None:
    one, same, other = (
        BaselinePP().adapt(TASK, shots(), Bench(tmp_path, seed=seed)) for seed in (0, 0, 1)
    )
    assert isinstance(one, Nearest)
    assert isinstance(same, Nearest)
    assert isinstance(other, Nearest)
    assert one.prototypes.tobytes() == same.prototypes.tobytes()
    assert one.prototypes.tobytes() != other.prototypes.tobytes()
