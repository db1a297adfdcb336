"""What few shots choose of an image network's layers, and what unlabelled pictures move."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from lent import Lent

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.data.pictures import as_image
from nshot.methods.fewshot.picture_probe import (
    Candidate,
    PictureProbe,
    Shown,
    best,
    cuts,
    families,
    picked,
    refined,
    tempered,
)
from nshot.models import open_models
from nshot.predictors.base import Extends, Predictor
from nshot.predictors.discriminants import Discriminant, Discriminants, Family, Spread

TASK = Task("coins", "classify", (Label("copper"), Label("silver"), Label("gold")), pictures=True)
Light = tuple[float, float, float]
WHITE = (1.0, 1.0, 1.0)
COLOURS = {"copper": (180, 90, 60), "silver": (150, 150, 150), "gold": (190, 160, 70)}


def painted(folder: Path, name: str, seed: int, light: Light = WHITE) -> Example:
    """A disc of the class's colour on a ground of any colour; each its own photograph."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    at = np.arange(32) - 15.5
    disc = np.hypot(at[:, None], at[None, :])[:, :, None] < 10
    pixels = np.where(disc, COLOURS[name], rng.integers(0, 256, 3)) * np.array(light)
    noisy = np.clip(pixels + rng.normal(0, 12, (32, 32, 3)), 0, 255).astype(np.uint8)
    path = folder / f"{name}{seed}.png"
    Image.fromarray(noisy).save(path)
    return Example(path.stem, Input(images=(as_image(path),)), (name,), group=path.stem)


def rows(folder: Path, seeds: Sequence[int], light: Light = WHITE) -> tuple[Example, ...]:
    return tuple(
        painted(folder, name, 100 * seed + i, light)
        for i, name in enumerate(COLOURS)
        for seed in seeds
    )


@pytest.fixture
def bench(tmp_path: Path) -> Lent:
    return Lent(open_models(), None, tmp_path, encoder=ModelRef("fake", "pictures"))


def right(predictor: Predictor, asked: Sequence[Example]) -> float:
    told = predictor.predict([example.input for example in asked])
    return float(np.mean([t.answer == e.label for t, e in zip(told, asked, strict=True)]))


def test_the_folds_find_where_the_classes_differ(bench: Lent, tmp_path: Path) -> None:
    shots = Shots(rows(tmp_path, range(1, 5)))
    predictor = PictureProbe(views="whole").adapt(TASK, shots, bench)
    assert isinstance(predictor, Discriminants)
    assert any(m.family.parts[0].endswith("rings") for m in predictor.members)
    assert right(predictor, rows(tmp_path, range(10, 20))) > 0.9
    (note,) = bench.notes
    assert note.startswith("chosen on 4 folds: ")
    assert bench.parameters == sum(m.prototypes.size for m in predictor.members)


def test_equal_seeds_give_equal_bytes(bench: Lent, tmp_path: Path) -> None:
    shots = Shots(rows(tmp_path, range(1, 4)))
    for name in ("one", "two"):
        PictureProbe().adapt(TASK, shots, bench).save(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize("views", ["whole", "mirrored", "turned"])
def test_one_shot_is_answered_and_told(views: str, bench: Lent, tmp_path: Path) -> None:
    method = PictureProbe.model_validate({"views": views})
    predictor = method.adapt(TASK, Shots(rows(tmp_path, [1])), bench)
    told = predictor.predict([example.input for example in rows(tmp_path, [7])])
    assert all(np.isfinite(one.scores).all() for one in told)
    assert any("one shot per label" in note for note in bench.notes)


def test_a_label_without_shots_is_never_the_answer(bench: Lent, tmp_path: Path) -> None:
    shots = Shots(tuple(e for e in rows(tmp_path, range(1, 5)) if e.label != "gold"))
    predictor = PictureProbe(unlabelled="shift").adapt(TASK, shots, bench)
    told = predictor.predict([example.input for example in rows(tmp_path, [7])])
    assert "gold" not in {one.answer for one in told}


def test_a_group_is_on_one_side_of_every_fold(bench: Lent, tmp_path: Path) -> None:
    """Copies of a picture in one group choose nothing: held out, all of them are."""
    made = rows(tmp_path, range(1, 5))
    one_group = tuple(Example(e.id, e.input, e.targets, group=e.label) for e in made)
    PictureProbe().adapt(TASK, Shots(one_group), bench)
    assert any("nothing to choose on" in note for note in bench.notes)


def test_a_photograph_of_many_things_is_held_out_whole() -> None:
    photos = {"p1": "ab", "p2": "ab", "p3": "bc", "p4": "abc", "p5": "a"}
    made = [
        Example(f"{photo}{label}", Input(), (label,), group=photo)
        for photo, labels in photos.items()
        for label in labels
    ]
    for seed in range(20):
        devs = cuts(made, seed)
        assert len(devs) == 2, "c is in two photographs alone"
        for dev in devs:
            rest = [made[i] for other in devs for i in other if i not in set(dev)]
            assert not {made[i].group for i in dev} & {example.group for example in rest}
            assert {made[i].label for i in dev} <= {
                example.label for i, example in enumerate(made) if i not in set(dev)
            }
    assert cuts([e for e in made if e.id != "p3c"], 0) == []


def test_pictures_in_another_light_move_the_means(bench: Lent, tmp_path: Path) -> None:
    shots = rows(tmp_path, range(1, 5))
    blue = rows(tmp_path, range(20, 40), light=(0.5, 0.8, 1.2))
    unlabelled = tuple(Example(f"u{e.id}", e.input) for e in blue[::2])
    scores = {
        way: right(
            PictureProbe.model_validate({"views": "whole", "unlabelled": way}).adapt(
                TASK, Shots(shots, unlabelled), bench
            ),
            blue[1::2],
        )
        for way in ("ignore", "shift")
    }
    assert scores["shift"] > scores["ignore"] + 0.2
    assert scores["shift"] > 0.8


def test_a_class_is_added_to_what_was_chosen(bench: Lent, tmp_path: Path) -> None:
    two = Task("coins", "classify", TASK.labels[:2], pictures=True)
    made = rows(tmp_path, range(1, 5))
    shots = Shots(tuple(e for e in made if e.label != "gold"))
    predictor = PictureProbe(views="whole").adapt(two, shots, bench)
    assert isinstance(predictor, Extends)
    assert isinstance(predictor, Discriminants)
    new = predictor.extend([e for e in made if e.label == "gold"])
    assert right(new, rows(tmp_path, range(10, 20))) > 0.85


# ------------------------------------------------------------------ the parts


def test_families_are_the_head_the_last_layers_and_the_colours() -> None:
    layers = ("a", "b", "c", "d", "head")
    found = families(layers, colour=True)
    parts = {family.parts for family in found}
    assert ("head.mean",) in parts
    assert ("d.mean", "d.std") in parts
    assert ("b.mean", "b.std", "c.mean", "c.std", "d.mean", "d.std") in parts
    assert {("a.rings",), ("d.rings",), ("colour.rings",)} <= parts
    assert ("head.rings",) not in parts
    assert len(found) == len(set(found))
    assert ("colour.rings",) not in {f.parts for f in families(layers, colour=False)}


def test_a_temperature_undoes_a_scale() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = (rng.random((4000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    temperature, loss = tempered(10 * logits, right)
    assert 0.08 < temperature < 0.125
    assert loss < np.log(3)


def test_rows_that_are_all_right_leave_some_doubt() -> None:
    right = np.tile(np.arange(3), 8)
    easy = -100.0 * (np.arange(3) != right[:, None])
    (one,) = picked([Candidate(Family(("a",)), log_probs=easy)], right, 0)
    wrong = 2 * np.exp(-100 * one.weight)
    assert 0.01 < wrong / (1 + wrong) < 0.05


def test_the_best_settings_are_those_with_the_least_loss_held_out() -> None:
    rng = np.random.default_rng(0)
    targets = np.tile(np.arange(3), 6)
    strong = rng.normal(size=(18, 40)) * np.r_[np.full(4, 9), np.ones(36)]
    strong[:, 4:8] += 6 * np.eye(3, 4)[targets]
    shown = Shown({"a": strong, "b": rng.normal(size=(18, 40))}, targets, 3)
    devs = [np.arange(i, 18, 6) for i in range(6)]
    useful, useless = (best(Family((name,)), shown, devs) for name in ("a", "b"))
    assert useful.loss < 0.8 < np.log(3) - 0.2 < useless.loss
    assert useful.shrinkage < 1, "what varies most says nothing here: the nearest mean is misled"


def test_those_are_picked_that_help_each_other() -> None:
    right = np.tile(np.arange(2), 20)
    half = np.arange(40) < 20
    sure, lost = np.log([[0.9, 0.1]]), np.log([[0.5, 0.5]])
    of_right = np.where(right[:, None] == 0, sure, sure[:, ::-1])
    first = Candidate(Family(("a",)), log_probs=np.where(half[:, None], of_right, lost))
    second = Candidate(Family(("b",)), log_probs=np.where(half[:, None], lost, of_right))
    wrong = Candidate(Family(("c",)), log_probs=of_right[:, ::-1])
    chosen = picked([wrong, first, second], right, 0)
    assert {one.family.parts for one in chosen} == {("a",), ("b",)}
    assert min(one.weight for one in chosen) > 0.4, "together they are surer than each alone"


def test_soft_k_means_finds_the_middle_of_what_is_unlabelled() -> None:
    rng = np.random.default_rng(0)
    middles = np.array([[3.0, 0.1, 1], [0.1, 3.0, 1]])
    shots = middles + rng.normal(0, 0.6, (2, 3))
    asked = middles[rng.integers(0, 2, 400)] + rng.normal(0, 0.3, (400, 3))
    shown = Shown({"a": shots}, np.array([0, 1]), 2)
    family = Family(("a",))
    spread = Spread.of(family.rows({"a": shots}), shown.targets, 2, "total")
    (moved,) = refined((Discriminant.of(family, spread, 1.0, 50.0),), shown, {"a": asked}, False)
    wanted = np.stack([family.rows({"a": asked[asked[:, i] > 1.5]}).mean(axis=0) for i in (0, 1)])
    np.testing.assert_allclose(moved.prototypes, wanted, atol=0.03)


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotAdapt, match="image network"):
        PictureProbe().adapt(TASK, Shots(rows(tmp_path, [1])), Lent(open_models(), None, tmp_path))
