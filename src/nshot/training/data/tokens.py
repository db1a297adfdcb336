"""Rows of tokens that a language model reads, whatever they teach."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nshot.core.types import ModelRef
from nshot.models.base import Lent, Models
from nshot.training.recipe import Lesson, Part
from nshot.training.rows import Row

if TYPE_CHECKING:
    from nshot.training.forward import Reader
    from nshot.training.learned import Fit


class TokenRows(ABC):
    """See `nshot.training.recipe.Data`; subclasses say which rows."""

    packed: bool = False
    """Whether several rows are read in one sequence; see `nshot.training.forward.Packed`."""

    @abstractmethod
    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """The rows, each of at most `room` tokens."""

    @abstractmethod
    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """How a model does on what is taught."""

    def reader(
        self,
        module: Any,
        lesson: Lesson[Row],
        part: Part,
        device: str,
        note: Callable[[str], None],
    ) -> Reader:
        """The fastest way to read the rows on this model; `InputError` if one teaches nothing."""
        from nshot.training.forward import require_supervised, token_reader

        rows = (lesson.rows, lesson.validation)
        require_supervised(*rows)
        return token_reader(module, *rows, part.free_blocks, device, self.packed, note)


def cut_note(count: int, room: int) -> tuple[str, ...]:
    """That so many texts had to be cut, for the row on the board; nothing where none was."""
    sentence = f"{count} training texts longer than {room} tokens lost their beginning"
    return (sentence,) if count else ()
