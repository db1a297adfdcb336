"""The order of levels by their names: numbers, or words that everybody puts in one order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_SCALES: tuple[tuple[str, ...], ...] = (
    (
        "none no 없음",
        "trivial negligible",
        "minor low mild 낮음 하 경미",
        "medium moderate normal mid 보통 중 중간",
        "major high 높음 상",
        "critical severe urgent blocker 심각 긴급 치명",
    ),
    (
        "very_low 매우_낮음",
        "low 낮음 하",
        "medium moderate 보통 중 중간",
        "high 높음 상",
        "very_high 매우_높음",
    ),
    ("strongly_disagree 전혀_그렇지_않다", "disagree 그렇지_않다", "neutral 보통이다 보통 중립",
     "agree 그렇다", "strongly_agree 매우_그렇다"),
    ("very_negative 매우_부정", "negative 부정", "neutral mixed 중립", "positive 긍정",
     "very_positive 매우_긍정"),
    ("terrible awful very_bad 매우_나쁨", "bad poor 나쁨", "fair ok okay average 보통", "good 좋음",
     "very_good great 매우_좋음", "excellent perfect 훌륭함"),
    ("never 전혀", "rarely seldom 드물게", "sometimes occasionally 가끔", "often frequently 자주",
     "always 항상"),
    ("tiny", "small 작음 소", "medium 중간 중", "large big 큼 대", "huge"),
)  # fmt: skip


def ordered(names: Sequence[str]) -> tuple[str, ...] | None:
    """The names from the lowest level to the highest; None where they do not tell.

    Names that are numbers, or the same words around one number (``1 star``, ``2 stars``), go by
    the number; words by a scale that holds all of them.
    """
    return _by_number(names) or _by_words(names)


def _by_number(names: Sequence[str]) -> tuple[str, ...] | None:
    numbers: dict[str, float] = {}
    around = set[str]()
    for name in names:
        match = _NUMBER.findall(name)
        if len(match) != 1:
            return None
        numbers[name] = float(match[0])
        # One star, two stars: an s more is the same word.
        around.add(_NUMBER.sub("", _plain(name)).strip("_").removesuffix("s"))
    if len(around) > 1 or len(set(numbers.values())) < len(names):
        return None
    return tuple(sorted(names, key=lambda name: numbers[name]))


def _by_words(names: Sequence[str]) -> tuple[str, ...] | None:
    for scale in _SCALES:
        places = {word: place for place, words in enumerate(scale) for word in words.split()}
        levels = {name: places.get(_plain(name)) for name in names}
        if None not in levels.values() and len(set(levels.values())) == len(names):
            return tuple(sorted(names, key=lambda name: levels[name] or 0))
    return None


def _plain(name: str) -> str:
    return "_".join(re.split(r"[\s_-]+", unicodedata.normalize("NFKC", name).casefold().strip()))
