"""A model as the judge of two answers, and whether its word may count at all.

Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", NeurIPS 2023,
https://arxiv.org/abs/2306.05685: pairwise, in both orders, because models prefer a place. What a
judge says is shown only when it agrees with people more often than a coin does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from nshot.board.decide import Floats, interval
from nshot.board.schema import Agreement, JudgeCell, JudgeSummary
from nshot.core.errors import Fault, InputError
from nshot.core.types import Input, Turn
from nshot.models.base import Decoding, LanguageModel
from nshot.predictors.rewarded import Rewarded

CHANCE = 0.5
_QUESTION = """\
Which of two answers to a request is better: more helpful, correct and to the point? Their order \
and their length do not count.

[Request]
{prompt}

[Answer A]
{a}

[Answer B]
{b}

Say only the letter of the better answer, A or B."""
_KEYS = ("prompt", "chosen", "rejected")
_EXPECTED = "a JSON object a line, with texts under prompt, chosen, rejected"
_LETTERS = ("A", "B")
_LETTER = re.compile(r"\b([AB])\b")
_SHORT = Decoding(max_tokens=8)


@dataclass(frozen=True)
class Comparison:
    """Two answers to one prompt; people's choice first where it is known.

    Comparisons of one `group` (a prompt asked of several) are no independent evidence.
    """

    prompt: str
    first: str
    second: str
    group: str = ""


@dataclass(frozen=True)
class Verdicts:
    """What the judge `model` says of the rows of a run.

    `reason` stands in every row where no row is judged; else `rows` have a cell for each row of
    the board.
    """

    model: str
    agreement: Agreement | None = None
    reason: str = ""
    rows: Mapping[str, JudgeCell] = field(default_factory=dict)

    def cell(self, name: str) -> JudgeCell | None:
        """What is said of a row, or the reason why nothing is."""
        return JudgeCell(reason=self.reason) if self.reason else self.rows.get(name)

    def summary(self) -> JudgeSummary:
        """Judge and agreement, for ``task`` in leaderboard.json."""
        return JudgeSummary(model=self.model, agreement=self.agreement, reason=self.reason or None)

    def note(self) -> str:
        """One sentence on what the column is worth."""
        agreement = self.agreement
        if agreement is None:
            return f"judge {self.model}: {self.reason}"
        if not agreement.admitted:
            return f"judge {self.model}: {agreement.reason}"
        return (
            f"judge {self.model}: agrees with people on {100 * agreement.share:.0f} % of"
            f" {agreement.pairs} pairs ({100 * agreement.low:.0f} - {100 * agreement.high:.0f});"
            " its column decides nothing"
        )


class Prefers(Protocol):
    """Who says which of two answers is better."""

    def preferences(self, comparisons: Sequence[Comparison]) -> list[float]:
        """How much the first answer is preferred, 0 for a tie."""
        ...


@dataclass(frozen=True)
class RewardJudge:
    """Prefers what a reward model gives more: the difference of the two rewards."""

    rewarded: Rewarded

    def preferences(self, comparisons: Sequence[Comparison]) -> list[float]:
        """See `Prefers`; in standard deviations of the answers that the model learned from."""
        inputs = [
            Input(turns=(Turn("user", one.prompt),), answers=(one.first, one.second))
            for one in comparisons
        ]
        worth = self.rewarded.worth(inputs)
        return [a - b for a, b in zip(worth[::2], worth[1::2], strict=True)]


@dataclass(frozen=True)
class Judge:
    """Asks `model` in both orders which answer is better."""

    model: LanguageModel

    def preferences(self, comparisons: Sequence[Comparison]) -> list[float]:
        """How much the first answer is preferred, 0 for a tie.

        Where the model can score: the mean over both orders of the log-odds (nats) of the letter
        that stands for the first answer. Where it can only write: 1 or -1, and 0 where the orders
        disagree or no letter is said.
        """
        if not comparisons:
            return []
        orders = zip(*map(questions, comparisons), strict=True)
        prompts = [prompt for order in orders for prompt in order]
        for_a = self._scored(prompts) if "score" in self.model.facts.can else self._written(prompts)
        straight, turned = for_a[: len(comparisons)], for_a[len(comparisons) :]
        return ((straight - turned) / 2).tolist()  # type: ignore[no-any-return]

    def _scored(self, prompts: Sequence[tuple[Turn, ...]]) -> Floats:
        """(prompts,) log-odds of A."""
        scores = self.model.logprobs(prompts, [_LETTERS] * len(prompts))
        return np.array([one.logprobs[0] - one.logprobs[1] for one in scores])

    def _written(self, prompts: Sequence[tuple[Turn, ...]]) -> Floats:
        """(prompts,) 1 for A, -1 for B, 0 for neither: a half is no vote, orders must agree."""
        texts = [completion.text for completion in self.model.generate(prompts, _SHORT)]
        votes = np.array([_vote(text) for text in texts])
        half = len(votes) // 2
        agree = votes[:half] == -votes[half:]
        return np.asarray(votes * np.concatenate([agree, agree]))


def admit(judge: Judge, pairs: Sequence[Comparison]) -> Agreement:
    """Whether the judge agrees with people above chance: the interval's lower end exceeds 0.5.

    `pairs` have the chosen answer first. Raises `InputError` without pairs.
    """
    return agreement(judge.preferences(pairs), pairs)


def agreement(preferences: Sequence[float], pairs: Sequence[Comparison]) -> Agreement:
    """What `admit` finds, of a judge's preferences of the pairs. Raises as it does."""
    if not pairs:
        raise InputError(Fault("no pairs to admit a judge by", expected="prompt, chosen, rejected"))
    won = wins(preferences)
    share, low, high = share_of(won, [pair.group or pair.prompt for pair in pairs])
    admitted = low > CHANCE
    reason = (
        ""
        if admitted
        else f"agrees with people on {100 * share:.0f} % of {len(pairs)} pairs "
        f"({100 * low:.0f} - {100 * high:.0f}): not above chance"
    )
    ties = sum(one == CHANCE for one in won)
    return Agreement(
        share=share,
        low=low,
        high=high,
        pairs=len(pairs),
        ties=ties,
        admitted=admitted,
        reason=reason,
    )


def questions(comparison: Comparison) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """All that a judge reads of a comparison: the first answer as A, then the second as A."""
    turned = Comparison(comparison.prompt, comparison.second, comparison.first)
    return _prompt(comparison), _prompt(turned)


def wins(preferences: Iterable[float]) -> list[float]:
    """1 where the first answer is preferred, 0 where the second is, a half for a tie."""
    return [0.5 if p == 0 else float(p > 0) for p in preferences]


def share_of(won: Sequence[float], groups: Sequence[str]) -> tuple[float, float, float]:
    """Mean of points and its 95% interval (Wilson's, on an effective size), groups kept whole.

    The variance of the mean is that of the groups' sums (Liang and Zeger 1986), but never less
    than that of independent points.
    """
    points = np.array(won, dtype=np.float64)
    share, count = float(points.mean()), len(points)
    sums: dict[str, float] = {}
    for one, group in zip(points - share, groups, strict=True):
        sums[group] = sums.get(group, 0.0) + float(one)
    clusters, many = len(sums), max(len(sums) - 1, 1)
    between = sum(s * s for s in sums.values()) / count**2 * clusters / many
    p = (count * share + 2) / (count + 4)
    variance = max(between, p * (1 - p) / (count + 4))
    return (share, *interval(share, variance, count, float(many)))


def read_pairs(path: str | Path) -> tuple[Comparison, ...]:
    """The pairs of a ``.jsonl`` file: ``prompt``, ``chosen``, ``rejected``, and ``group`` if any.

    Raises `InputError` with every row that is no JSON or lacks one of them, or without a row.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", where=str(path))) from None
    except UnicodeDecodeError:
        raise InputError(Fault("is no text in UTF-8", _EXPECTED, where=str(path))) from None
    numbered = [(i, line) for i, line in enumerate(lines, start=1) if line.strip()]
    pairs = [_pair(line, f"{path}, row {i}") for i, line in numbered]
    faults = [one for one in pairs if isinstance(one, Fault)]
    if not pairs:
        faults = [Fault("holds no pairs", _EXPECTED, where=str(path))]
    if faults:
        raise InputError(faults)
    return tuple(one for one in pairs if isinstance(one, Comparison))


def _pair(line: str, where: str) -> Comparison | Fault:
    try:
        row = json.loads(line)
    except ValueError as error:
        return Fault(f"not a row of JSON: {error}", _EXPECTED, where=where)
    if not isinstance(row, dict):
        return Fault("not a JSON object", _EXPECTED, where=where)
    wrong = [key for key in _KEYS if not isinstance(row.get(key), str)]
    if wrong:
        return Fault(f"no text under {', '.join(wrong)}", _EXPECTED, where=where)
    prompt, chosen, rejected = (row[key] for key in _KEYS)
    return Comparison(prompt, chosen, rejected, str(row.get("group", "")))


def _prompt(comparison: Comparison) -> tuple[Turn, ...]:
    words = {"prompt": comparison.prompt, "a": comparison.first, "b": comparison.second}
    return (Turn("user", _QUESTION.format(**words)),)


def _vote(text: str) -> float:
    """1 for A, -1 for B, 0 for neither; the first letter that stands alone."""
    letter = _LETTER.search(text)
    return 0.0 if letter is None else 1.0 if letter[1] == "A" else -1.0
