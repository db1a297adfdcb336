"""Ways of cutting rows into slices; none of them looks at how the rows were answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from nshot.audit.data.personal import masked
from nshot.audit.luck import Bools, Floats
from nshot.core.types import Example
from nshot.data.scripts import script

FEWEST = 8
"""Rows of a slice, and of the rest, from which on it is looked at."""
MOST_VALUES = 12
"""Values of a column that are each a slice; of one that was asked for the commonest."""
_PARTS = 4
_CLUSTERS, _CLUSTER_ROWS = 8, 25
_SCRIPTS = {"Latin": "Latin letters", "Hangul": "Korean", "Han": "Chinese", "Kana": "Japanese",
            "Cyrillic": "Cyrillic letters", "mixed": "several scripts mixed",
            "other": "another script, or no letters"}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Slice:
    """Some rows: `family` says how they were cut, `name` which they are; `inside` (rows,)."""

    family: str
    name: str
    inside: Bools

    @property
    def rows(self) -> int:
        """How many rows are inside."""
        return int(self.inside.sum())

    @property
    def words(self) -> str:
        """For a sentence: ``script: Korean``."""
        return f"{self.family}: {self.name}"


def by_length(rows: Sequence[Example]) -> Iterator[Slice]:
    """Quarters by the number of characters."""
    lengths = np.array([len(row.input.text) for row in rows], dtype=np.float64)
    yield from _by_size("length", lengths, "characters")


def by_script(rows: Sequence[Example]) -> Iterator[Slice]:
    """By the script that most letters of the text are of."""
    yield from by_value("script", [_SCRIPTS[script(row.input.text)] for row in rows])


def by_source(rows: Sequence[Example]) -> Iterator[Slice]:
    """By the group of each row, where there are no more groups than values of a column."""
    groups = [row.group or "" for row in rows]
    if 1 < len(set(groups)) <= MOST_VALUES:
        yield from by_value("group", groups)


def by_value(family: str, values: Sequence[str]) -> Iterator[Slice]:
    """A slice for each of the `most` commonest values; rows without a value are in none."""
    counts = Counter(value for value in values if value)
    cells = np.array(values, dtype=object)
    for name, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_VALUES]:
        yield Slice(family, masked(name), np.asarray(cells == name, dtype=bool))


def by_column(name: str, values: Sequence[str], is_named: bool) -> Iterator[Slice]:
    """A further column: quarters of times or numbers; else its values.

    One that was not `is_named` is left alone where it has more values than `MOST_VALUES`.
    """
    present = [value for value in values if value]
    if len(set(present)) < 2:
        return
    several = len(set(present)) > MOST_VALUES
    if several and (times := _numbers(values, _moment)) is not None:
        yield from _by_size(name, times, "", _day)
    elif several and (sizes := _numbers(values, _number)) is not None:
        yield from _by_size(name, sizes, "")
    elif is_named or not several:
        yield from by_value(name, values)


def by_cluster(rows: Sequence[Example], features: Any) -> Iterator[Slice]:
    """Clusters of the rows in their `features` (rows, width), called by their commonest words.

    k-means on the unit vectors, or on the first 50 singular vectors of sparse ones; a cluster has
    25 rows on average, and there are eight at most.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD

    count = min(_CLUSTERS, len(rows) // _CLUSTER_ROWS)
    if count < 2:
        return
    if not isinstance(features, np.ndarray):
        width = min(50, features.shape[0] - 1, features.shape[1] - 1)
        if width < 2:
            return
        features = TruncatedSVD(width, random_state=0).fit_transform(features)
    dense = np.asarray(features, dtype=np.float64)
    norms = np.linalg.norm(dense, axis=1, keepdims=True)
    number_of = KMeans(count, n_init=4, random_state=0).fit_predict(
        dense / np.maximum(norms, 1e-12)
    )
    names = _cluster_names([row.input.text for row in rows], number_of)
    for number in range(count):
        inside = np.asarray(number_of == number, dtype=bool)
        if inside.any():
            yield Slice("cluster", names[number], inside)


def _cluster_names(texts: Sequence[str], numbers: Sequence[int]) -> Mapping[int, str]:
    """Of each cluster the three words that tell it best from the others."""
    words = [{word.lower() for word in _WORD.findall(text)} for text in texts]
    everywhere = Counter(word for some in words for word in some)
    names = {}
    for number in sorted(set(numbers)):
        inside = [some for some, one in zip(words, numbers, strict=True) if one == number]
        counts = Counter(word for some in inside for word in some)
        rest = max(1, len(texts) - len(inside))
        gain = {
            word: _telling(many / len(inside), (everywhere[word] - many) / rest)
            for word, many in counts.items()
        }
        best = sorted(gain, key=lambda word: (-gain[word], word))[:3]
        names[number] = f"{number + 1}, texts with " + ", ".join(best)
    return names


def _telling(share: float, elsewhere: float) -> float:
    """How far a word that stands in a `share` of these texts tells them from those elsewhere."""
    return share * float(np.log((share + 0.02) / (elsewhere + 0.02)))


def _by_size(family: str, sizes: Floats, unit: str, shown: Any = None) -> Iterator[Slice]:
    """Quarters by size, rows of one size together; rows without one are in none."""
    known = sizes[np.isfinite(sizes)]
    if len(known) < 2 * FEWEST:
        return
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _PARTS + 1)))
    shown = shown or (lambda value: f"{value:g}")
    for part, (low, high) in enumerate(pairwise(edges)):
        last = part == len(edges) - 2
        inside = (sizes >= low) & ((sizes <= high) if last else (sizes < high))
        if not inside.any():
            continue
        ends = shown(sizes[inside].min()), shown(sizes[inside].max())
        name = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
        yield Slice(family, f"{name} {unit}".strip(), np.asarray(inside, dtype=bool))


def _numbers(values: Sequence[str], read: Any) -> Floats | None:
    """All values as numbers, NaN for empty ones; None where one of them is none."""
    try:
        return np.array([read(value) if value else np.nan for value in values], dtype=np.float64)
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float:
    return float(value.replace(",", ""))


def _moment(value: str) -> float:
    """Seconds of a date as ISO 8601 writes it, or with points or strokes between its parts."""
    plain = re.sub(r"^(\d{4})[./](\d{1,2})[./](\d{1,2})\b", _iso, value.strip())
    return datetime.fromisoformat(plain).replace(tzinfo=None).timestamp()


def _iso(parts: re.Match[str]) -> str:
    return f"{parts[1]}-{int(parts[2]):02}-{int(parts[3]):02}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d")
