"""What a metric is, and how it reads texts."""

from __future__ import annotations

import re
import string
import unicodedata
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Prediction

Floats: TypeAlias = NDArray[np.float64]

NUMBER = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
"""A number in figures, its thousands apart by commas or not at all."""
_ALONE = r"\uac00-\ud7a3\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
"""Hangul, kana, ideographs, Thai: each sign is a unit. Korean has spaces, but its particles are
written onto the words, so that the same noun is seldom the same word twice."""
_UNIT = re.compile(rf"(?P<number>{NUMBER})|[{_ALONE}]|(?:(?![{_ALONE}])[^\W\d_])+")
_ARTICLES = frozenset({"a", "an", "the"})
_ACCENTS = re.compile("[\u0300-\u036f]")


class Marks(Protocol):
    """Statistics of one example; `Summed` and `Together` say how they become a score."""

    @property
    def mean(self) -> bool:
        """True when the value is the mean of the first statistic."""
        ...

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """What the score is made of; the same length for every example."""
        ...


class Summed(Marks, Protocol):
    """The score is a function of the total of the statistics of `count` examples."""

    def value(self, total: Floats, count: int) -> float:
        """The score in [0, 1] of statistics summed over `count` examples."""
        ...


@runtime_checkable
class Together(Marks, Protocol):
    """The score is one of all rows together, which no sum of theirs tells: an order of them."""

    def of_rows(self, statistics: Floats) -> float:
        """The score of (examples, k) statistics, at least one row."""
        ...

    def without_each(self, statistics: Floats) -> Floats:
        """(examples,) the score of all rows but one, for each one."""
        ...


Metric: TypeAlias = Summed | Together


class Mean:
    """A metric that is the mean of one number per example."""

    mean = True

    def value(self, total: Floats, count: int) -> float:
        """The first statistic over the examples."""
        return float(total[0] / count) if count else 0.0


def folded(text: str) -> str:
    """Text without what does not count: case, width, punctuation, English articles, spaces.

    As `normalize_answer` of SQuAD's script (Rajpurkar et al. 2016), for any alphabet: punctuation
    is that of ASCII and of Unicode. A text of nothing but articles keeps them: ``A`` is an answer.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(sign for sign in plain if not _is_punctuation(sign)).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _is_punctuation(sign: str) -> bool:
    return sign in string.punctuation or unicodedata.category(sign).startswith("P")


def units(text: str) -> list[str]:
    """The words and numbers of a text; signs one by one in scripts that do not part their words.

    Case, width, accents and punctuation do not count; ``1,200.0`` and ``1200`` are one number.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", plain))
    return [
        plain_number(match.group()) if match["number"] else match.group()
        for match in _UNIT.finditer(plain)
    ]


def plain_number(figures: str) -> str:
    """Figures in one way of writing: ``1,200.50`` -> ``1200.5``, ``007`` -> ``7``."""
    whole, _, part = figures.replace(",", "").partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole
