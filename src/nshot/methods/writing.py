"""What the methods share whose answers to a generate task are written by the language model."""

from __future__ import annotations

from operator import not_

from pydantic import Field

from nshot.methods.contract import Brief, Method

CONSTRAINED = ":constrained"
"""Behind a method's name: its answers are kept in the task's format."""


class Writing(Method):
    """A method that may be kept to the task's ``answer_format``.

    Args:
        constrained: rule out every token that leaves the format; see docs/generation.md. Not
            written where it is False: then the method is what it was before there was a choice.
    """

    constrained: bool = Field(default=False, exclude_if=not_)

    @property
    def called(self) -> str:
        """With what it is kept to, for a run may hold it with and without."""
        return f"{self.name}{CONSTRAINED}" if self.constrained else self.name

    def why_not(self, brief: Brief) -> str | None:
        """Also where a format is to be kept that nobody said, or that the engine cannot keep."""
        if self.constrained and brief.task.answer_format is None:
            return "constrained answers need an answer_format in the task file"
        if self.constrained and "constrain" not in brief.abilities:
            return "this model's answers cannot be kept in a format: pip install 'nshot[constrain]'"
        return super().why_not(brief)
