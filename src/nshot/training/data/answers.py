"""Examples as rows of tokens, of which those of the answer are taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nshot.core.types import Example, ModelRef, Prompt, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import end_of_answer
from nshot.models.hf.tokens import rows as tokenised
from nshot.prompts.render import Format, answer_text, label_answers, render, shown_answer
from nshot.training.learned import Fit, fit
from nshot.training.recipe import Data, Lesson
from nshot.training.rows import Row


@dataclass(frozen=True)
class Answers(Data[Row]):
    """Examples with their answers, put in `format`."""

    task: Task
    format: Format
    examples: tuple[Example, ...]

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """A row an example; a prompt that is too long loses its beginning."""
        rows, cut = encode(self.task, self.format, self.examples, lent.tokenizer, room)
        return Lesson(rows, notes=cut_note(cut, room))

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """The answers' likelihood, among the labels where there are labels."""
        return fit(models.open(ref), self.task, self.format, self.examples)


def cut_note(count: int, room: int) -> tuple[str, ...]:
    """That so many texts had to be cut, for the row on the board; nothing where none was."""
    sentence = f"{count} training texts longer than {room} tokens lost their beginning"
    return (sentence,) if count else ()


def encode(
    task: Task,
    format: Format,
    examples: Sequence[Example],
    tokenizer: Any,
    context: int,
    prompts: Sequence[Prompt] | None = None,
) -> tuple[list[Row], int]:
    """Examples as rows of at most `context` tokens, and how many prompts were cut to fit.

    `prompts` are those that ask the examples, where they hold more than `format` puts there.

    Prompt and answer are tokenised and cut exactly as for scoring, so that what is taught is what
    is asked. A written answer ends in a token at which generation stops, so that it learns to stop;
    a label does not: it is only ever compared with the other labels.
    """
    end = () if task.has_labels else _end(tokenizer, format)
    if prompts is None:
        prompts = [render(task, format, example.input) for example in examples]
    choices = [_choices(task, format, example) for example in examples]
    coded = tokenised(tokenizer, prompts, [c for c, _ in choices], context - len(end))
    rows = [
        supervised(example.id, row.context, (*row.answers[right], *end), _openings(row.answers))
        for example, row, (_, right) in zip(examples, coded, choices, strict=True)
    ]
    return rows, sum(row.cut for row in coded)


def supervised(
    id: str, prompt: tuple[int, ...], answer: tuple[int, ...], choices: tuple[int, ...] = ()
) -> Row:
    """A row that teaches `answer` after `prompt`. Its last token is never read: nothing follows."""
    first = len(prompt) - 1
    points = tuple(range(first, first + len(answer)))
    return Row(id, (*prompt, *answer[:-1]), points, answer, choices)


def _openings(answers: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The tokens with which an answer can begin; () where there is no choice between them."""
    first = sorted({answer[0] for answer in answers if answer})
    return tuple(first) if len(first) > 1 else ()


def _choices(task: Task, format: Format, example: Example) -> tuple[tuple[str, ...], int]:
    """The answers that are possible, and which is right: the labels, or the first reference."""
    if not task.has_labels:
        return (answer_text(shown_answer(task, example), format),), 0
    return label_answers(task, format), task.label_names.index(example.label)


def _end(tokenizer: Any, format: Format) -> tuple[int, ...]:
    token = end_of_answer(tokenizer, chat=format == "chat")
    return () if token is None else (token,)
