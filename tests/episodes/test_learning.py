"""Learning from background classes: it learns, and a killed training ends as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from glyphs import glyph_file
from nshot.bench.episodes import parted
from nshot.core.errors import Diverged
from nshot.data.collections import Collection, load
from nshot.methods.episodes import learning
from nshot.methods.episodes.base import Episodes, EpisodeShape, Items, OfItems, Phase
from nshot.methods.episodes.objectives import AnswerLoss, ClassLoss, TurnsLoss
from nshot.methods.fewshot.matching import Matching
from nshot.methods.fewshot.prototypical import Prototypical
from nshot.nets import learners
from nshot.nets.learner import Learner
from nshot.training.checkpoints import Checkpoints

SMALL = Prototypical(filters=8, way=8, queries=3, steps=(30,))


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return load(glyph_file(tmp_path_factory.mktemp("data") / "letters.npz")).background


class TwoPhases(Prototypical):
    """First all classes at once, then episodes."""

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        return (Phase("classes", OfItems(16), 1e-2), *super().phases(shape))

    def objective(self, phase: Phase, learner: Learner, classes: int) -> torch.nn.Module:
        if phase.name == "classes":
            return ClassLoss(learner, torch.nn.Linear(8, classes))
        return super().objective(phase, learner, classes)


def weights(learner: Learner) -> dict[str, bytes]:
    return {name: t.numpy().tobytes() for name, t in learner.state_dict().items()}


def trained(
    method: Prototypical, background: Collection, checkpoints: Checkpoints | None = None
) -> tuple[Learner, learning.Trace]:
    learner = learning.fresh(method, background.shape, 0)
    trace = learning.train(
        method, learner, background, method.steps, seed=0, checkpoints=checkpoints
    )
    return learner, trace


class Killed(Exception):
    """The process went."""


@pytest.mark.parametrize("stop", [9, 14])
def test_a_killed_training_ends_with_the_same_bytes(
    background: Collection, tmp_path: Path, stop: int
) -> None:
    method = TwoPhases(filters=8, way=8, queries=3, steps=(12, 18))
    whole, trace = trained(method, background)
    checkpoints = Checkpoints(tmp_path, every=4)

    def killed(done: int, total: int) -> None:
        if done == stop:
            raise Killed

    learner = learning.fresh(method, background.shape, 0)
    with pytest.raises(Killed):
        learning.train(
            method, learner, background, method.steps, seed=0, checkpoints=checkpoints,
            progress=killed,
        )  # fmt: skip
    again, resumed = trained(method, background, checkpoints)
    assert resumed.resumed == (stop - 1) // 4 * 4
    assert resumed.losses == trace.losses
    assert weights(again) == weights(whole)


class Revised(Prototypical):
    """The same settings under a later version: other answers."""

    version: ClassVar = 2


@pytest.mark.parametrize(
    "other",
    [
        SMALL.model_copy(update={"learning_rate": 1e-3}),
        Revised(filters=8, way=8, queries=3, steps=(30,)),
    ],
)
def test_a_checkpoint_of_another_training_is_not_taken_up(
    other: Prototypical, background: Collection, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(tmp_path, every=4)
    trained(SMALL, background, checkpoints)
    assert trained(SMALL, background, checkpoints)[1].resumed > 0
    assert trained(other, background, checkpoints)[1].resumed == 0


def test_it_learns_and_says_how(background: Collection) -> None:
    shape = EpisodeShape(5, 1, 5)
    _, watched = parted(background, 0)
    assert watched is None, "too few classes to keep any out"
    method = SMALL.model_copy(update={"learning_rate": 1e-2})
    learner, trace = trained(method, background)
    assert len(trace.losses) == 30
    assert np.mean(trace.losses[-5:]) < 0.8 * np.mean(trace.losses[:5])
    assert trace.parameters == sum(p.numel() for p in learner.parameters())
    assert learning.fitting_shape(shape, background).way == 5
    assert learning.fitting_shape(EpisodeShape(60, 1, 3), background).way == 30


def test_what_is_watched_is_not_learned_from(tmp_path: Path) -> None:
    cut = load(glyph_file(tmp_path / "many.npz", 260, 250, each=6), rotations=True)
    kept, watched = parted(cut.background, 0)
    assert watched is not None
    assert len(kept.names) == 1000 - 4 * 12
    assert set(np.bincount(kept.origins)) <= {0, 4}, "a class goes with its turned copies"
    known = {item.tobytes() for item in kept.items}
    assert not known & {item.tobytes() for item in watched.items}
    learner = learning.fresh(SMALL, kept.shape, 0)
    trace = learning.train(SMALL, learner, kept, [3], seed=0, watched=watched)
    assert [step for step, _ in trace.watched] == [0, 1, 2, 3]
    assert all(0.15 < share <= 1 for _, share in trace.watched)


def test_a_loss_that_is_no_number_is_told(background: Collection) -> None:
    with pytest.raises(Diverged, match="try a learning rate below"):
        trained(SMALL.model_copy(update={"learning_rate": 1e20}), background)


def test_minutes_become_steps_by_their_share(background: Collection) -> None:
    first, second = learning.planned(TwoPhases(filters=8, way=8), background, 20.0, 0)
    assert first > 1
    assert second > 1
    assert learning.planned(SMALL, background, 0.0, 0) == [1]


def test_what_a_step_costs_is_measured_all_over_a_phase(background: Collection) -> None:
    seen: list[float] = []

    class Spy(AnswerLoss):
        def forward(self, batch: Episodes, progress: float) -> torch.Tensor:
            seen.append(progress)
            return super().forward(batch, progress)

    class Spied(Prototypical):
        def objective(self, phase: Phase, learner: Learner, classes: int) -> torch.nn.Module:
            return Spy(learner)

    learning.planned(Spied(filters=8, way=8, queries=3), background, 1.0, 0)
    timed = seen[-learning.TIMED :]
    assert timed == sorted(timed)
    assert (timed[0], round(timed[-1], 1)) == (0.0, 0.8)


def test_a_phase_of_items_numbers_their_classes(background: Collection) -> None:
    seen: list[Items] = []

    class Spy(ClassLoss):
        def forward(self, batch: Items, progress: float) -> torch.Tensor:
            seen.append(batch)
            return super().forward(batch, progress)

    class Spied(TwoPhases):
        def objective(self, phase: Phase, learner: Learner, classes: int) -> torch.nn.Module:
            return Spy(learner, torch.nn.Linear(8, classes))

        def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
            return super().phases(shape)[:1]

    trained(Spied(filters=8, steps=(3,)), background)
    for batch in seen:
        for item, target in zip(batch.items, batch.targets, strict=True):
            start = background.starts[int(target)]
            of_class = background.items[start : start + background.counts[int(target)]]
            assert any(np.array_equal(item.numpy(), other) for other in of_class)


def test_each_item_takes_its_turn_as_the_support() -> None:
    torch.manual_seed(0)
    vectors, shape = torch.randn(2, 3, 4, 5), EpisodeShape(3, 1, 3)
    labels, targets = torch.arange(3), torch.arange(3).repeat_interleave(3)
    learner = Matching().learner((5,))

    def batch(items: torch.Tensor) -> Episodes:
        known, asked = items[:, :, :1].flatten(1, 2), items[:, :, 1:].flatten(1, 2)
        return Episodes(shape, known, labels, asked, targets)

    losses = [
        AnswerLoss(learner)(batch(vectors[:, :, [i, *(j for j in range(4) if j != i)]]), 0.0)
        for i in range(4)
    ]
    told = TurnsLoss(learner)(batch(vectors), 0.0)
    torch.testing.assert_close(told, torch.stack(losses).mean())


@pytest.mark.parametrize("full_context", [False, True])
def test_a_learner_is_saved_and_comes_back(full_context: bool, tmp_path: Path) -> None:
    learner = learning.fresh(Matching(filters=4, full_context=full_context), (1, 16, 16), 3)
    learners.save(learner, tmp_path / "kept")
    again = learners.load(tmp_path / "kept")
    assert weights(again) == weights(learner)
    assert again.settings == learner.settings
    assert not again.training
