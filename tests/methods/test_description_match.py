"""Classes without pictures: the map is ridge regression, and a text alone makes a class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lent import Lent

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Example, Image, Input, Label, ModelRef, Shots, Task, digest
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Rates
from nshot.methods.fewshot.description_match import (
    PENALTIES,
    DescriptionMatch,
    Known,
    learned,
    penalty,
)
from nshot.models import open_models
from nshot.predictors import load
from nshot.predictors.base import Extends
from nshot.predictors.described import Described, LinearMap
from nshot.testing.contracts import check_adapt, check_value
from scenes import scene

METHOD = DescriptionMatch(sentence_encoder="fake:encoder")
COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "grey": (90,) * 3}


def picture(folder: Path, colour: str, number: int) -> Input:
    """A noisy square of one colour."""
    from PIL import Image as pillow

    folder.mkdir(exist_ok=True)
    path = folder / f"{colour}{number}.png"
    noise = np.random.default_rng(number).integers(-15, 16, (24, 24, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    pillow.fromarray(pixels).save(path)
    return Input(images=(Image(str(path), digest(path.read_bytes())),))


def known(folder: Path, colours: str, each: int = 4) -> tuple[Example, ...]:
    """Pictures with their classes' descriptions beside them."""
    return tuple(
        Example(
            f"{colour}{i}",
            replace(picture(folder, colour, i), fields=(("description", f"all {colour}"),)),
            (f"class {colour}",),
        )
        for colour in colours.split()
        for i in range(each)
    )


@pytest.fixture
def bench(tmp_path) -> Lent:
    return Lent(open_models(), None, tmp_path, encoder=ModelRef("fake", "pictures"))


UNSEEN = Task(
    "unseen",
    "classify",
    (Label("rouge", "all red"), Label("bleu", "all blue")),
    pictures=True,
)


def test_a_class_is_known_by_its_description_alone(bench, tmp_path):
    shots = Shots(background=known(tmp_path / "known", "red green blue grey"))
    predictor = METHOD.adapt(UNSEEN, shots, bench)
    asked = [
        picture(tmp_path / "new", colour, 50 + i) for i in range(3) for colour in ("red", "blue")
    ]
    assert [one.answer for one in predictor.predict(asked)] == ["rouge", "bleu"] * 3
    assert bench.parameters == predictor.map.weights.size


def test_it_keeps_the_contracts(bench, tmp_path):
    check_value(METHOD, TABLE)
    shots = Shots(background=known(tmp_path / "known", "red green grey"))
    asked = [picture(tmp_path / "new", colour, 50) for colour in COLOURS]
    assert isinstance(check_adapt(METHOD, UNSEEN, shots, bench, asked), Described)


def test_a_class_is_added_by_a_text_or_by_pictures_and_the_others_stay(bench, tmp_path):
    shots = Shots(background=known(tmp_path / "known", "red green blue grey"))
    predictor = METHOD.adapt(UNSEEN, shots, bench)
    assert isinstance(predictor, Extends)
    told = Example("text", Input((("description", "all green"),)), ("vert",))
    shown = Example("shown", picture(tmp_path / "new", "grey", 70), ("gris",))
    more = predictor.extend([told, shown])
    assert more.task.label_names == ("rouge", "bleu", "vert", "gris")
    assert more.classes[:2].tobytes() == predictor.classes.tobytes()
    asked = [picture(tmp_path / "new", colour, 80) for colour in COLOURS]
    assert [one.answer for one in more.predict(asked)] == ["rouge", "vert", "bleu", "gris"]
    more.save(tmp_path / "saved")
    again = load(tmp_path / "saved", open_models()).predict(asked)
    assert [one.answer for one in again] == ["rouge", "vert", "bleu", "gris"]
    with pytest.raises(InputError, match="'vert' is known already"):
        more.extend([told])
    with pytest.raises(InputError, match="without a picture"):
        more.predict([told.input])


def brief(**changes) -> Brief:
    plain = Brief(
        task=UNSEEN, labelled=8, unlabelled=0, per_label=4, test=50, tokens=1, longest=1, base=None,
        abilities=frozenset(), context=0, layers=0, encoder=ModelRef("fake", "pictures"),
        rates=Rates(1, 1, 30), background=40,
    )  # fmt: skip
    return replace(plain, **changes)


def test_why_not():
    assert METHOD.why_not(brief()) is None
    assert METHOD.forecast(brief()).seconds > 0
    assert "other classes" in METHOD.why_not(brief(background=0))
    assert "not texts" in METHOD.why_not(brief(task=replace(UNSEEN, pictures=False)))
    bare = replace(UNSEEN, labels=(Label("rouge"), Label("bleu")))
    assert "description of each label" in METHOD.why_not(brief(task=bare))


def test_without_other_classes_it_cannot_adapt(bench, tmp_path):
    with pytest.raises(CannotAdapt, match="other classes"):
        METHOD.adapt(UNSEEN, Shots(background=known(tmp_path / "known", "red")), bench)


def test_a_picture_of_any_kind_has_an_answer(bench, tmp_path):
    shots = Shots(background=known(tmp_path / "known", "red green"))
    scene(3, (7, 5)).save(tmp_path / "odd.png")
    odd = Input(images=(Image(str(tmp_path / "odd.png"), "odd"),))
    assert METHOD.adapt(UNSEEN, shots, bench).predict([odd])[0].answer in UNSEEN.label_names


# ------------------------------------------------------------------ the map


def some(rows: int, width: int, classes: int, seed: int = 0) -> Known:
    rng = np.random.default_rng(seed)
    return Known(
        rng.normal(size=(rows, width)).astype(np.float32),
        np.arange(rows) % classes,
        rng.normal(size=(classes, 5)).astype(np.float32),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 30), st.integers(2, 20), st.sampled_from([0.01, 1.0, 100.0]))
def test_the_map_solves_the_normal_equations(rows: int, width: int, ridge: float) -> None:
    data = some(rows, width, 3)
    found = learned(data, ridge)
    x = data.pictures.astype(np.float64) - found.mean
    y = data.texts[data.classes] - found.centre
    unit = (x**2).sum() / width
    left = (x.T @ x + ridge * unit * np.eye(width)) @ found.weights
    np.testing.assert_allclose(left, x.T @ y, atol=1e-6)


def test_a_greater_penalty_makes_a_smaller_map():
    sizes = [np.abs(learned(some(30, 10, 5), p).weights).sum() for p in PENALTIES]
    assert sizes == sorted(sizes, reverse=True)


def test_the_penalty_is_chosen_on_classes_left_out():
    """Pictures that are their class's text turned, in much noise: little of it must be followed."""
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(24, 5)).astype(np.float32)
    classes = np.repeat(np.arange(24), 4)
    turn = rng.normal(size=(5, 60))
    clean = Known((texts[classes] @ turn).astype(np.float32), classes, texts)
    noisy = replace(clean, pictures=(clean.pictures + 4 * rng.normal(size=(96, 60))).astype("f4"))
    assert penalty(clean, 0) == PENALTIES[0]
    assert penalty(noisy, 0) > PENALTIES[0]
    assert penalty(clean.of(range(3)), 0) == PENALTIES[2]


def test_the_map_of_the_centre_is_nothing():
    found = learned(some(12, 4, 3), 1.0)
    assert isinstance(found, LinearMap)
    np.testing.assert_allclose(found.of_pictures(found.mean[None]), 0, atol=1e-12)
