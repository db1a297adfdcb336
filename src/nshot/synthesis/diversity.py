"""How varied made tasks are, in counts that hold for any language.

Self-Instruct draws the verbs and nouns of its instructions, for which one needs a parser of that
language; here are the first words, the likeness to the seeds and the lengths.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from nshot.synthesis.heuristics import length
from nshot.synthesis.self_instruct import MadeTask

_BEGINNINGS = 20
_BINS = 10


def diversity(tasks: Sequence[MadeTask]) -> dict[str, Any]:
    """First words, ROUGE-L to the nearest seed, lengths in words, share of classifications."""
    likeness = [task.nearest_seed.score for task in tasks]
    pairs = [pair for task in tasks for pair in task.instances]
    return {
        "beginnings": _beginnings([task.instruction for task in tasks]),
        "rouge_l_to_the_nearest_seed": _summary(likeness) | {"bins": _bins(likeness)},
        "words": {
            "instruction": _summary([length(task.instruction) for task in tasks]),
            "input": _summary([length(input) for input, _ in pairs if input]),
            "output": _summary([length(output) for _, output in pairs]),
        },
        "share_with_input": _share([bool(input) for input, _ in pairs]),
        "share_of_classifications": _share([task.classification for task in tasks]),
    }


def _beginnings(instructions: Sequence[str]) -> dict[str, Any]:
    """How many first and first two words there are, and the most frequent of them."""
    first = Counter(" ".join(text.casefold().split()[:1]) for text in instructions)
    two = Counter(" ".join(text.casefold().split()[:2]) for text in instructions)
    return {
        "different_first_words": len(first),
        "different_first_two_words": len(two),
        "most_frequent": [[text, count] for text, count in two.most_common(_BEGINNINGS)],
    }


def _summary(numbers: Sequence[float]) -> dict[str, float | None]:
    if not numbers:
        return {"least": None, "median": None, "mean": None, "most": None}
    return {
        "least": round(min(numbers), 4),
        "median": round(statistics.median(numbers), 4),
        "mean": round(statistics.fmean(numbers), 4),
        "most": round(max(numbers), 4),
    }


def _bins(scores: Sequence[float]) -> list[int]:
    """How many lie in each tenth from 0 to 1."""
    counts = [0] * _BINS
    for score in scores:
        counts[min(int(score * _BINS), _BINS - 1)] += 1
    return counts


def _share(flags: Sequence[bool]) -> float | None:
    return round(sum(flags) / len(flags), 4) if flags else None
