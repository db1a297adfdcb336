"""Shots out of the train rows: n per label, the same few first whatever n is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Shots


def draw(rows: Sequence[Example], n: int | None, seed: int, labels: Sequence[str]) -> Shots:
    """`n` labelled rows per label (None: all rows), the rest unlabelled, from train `rows`.

    Depends on the rows, not on their order. The draw of 4 is the beginning of the draw of 8 under
    one seed, label after label in turn. Rows of one group count as one source: a label takes one
    row from each of its groups before a second from any, and what is left of a group that was
    drawn from is not used at all, so that no group has both labelled and unlabelled rows.
    `labels` are the task's label names; none (kind generate): `n` rows in all. Of a rare label
    (`rare_labels`) all rows are drawn.

    Raises `InputError` naming every other label with fewer than `n` rows.
    """
    if n is None:
        return Shots(labelled=tuple(rows))
    if faults := too_few(Counter(_stratum(row, labels) for row in rows), n, labels):
        raise InputError(faults)
    queues = [_queue(rows, label, seed, labels) for label in labels or ("",)]
    labelled = tuple(queue[turn] for turn in range(n) for queue in queues if turn < len(queue))
    touched = {_source(row) for row in labelled}
    rest = sorted((row for row in rows if _source(row) not in touched), key=_by_id)
    return Shots(labelled, tuple(replace(row, targets=(), grades=()) for row in rest))


def sample(
    rows: Sequence[Example], count: int, seed: int, labels: Sequence[str]
) -> tuple[Example, ...]:
    """`count` of the rows, each label by its share but two of each first where it has them.

    A smaller sample under one seed is the beginning of a larger one. Rows of one group count as
    one source, as in `draw`.
    """
    places: list[tuple[float, str, Example]] = []
    for label in labels or ("",):
        queue = _queue(rows, label, seed, labels)
        places += [((i - 2 if i < 2 else i / len(queue)), row.id, row)
                   for i, row in enumerate(queue)]  # fmt: skip
    return tuple(row for _, _, row in sorted(places, key=lambda place: place[:2])[:count])


def rare_labels(counts: Mapping[str, int], n: int, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels with a row but fewer than `n`, where most labels, two at least, have `n`.

    They must not pull the others down to their few rows: all of theirs are drawn.
    """
    short = [name for name in labels if counts[name] < n]
    most_have = 2 * len(short) < len(labels) and len(labels) - len(short) >= 2
    return tuple(name for name in short if counts[name]) if most_have else ()


def too_few(counts: Counter[str], n: int, labels: Sequence[str]) -> list[Fault]:
    """One fault for each label with fewer than `n` rows in `counts` that is not a rare one."""
    rare = rare_labels(counts, n, labels)
    least = min(counts[name] for name in labels or ("",))
    do = f"--shots {least}, or more rows" if least else "add rows of it, or leave the label out"
    return [
        Fault(
            f"{f'label {label!r}' if label else 'the task'} has {counts[label]} train "
            f"row{'s' * (counts[label] != 1)}, {n} {'is' if n == 1 else 'are'} needed",
            expected=f"at least {n} of each label once copies and held-out rows are gone",
            do=do,
        )
        for label in labels or ("",)
        if counts[label] < n and label not in rare
    ]


def _stratum(row: Example, labels: Sequence[str]) -> str:
    return row.label if labels else ""


def _source(row: Example) -> tuple[str, str]:
    """The row's group, or the row alone."""
    return ("id", row.id) if row.group is None else ("group", row.group)


def _by_id(row: Example) -> str:
    return row.id


def _queue(rows: Sequence[Example], label: str, seed: int, labels: Sequence[str]) -> list[Example]:
    """The label's rows in the order of drawing: first rows of all groups, then second ones."""
    groups: dict[tuple[str, str], list[Example]] = {}
    for row in sorted(rows, key=_by_id):
        if _stratum(row, labels) == label:
            groups.setdefault(_source(row), []).append(row)
    rng = random.Random(f"draw:{seed}:{label}")
    names = sorted(groups)
    rng.shuffle(names)
    for name in names:
        rng.shuffle(groups[name])
    depth = max(map(len, groups.values()), default=0)
    return [groups[name][i] for i in range(depth) for name in names if i < len(groups[name])]
