"""The training loop: one for all objectives.

It takes a live module, rows, an objective and a schedule of fixed steps, and leaves the module's
free parameters trained: `train` with rows of tokens, `optimise` with whatever an objective reads.
Killed and started again with the same arguments, it ends with the same bytes as if it had not been
killed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from nshot.core.errors import CannotAdapt, Diverged
from nshot.core.types import digest
from nshot.training.checkpoints import Checkpoints, Position
from nshot.training.forward import Reader, require_supervised, token_reader
from nshot.training.rows import Row, Schedule, batches


class Read(Protocol):
    """What the loop knows of a row."""

    @property
    def length(self) -> int:
        """Tokens of it that are read."""
        ...


R = TypeVar("R", bound=Read)
M = TypeVar("M")
R_contra = TypeVar("R_contra", bound=Read, contravariant=True)
M_contra = TypeVar("M_contra", contravariant=True)


class Objective(Protocol[M_contra, R_contra]):
    """What is minimised: a sum over rows, divided by their weight.

    The loss of a batch is ``total(batch) / weight(batch)``; both add up over parts of a batch, so
    that a batch cut in two gives the same gradient.
    """

    def weight(self, rows: Sequence[R_contra]) -> float:
        """What the sum over these rows is divided by (for supervised tuning, the tokens)."""
        ...

    def total(self, model: M_contra, rows: Sequence[R_contra]) -> Tensor:
        """The summed loss of these rows: a scalar to differentiate."""
        ...


@dataclass(frozen=True)
class Trace:
    """What a training did. `losses` holds one number a step, `parameters` how many were free."""

    losses: tuple[float, ...]
    parameters: int
    tokens: int
    """Tokens of rows the model read in training, padding not counted."""
    resumed: int
    """The step it took up from a checkpoint; 0 when it began at the beginning."""
    watched: tuple[tuple[int, float], ...] = ()
    """(steps done, loss) of the rows that were only watched: at the start and after each epoch."""


def _quiet(sentence: str) -> None:
    """Say nothing."""


def _still(done: int, total: int) -> None:
    """Show nothing."""


def train(
    module: Any,
    rows: Sequence[Row],
    objective: Objective[Reader, Row],
    schedule: Schedule,
    *,
    device: str,
    free_blocks: int | None = None,
    packing: bool = False,
    watched: Sequence[Row] = (),
    checkpoints: Checkpoints | None = None,
    note: Callable[[str], None] = _quiet,
    progress: Callable[[int, int], None] = _still,
) -> Trace:
    """Train the parameters of `module` that require a gradient, in place.

    Args:
        module: a transformers causal language model, PEFT-wrapped or not, on `device`.
        rows: what to train on; ids are unique.
        free_blocks: when every free parameter lies in the last so many blocks or above them. The
            blocks under them are then computed once a row.
        packing: read several rows in a sequence (`nshot.training.forward.Packed`), where this
            model can be read so; the result is the same up to rounding.
        watched: rows whose loss is taken and never followed, with ids of their own.
        checkpoints: where to keep the state of a long run, and to look for that of a killed one.
        note: told what a reader of the result must know (a smaller micro-batch).
        progress: told (steps done, steps in all) after each step.

    Raises:
        InputError: a row without a supervised token.
        CannotAdapt: no parameter is free.
        Diverged: a loss or gradient that is not a finite number.
    """

    require_supervised(rows, watched)

    def read() -> Reader:
        return token_reader(module, rows, watched, free_blocks, device, packing, note)

    return optimise(
        module,
        read,
        rows,
        objective,
        schedule,
        device=device,
        watched=watched,
        checkpoints=checkpoints,
        note=note,
        progress=progress,
    )


def optimise(
    module: Any,
    read: Callable[[], M],
    rows: Sequence[R],
    objective: Objective[M, R],
    schedule: Schedule,
    *,
    device: str,
    watched: Sequence[R] = (),
    checkpoints: Checkpoints | None = None,
    note: Callable[[str], None] = _quiet,
    progress: Callable[[int, int], None] = _still,
) -> Trace:
    """Train any torch `module` through what `read` makes of it: the objective is given that.

    `read` is called once, in training mode. All else is as in `train`, which see.
    """
    free = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not free:
        raise CannotAdapt("there is nothing to train: no parameter of the model is free")
    run = _Run(rows, watched, objective, schedule, device, free)
    with _training(module, schedule.seed, device):
        run.model = read()
        resumed = run.take_up(checkpoints)
        if resumed == 0:
            run.look(module, 0)
        for step in range(resumed, len(run.plan)):
            run.advance(step, note)
            run.look(module, step + 1)
            progress(step + 1, len(run.plan))
            if checkpoints is not None and checkpoints.due(step + 1, len(run.plan)):
                checkpoints.save(*run.state())
    tokens = sum(rows[i].length for batch in run.plan for i in batch)
    parameters = sum(p.numel() for p in free.values())
    return Trace(tuple(run.losses), parameters, tokens, resumed, tuple(run.seen))


class _Run(Generic[M, R]):
    """The live state of one training."""

    model: M

    def __init__(
        self,
        rows: Sequence[R],
        watched: Sequence[R],
        objective: Objective[M, R],
        schedule: Schedule,
        device: str,
        free: dict[str, nn.Parameter],
    ) -> None:
        self.rows, self.objective, self.schedule = rows, objective, schedule
        self.watched = watched
        self.device, self.free = device, free
        # In half precision a small step would round to nothing: the sums are kept in full.
        self.masters = {
            name: p if p.dtype == torch.float32 else nn.Parameter(p.detach().float())
            for name, p in free.items()
        }
        self.plan = batches([row.length for row in rows], schedule)
        self.micro = min(schedule.micro_batch or schedule.batch_size, schedule.batch_size)
        self.losses: list[float] = []
        self.seen: list[tuple[int, float]] = []
        self.optimiser = torch.optim.AdamW(
            self.masters.values(), lr=0.0, weight_decay=schedule.weight_decay, fused=True
        )

    def advance(self, step: int, note: Callable[[str], None]) -> None:
        """One optimiser step."""
        rate = self.schedule.rate(step, len(self.plan))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = self._gradient([self.rows[i] for i in self.plan[step]], note)
        self._to_masters()
        norm = float(nn.utils.clip_grad_norm_(self.masters.values(), self.schedule.clip))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise Diverged(
                f"the loss was {loss:g} and its gradient {norm:g} at step {step + 1} of "
                f"{len(self.plan)}: try a learning rate below {self.schedule.learning_rate:g}"
            )
        self.optimiser.step()
        self._from_masters()
        self.losses.append(loss)

    @torch.no_grad()
    def look(self, module: Any, step: int) -> None:
        """Take the loss of the watched rows, if `step` steps are a whole number of epochs, or all.

        It changes nothing: no dropout, no gradient, no random number.
        """
        epoch = math.ceil(len(self.rows) / self.schedule.batch_size)
        if not self.watched or (step % epoch and step < len(self.plan)):
            return
        module.eval()
        total = sum(
            self.objective.total(self.model, self.watched[start : start + self.micro]).item()
            for start in range(0, len(self.watched), self.micro)
        )
        module.train()
        self.seen.append((step, total / self.objective.weight(self.watched)))

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
        while True:
            try:
                return self._accumulate(batch)
            except (MemoryError, RuntimeError) as error:
                if self.micro == 1 or not _out_of_memory(error):
                    raise
                self.micro //= 2
                _set_random_state(before, self.device)
                note(f"memory ran out: training went on with {self.micro} rows at a time")

    def _accumulate(self, batch: Sequence[R]) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        weight = self.objective.weight(batch)
        loss = 0.0
        for start in range(0, len(batch), self.micro):
            part = self.objective.total(self.model, batch[start : start + self.micro]) / weight
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        return loss

    def identity(self) -> str:
        """Names all that the outcome depends on, so that no stale checkpoint is taken up."""
        shapes = [[name, list(p.shape), str(p.dtype)] for name, p in self.free.items()]
        return digest(
            json.dumps([asdict(self.schedule), shapes, self.device, torch.__version__]),
            repr(self.rows),
            repr(self.watched),
            repr(self.objective),
        )

    def state(self) -> tuple[Position, dict[str, Tensor]]:
        """Everything the next step depends on."""
        position = Position(
            self.identity(), len(self.losses), self.micro, tuple(self.losses), tuple(self.seen)
        )
        tensors = {f"parameter.{name}": p.detach() for name, p in self.masters.items()}
        for name, p in self.masters.items():
            moments = self.optimiser.state[p]
            tensors |= {f"optimiser.{key}.{name}": value for key, value in moments.items()}
        return position, tensors | _random_state(self.device)

    def take_up(self, checkpoints: Checkpoints | None) -> int:
        """Continue from a checkpoint of this very training, if any; the step to begin at."""
        found = checkpoints.load(self.identity()) if checkpoints is not None else None
        if found is None:
            return 0
        position, tensors = found
        with torch.no_grad():
            for name, p in self.masters.items():
                p.copy_(tensors[f"parameter.{name}"])
        self._from_masters()
        moments = {
            i: {
                key: tensors[f"optimiser.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }
            for i, name in enumerate(self.free)
            if f"optimiser.step.{name}" in tensors  # not where no gradient ever came
        }
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        _set_random_state(tensors, self.device)
        self.micro, self.losses = position.micro_batch, list(position.losses)
        self.seen = list(position.watched)
        return position.step


@contextmanager
def _training(module: Any, seed: int, device: str) -> Iterator[None]:
    """Training mode and a seeded random state inside; both as they were outside."""
    was, state = module.training, _random_state(device)
    torch.manual_seed(seed)
    module.train()
    try:
        yield
    finally:
        _set_random_state(state, device)
        module.train(was)
        module.zero_grad(set_to_none=True)


def _random_state(device: str) -> dict[str, Tensor]:
    state = {"random.host": torch.get_rng_state()}
    if own := getattr(torch.get_device_module(device), "get_rng_state", None):
        state["random.device"] = own()
    return state


def _set_random_state(state: dict[str, Tensor], device: str) -> None:
    torch.set_rng_state(state["random.host"])
    if "random.device" in state:
        torch.get_device_module(device).set_rng_state(state["random.device"])


def _out_of_memory(error: BaseException) -> bool:
    """Whether it was memory: torch's CPU allocator has no error class of its own."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "not enough memory" in str(error) or "out of memory" in str(error)
