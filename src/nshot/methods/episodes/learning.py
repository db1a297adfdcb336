"""Learning from background classes: one loop for all methods, in phases of fixed numbers of steps.

Which items a step sees, and torch's random state in it, are pure functions of the seed and the
step's number, so that whoever is killed and started again ends with the same bytes.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nshot.core import machine
from nshot.core.errors import Diverged
from nshot.core.types import digest
from nshot.data.collections import Collection
from nshot.methods.contract import spec_hash
from nshot.methods.episodes import engine
from nshot.methods.episodes.base import Episodes, EpisodeShape, Episodic, Items, OfEpisodes, Phase
from nshot.methods.episodes.sampling import draw
from nshot.nets.learner import Learner, embed_all
from nshot.training.checkpoints import Checkpoints, Position

WARM, TIMED = 2, 6
"""Steps that are not timed, and steps that are, when minutes are turned into steps."""
LOOKS = 12
"""How often the watched episodes are answered while training, about."""
_STEP_SEEDS = 1_000_003


@dataclass(frozen=True)
class Watched:
    """Episodes of classes kept out of the training, to see how well new classes are told.

    `items` are those that occur, `drawn` numbers their rows as `sampling.draw` does. Nothing is
    chosen by it.
    """

    items: NDArray[Any]
    drawn: NDArray[np.int64]
    shape: EpisodeShape

    def share(self, learner: Learner) -> float:
        """Share of the queries that get their class."""
        features = embed_all(learner, torch.from_numpy(self.items))
        answers = engine.answer(learner, features, self.drawn, self.shape)
        return engine.accuracy(engine.correct(answers, self.shape), self.shape).mean


@dataclass(frozen=True)
class Trace:
    """What a training did: the loss of each step, (steps done, share right) of what was watched."""

    losses: tuple[float, ...]
    watched: tuple[tuple[int, float], ...]
    parameters: int
    resumed: int


def _still(done: int, total: int) -> None:
    """Show nothing."""


def fresh(method: Episodic, shape: tuple[int, ...], seed: int) -> Learner:
    """The untrained learner of a method: the same for the same seed."""
    with _seeded(seed):
        return method.learner(shape).to(machine.device())


def planned(method: Episodic, background: Collection, seconds: float, seed: int) -> list[int]:
    """How many steps of each phase `seconds` hold, measured on a learner that is thrown away.

    The timed steps lie all over the phase: a step may cost more in the beginning than at the end.
    """
    phases, steps = method.phases(background.shape), []
    whole = sum(phase.share for phase in phases)
    for phase in phases:
        learner = fresh(method, background.shape, seed)
        stage = _Stage(method, phase, learner, background, TIMED, seed)
        for step in range(WARM):
            stage.advance(step)
        start = time.perf_counter()
        for step in range(TIMED):
            stage.advance(step)
        each = (time.perf_counter() - start) / TIMED
        steps.append(max(1, int(seconds * phase.share / whole / each)))
    return steps


def train(
    method: Episodic,
    learner: Learner,
    background: Collection,
    steps: Sequence[int],
    *,
    seed: int,
    watched: Watched | None = None,
    checkpoints: Checkpoints | None = None,
    progress: Callable[[int, int], None] = _still,
) -> Trace:
    """Train `learner` in place through the method's phases, `steps` of each.

    Raises `Diverged` for a loss or gradient that is not a finite number.
    """
    phases = method.phases(background.shape)
    run = _Run(method, learner, background, phases, list(steps), seed)
    resumed = run.take_up(checkpoints)
    if not resumed:
        run.look(watched)
    while run.done < run.total:
        run.advance()
        run.look(watched)
        progress(run.done, run.total)
        if checkpoints is not None and checkpoints.due(run.done, run.total):
            checkpoints.save(*run.state())
    parameters = sum(p.numel() for p in learner.parameters() if p.requires_grad)
    return Trace(tuple(run.losses), tuple(run.seen), parameters, resumed)


class _Stage:
    """One phase: its objective, optimiser and batches."""

    def __init__(
        self,
        method: Episodic,
        phase: Phase,
        learner: Learner,
        background: Collection,
        steps: int,
        seed: int,
    ) -> None:
        self.phase, self.background, self.steps, self.seed = phase, background, steps, seed
        classes = len(background.names)
        with _seeded(seed):
            objective = method.objective(phase, learner, classes)
        self.objective = objective.to(machine.device()).train()
        self.items = torch.from_numpy(background.items)
        self.free = {n: p for n, p in self.objective.named_parameters() if p.requires_grad}
        self.optimiser = torch.optim.AdamW(
            self.free.values(), lr=0.0, weight_decay=phase.weight_decay
        )

    def advance(self, step: int) -> float:
        """One optimiser step; its loss. Raises `Diverged`."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(step)
        batch = self._batch(step)
        self.optimiser.zero_grad(set_to_none=True)
        with _seeded(self.seed * _STEP_SEEDS + step):
            loss: Tensor = self.objective(batch, step / self.steps)
            loss.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.free.values(), self.phase.clip))
        if not (math.isfinite(loss.item()) and math.isfinite(norm)):
            raise Diverged(
                f"the loss was {loss.item():g} and its gradient {norm:g} at step {step + 1} of "
                f"{self.steps}: try a learning rate below {self.phase.learning_rate:g}"
            )
        self.optimiser.step()
        return loss.item()

    def _rate(self, step: int) -> float:
        rising = round(self.phase.warmup * self.steps)
        if step < rising:
            return self.phase.learning_rate * (step + 1) / rising
        left = (self.steps - step) / (self.steps - rising)
        return self.phase.learning_rate * (1 - math.cos(math.pi * left)) / 2

    def _batch(self, step: int) -> Episodes | Items:
        draws = self.phase.draws
        if isinstance(draws, OfEpisodes):
            return self._episodes(draws, step)
        rng = np.random.default_rng([self.seed, step])
        rows = rng.integers(len(self.background.items), size=draws.batch)
        targets = np.searchsorted(self.background.starts, rows, side="right") - 1
        return Items(self._taken(torch.from_numpy(rows)), self._moved(torch.from_numpy(targets)))

    def _episodes(self, draws: OfEpisodes, step: int) -> Episodes:
        shape = fitting_shape(draws.shape, self.background)
        rows = draw(self.background.counts, shape, step * draws.at_once, draws.at_once, self.seed)
        support, queries = rows[:, :, : shape.shot], rows[:, :, shape.shot :]
        return Episodes(
            shape,
            support=self._taken(torch.from_numpy(support.reshape(len(rows), -1))),
            labels=self._moved(torch.arange(shape.way).repeat_interleave(shape.shot)),
            queries=self._taken(torch.from_numpy(queries.reshape(len(rows), -1))),
            targets=self._moved(torch.arange(shape.way).repeat_interleave(shape.queries)),
        )

    def _taken(self, rows: Tensor) -> Tensor:
        return self._moved(engine.gathered(self.items, rows))

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.to(machine.device())


@dataclass
class _Run:
    """The live state of one training."""

    method: Episodic
    learner: Learner
    background: Collection
    phases: Sequence[Phase]
    steps: list[int]
    seed: int
    losses: list[float] = field(default_factory=list)
    seen: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage: _Stage | None = None

    @property
    def done(self) -> int:
        """Steps behind."""
        return len(self.losses)

    @property
    def total(self) -> int:
        """Steps in all."""
        return sum(self.steps)

    def advance(self) -> None:
        """The next step, of whatever phase it is in."""
        number, step = self._place(self.done)
        if self.stage is None or step == 0:
            self.stage = self._stage(number)
        self.losses.append(self.stage.advance(step))

    def look(self, watched: Watched | None) -> None:
        """Answer the watched episodes, if it is time to."""
        if watched is None or (self.done % max(1, self.total // LOOKS) and self.done < self.total):
            return
        self.seen.append((self.done, watched.share(self.learner)))
        self.learner.train()

    def _place(self, done: int) -> tuple[int, int]:
        """The phase in which step `done` lies, and its number there."""
        number = 0
        while number < len(self.steps) - 1 and done >= self.steps[number]:
            done -= self.steps[number]
            number += 1
        return number, done

    def _stage(self, number: int) -> _Stage:
        phase, steps = self.phases[number], self.steps[number]
        seed = self.seed * len(self.phases) + number
        return _Stage(self.method, phase, self.learner, self.background, steps, seed)

    def identity(self) -> str:
        """Names all that the outcome depends on."""
        said = [asdict(phase) for phase in self.phases]
        known = [said, self.steps, self.seed, machine.identity(), torch.__version__]
        return digest(json.dumps(known), spec_hash(self.method), self.background.fingerprint)

    def state(self) -> tuple[Position, dict[str, Tensor]]:
        """Everything the next step depends on."""
        position = Position(self.identity(), self.done, 0, tuple(self.losses), tuple(self.seen))
        if self.stage is None:
            return position, {}
        whole = self.stage.objective.state_dict()
        tensors = {f"module.{name}": tensor for name, tensor in whole.items()}
        for name, p in self.stage.free.items():
            moments = self.stage.optimiser.state[p]
            tensors |= {f"optimiser.{key}.{name}": value for key, value in moments.items()}
        return position, tensors

    def take_up(self, checkpoints: Checkpoints | None) -> int:
        """Continue from a checkpoint of this very training, if any; the step to begin at."""
        found = checkpoints.load(self.identity()) if checkpoints is not None else None
        if found is None:
            return 0
        position, tensors = found
        self.losses, self.seen = list(position.losses), list(position.watched)
        self.stage = stage = self._stage(self._place(self.done - 1)[0])
        stage.objective.load_state_dict(
            {name: tensors[f"module.{name}"] for name in stage.objective.state_dict()}
        )
        moments = {
            i: {key: tensors[f"optimiser.{key}.{n}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            for i, n in enumerate(stage.free)
            if f"optimiser.step.{n}" in tensors
        }
        groups = stage.optimiser.state_dict()["param_groups"]
        stage.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        return position.step


def fitting_shape(shape: EpisodeShape, background: Collection) -> EpisodeShape:
    """The shape, with no more classes than have items enough for it."""
    enough = int((background.counts >= shape.shot + shape.queries).sum())
    return EpisodeShape(min(shape.way, max(enough, 1)), shape.shot, shape.queries)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's random state inside is a function of `seed`; outside it is as it was."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)
