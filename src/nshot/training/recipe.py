"""A training as a value: what learns, what is read, what is minimised, and how long.

Any part goes with any data and any objective that reads such data; `nshot.methods.teaching.teach`
carries a recipe out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from nshot.core.types import Delta, ModelRef
from nshot.models.base import Lent, ModelFacts, Models
from nshot.training.rows import Read, Schedule

if TYPE_CHECKING:
    from nshot.training.learned import Fit
    from nshot.training.loop import Objective

R = TypeVar("R", bound=Read)


class Part(ABC):
    """Which parameters learn, and how they are kept: a frozen dataclass of settings."""

    starts_as_base: bool = True
    """Whether the model answers as its base does until the first step."""
    free_blocks: int | None = None
    """How many upper blocks hold everything that is trained; None when there is no such cut."""
    positions_read: int = 0
    """Positions of its own that go through all layers in every step."""

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


@dataclass(frozen=True)
class Lesson(Generic[R]):
    """Rows to learn from, rows of which only the loss is taken, and what a reader must know."""

    rows: Sequence[R]
    validation: Sequence[R] = ()
    notes: tuple[str, ...] = ()


class Data(ABC, Generic[R]):
    """What is read: a frozen dataclass whose `repr` names all that it depends on."""

    packing: bool = False
    """Whether several rows are read in one sequence; see `nshot.training.forward.Packed`."""

    @abstractmethod
    def lesson(self, lent: Lent, room: int) -> Lesson[R]:
        """The rows, each of at most `room` tokens."""

    @abstractmethod
    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """How a model does on what is taught: taken before and after a training."""

    def begin(self, models: Models, ref: ModelRef) -> Fit:
        """As `fit`, of a model that has learned nothing of this yet."""
        return self.fit(models, ref)

    def reader(
        self,
        module: Any,
        lesson: Lesson[Any],
        part: Part,
        device: str,
        note: Callable[[str], None],
    ) -> Any:
        """What the objective is given in place of the module: a `Reader` of rows of tokens."""
        from nshot.training.forward import token_reader

        rows = (lesson.rows, lesson.validation)
        return token_reader(module, *rows, part.free_blocks, device, self.packing, note)


class Recipe(NamedTuple, Generic[R]):
    """One training: all that its outcome depends on, but for the base."""

    part: Part
    data: Data[R]
    objective: Objective[Any, R]
    schedule: Schedule
