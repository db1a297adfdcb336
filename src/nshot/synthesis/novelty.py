"""How like a text is to earlier ones: ROUGE-L, exact and quick enough for thousands.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries",
https://aclanthology.org/W04-1013/, section 3; the F of precision and recall with beta 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nshot.metrics.metric import units
from nshot.metrics.texts import common_subsequence


def rouge_l(a: Sequence[str], b: Sequence[str]) -> float:
    """F1 of the longest common subsequence, 0 to 1."""
    return 2 * common_subsequence(a, b) / (len(a) + len(b)) if a and b else 0.0


@dataclass(frozen=True)
class Nearest:
    """The earlier text most like a new one: its index (-1: there is none), and how like it is."""

    index: int
    score: float


class Earlier:
    """Texts to be unlike: exact answers, with few subsequences computed."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts: list[tuple[list[str], Counter[str]]] = []
        for text in texts:
            self.add(text)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> None:
        """From now on this text too is an earlier one."""
        theirs = units(text)
        self._texts.append((theirs, Counter(theirs)))

    def has_like(self, text: str, at_least: float) -> bool:
        """Whether the ROUGE-L with an earlier text is `at_least` that, which is above 0.

        A common subsequence is no longer than the shorter text, nor than the units in common, each
        as often as both have it: that tells nearly all texts apart.
        """
        ours = units(text)
        counts, size = Counter(ours), len(ours)
        repeated = size - len(counts)
        for theirs, their_counts in self._texts:
            needed = at_least * (size + len(theirs)) / 2 - 1e-9
            if (
                min(size, len(theirs)) >= needed
                and len(counts.keys() & their_counts.keys()) + repeated >= needed  # it is quicker
                and (counts & their_counts).total() >= needed
                and rouge_l(ours, theirs) >= at_least
            ):
                return True
        return False

    def nearest(self, text: str) -> Nearest:
        """The earlier text of highest ROUGE-L, the first of equals."""
        ours, best = units(text), Nearest(-1, 0.0)
        for index, (theirs, _) in enumerate(self._texts):
            bound = 2 * min(len(ours), len(theirs)) / max(1, len(ours) + len(theirs))
            if bound > best.score and (score := rouge_l(ours, theirs)) > best.score:
                best = Nearest(index, score)
        return best
