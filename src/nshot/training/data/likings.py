"""Answers that people liked or did not, each by itself: what Kahneman-Tversky optimisation reads.

An answer stands alone; of a prompt with several graded answers those above their mean were liked,
those below it were not. What must be read together is one block of answers to different prompts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, ModelRef, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import end_of_answer, rows
from nshot.predictors.implicit import Implicit
from nshot.prompts.render import Format, answer_text, render
from nshot.training.data.answers import supervised
from nshot.training.data.rankings import Counts, fitted
from nshot.training.forward import Reader, token_reader
from nshot.training.learned import CHECKED_ROWS, Fit, even
from nshot.training.recipe import Data, Lesson, Part
from nshot.training.rows import Row

_AT_ONCE = 16
_UNCUT = 1 << 40


@dataclass(frozen=True)
class Liked:
    """A block of answers: their rows, whether each was liked, and the reference's log-probability.

    `others` are the same prompts with the answer to the next prompt of the block.
    """

    id: str
    rows: tuple[Row, ...]
    liked: tuple[bool, ...]
    others: tuple[Row, ...]
    reference: tuple[float, ...] = ()
    others_reference: tuple[float, ...] = ()

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return sum(row.length for row in (*self.rows, *self.others))


class Likings:
    """What the objective is given: log-probabilities of whole answers."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def logprobs(self, answers: Sequence[Row]) -> Tensor:
        """(answers,) nats, each summed over its tokens."""
        logits = self.reader.logits(answers)
        targets = torch.tensor([t for row in answers for t in row.targets], device=logits.device)
        tokens = -cross_entropy(logits, targets, reduction="none")
        return torch.stack(
            [one.sum() for one in torch.split(tokens, [len(r.points) for r in answers])]
        )


def likings(example: Example) -> list[tuple[str, bool]]:
    """The answers of an example that were liked or not; an answer of middling grade is neither."""
    grades = example.grades
    middle = 0.5 if len(grades) == 1 else fmean(grades)
    pairs = zip(example.input.answers, grades, strict=True)
    return [(answer, grade > middle) for answer, grade in pairs if grade != middle]


@dataclass(frozen=True)
class LikedRows(Data[Liked]):
    """Examples of kind rank as answers that were liked or not, in seeded blocks of `block`.

    Args:
        limit: the longest prompt with an answer, in tokens.
        beta: of the implicit reward by which the policy is judged.
    """

    task: Task
    format: Format
    examples: tuple[Example, ...]
    limit: int
    block: int
    beta: float
    seed: int

    def lesson(self, lent: Lent, room: int) -> Lesson[Liked]:
        """All blocks; the reference, the model as lent, is asked once."""
        limit, counts = min(self.limit, room), Counts()
        token = end_of_answer(lent.tokenizer, chat=self.format == "chat")
        end = () if token is None else (token,)
        judged = [(e, answer, liked) for e in self.examples for answer, liked in likings(e)]
        prompts = [render(self.task, self.format, e.input) for e, _, _ in judged]
        texts = [[answer_text(answer, self.format)] for _, answer, _ in judged]
        coded = rows(lent.tokenizer, prompts, texts, _UNCUT)
        whole = [
            (
                *fitted(one, limit - len(end), lent.tokenizer.bos_token_id, counts),
                len(one.answers[0]),
            )
            for one in coded
        ]
        # Half an answer would teach to stop nowhere.
        pieces = [(c, (*a, *end) if len(a) == full else a) for c, (a,), full in whole]
        order = list(range(len(judged)))
        random.Random(f"likings:{self.seed}").shuffle(order)
        starts = range(0, len(order), self.block)
        blocks = [order[start : start + self.block] for start in starts]
        made = [self._block(block, pieces, judged, limit) for block in blocks if len(block) > 1]
        if not made:
            raise CannotAdapt("there are no two answers that were liked or not to learn from")
        notes = counts.notes(limit)
        if len({liked for _, _, liked in judged}) < 2:
            notes += ("all answers were liked, or none was: nothing is told apart",)
        return Lesson(_with_reference(made, lent), notes=notes)

    def _block(
        self,
        numbers: Sequence[int],
        pieces: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
        judged: Sequence[tuple[Example, str, bool]],
        limit: int,
    ) -> Liked:
        own, others = [], []
        for place, number in enumerate(numbers):
            context, answer = pieces[number]
            other = pieces[numbers[(place + 1) % len(numbers)]][1]
            name = f"{judged[number][0].id}/{number}"
            own.append(supervised(name, context, answer))
            room = max(1, limit - len(other))
            others.append(supervised(f"{name}/other", context[-room:], other))
        liked = tuple(judged[number][2] for number in numbers)
        return Liked(f"block/{numbers[0]}", tuple(own), liked, tuple(others))

    def begin(self, models: Models, ref: ModelRef) -> Fit:
        """The implicit reward of a policy that is its reference is the same everywhere."""
        return even()

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """Whether the implicit reward has the sign that people gave each answer."""
        sample = self.examples[:: max(1, -(-len(self.examples) // CHECKED_ROWS))]
        given = [(e, dict(likings(e))) for e in sample]
        predictor = Implicit(self.task, models, ref, self.format, self.beta)
        signs, scores = [], []
        for (e, judged), one in zip(
            given, predictor.predict([e.input for e in sample]), strict=True
        ):
            for answer, score in zip(e.input.answers, one.scores, strict=True):
                if answer in judged:
                    signs.append(1 if judged[answer] else -1)
                    scores.append(score)
        if not signs:
            return even()
        ahead = np.array(signs) * np.array(scores)
        return Fit(float(np.logaddexp(0, -ahead).mean()), float((ahead > 0).mean()))

    def reader(
        self,
        module: Any,
        lesson: Lesson[Any],
        part: Part,
        device: str,
        note: Callable[[str], None],
    ) -> Likings:
        """Reads answers one by one: they share no prompt."""
        every = [row for block in lesson.rows for row in (*block.rows, *block.others)]
        return Likings(token_reader(module, every, (), part.free_blocks, device, False, note))


@torch.no_grad()
def _with_reference(blocks: Sequence[Liked], lent: Lent) -> list[Liked]:
    every = [row for block in blocks for row in (*block.rows, *block.others)]
    lent.module.eval()
    model = Likings(token_reader(lent.module, every, (), None, lent.device, False, _quiet))
    read = iter(
        x
        for start in range(0, len(every), _AT_ONCE)
        for x in model.logprobs(every[start : start + _AT_ONCE]).tolist()
    )
    return [
        replace(
            block,
            reference=tuple(next(read) for _ in block.rows),
            others_reference=tuple(next(read) for _ in block.others),
        )
        for block in blocks
    ]


def _quiet(sentence: str) -> None:
    """The note is the training's to make."""
