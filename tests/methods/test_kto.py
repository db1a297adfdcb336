"""KTO: the loss by hand, and a planted liking that a tiny random model learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent, resumed
from preferences import HELD_OUT, SHOTS, TASK, accuracy

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, ModelRef, Shots
from nshot.methods.align.kto import KTO
from nshot.models import open_models
from nshot.training.data.likings import likings
from nshot.training.objectives.kto import kto_losses
from tiny import tiny_llama

QUICK = {"rank": 4, "learning_rate": 1e-2, "epochs": 6, "batch_size": 8}


def single(rows: tuple[Example, ...]) -> Shots:
    """Each row with one of its answers, and whether it was liked."""
    made = []
    for k, row in enumerate(rows):
        place = k % 2
        answers = (row.input.answers[place],)
        input = replace(row.input, answers=answers)
        made.append(replace(row, input=input, grades=(row.grades[place],)))
    return Shots(tuple(made))


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Lent:
    folder = tiny_llama(tmp_path_factory.mktemp("model") / "tiny")
    return Lent(open_models(), ModelRef("hf", str(folder)), tmp_path)


def test_losses_worked_by_hand() -> None:
    """beta 1/2, z 2: ratios of 4 and 0 are one (half of two) ahead and one behind."""
    ratios = torch.tensor([4.0, 4.0, 0.0, 0.0], dtype=torch.float64)
    liked = torch.tensor([True, False, True, False])
    up, down = 1 / (1 + np.e), np.e / (1 + np.e)
    losses = kto_losses(ratios, liked, torch.tensor(2.0, dtype=torch.float64), 0.5, (1.0, 3.0))
    np.testing.assert_allclose(losses, [up, 3 * down, down, 3 * up], rtol=1e-12)
    below = kto_losses(ratios, liked, torch.tensor(-9.0, dtype=torch.float64), 0.5, (1.0, 1.0))
    np.testing.assert_allclose(below[2:], [0.5, 0.5], rtol=1e-12)


def test_no_gradient_goes_through_the_divergence() -> None:
    ratios = torch.zeros(2, requires_grad=True)
    divergence = torch.ones((), requires_grad=True)
    kto_losses(ratios, torch.tensor([True, False]), divergence, 0.1, (1.0, 1.0)).sum().backward()
    assert divergence.grad is None
    assert ratios.grad is not None
    assert ratios.grad[0] < 0 < ratios.grad[1], "what was liked becomes likelier"


def test_what_was_liked_of_several_answers() -> None:
    row = replace(SHOTS.labelled[0], grades=(3.0, 1.0))
    assert [liked for _, liked in likings(row)] == [True, False]
    assert likings(replace(row, grades=(1.0, 1.0))) == []


@pytest.mark.parametrize("alone", [True, False])
def test_it_learns_a_planted_liking(bench: Lent, alone: bool) -> None:
    before = bench.models.fingerprint(bench.base)
    shots = single(SHOTS.labelled) if alone else SHOTS
    predictor = KTO(**QUICK).adapt(TASK, shots, bench)
    assert accuracy(predictor, HELD_OUT) >= 0.9
    assert bench.models.fingerprint(bench.base) == before
    assert bench.curve[0][0] == pytest.approx(0.5, abs=1e-5), "it begins as its reference"


def test_a_kill_changes_nothing(bench: Lent, tmp_path: Path) -> None:
    method = KTO(**{**QUICK, "epochs": 12})
    whole = method.adapt(TASK, SHOTS, bench).ref.deltas[-1].sha256
    again = replace(bench, folder=tmp_path / "again")
    assert resumed(method, TASK, SHOTS, again, at=60).ref.deltas[-1].sha256 == whole


def test_one_answer_alone_is_refused(bench: Lent) -> None:
    with pytest.raises(CannotAdapt, match="no two answers"):
        KTO(**QUICK).adapt(TASK, Shots(single(SHOTS.labelled).labelled[:1]), bench)
