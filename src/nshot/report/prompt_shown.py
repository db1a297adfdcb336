"""A prompt by its parts, each with its tokens, and the difference of two: ``nshot prompt``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import zip_longest

from nshot.core.types import Example, Input, Prompt, Task
from nshot.prompts.parts import Part, instruction_parts
from nshot.prompts.rationales import ENGLISH, Solution, Wording, asks_answer, asks_why
from nshot.prompts.render import Format, demonstration, render, shown_answer
from nshot.report.reader import Reader, plain

_WRITTEN = "..."
"""Stands for what a model writes."""


@dataclass(frozen=True)
class Shown:
    """What asks an input: a task in a format, after demonstrations."""

    task: Task
    format: Format
    input: Input
    demos: tuple[Example, ...] = ()

    @property
    def whole(self) -> Prompt:
        """The prompt itself."""
        return render(self.task, self.format, self.input, self.demos)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its parts, in order; those that the format does not show are not among them."""
        parts = [Part("system", self.task.system)] if self.format == "chat" else []
        parts += instruction_parts(self.task) if self.format != "plain" else ()
        if self.solved:
            parts.append(Part("demonstrations", "\n\n".join(self.solved)))
        parts.append(Part("input", plain(self.question)))
        return tuple(part for part in parts if part.text)

    @property
    def solved(self) -> list[str]:
        """The demonstrations as text."""
        return [demonstration(self.task, demo) for demo in self.demos]

    @property
    def question(self) -> Prompt:
        """The input as text."""
        return render(self.task, "plain", self.input)

    @property
    def behind(self) -> str:
        """What is asked behind it, with a line that says so; "" where it is all."""
        return ""


@dataclass(frozen=True)
class Reasoned(Shown):
    """What asks for a rationale of up to `length` tokens, behind which the answer is read."""

    wording: Wording = ENGLISH
    solutions: tuple[Solution, ...] = ()
    length: int = 0

    @property
    def whole(self) -> Prompt:
        """The prompt that asks why."""
        return asks_why(self.task, self.format, self.wording, self.input, self.solutions)

    @property
    def solved(self) -> list[str]:
        """The solved rows as text."""
        return [
            f"{asks_answer(self.task, 'plain', self.wording, one.example.input, one.rationale)} "
            f"{shown_answer(self.task, one.example)}"
            for one in self.solutions
        ]

    @property
    def question(self) -> Prompt:
        """The input as text, up to where the rationale begins."""
        return asks_why(self.task, "plain", self.wording, self.input)

    @property
    def behind(self) -> str:
        """The prompt behind which the answer is read."""
        second = asks_answer(
            self.task, self.format, self.wording, self.input, _WRITTEN, self.solutions
        )
        return f"then, with up to {self.length} tokens that it wrote:\n\n{plain(second)}"


def shown(prompt: Shown, reader: Reader) -> str:
    """A line a part with its tokens and its share of the context, then the prompt as it is."""
    (whole,) = reader.count([prompt.whole])
    counts = reader.count([part.text for part in prompt.parts])
    demos = len(prompt.solved)
    lines = [
        f"prompt of {prompt.task.name}, format {prompt.format}, by {reader.name}",
        f"  {'part':24}{reader.unit:>8}" + f"{'of context':>12}" * bool(reader.context),
    ]
    names = [f"{p.name} ({demos})" if p.name == "demonstrations" else p.name for p in prompt.parts]
    for name, count in [*zip(names, counts, strict=True), ("all of it", whole)]:
        share = f"{100 * count / reader.context:10.1f} %" if reader.context else ""
        lines.append(f"  {name:24}{count:8}{share}")
    if prompt.format == "plain" and _unshown(prompt.task):
        lines.append(f"note: the format plain leaves out {_unshown(prompt.task)}")
    behind = ["", prompt.behind] if prompt.behind else []
    return "\n".join([*lines, "", plain(prompt.whole), *behind])


def _unshown(task: Task) -> str:
    """What the task says and a plain prompt does not show."""
    parts = instruction_parts(task)
    own = [part.name for part in parts if part.name != "labels"]
    return ", ".join(own if task.instruction else [name for name in own if name != "instruction"])


def difference(first: Shown, second: Shown, names: tuple[str, str], reader: Reader) -> list[str]:
    """What two prompts say differently, part by part; empty where they say the same."""
    lines: list[str] = []
    for name, (one, other) in _paired(first.parts, second.parts):
        if one == other:
            continue
        before, after = reader.count([one, other])
        lines.append(f"{name}: {before} -> {after} {reader.unit}")
        changes = unified_diff(one.splitlines(), other.splitlines(), *names, lineterm="", n=0)
        lines += [f"  {line}" for line in changes if not line.startswith(("---", "+++", "@@"))]
    if first.format != second.format:
        lines.insert(0, f"format: {first.format} -> {second.format}")
    return lines


def _paired(first: Sequence[Part], second: Sequence[Part]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each part of either, in order, with the text that both have for it."""
    ours, theirs = dict(first), dict(second)
    order = [name for pair in zip_longest(ours, theirs) for name in pair if name is not None]
    for name in dict.fromkeys(order):
        yield name, (ours.get(name, ""), theirs.get(name, ""))
