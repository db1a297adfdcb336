"""Spans as a tag for each token: outside, the first of a span, or a further one.

Ramshaw and Marcus, "Text Chunking using Transformation-Based Learning", 1995,
https://aclanthology.org/W95-0107/. Of label k of a task the tags are 1 + 2 k and 2 + 2 k; 0 is
outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.core.spans import Span, trimmed
from nshot.models.base import Floats, TokenVectors


def tags(spans: Iterable[Span], labels: Sequence[str], tokens: TokenVectors) -> NDArray[np.int64]:
    """(tokens,) the tag of each: a token of which a span has a part is the span's."""
    numbers = np.zeros(len(tokens.starts), np.int64)
    for span in spans:
        inside = np.flatnonzero((tokens.starts < span.end) & (tokens.ends > span.start))
        first = 1 + 2 * labels.index(span.label)
        numbers[inside] = first + 1
        numbers[inside[:1]] = first
    return numbers


def likeliest(logits: Floats) -> list[int]:
    """The tags of greatest sum of (tokens, tags) logits of which no span lacks its first token.

    Viterbi 1967, https://doi.org/10.1109/TIT.1967.1054010; of equals the lowest.
    """
    if not len(logits):
        return []
    count = logits.shape[1]
    follows = np.zeros((count, count))
    for further in range(2, count, 2):
        follows[:, further] = -np.inf
        follows[[further - 1, further], further] = 0.0
    best = logits[0].copy()
    best[2::2] = -np.inf
    back = []
    for row in logits[1:]:
        sums = best[:, None] + follows
        back.append(sums.argmax(axis=0))
        best = sums.max(axis=0) + row
    path = [int(best.argmax())]
    for before in reversed(back):
        path.append(int(before[path[-1]]))
    return path[::-1]


def tagged(
    text: str, path: Sequence[int], labels: Sequence[str], tokens: TokenVectors
) -> list[Span]:
    """The spans of tags, from their first token to their last, without outer space."""
    spans: list[Span] = []
    for tag, start, end in zip(path, tokens.starts.tolist(), tokens.ends.tolist(), strict=True):
        if tag % 2:
            behind = max(start, spans[-1].end if spans else 0)
            spans.append(Span(behind, end, labels[tag // 2]))
        elif tag:
            spans[-1] = Span(spans[-1].start, end, spans[-1].label)
    return [one for span in spans if (one := trimmed(text, span)).start < one.end]
