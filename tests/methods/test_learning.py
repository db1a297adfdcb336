"""Learning from background classes: it learns, and a killed training ends as if it had not been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from glyphs import glyph_file
from nshot.bench.jobs.episodes import validation_split
from nshot.core import machine
from nshot.core.errors import Diverged
from nshot.data.collections import Collection, load
from nshot.data.episodes import EpisodeShape
from nshot.methods.fewshot import learning
from nshot.methods.fewshot.episodic import Phase
from nshot.methods.fewshot.maml import MAML
from nshot.methods.fewshot.matching import Matching
from nshot.methods.fewshot.prototypical import Prototypical
from nshot.nets import learners
from nshot.nets.learner import Learner
from nshot.training.checkpoints import Checkpoints
from nshot.training.data.episodes import (
    BackgroundBatches,
    ItemBatch,
    OfEpisodes,
    OfItems,
    fitting_shape,
)
from nshot.training.loop import Objective
from nshot.training.objectives.episode import (
    Answers,
    Classes,
    Episodes,
    InnerSteps,
    Learning,
    Turns,
)

SMALL = Prototypical(filters=8, way=8, queries=3, steps=(30,))


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return load(glyph_file(tmp_path_factory.mktemp("data") / "letters.npz")).background


class TwoPhases(Prototypical):
    """First all classes at once, then episodes."""

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        return (Phase("classes", OfItems(16), 1e-2), *super().phases(shape))

    def objective(self, phase: Phase) -> Objective[Learning, Any]:
        return Classes() if phase.name == "classes" else super().objective(phase)

    def head(self, phase: Phase, learner: Learner, classes: int) -> torch.nn.Module | None:
        return torch.nn.Linear(8, classes) if phase.name == "classes" else None


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
    _, validation = validation_split(background, 0)
    assert validation is None, "too few classes to keep any out"
    method = SMALL.model_copy(update={"learning_rate": 1e-2})
    learner, trace = trained(method, background)
    assert len(trace.losses) == 30
    assert np.mean(trace.losses[-5:]) < 0.8 * np.mean(trace.losses[:5])
    assert trace.parameters == sum(p.numel() for p in learner.parameters())
    assert fitting_shape(shape, background).way == 5
    assert fitting_shape(EpisodeShape(60, 1, 3), background).way == 30


def test_what_is_validation_is_not_learned_from(tmp_path: Path) -> None:
    cut = load(glyph_file(tmp_path / "many.npz", 260, 250, each=6), rotations=True)
    kept, validation = validation_split(cut.background, 0)
    assert validation is not None
    assert len(kept.names) == 1000 - 4 * 12
    assert set(np.bincount(kept.origins)) <= {0, 4}, "a class goes with its turned copies"
    known = {item.tobytes() for item in kept.items}
    assert not known & {item.tobytes() for item in validation.items}
    learner = learning.fresh(SMALL, kept.shape, 0)
    trace = learning.train(SMALL, learner, kept, [3], seed=0, validation=validation)
    assert [step for step, _ in trace.validation] == [0, 1, 2, 3]
    assert all(0.15 < share <= 1 for _, share in trace.validation)


def test_a_loss_that_is_no_number_is_told(background: Collection) -> None:
    with pytest.raises(Diverged, match="try a learning rate below"):
        trained(SMALL.model_copy(update={"learning_rate": 1e20}), background)


@dataclass(frozen=True)
class Hungry(InnerSteps):
    """An objective on a machine with room for `room` episodes: it stands in for memory, no more."""

    room: int = 1

    def loss(self, learner: Learner, batch: Episodes) -> torch.Tensor:
        whole = super().loss(learner, batch)
        if len(batch.support) > self.room:
            raise MemoryError
        return whole


def maml(objective: InnerSteps, background: Collection, notes: list[str]) -> learning.Trace:
    class Asking(MAML):
        def objective(self, phase: Phase) -> Objective[Learning, Any]:
            return objective

    method = Asking(filters=4, way=4, at_once=4)
    learner = learning.fresh(method, background.shape, 0)
    return learning.train(method, learner, background, [3], seed=0, note=notes.append)


def test_where_memory_runs_out_episodes_go_through_in_halves(background: Collection) -> None:
    notes: list[str] = []
    whole = maml(InnerSteps(every_step=True), background, notes)
    assert not notes
    halves = maml(Hungry(every_step=True), background, notes)
    assert halves.losses == pytest.approx(whole.losses, rel=1e-4)
    assert [note.split("with ")[1] for note in notes] == ["2 rows at a time", "1 rows at a time"]


def test_an_attempt_without_memory_leaves_no_running_mean(background: Collection) -> None:
    class Pairs(Answers):
        def loss(self, learner: Learner, batch: Episodes) -> torch.Tensor:
            whole = super().loss(learner, batch)
            if len(batch.support) > 1:
                raise MemoryError
            return whole

    class Asking(Prototypical):
        def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
            return (Phase("two", OfEpisodes(EpisodeShape(4, 1, 2), at_once=2), 1e-3),)

        def objective(self, phase: Phase) -> Objective[Learning, Any]:
            return Pairs()

    method = Asking(filters=4)
    learner = learning.fresh(method, background.shape, 0)
    learning.train(method, learner, background, [3], seed=0)
    counts = [t for name, t in learner.state_dict().items() if name.endswith("tracked")]
    assert {int(count) for count in counts} == {6}, "two halves a step"


def test_items_that_are_normalised_together_are_not_halved(background: Collection) -> None:
    class Full(Classes):
        def total(self, model: Learning, rows: Sequence[ItemBatch]) -> torch.Tensor:
            raise MemoryError("not enough memory")

    class Asking(TwoPhases):
        def objective(self, phase: Phase) -> Objective[Learning, Any]:
            return Full()

    with pytest.raises(MemoryError):
        trained(Asking(filters=8, steps=(2,)), background)


def test_the_callers_random_numbers_go_on_on_every_device(background: Collection) -> None:
    def states() -> list[torch.Tensor]:
        gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return [torch.get_rng_state(), *gpus]

    before = states()
    trained(SMALL.model_copy(update={"steps": (2,)}), background)
    with machine.seeded(7):
        torch.rand(3, device=machine.device())
    assert all(torch.equal(now, then) for now, then in zip(states(), before, strict=True))


def test_minutes_become_steps_by_their_share(background: Collection) -> None:
    first, second = learning.planned(TwoPhases(filters=8, way=8), background, 20.0, 0)
    assert first > 1
    assert second > 1
    assert learning.planned(SMALL, background, 0.0, 0) == [1]


def test_what_a_step_costs_is_measured_all_over_a_phase(background: Collection) -> None:
    seen: list[float] = []

    class Spy(Answers):
        def loss(self, learner: Learner, batch: Episodes) -> torch.Tensor:
            seen.append(batch.progress)
            return super().loss(learner, batch)

    class Spied(Prototypical):
        def objective(self, phase: Phase) -> Objective[Learning, Any]:
            return Spy()

    learning.planned(Spied(filters=8, way=8, queries=3), background, 1.0, 0)
    timed = seen[-learning.TIMED :]
    assert timed == sorted(timed)
    assert (timed[0], round(timed[-1], 1)) == (0.0, 0.8)


def test_a_phase_of_items_numbers_their_classes(background: Collection) -> None:
    model = Learning(learning.fresh(SMALL, background.shape, 0), None, background.items)
    plan = BackgroundBatches(OfItems(16), background, 3, 0)
    for step in range(len(plan)):
        items, targets = model.batch(*plan[step])
        assert len(items) == 16
        for item, target in zip(items, targets, strict=True):
            start = background.starts[int(target)]
            of_class = background.items[start : start + background.counts[int(target)]]
            assert any(np.array_equal(item.numpy(), other) for other in of_class)


def test_each_item_takes_its_turn_as_the_support() -> None:
    torch.manual_seed(0)
    vectors, shape = torch.randn(2, 3, 4, 5), EpisodeShape(3, 1, 3)
    labels, targets = torch.arange(3), torch.arange(3).repeat_interleave(3)
    learner = Matching().learner((5,))

    def batch(items: torch.Tensor) -> Episodes:
        support, queries = items[:, :, :1].flatten(1, 2), items[:, :, 1:].flatten(1, 2)
        return Episodes(shape, support, labels, queries, targets)

    losses = [
        Answers().loss(learner, batch(vectors[:, :, [i, *(j for j in range(4) if j != i)]]))
        for i in range(4)
    ]
    turns = Turns().loss(learner, batch(vectors))
    torch.testing.assert_close(turns, torch.stack(losses).mean())


@pytest.mark.parametrize("full_context", [False, True])
def test_a_learner_is_saved_and_comes_back(full_context: bool, tmp_path: Path) -> None:
    learner = learning.fresh(Matching(filters=4, full_context=full_context), (1, 16, 16), 3)
    learners.save(learner, tmp_path / "kept")
    again = learners.load(tmp_path / "kept")
    assert weights(again) == weights(learner)
    assert again.settings == learner.settings
    assert not again.training
