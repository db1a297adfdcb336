"""Diverse: the examples cover every label and what the inputs are like, and none is there twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nshot.prompts.checks.draft import Draft, Finding
from nshot.prompts.checks.likeness import jaccard, openings, some
from nshot.prompts.checks.wording import plural

_NEAR = 0.7
"""Share of runs of three characters from which two texts are one."""
_NEAR_ROWS = 0.05
"""Share of rows that have such a twin, from which they are too many."""
_FEW, _LEAST_ROWS = 0.2, 2
"""Of an even share of the rows, below which a label has too few; and rows that show no variety."""
_ALIKE, _ELSEWHERE = 0.6, 0.2
"""Shares of a label's rows, and of the others', that begin with the same words."""
_NARROW = 2.0
"""How many times liker the examples are to one another than the inputs are to them."""


def diverse(draft: Draft) -> Iterator[Finding]:
    """Everything under this heading."""
    yield from _labels_covered(draft)
    yield from _twins(draft)
    yield from _openings(draft)
    yield from _narrow(draft)


def _labels_covered(draft: Draft) -> Iterator[Finding]:
    """Each label has rows, and not too few beside the others."""
    names = draft.task.label_names
    if not names or draft.task.kind in ("spans", "score"):
        return
    even = len(draft.rows) / len(names)
    for name, rows in draft.by_label():
        if len(rows) < min(even, max(_LEAST_ROWS, _FEW * even)):
            yield Finding(
                "diverse",
                f"label '{name}' has {plural(len(rows), 'row')} of {len(draft.rows)}",
                f"label more texts that are '{name}'",
                draft.row(rows[0]) if rows else draft.where("labels"),
            )


def _twins(draft: Draft) -> Iterator[Finding]:
    """Few rows say what another says."""
    texts = [row.input.text for row in draft.rows]
    chosen = some(texts)
    if len(chosen) < 2:
        return
    like = jaccard(*[[texts[at] for at in chosen]] * 2)
    np.fill_diagonal(like, 0)
    best = like.max(axis=1)
    twins = int((best >= _NEAR).sum())
    if twins and twins >= _NEAR_ROWS * len(chosen):
        first = int((best >= _NEAR).argmax())
        second = int(like[first].argmax())
        yield Finding(
            "diverse",
            f"{plural(twins, 'row')} of {len(chosen)} nearly repeat another:"
            f" '{texts[chosen[first]][:50]}' and '{texts[chosen[second]][:50]}'",
            "keep one of each",
            draft.row(draft.rows[chosen[first]]),
        )


def _openings(draft: Draft) -> Iterator[Finding]:
    """A label's rows do not all begin alike, where the others' do not."""
    if not draft.task.has_labels:
        return
    groups = dict(draft.by_label())
    for name, rows in groups.items():
        texts = [row.input.text for row in rows]
        (words, count), *_ = openings(texts).most_common(1) or [("", 0)]
        others = [
            row.input.text for other, group in groups.items() if other != name for row in group
        ]
        elsewhere = openings(others)[words] / max(1, len(others))
        if count >= 3 and count >= _ALIKE * len(texts) and elsewhere < _ELSEWHERE:
            yield Finding(
                "diverse",
                f"{count} of {plural(len(texts), 'text')} that are '{name}' begin with '{words}'",
                "write them in several ways: a model learns the opening and not the label",
                draft.row(rows[0]),
            )


def _narrow(draft: Draft) -> Iterator[Finding]:
    """The examples are as different as the inputs."""
    inputs = [row.input.text for row in draft.met]
    texts = [row.input.text for row in draft.rows]
    if len(inputs) < 8 or len(texts) < 8:
        return
    own = [texts[at] for at in some(texts)]
    like = jaccard(own, own)
    np.fill_diagonal(like, np.nan)
    inside = float(np.nanmean(np.nanmax(like, axis=1)))
    outside = float(jaccard([inputs[at] for at in some(inputs)], own).max(axis=1).mean())
    if inside > _NARROW * outside and inside > 0.2:
        yield Finding(
            "diverse",
            f"the examples are {inside / max(outside, 1e-6):.1f} times liker to one another than"
            " the inputs are to them: they cover a part of what will come",
            "label some of the inputs that will come (`nshot disagree` lists which)",
            draft.row(draft.rows[0]),
        )
