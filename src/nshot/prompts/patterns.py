"""Patterns: other ways in which a prompt may put a task of labels, and other words for its labels.

Timo Schick, Hinrich Schütze. "Exploiting Cloze Questions for Few Shot Text Classification and
Natural Language Inference", 2020, section 3, where a pattern and a verbaliser are a pair.
https://arxiv.org/abs/2001.07676
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from nshot.core.types import Example, Label, Task
from nshot.prompts.render import Format


class View(NamedTuple):
    """A task as one pattern puts it: its labels are the task's, in the task's order."""

    task: Task
    format: Format

    def example(self, task: Task, example: Example) -> Example:
        """An example of `task` with the name that its label has here."""
        place = task.label_names.index(example.label)
        return replace(example, targets=(self.task.label_names[place],))


class Pattern(BaseModel):
    """How a prompt puts the task: what is left out is the task's own.

    The cloze is what stands before the label, and the label stands last, where a causal language
    model can read all before it.

    Args:
        format: ``plain`` fields, the same under an ``instruction`` with the labels, or a ``chat``;
            None is the format of the method.
        answer: what stands before the colon and the label: ``Sentiment``, ``All in all it was``.
        instruction: what is asked, in the formats that ask.
        words: what the prompt says for each label (the verbaliser), in the task's order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Format | None = None
    answer: str = ""
    instruction: str = ""
    words: tuple[str, ...] = ()

    def why_not(self, task: Task) -> str | None:
        """One sentence where its words cannot stand for the task's labels."""
        if not self.words:
            return None
        if len(self.words) != len(task.labels):
            return f"a pattern has words for {len(self.words)} labels, the task has " + str(
                len(task.labels)
            )
        if len(set(self.words)) < len(self.words) or not all(map(str.strip, self.words)):
            return "a pattern's words are not one for each label: each needs its own"
        return None

    def view(self, task: Task, format: Format) -> View:
        """The task as it puts it; in `format` where it has none of its own."""
        labels = task.labels
        if self.words:
            pairs = zip(self.words, labels, strict=True)
            labels = tuple(Label(words, label.description) for words, label in pairs)
        changed = replace(
            task,
            labels=labels,
            answer_name=self.answer or task.answer_name,
            instruction=self.instruction or task.instruction,
        )
        return View(changed, self.format or format)
