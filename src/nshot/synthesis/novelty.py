"""How like a text is to earlier ones: ROUGE-L, exact and quick enough for thousands.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries",
https://aclanthology.org/W04-1013/, section 3; the F of precision and recall with beta 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""Words of any script; where none are parted by spaces (Chinese, Japanese), single characters."""


def words(text: str) -> list[str]:
    """The words of a text, case folded."""
    return _WORD.findall(text.casefold())


def lcs_length(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table held in the bits of a number.

    Hyyrö 2004, "Bit-parallel LCS-length computation revisited": one addition for each token of `b`.
    """
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    row = full = (1 << len(a)) - 1
    for token in b:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(a) - row.bit_count()


def rouge_l(a: Sequence[str], b: Sequence[str]) -> float:
    """F1 of the longest common subsequence, 0 to 1."""
    return 2 * lcs_length(a, b) / (len(a) + len(b)) if a and b else 0.0


@dataclass(frozen=True)
class Nearest:
    """The earlier text most like a new one: its index (-1: there is none), and how like it is."""

    index: int
    score: float


class Earlier:
    """Texts to be unlike. Finds the nearest exactly, with few subsequences computed.

    A common subsequence is no longer than the words in common, which an index of words counts for
    all texts at once; candidates are tried from the highest such bound until it falls below the
    best score.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts: list[list[str]] = []
        self._having: dict[str, list[tuple[int, int]]] = {}
        for text in texts:
            self.add(text)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> None:
        """From now on this text too is an earlier one."""
        tokens = words(text)
        for token, count in Counter(tokens).items():
            self._having.setdefault(token, []).append((len(self._texts), count))
        self._texts.append(tokens)

    def nearest(self, text: str) -> Nearest:
        """The earlier text of highest ROUGE-L, the first of equals."""
        tokens = words(text)
        bounds = self._bounds(tokens)
        best = Nearest(-1, 0.0)
        for index in sorted(bounds, key=lambda i: (-bounds[i], i)):
            if bounds[index] < best.score:
                break
            score = rouge_l(tokens, self._texts[index])
            if score > best.score or (score == best.score and index < best.index):
                best = Nearest(index, score)
        return best

    def _bounds(self, tokens: Sequence[str]) -> dict[int, float]:
        """What the ROUGE-L with each earlier text cannot exceed, where it can be above 0."""
        common: dict[int, int] = {}
        for token, count in Counter(tokens).items():
            for index, theirs in self._having.get(token, ()):
                common[index] = common.get(index, 0) + min(count, theirs)
        return {i: 2 * n / (len(tokens) + len(self._texts[i])) for i, n in common.items()}
