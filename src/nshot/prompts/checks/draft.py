"""What is checked, and what a check reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

from nshot.core.serial import Loc, Yaml, read_yaml
from nshot.core.types import Example, Task
from nshot.data.scripts import script
from nshot.prompts.parts import instruction_parts

Heading: TypeAlias = Literal["clear", "concise", "consistent", "diverse", "relevant"]
HEADINGS: tuple[Heading, ...] = get_args(Heading)
Count: TypeAlias = Callable[[Sequence[str]], Sequence[int]]

_KEYS: dict[str, Loc] = {
    "persona": ("prompt", "persona"),
    "context": ("prompt", "context"),
    "constraints": ("prompt", "constraints"),
    "output_format": ("prompt", "output_format"),
    "delimiter": ("prompt", "delimiter"),
    "answer": ("prompt", "answer"),
    "fields": ("prompt", "fields"),
    "instruction": ("instruction",),
    "system": ("system",),
    "labels": ("labels",),
}
"""Where each part stands in a task file."""


class Finding(NamedTuple):
    """What is wrong, where it stands, and what to write instead."""

    heading: Heading
    problem: str
    do: str
    where: str


def words(texts: Sequence[str]) -> list[int]:
    """Words of each text: what stands in for tokens where there is no tokenizer."""
    return [len(text.split()) for text in texts]


@dataclass(frozen=True)
class Draft:
    """A task's prompt with the rows it draws from.

    `test` and `unlabelled` are inputs that the prompt will meet: they are compared with, never
    shown. `count` gives the tokens of each text, `context` is how many the model reads, None where
    that is not known; `shots` demonstrations are meant to be shown. `path` is the task file or the
    data file.
    """

    task: Task
    rows: tuple[Example, ...]
    path: Path
    test: tuple[Example, ...] = ()
    unlabelled: tuple[Example, ...] = ()
    count: Count = words
    context: int | None = None
    shots: int = 8

    def where(self, part: str, index: int | None = None) -> str:
        """``task.yaml, line 3``: where a part stands, or the file it is missing from."""
        if self.path.suffix not in (".yaml", ".yml"):
            return str(self.path)
        loc = _KEYS.get(part, ())
        return self._yaml.where(loc if index is None else (*loc, index))

    def row(self, example: Example) -> str:
        """Where a row stands."""
        return f"row {example.id}"

    @property
    def parts(self) -> dict[str, str]:
        """What the task itself says, by part; not what nshot says where it is silent."""
        task = self.task
        shown = {part.name: part.text for part in instruction_parts(task)}
        texts = {
            name: text for name, text in shown.items() if name not in ("instruction", "labels")
        }
        texts |= {"instruction": task.instruction, "system": task.system}
        return {name: text for name, text in texts.items() if text}

    @cached_property
    def met(self) -> tuple[Example, ...]:
        """Inputs that the prompt will meet, beside those it may show."""
        return (*self.test, *self.unlabelled)

    @property
    def is_korean(self) -> bool:
        """Are the inputs in Korean, most of them?"""
        some = [script(row.input.text) for row in self.rows[:200]]
        return some.count("Hangul") * 2 > len(some)

    def by_label(self) -> Iterator[tuple[str, list[Example]]]:
        """The rows of each label, in the task's order."""
        for name in self.task.label_names:
            yield name, [row for row in self.rows if name in row.targets]

    @cached_property
    def _yaml(self) -> Yaml:
        return read_yaml(self.path)
