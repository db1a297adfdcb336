"""How like the references is a text?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nshot.core.types import Example, Prediction
from nshot.metrics.metric import Floats, Mean, folded, units

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacreBleu


class ExactMatch(Mean):
    """1 where the answer equals a reference without case, width, marks, articles (`folded`)."""

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,), the best over the references."""
        answer = folded(prediction.answer)
        return (float(any(folded(target) == answer for target in example.targets)),)


class TokenF1(Mean):
    """F1 of the bags of words (`folded`), the best over references (Rajpurkar et al. 2016)."""

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(F1,)."""
        answer = folded(prediction.answer).split()
        return (max((_bag_f1(answer, folded(t).split()) for t in example.targets), default=0.0),)


class RougeL(Mean):
    """F1 of the longest common subsequence, the best over the references (Lin 2004, eq. 2-4).

    Over `units`: words, but signs one by one for Hangul and scripts without spaces. Lin's own
    program and its descendants drop all that is not a Latin letter or a figure.
    """

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(F1,)."""
        answer = units(prediction.answer)
        return (max((_rouge_l(answer, units(target)) for target in example.targets), default=0.0),)


class Corpus:
    """A metric of sacrebleu over all texts together, in its default settings.

    Its statistics are counts of n-grams, which is what its value over a corpus is a function of.
    """

    mean = False

    def __init__(self, metric: SacreBleu) -> None:
        self._metric = metric

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """The counts that sacrebleu sums over a corpus; texts may have any number of references."""
        # Public are only the scores of one text or of all: what lies between them is what its own
        # significance tests resample, by the methods that each of its metrics has to have.
        references = [[target] for target in example.targets or ("",)]
        (row,) = self._metric._extract_corpus_statistics([prediction.answer], references)
        return tuple(map(float, row))

    def value(self, total: Floats, count: int) -> float:
        """Its score, from 0 to 1 instead of 100."""
        counts = [round(number) for number in total.tolist()]
        return float(self._metric._compute_score_from_stats(counts).score) / 100 if count else 0.0


def bleu() -> Corpus:
    """BLEU of the corpus, up to 4-grams, WMT's tokens (Papineni et al. 2002; Post 2018)."""
    from sacrebleu.metrics.bleu import BLEU

    return Corpus(BLEU())


def chrf() -> Corpus:
    """chrF2 of the corpus: F of runs of 1 to 6 characters, recall twice (Popovic 2015)."""
    from sacrebleu.metrics.chrf import CHRF

    return Corpus(CHRF())


def _bag_f1(answer: list[str], target: list[str]) -> float:
    if not answer or not target:
        return float(answer == target)
    common = sum((Counter(answer) & Counter(target)).values())
    return 2 * common / (len(answer) + len(target))


def _rouge_l(answer: Sequence[str], target: Sequence[str]) -> float:
    if not answer or not target:
        return float(answer == target)
    return 2 * common_subsequence(answer, target) / (len(answer) + len(target))


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table in one integer.

    Hyyrö 2004, "Bit-parallel LCS-length computation revisited": bit i of `row` is 0 where the
    table grows at a[i].
    """
    places: dict[str, int] = {}
    for i, unit in enumerate(a):
        places[unit] = places.get(unit, 0) | 1 << i
    whole = (1 << len(a)) - 1
    row = whole
    for unit in b:
        matched = row & places.get(unit, 0)
        row = ((row + matched) | (row - matched)) & whole
    return len(a) - row.bit_count()
