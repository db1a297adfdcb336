"""The training loop: one for all that is read and all that is minimised.

A training is a sequence of stages. Each takes a live module, a plan of batches, an objective and a
schedule of fixed steps, and leaves the module's free parameters trained: `optimise` is one stage on
rows that are at hand, `optimise_stages` whatever there is. Killed and started again with the same
arguments, it ends with the same bytes as if it had not been killed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from nshot.core import machine
from nshot.core.errors import CannotAdapt, Diverged
from nshot.core.types import digest
from nshot.training.checkpoints import Checkpoints, Position
from nshot.training.rows import Read, RowBatches, Schedule

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter."""

R = TypeVar("R")
L = TypeVar("L", bound=Read)
M = TypeVar("M")
R_co = TypeVar("R_co", covariant=True)
R_contra = TypeVar("R_contra", contravariant=True)
M_contra = TypeVar("M_contra", contravariant=True)


class Objective(Protocol[M_contra, R_contra]):
    """What is minimised: a sum over rows, divided by their weight.

    The loss of a batch is ``total(batch) / weight(batch)``; both add up over parts of a batch, so
    that a batch cut in two gives the same gradient. What must be read together is one row. The
    `repr` names all that the objective depends on.
    """

    def weight(self, rows: Sequence[R_contra]) -> float:
        """What the sum over these rows is divided by (for supervised tuning, the tokens)."""
        ...

    def total(self, model: M_contra, rows: Sequence[R_contra]) -> Tensor:
        """The summed loss of these rows: a scalar to differentiate."""
        ...


class Batches(Protocol[R_co]):
    """The rows of every step: a pure function of the step's number and of what `identity` names."""

    @property
    def identity(self) -> str:
        """Names all that the batches depend on."""
        ...

    def __len__(self) -> int:
        """Steps in all."""
        ...

    def __getitem__(self, step: int) -> Sequence[R_co]:
        """The batch of step `step`, from 0."""
        ...


@dataclass(frozen=True)
class Stage(Generic[M, R]):
    """One stretch of a training: what learns, how it is read, from what, to which end, how fast.

    The parameters of `module` that require a gradient learn. `read` makes what the objective is
    given of it; it is called once, in training mode, with torch seeded by the schedule.
    """

    module: nn.Module
    read: Callable[[], M]
    batches: Batches[R]
    objective: Objective[M, R]
    schedule: Schedule


@dataclass(frozen=True)
class Validation(Generic[M]):
    """What is measured at the start, every so many steps and at the end, and never followed.

    `measure` is given what the objective is given, in eval mode and without gradients, and how many
    rows may be read at once. `identity` names all that it depends on.
    """

    every: int
    measure: Callable[[M, int], float]
    identity: str


@dataclass(frozen=True)
class Trace:
    """What a training did."""

    losses: tuple[float, ...]
    """Of each step's batch."""
    parameters: int
    """How many were free, in the last stage."""
    resumed: int
    """The step it took up from a checkpoint; 0 when it began at the beginning."""
    validation: tuple[tuple[int, float], ...] = ()
    """(steps done, what was measured)."""


def quiet(sentence: str) -> None:
    """Say nothing."""


def still(done: int, total: int) -> None:
    """Show nothing."""


def optimise(
    module: nn.Module,
    read: Callable[[], M],
    rows: Sequence[L],
    objective: Objective[M, L],
    schedule: Schedule,
    *,
    device: str,
    validation: Sequence[L] = (),
    checkpoints: Checkpoints | None = None,
    note: Callable[[str], None] = quiet,
    progress: Callable[[int, int], None] = still,
) -> Trace:
    """Train the parameters of `module` that require a gradient, in place, on rows that are at hand.

    Args:
        module: on `device`.
        read: makes of it what the objective is given: for rows of tokens
            `nshot.training.forward.token_reader`.
        rows: what to train on, `schedule.epochs` times each; ids are unique.
        validation: rows whose loss is taken and never followed, with ids of their own.
        checkpoints: where to keep the state of a long run, and to look for that of a killed one.
        note: told what a reader of the result must know (a smaller micro-batch).
        progress: told (steps done, steps in all) after each step.

    Raises:
        CannotAdapt: no parameter is free.
        Diverged: a loss or gradient that is not a finite number.
    """
    look = _loss_of(validation, objective, schedule.epoch(len(rows))) if validation else None
    return optimise_stages(
        [Stage(module, read, RowBatches(rows, schedule), objective, schedule)],
        device=device,
        validation=look,
        checkpoints=checkpoints,
        note=note,
        progress=progress,
    )


def optimise_stages(
    stages: Sequence[Stage[M, Any]],
    *,
    device: str,
    identity: str = "",
    validation: Validation[M] | None = None,
    checkpoints: Checkpoints | None = None,
    note: Callable[[str], None] = quiet,
    progress: Callable[[int, int], None] = still,
) -> Trace:
    """Train through the stages, one after the other. All else is as in `optimise`.

    `identity` names what the outcome depends on and the stages do not show.
    """
    training = _Training(stages, device, identity, validation, checkpoints, note, progress)
    return training.carry_out()


def _loss_of(rows: Sequence[R], objective: Objective[M, R], every: int) -> Validation[M]:
    """The objective's loss of `rows`."""

    def loss(model: M, at_once: int) -> float:
        parts = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
        total = sum(objective.total(model, part).item() for part in parts)
        return total / objective.weight(rows)

    return Validation(every, loss, repr(rows))


class _Training(Generic[M]):
    """The live state of a training: what is done, and what is kept of it."""

    def __init__(
        self,
        stages: Sequence[Stage[M, Any]],
        device: str,
        identity: str,
        validation: Validation[M] | None,
        checkpoints: Checkpoints | None,
        note: Callable[[str], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self.stages, self.device, self.validation = stages, device, validation
        self.checkpoints, self.note, self.progress = checkpoints, note, progress
        self.identity = _identity(stages, device, identity, validation)
        self.total = sum(len(stage.batches) for stage in stages)
        self.losses: list[float] = []
        self.looks: list[tuple[int, float]] = []

    def carry_out(self) -> Trace:
        """Every step that is left to do, saved as often as `checkpoints` says."""
        kept = self.checkpoints.load(self.identity) if self.checkpoints is not None else None
        resumed, start, parameters = kept[0].step if kept else 0, 0, 0
        if kept:
            self.losses, self.looks = list(kept[0].losses), list(kept[0].validation)
        for stage in self.stages:
            end = start + len(stage.batches)
            if resumed <= end:  # later, what it left is in the checkpoint
                run = _Run(stage, self.device)
                with _training(stage.module, stage.schedule.seed):
                    run.model = stage.read()
                    if kept and resumed > start:
                        run.take_up(*kept)
                    self._steps(run, start, max(resumed, start), end)
                parameters = sum(p.numel() for p in run.free.values())
            start = end
        return Trace(tuple(self.losses), parameters, resumed, tuple(self.looks))

    def _steps(self, run: _Run[M, Any], start: int, done: int, end: int) -> None:
        """From `done` steps of the training to `end`, all in the stage that began at `start`."""
        if done == 0:
            self._look(run, 0)
        for step in range(done, end):
            self.losses.append(run.advance(step - start, self.note))
            self._look(run, step + 1)
            self.progress(step + 1, self.total)
            if self.checkpoints is not None and self.checkpoints.due(step + 1, self.total):
                losses, looks = tuple(self.losses), tuple(self.looks)
                position = Position(self.identity, step + 1, run.micro, losses, looks)
                self.checkpoints.save(position, run.state())

    def _look(self, run: _Run[M, Any], done: int) -> None:
        """Measure the validation if it is time to: it changes nothing."""
        look = self.validation
        if look is not None and (done % look.every == 0 or done == self.total):
            self.looks.append((done, run.measure(look)))


def _identity(
    stages: Sequence[Stage[M, Any]], device: str, identity: str, validation: Validation[M] | None
) -> str:
    """Names all that the outcome depends on, so that no stale checkpoint is taken up."""
    parts = [json.dumps([device, torch.__version__]), identity]
    for stage in stages:
        free = [(n, p) for n, p in stage.module.named_parameters() if p.requires_grad]
        shapes = [[name, list(p.shape), str(p.dtype)] for name, p in free]
        parts.append(json.dumps([asdict(stage.schedule), shapes]))
        parts += [stage.batches.identity, repr(stage.objective)]
    return digest(*parts, validation.identity if validation else "")


class _Run(Generic[M, R]):
    """The live state of one stage."""

    model: M

    def __init__(self, stage: Stage[M, R], device: str) -> None:
        self.stage, self.device = stage, device
        self.free = {n: p for n, p in stage.module.named_parameters() if p.requires_grad}
        if not self.free:
            raise CannotAdapt("there is nothing to train: no parameter of the model is free")
        # In half precision a small step would round to nothing: the sums are kept in full.
        self.masters = {
            name: p if p.dtype == torch.float32 else nn.Parameter(p.detach().float())
            for name, p in self.free.items()
        }
        lasting = stage.module.state_dict().keys()
        self.buffers = {f"buffer.{n}": b for n, b in stage.module.named_buffers() if n in lasting}
        schedule = stage.schedule
        self.micro = min(schedule.micro_batch or schedule.batch_size, schedule.batch_size)
        self.optimiser = torch.optim.AdamW(
            self.masters.values(),
            lr=0.0,
            weight_decay=schedule.weight_decay,
            fused=schedule.fused or None,
        )

    def advance(self, step: int, note: Callable[[str], None]) -> float:
        """One optimiser step; the loss of its batch."""
        schedule, steps = self.stage.schedule, len(self.stage.batches)
        for group in self.optimiser.param_groups:
            group["lr"] = schedule.rate(step, steps)
        loss = self._gradient(self.stage.batches[step], note)
        self._to_masters()
        norm = float(nn.utils.clip_grad_norm_(self.masters.values(), schedule.clip))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise Diverged(
                f"the loss was {loss:g} and its gradient {norm:g} at step {step + 1} of "
                f"{steps}: try a learning rate below {schedule.learning_rate:g}"
            )
        self.optimiser.step()
        self._from_masters()
        return loss

    @torch.no_grad()
    def measure(self, validation: Validation[M]) -> float:
        """Without dropout, gradient or random number."""
        self.stage.module.eval()
        value = validation.measure(self.model, self.micro)
        self.stage.module.train()
        return value

    def _to_masters(self) -> None:
        for name, p in self.free.items():
            if (master := self.masters[name]) is not p and p.grad is not None:
                master.grad, p.grad = p.grad.float(), None

    @torch.no_grad()
    def _from_masters(self) -> None:
        for name, p in self.free.items():
            if (master := self.masters[name]) is not p:
                p.copy_(master)

    def _gradient(self, batch: Sequence[R], note: Callable[[str], None]) -> float:
        """Leave the batch's gradient in the parameters and return its loss."""
        before = _random_state(self.device)
        before |= {name: buffer.clone() for name, buffer in self.buffers.items()}
        while True:
            try:
                return self._accumulate(batch)
            except (MemoryError, RuntimeError) as error:
                if self.micro == 1 or not _out_of_memory(error):
                    raise
                self.micro //= 2
                self._put_back(before)
                note(f"memory ran out: training went on with {self.micro} rows at a time")

    def _accumulate(self, batch: Sequence[R]) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        objective = self.stage.objective
        weight = objective.weight(batch)
        loss = 0.0
        for start in range(0, len(batch), self.micro):
            part = objective.total(self.model, batch[start : start + self.micro]) / weight
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        return loss

    @torch.no_grad()
    def _put_back(self, state: Mapping[str, Tensor]) -> None:
        """The random state and the buffers (running means, say) as they were."""
        _set_random_state(state, self.device)
        for name, buffer in self.buffers.items():
            buffer.copy_(state[name])

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on."""
        tensors = {f"parameter.{name}": p.detach() for name, p in self.masters.items()}
        for name, p in self.masters.items():
            moments = self.optimiser.state[p]
            tensors |= {f"optimiser.{key}.{name}": value for key, value in moments.items()}
        return tensors | self.buffers | _random_state(self.device)

    def take_up(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Be as `state` was when it was kept."""
        with torch.no_grad():
            for name, p in self.masters.items():
                p.copy_(tensors[f"parameter.{name}"])
        self._from_masters()
        moments = {
            i: {key: tensors[f"optimiser.{key}.{name}"] for key in _MOMENTS}
            for i, name in enumerate(self.free)
            if f"optimiser.step.{name}" in tensors  # not where no gradient ever came
        }
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self._put_back(tensors)
        self.micro = position.micro_batch


@contextmanager
def _training(module: nn.Module, seed: int) -> Iterator[None]:
    """Training mode and a seeded random state inside; both as they were outside."""
    was = module.training
    with machine.seeded(seed):
        module.train()
        try:
            yield
        finally:
            module.train(was)
            module.zero_grad(set_to_none=True)


def _random_state(device: str) -> dict[str, Tensor]:
    state = {"random.host": torch.get_rng_state()}
    if own := getattr(torch.get_device_module(device), "get_rng_state", None):
        state["random.device"] = own()
    return state


def _set_random_state(state: Mapping[str, Tensor], device: str) -> None:
    torch.set_rng_state(state["random.host"])
    if "random.device" in state:
        torch.get_device_module(device).set_rng_state(state["random.device"])


def _out_of_memory(error: BaseException) -> bool:
    """Whether it was memory: torch's CPU allocator has no error class of its own."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "not enough memory" in str(error) or "out of memory" in str(error)
