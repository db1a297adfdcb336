"""What table-to-text is judged by: BLEU, ROUGE-L, and the share of slots that a text mentions.

All compare lower-case words and punctuation marks, each a token of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ORDERS = 4
_SLOT = re.compile(r"\s*([^,\[\]]+)\[([^\]]*)\]")
_CHILDREN = re.compile(r"\b(famil|child|kid)")


def tokens(text: str) -> list[str]:
    """Words and marks."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def bleu_counts(said: str, references: Sequence[str]) -> Floats:
    """What BLEU sums over texts, (10,): n-grams that match, n-grams, and the two lengths.

    An n-gram counts as often as the reference in which it is most frequent has it; the length
    compared with is that of the reference nearest in length, the shorter of two.
    """
    own, others = tokens(said), [tokens(reference) for reference in references]
    matched, there = [], []
    for order in range(1, ORDERS + 1):
        found = _ngrams(own, order)
        allowed: Counter[tuple[str, ...]] = Counter()
        for other in others:
            allowed |= _ngrams(other, order)
        matched.append(sum((found & allowed).values()))
        there.append(sum(found.values()))
    nearest = min((abs(len(other) - len(own)), len(other)) for other in others)[1]
    return np.array([*matched, *there, len(own), nearest], dtype=np.float64)


def _ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


def bleu(total: Floats) -> float:
    """Corpus BLEU in [0, 1] of summed counts (Papineni et al. 2002, section 2.3), unsmoothed."""
    matched, there, (own, nearest) = total[:ORDERS], total[ORDERS : 2 * ORDERS], total[2 * ORDERS :]
    if not matched.all():
        return 0.0
    brevity = min(0.0, 1 - nearest / own)
    return float(np.exp(brevity + np.log(matched / there).mean()))


def rouge_l(said: str, references: Sequence[str]) -> float:
    """F1 of the longest common subsequence (Lin 2004, section 3), the best over the references."""
    own = tokens(said)
    scores = []
    for other in map(tokens, references):
        common = _longest_common(own, other)
        scores.append(2 * common / (len(own) + len(other)) if common else 0.0)
    return max(scores)


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    row = [0] * (len(b) + 1)
    for word in a:
        above = row[:]
        for j, other in enumerate(b):
            row[j + 1] = above[j] + 1 if word == other else max(above[j + 1], row[j])
    return row[-1]


def slots(record: str) -> dict[str, str]:
    """``name[The Punter], area[riverside]`` by slot."""
    return {name.strip(): value.strip() for name, value in _SLOT.findall(record)}


def coverage(record: str, said: str) -> float:
    """Share of the record's slots whose value stands in the text, in these very words.

    ``familyFriendly``, whose value is yes or no, counts where families, children or kids are
    spoken of. A paraphrase (``expensive`` for ``high``) does not count, so that people's own texts
    do not reach 1 either.
    """
    text, given = " ".join(tokens(said)), slots(record)
    told = [
        _CHILDREN.search(text) is not None
        if name == "familyFriendly"
        else re.search(rf"(?<!\w){re.escape(' '.join(tokens(value)))}(?!\w)", text) is not None
        for name, value in given.items()
    ]
    return sum(told) / len(told) if told else 1.0
