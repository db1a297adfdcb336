"""Train rows that say what a test row says: whole, or in a long run of words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nshot.core.types import Example
from nshot.data.same import fold, sameness

RUN = 13
"""Words in a row that two texts have by chance only rarely (Brown et al. 2020, appendix C)."""
_COMMON_ROWS, _COMMON_SHARE = 10, 0.1
_WORDLESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and Han, which part no words."""
_UNITS = re.compile(f"[{_WORDLESS}]|[^\\s{_WORDLESS}]+")

RULE = (
    f"the same input but for case, space and punctuation, or {RUN} words in a row of its input or "
    "answer (Chinese and Japanese: characters), runs that many test rows share left out"
)
"""What counts as overlap, in words."""


@dataclass(frozen=True)
class Overlap:
    """Pairs (train id, test id), one for each train row found; a row in `same` is not in `near`."""

    same: tuple[tuple[str, str], ...] = ()
    near: tuple[tuple[str, str], ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """The train rows found."""
        return frozenset(train for train, _ in (*self.same, *self.near))


def overlap(train: Sequence[Example], test: Sequence[Example], run: int = RUN) -> Overlap:
    """Which train rows repeat a test row; each is paired with the first test row it repeats.

    ``same``: the inputs are equal after folding (`data.same.sameness`). ``near``: input and answer
    together share `run` units in a row, after folding. A unit is a word, or one character of
    Chinese or Japanese, which part no words. Texts shorter than `run` units are only ever the same.
    System turns do not count, for they stand in many rows; nor does a run that stands in more than
    10 test rows, or in more than a tenth of them and in two at least: it is the task's wording.
    """
    test_ids = {sameness(row.input): row.id for row in reversed(test)}
    copies = {row.id: test_ids[name] for row in train if (name := sameness(row.input)) in test_ids}
    runs = _telling_runs(test, run)
    near = []
    for row in train:
        if row.id not in copies:
            first = next((runs[words] for words in _runs(row, run) if words in runs), None)
            near += [(row.id, first)] if first is not None else []
    return Overlap(tuple(copies.items()), tuple(near))


def _telling_runs(rows: Sequence[Example], run: int) -> dict[str, str]:
    """Each run of the rows that tells one from the others, and the first row it stands in."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        for words in set(_runs(row, run)):
            first.setdefault(words, row.id)
            counts[words] += 1
    most = max(1, min(_COMMON_ROWS, _COMMON_SHARE * len(rows)))
    return {words: name for words, name in first.items() if counts[words] <= most}


def _runs(row: Example, run: int) -> Iterable[str]:
    """Every run of `run` units in a text of the row, in order."""
    turns = [turn.text for turn in row.input.turns if turn.role != "system"]
    texts = [text for _, text in row.input.fields] + turns
    for text in (*texts, *row.input.answers, *row.targets):
        units = _UNITS.findall(fold(text))
        for start in range(len(units) - run + 1):
            yield " ".join(units[start : start + run])
