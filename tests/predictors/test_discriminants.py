from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from nshot.core.types import Example, Input, Label, ModelRef, Task
from nshot.data.pictures import as_image
from nshot.models import open_models
from nshot.predictors import load
from nshot.predictors.base import Extends
from nshot.predictors.discriminants import (
    ABSENT,
    Discriminant,
    Discriminants,
    Family,
    Pictured,
    Spread,
    together,
)
from nshot.testing.contracts import check_predictor

TASK = Task("colours", "classify", (Label("red"), Label("blue")), pictures=True)
COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 200, 30)}
FAMILIES = (Family(("colour.rings",), 0.5), Family(("edges.mean", "edges.std")))


def data(width: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), 4)
    return rng.normal(size=(12, width)) + rng.normal(size=(3, width))[targets], targets


@pytest.mark.parametrize("shrinkage", [0.1, 0.6, 0.98])
def test_within_is_sklearns_shrunken_discriminant(shrinkage: float) -> None:
    rows, targets = data()
    ours = Discriminant.of(FAMILIES[0], Spread.of(rows, targets, 3, "within"), shrinkage)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(rows, targets)
    asked = np.random.default_rng(1).normal(size=(50, 30))
    # Theirs divides the covariance by the rows, ours by the degrees of freedom.
    mine, published = ours.logits(asked) * 12 / 9, theirs.decision_function(asked)
    mine, published = (x - x.mean(axis=1, keepdims=True) for x in (mine, published))
    np.testing.assert_allclose(mine, published, rtol=1e-3, atol=1e-3)


def test_total_has_the_directions_of_ridge_regression() -> None:
    rows, targets = data()
    spread = Spread.of(rows, targets, 3, "total")
    ours = Discriminant.of(FAMILIES[0], spread, 0.4)
    penalty = 0.4 / 0.6 * spread.level * 11
    ridge = Ridge(alpha=penalty).fit(rows, np.eye(3)[targets])
    weights = ours._head[0].T
    ratio = weights / ridge.coef_
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


@pytest.mark.parametrize("covariance", ["within", "total"])
def test_shrunken_to_the_end_the_nearest_mean_decides(covariance: str) -> None:
    rows, targets = data()
    spread = Spread.of(rows, targets, 3, covariance)  # type: ignore[arg-type]
    asked = np.random.default_rng(1).normal(size=(50, 30))
    away = np.linalg.norm(asked[:, None] - spread.prototypes[None], axis=2)
    told = Discriminant.of(FAMILIES[0], spread, 1.0).logits(asked)
    np.testing.assert_array_equal(told.argmax(axis=1), away.argmin(axis=1))


def test_a_search_is_told_what_each_discriminant_says() -> None:
    rows, targets = data()
    spread = Spread.of(rows, targets, 4, "within")
    asked = np.random.default_rng(1).normal(size=(20, 30))
    for shrinkage, told in zip((0.1, 1.0), spread.logits(asked, (0.1, 1.0)), strict=True):
        one = Discriminant.of(FAMILIES[0], spread, shrinkage)
        np.testing.assert_allclose(told, one.logits(asked), rtol=1e-4, atol=1e-4)


def test_one_shot_a_label_has_no_spread_within() -> None:
    rows = np.eye(3)
    told = Discriminant.of(FAMILIES[0], Spread.of(rows, np.arange(3), 3, "within"), 0.5)
    assert told.logits(rows).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_label_without_examples_is_never_the_answer() -> None:
    rows, targets = data()
    told = Discriminant.of(FAMILIES[0], Spread.of(rows, targets, 4, "total"), 0.5).logits(rows)
    assert (told[:, 3] == ABSENT).all()
    assert np.isfinite(told).all()


def test_a_family_is_of_unit_length_and_keeps_signs() -> None:
    seen = {"a": np.array([[4.0, -1.0], [0.0, 0.0]]), "b": np.array([[1.0], [2.0]])}
    rows = Family(("a", "b"), 0.5).rows(seen)
    np.testing.assert_allclose(rows[0], np.array([2, -1, 5**0.5]) / 10**0.5)
    np.testing.assert_allclose(rows[1], [0, 0, 0.5**0.5])


# ------------------------------------------------------------------ the predictor


def painted(folder: Path, name: str, seed: int) -> Example:
    from PIL import Image

    noise = np.random.default_rng(seed).normal(0, 40, (24, 24, 3))
    pixels = np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)
    path = folder / f"{name}{seed}.png"
    Image.fromarray(pixels).save(path)
    return Example(path.stem, Input(images=(as_image(path),)), (name,))


@pytest.fixture
def predictor(tmp_path: Path) -> Discriminants:
    examples = [painted(tmp_path, name, seed) for name in ("red", "blue") for seed in range(3)]
    source = Pictured(open_models(), ModelRef("fake", "pictures"), ("whole", "mirrored"))
    seen = source.read([example.input for example in examples])
    targets = np.array([TASK.label_names.index(example.label) for example in examples])
    members = tuple(
        Discriminant.of(family, Spread.of(family.rows(seen), targets, 2, "within"), 0.6)
        for family in FAMILIES
    )
    return Discriminants(TASK, source, members)


def test_it_keeps_the_contract(predictor: Discriminants, tmp_path: Path) -> None:
    asked = [painted(tmp_path, name, 9).input for name in ("blue", "red", "green")]
    check_predictor(predictor, TASK, open_models(), tmp_path / "saved", asked)
    told = predictor.predict(asked)
    assert [one.answer for one in told[:2]] == ["blue", "red"]
    for one in told:
        assert np.exp(one.scores).sum() == pytest.approx(1)
    again = load(tmp_path / "saved", open_models())
    assert isinstance(again, Discriminants)
    assert [one.scores for one in again.predict(asked)] == [one.scores for one in told]


def test_the_members_logarithms_are_added(predictor: Discriminants, tmp_path: Path) -> None:
    seen = predictor.source.read([painted(tmp_path, "red", 9).input])
    first, second = predictor.members
    alone = [together((member,), seen) for member in (first, second)]
    both = alone[0] + 0.5 * alone[1]
    expected = both - np.log(np.exp(both).sum())
    np.testing.assert_allclose(together((first, replace(second, weight=0.5)), seen), expected)


def test_a_new_class_leaves_the_old_ones_as_they_are(
    predictor: Discriminants, tmp_path: Path
) -> None:
    assert isinstance(predictor, Extends)
    new = predictor.extend([painted(tmp_path, "green", seed) for seed in range(3)])
    assert new.task.label_names == ("red", "blue", "green")
    for old, member in zip(predictor.members, new.members, strict=True):
        assert member.prototypes[:2].tobytes() == old.prototypes.tobytes()
        same = replace(member, prototypes=old.prototypes)
        for name in ("mean", "directions", "gains", "floor", "weight"):
            assert getattr(same, name) is getattr(old, name)
    asked = [painted(tmp_path, name, 9).input for name in ("red", "blue", "green")]
    assert [one.answer for one in new.predict(asked)] == ["red", "blue", "green"]
