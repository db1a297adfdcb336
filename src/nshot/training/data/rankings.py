"""Prompts with answers that people ranked: what a reward model and a preferred policy learn from.

A prompt with all its answers is one row, so that its comparisons are in one batch. The answers
share the prompt, which is cut from the left where they would not fit; an answer that alone is too
long loses its end. Comparisons of answers that are equal, or have become equal once they were cut,
teach nothing: they are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, ModelRef, Task
from nshot.models.base import Lent, Models, Tokens
from nshot.models.hf.tokens import Row as Encoded
from nshot.models.hf.tokens import cut_left, end_of_answer, rows, shared, whole_rows
from nshot.predictors.implicit import Implicit
from nshot.predictors.rewarded import trained_reward
from nshot.prompts.render import Format, answer_text, render
from nshot.training.data.answers import supervised
from nshot.training.forward import Reader, token_reader
from nshot.training.learned import Fit, even, preferred
from nshot.training.recipe import Data, Lesson, Part
from nshot.training.rows import Row

LEAST_PROMPT = 16
"""Tokens of the prompt's end that stay before an answer that alone would fill all there is."""
_UNCUT = 1 << 40


class Comparison(NamedTuple):
    """Two answers of a prompt by their places: `preferred` is the probability of the first.

    The first has the higher grade, by `difference`; of a tie the probability is 1/2.
    """

    first: int
    second: int
    preferred: float = 1.0
    difference: float = 0.0


@dataclass(frozen=True)
class Ranking:
    """One prompt: a row of tokens for each answer, and which is better than which.

    `reference` are the reference model's log-probabilities of the answers, where it is asked.
    """

    id: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    reference: tuple[float, ...] = ()

    @property
    def length(self) -> int:
        """Tokens that are read: what the answers share once."""
        first = self.rows[0].tokens
        common = min(shared(first, row.tokens) for row in self.rows)
        return common + sum(row.length - common for row in self.rows)


class Rankings:
    """Reads rankings: prompt by prompt, so that what its answers share is read once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def logits(self, rankings: Sequence[Ranking]) -> list[Tensor]:
        """Of each prompt, logits at all points of its answers, in order: (points, vocabulary)."""
        return [self.reader.logits(one.rows) for one in rankings]


def answer_logprobs(logits: Tensor, ranking: Ranking) -> Tensor:
    """(answers,) log-probabilities of a prompt's answers from logits (points, vocabulary)."""
    targets = logits.new_tensor([t for row in ranking.rows for t in row.targets]).long()
    tokens = -cross_entropy(logits, targets, reduction="none")
    return torch.stack([part.sum() for part in torch.split(tokens, answer_tokens(ranking))])


def answer_tokens(ranking: Ranking) -> list[int]:
    """How many tokens of each answer are scored."""
    return [len(row.points) for row in ranking.rows]


def comparisons(grades: Sequence[float], ties: bool = False) -> list[Comparison]:
    """All pairs of answers by their grades, the better one first; ties only where they count."""
    pairs = []
    for a, b in combinations(range(len(grades)), 2):
        first, second = (a, b) if grades[a] >= grades[b] else (b, a)
        difference = grades[first] - grades[second]
        if difference or ties:
            preferred = 1.0 if difference else 0.5
            pairs.append(Comparison(first, second, preferred, difference))
    return pairs


@dataclass
class Counts:
    """What teaches nothing, and texts that were cut."""

    equal: int = 0
    equal_when_cut: int = 0
    no_choice: int = 0
    prompts: int = 0
    answers: int = 0

    def notes(self, limit: int) -> tuple[str, ...]:
        """In words, for the row on the board."""
        sentences = (
            (self.equal, "comparisons of two equal answers were left out"),
            (self.equal_when_cut, f"comparisons of answers that are equal when cut to {limit} "
             "tokens were left out"),
            (self.no_choice, "rows without two answers of different grades were left out"),
            (self.prompts, f"prompts lost their beginning: with an answer longer than {limit} "
             "tokens"),
            (self.answers, f"answers lost their end: alone longer than {limit} tokens"),
        )  # fmt: skip
        return tuple(f"{count} {what}" for count, what in sentences if count)


def required(rankings: Sequence[Ranking], notes: Sequence[str]) -> Sequence[Ranking]:
    """The rankings; raises `CannotAdapt` where there is none."""
    if not rankings:
        why = f": {'; '.join(notes)}" if notes else ""
        raise CannotAdapt(f"there is no pair of answers to learn from{why}")
    return rankings


def ends(data: Ranked, lent: Lent, room: int) -> Lesson[Ranking]:
    """Each answer looked at once, at its last token: what a reward is read off."""
    limit = min(data.limit, room)

    def row(name: str, context: Tokens, answer: Tokens, whole: bool) -> Row:
        tokens = (*context, *answer)
        return Row(name, tokens, (len(tokens) - 1,), (0,))

    return _lesson(data, whole_rows, row, lent.tokenizer, limit, 0)


def answers(data: Ranked, lent: Lent, room: int) -> Lesson[Ranking]:
    """Each answer looked at token by token, the one that ends it included."""
    limit = min(data.limit, room)
    token = end_of_answer(lent.tokenizer, chat=data.format == "chat")
    end = () if token is None else (token,)

    def row(name: str, context: Tokens, answer: Tokens, whole: bool) -> Row:
        # Half an answer would teach to stop nowhere.
        return supervised(name, context, (*answer, *end) if whole else answer)

    return _lesson(data, rows, row, lent.tokenizer, limit, len(end))


def _lesson(
    data: Ranked,
    coded: Callable[..., list[Encoded]],
    row: Callable[[str, Tokens, Tokens, bool], Row],
    tokenizer: Any,
    limit: int,
    end: int,
) -> Lesson[Ranking]:
    """Rankings of at most `limit` tokens an answer, `end` of which are kept free behind it."""
    prompts = [render(data.task, data.format, example.input) for example in data.examples]
    texts = [[answer_text(a, data.format) for a in e.input.answers] for e in data.examples]
    counts, rankings = Counts(), []
    for example, one in zip(data.examples, coded(tokenizer, prompts, texts, _UNCUT), strict=True):
        context, short = fitted(one, limit - end, tokenizer.bos_token_id, counts)
        pairs = _telling(example, short, data.ties, counts)
        if pairs:
            cut = [len(a) < len(b) for a, b in zip(short, one.answers, strict=True)]
            made = tuple(
                row(f"{example.id}/{k}", context, answer, not cut[k])
                for k, answer in enumerate(short)
            )
            rankings.append(Ranking(example.id, made, tuple(pairs)))
    notes = counts.notes(limit)
    return Lesson(required(rankings, notes), notes=notes)


def fitted(
    row: Encoded, limit: int, bos: int | None, counts: Counts
) -> tuple[Tokens, tuple[Tokens, ...]]:
    """Context and answers of which none is longer than `limit` together with the context."""
    least = min(LEAST_PROMPT, len(row.context), limit // 2)
    short = tuple(answer[: limit - least] for answer in row.answers)
    longest = max(map(len, short), default=0)
    context, cut = cut_left(row.context, limit - longest, bos)
    counts.prompts += cut
    counts.answers += sum(len(a) < len(b) for a, b in zip(short, row.answers, strict=True))
    return context, short


def _telling(
    example: Example, short: Sequence[Tokens], ties: bool, counts: Counts
) -> list[Comparison]:
    """The comparisons of answers that differ; the others are counted."""
    texts = [answer.strip() for answer in example.input.answers]
    every, pairs = comparisons(example.grades, ties), []
    for pair in every:
        if texts[pair.first] == texts[pair.second]:
            counts.equal += 1
        elif short[pair.first] == short[pair.second]:
            counts.equal_when_cut += 1
        else:
            pairs.append(pair)
    counts.no_choice += not every
    return pairs


@dataclass(frozen=True)
class Ranked(Data[Ranking]):
    """Examples with graded answers; subclasses say at which tokens an answer is looked at.

    Args:
        limit: the longest prompt with an answer, in tokens.
        ties: whether answers of equal grades are compared.
    """

    task: Task
    format: Format
    examples: tuple[Example, ...]
    limit: int
    ties: bool = False

    def reader(
        self,
        module: Any,
        lesson: Lesson[Ranking],
        part: Part,
        device: str,
        note: Callable[[str], None],
    ) -> Rankings:
        """What a ranking objective is given in place of the module."""
        every = [row for one in (*lesson.rows, *lesson.validation) for row in one.rows]
        return Rankings(token_reader(module, every, (), part.free_blocks, device, False, note))


@dataclass(frozen=True)
class RewardRows(Ranked):
    """What a reward model learns from."""

    def lesson(self, lent: Lent, room: int) -> Lesson[Ranking]:
        """Each answer looked at once, at its end."""
        return ends(self, lent, room)

    def begin(self, models: Models, ref: ModelRef) -> Fit:
        """A model without a trained head knows nothing."""
        return even()

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """How the head ranks what it was taught."""
        predictor = trained_reward(self.task, models, ref, self.format)
        return preferred(predictor, self.examples)


@dataclass(frozen=True)
class PolicyRows(Ranked):
    """What a policy learns from, with the reference's log-probabilities of every answer.

    Args:
        beta, per_token: of the implicit reward; see `nshot.predictors.implicit`.
    """

    beta: float = 0.1
    per_token: bool = False

    def lesson(self, lent: Lent, room: int) -> Lesson[Ranking]:
        """Each answer looked at token by token; the reference, the model as lent, is asked once."""
        lesson = answers(self, lent, room)
        return replace(lesson, rows=_with_reference(lesson.rows, lent))

    def begin(self, models: Models, ref: ModelRef) -> Fit:
        """The implicit reward of a policy that is its reference is the same everywhere."""
        return even()

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """How the policy's implicit reward ranks what it was taught."""
        predictor = Implicit(self.task, models, ref, self.format, self.beta, self.per_token)
        return preferred(predictor, self.examples)


@torch.no_grad()
def _with_reference(rankings: Sequence[Ranking], lent: Lent) -> list[Ranking]:
    every = [row for one in rankings for row in one.rows]
    lent.module.eval()
    reader = Rankings(token_reader(lent.module, every, (), None, lent.device, False, _unheard))
    made = []
    for one in rankings:
        (logits,) = reader.logits([one])
        made.append(replace(one, reference=tuple(answer_logprobs(logits, one).tolist())))
    return made


def _unheard(sentence: str) -> None:
    """The note is the training's to make."""
