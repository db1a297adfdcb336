"""The setting of methods whose answers to a generate task the language model writes."""

from __future__ import annotations

from operator import not_
from typing import ClassVar

from pydantic import BaseModel, Field

from nshot.methods.contract import Brief

CONSTRAINED = ":constrained"
"""Behind a method's name: its answers are kept in the task's format."""


class Writing(BaseModel):
    """Settings of a method that may be kept to the task's ``answer_format``.

    Args:
        constrained: rule out every token that leaves the format; see docs/generation.md. Not
            written where it is False: then the method is what it was before there was a choice.
    """

    name: ClassVar[str]

    constrained: bool = Field(default=False, exclude_if=not_)

    @property
    def called(self) -> str:
        """With what it is kept to, for a run may hold it with and without."""
        return f"{self.name}{CONSTRAINED}" if self.constrained else self.name

    def cannot_constrain(self, brief: Brief) -> str | None:
        """One sentence where a format is to be kept that nobody gave, or the engine cannot keep."""
        if self.constrained and brief.task.answer_format is None:
            return "constrained answers need an answer_format in the task file"
        if self.constrained and "constrain" not in brief.abilities:
            return "this model's answers cannot be kept in a format: pip install 'nshot[constrain]'"
        return None
