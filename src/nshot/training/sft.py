"""Supervised fine-tuning: examples as rows of tokens, and the loss of the answer's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nshot.core.types import Example, Task
from nshot.models.hf.tokens import cut_left, encode_prompts, end_of_answer
from nshot.models.hf.tokens import rows as tokenised
from nshot.prompts.render import Format, answer_text, label_answers, render
from nshot.training.forward import Reader
from nshot.training.rows import Row


@dataclass(frozen=True)
class AnswerTokens:
    """Mean negative log-likelihood of the answers' tokens, given the prompt and those before.

    At the first token of a label only the tokens compete with which a label can begin. How much of
    the probability lies on them all is the same for every label, so it cannot change the answer:
    steps spent on it are steps not spent on telling the labels apart.
    """

    def weight(self, rows: Sequence[Row]) -> float:
        """The number of supervised tokens."""
        return float(sum(len(row.points) for row in rows))

    def total(self, model: Reader, rows: Sequence[Row]) -> Tensor:
        """Nats, summed over the rows' supervised tokens."""
        logits = _among_choices(model.logits(rows), rows)
        wanted = logits.new_tensor([t for row in rows for t in row.targets]).long()
        return functional.cross_entropy(logits, wanted, reduction="sum")


def encode(
    task: Task, format: Format, examples: Sequence[Example], tokenizer: Any, context: int
) -> tuple[list[Row], int]:
    """Examples as rows of at most `context` tokens, and how many prompts were cut to fit.

    Prompt and answer are tokenised and cut exactly as for scoring, so that what is taught is what
    is asked. A written answer ends in a token at which generation stops, so that it learns to stop;
    a label does not: it is only ever compared with the other labels.
    """
    end = () if task.kind == "classify" else _end(tokenizer, format)
    prompts = [render(task, format, example.input) for example in examples]
    choices = [_choices(task, format, example) for example in examples]
    coded = tokenised(tokenizer, prompts, [c for c, _ in choices], context - len(end))
    rows = [
        supervised(example.id, row.context, (*row.answers[right], *end), _openings(row.answers))
        for example, row, (_, right) in zip(examples, coded, choices, strict=True)
    ]
    return rows, sum(row.cut for row in coded)


def encode_labels(
    task: Task, format: Format, examples: Sequence[Example], tokenizer: Any, context: int
) -> tuple[list[Row], int]:
    """Examples as prompts of at most `context` tokens, and how many were cut to fit.

    For a head over the labels: what is to be said at a prompt's last token is the label's number.
    """
    prompts = encode_prompts(tokenizer, [render(task, format, e.input) for e in examples])
    fitting = [cut_left(tokens, context, tokenizer.bos_token_id) for tokens in prompts]
    rows = [
        supervised(example.id, tokens, (task.label_names.index(example.label),))
        for example, (tokens, _) in zip(examples, fitting, strict=True)
    ]
    return rows, sum(cut for _, cut in fitting)


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


def _among_choices(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """Logits (points, vocabulary) with all but its choices ruled out at each row's first point."""
    if not any(row.choices for row in rows):
        return logits
    ruled_out = torch.zeros_like(logits, dtype=torch.bool)
    point = 0
    for row in rows:
        if row.choices:
            ruled_out[point] = True
            ruled_out[point, list(row.choices)] = False
        point += len(row.points)
    return logits.masked_fill(ruled_out, -torch.inf)


def _choices(task: Task, format: Format, example: Example) -> tuple[tuple[str, ...], int]:
    """The answers that are possible, and which is right: the labels, or the first reference."""
    if task.kind != "classify":
        return (answer_text(example.targets[0], format),), 0
    return label_answers(task, format), task.label_names.index(example.label)


def _end(tokenizer: Any, format: Format) -> tuple[int, ...]:
    token = end_of_answer(tokenizer, chat=format == "chat")
    return () if token is None else (token,)
