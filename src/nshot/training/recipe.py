"""A training as a value: what learns, what is read, what is minimised, and how long.

Any part goes with any data and any objective that reads such data. `carry_out` trains one on a
lent model; `nshot.methods.trained.teach` is the whole way from a base to a ref with its delta.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from nshot.core.types import Delta, ModelRef
from nshot.models.base import Lent, ModelFacts, Models
from nshot.training.rows import Schedule

if TYPE_CHECKING:
    from nshot.training.learned import Fit
    from nshot.training.loop import Objective, Read, Trace

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
R = TypeVar("R", bound="Read")


class Part(ABC):
    """Which parameters learn, and how they are kept: a frozen dataclass of settings."""

    @property
    def starts_as_base(self) -> bool:
        """Whether the model answers as its base does until the first step."""
        return True

    @property
    def free_blocks(self) -> int | None:
        """How many upper blocks hold everything that is trained; None when there is no such cut."""
        return None

    @property
    def positions_read(self) -> int:
        """Positions of its own that go through all layers in every step."""
        return 0

    def share(self, layers: int, epochs: int) -> float:
        """What a token of training costs, of one that is trained through the whole depth."""
        return 1.0

    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """Names, or patterns of them, of the base's own parameters to set free."""
        return ()

    def room(self, lent: Lent, context: int) -> int:
        """Tokens of the `context` that it leaves a row; `CannotAdapt` where they are too few."""
        return context

    @abstractmethod
    def put_on(self, lent: Lent, seed: int) -> Any:
        """The module to train: the lent one, or one around it. What is random is seeded.

        Raises `CannotAdapt` where it does not go with this architecture.
        """

    @abstractmethod
    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """Keep what was trained in a folder of its own inside `folder`."""


class Lesson(NamedTuple, Generic[R]):
    """Rows to learn from, rows of which only the loss is taken, and what a reader must know."""

    rows: Sequence[R]
    validation: Sequence[R] = ()
    notes: tuple[str, ...] = ()


class Data(Protocol[M_co, R]):
    """What is read: a frozen dataclass whose `repr` names all that it depends on."""

    def lesson(self, lent: Lent, room: int) -> Lesson[R]:
        """The rows, each of at most `room` tokens."""
        ...

    def reader(
        self,
        module: Any,
        lesson: Lesson[R],
        part: Part,
        device: str,
        note: Callable[[str], None],
    ) -> M_co:
        """What the objective is given instead of the module; called once, in training mode."""
        ...

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """How a model does on what is taught: taken before and after a training."""
        ...


class Recipe(NamedTuple, Generic[M, R]):
    """One training: all that its outcome depends on, but for the base."""

    part: Part
    data: Data[M, R]
    objective: Objective[M, R]
    schedule: Schedule


def carry_out(
    recipe: Recipe[M, R],
    lent: Lent,
    context: int,
    folder: Path,
    note: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> tuple[Delta, Trace]:
    """Train on a lent model whose sequences are `context` long at most; what was learned is kept.

    `folder` holds the checkpoint of a killed run, which is taken up, and the delta in the end.
    Raises as `nshot.training.loop.optimise` does.
    """
    from nshot.training.checkpoints import Checkpoints
    from nshot.training.loop import optimise

    part, data, objective, schedule = recipe
    checkpoints = Checkpoints(folder / "checkpoint")
    lesson = data.lesson(lent, part.room(lent, context))
    for sentence in lesson.notes:
        note(sentence)
    module = part.put_on(lent, schedule.seed)
    trace = optimise(
        module,
        lambda: data.reader(module, lesson, part, lent.device, note),
        lesson.rows,
        objective,
        schedule,
        device=lent.device,
        watched=lesson.validation,
        checkpoints=checkpoints,
        note=note,
        progress=progress,
    )
    delta = part.save(lent, module, folder)
    checkpoints.forget()
    return delta, trace
