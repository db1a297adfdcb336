"""From how many labelled rows on a model of one's own is not worse than what stands already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.board.ablation import variance_of_mean
from nshot.board.decide import Floats
from nshot.board.reduce import Entry, Facts, matrix
from nshot.board.schema import Match, MatchStep
from nshot.metrics import metric_of, points

ONE_SIDED = 1.645
"""Standard errors under a mean that it exceeds in 19 of 20 cases."""


def matches(facts: Facts, entries: Sequence[Entry], margin: float) -> tuple[Match, ...]:
    """The best of one's own models against each system that stands already, where both have
    answered all test rows and the model has a curve; () where there is none of the two."""
    whole = {
        entry.name: (entry, matrix(entry, None, facts))
        for entry in entries
        if entry.measurements.get(None) and not (entry.failed or entry.aside)
    }
    own = [(entry, table) for entry, table in whole.values() if entry.parts]
    stands = [(e, t) for e, t in whole.values() if e.method.rung == "outside" or _decides(e)]
    if not own or not stands:
        return ()
    best, table = max(own, key=lambda pair: float(pair[1].mean()))
    labelled = len(facts.split.train)
    sizes = [*_parts(best, facts), (labelled, table)]
    return tuple(
        match(best.name, entry.name, margin, sizes, theirs.mean(axis=0), facts.groups)
        for entry, theirs in stands
    )


def _decides(entry: Entry) -> bool:
    return "decide" in entry.method.needs


def _parts(entry: Entry, facts: Facts) -> list[tuple[int, Floats]]:
    """(labelled rows, (draws, test rows) points) of what it measured on parts of them."""
    metric, sizes = metric_of(facts.task), []
    for rows, drawn in sorted(entry.parts.items()):
        table = [
            points(metric, np.array(m.statistics, dtype=np.float64))[
                np.argsort([facts.places[name] for name in m.ids])
            ]
            for m in drawn
        ]
        sizes.append((rows, np.stack(table)))
    return sizes


def match(
    own: str,
    reference: str,
    margin: float,
    sizes: Sequence[tuple[int, Floats]],
    theirs: Floats,
    groups: Sequence[int] | None = None,
) -> Match:
    """Whether, and from which of `sizes` on, `own` is not worse than `reference` by `margin`.

    `sizes` are (labelled rows, (draws, test rows) points), `theirs` (test rows,) points, `groups`
    the number of each test row's group. Non-inferiority: the lower end of the one-sided 95 %
    interval of the mean difference lies above minus the margin (Walker and Nowacki 2011,
    https://doi.org/10.1007/s11606-010-1513-8). Luck is in the test rows, in pairs and in whole
    groups, and in which labelled rows were drawn. The largest size is tested first, then the next
    smaller one as long as none has failed, so that all together keep the error of one.
    """
    steps = [
        MatchStep(rows=rows, difference=mean, low=mean - ONE_SIDED * error)
        for rows, table in sorted(sizes, key=lambda size: size[0])
        for mean, error in [_difference(table, theirs, groups)]
    ]
    enough = None
    for step in reversed(steps):
        if step.low <= -margin:
            break
        enough = step.rows
    return Match(own=own, reference=reference, margin=margin, steps=tuple(steps), enough=enough)


def _difference(table: Floats, theirs: Floats, groups: Sequence[int] | None) -> tuple[float, float]:
    """(mean of own minus theirs, its standard error)."""
    count = min(table.shape[1], len(theirs))  # rows that came later were not answered by parts
    apart = table.mean(axis=0)[:count] - theirs[:count]
    mean, rows = float(apart.mean()), len(apart)
    numbers: NDArray[np.int64] = np.arange(rows) if groups is None else np.array(groups)[:rows]
    variance = variance_of_mean(apart, numbers)
    if len(table) > 1:
        variance += float(table.mean(axis=1).var(ddof=1)) / len(table)
    return mean, variance**0.5


def in_words(match: Match) -> str:
    """The sentence for people."""
    points = f"{100 * match.margin:g} point" + "s" * (match.margin != 0.01)
    last = match.steps[-1]
    measured = (
        f"{100 * last.difference:+.1f} points with {last.rows:,}, {100 * last.low:+.1f} at least"
    )
    if match.enough is None:
        return (
            f"Whether {match.own} is at most {points} worse than {match.reference} cannot be told"
            f" with the labelled rows that there are ({measured})."
        )
    fewer = "" if match.enough > match.steps[0].rows else "; fewer were not tried"
    return (
        f"From about {match.enough:,} labelled rows on, {match.own} is not more than {points} worse"
        f" than {match.reference}, with 95 % confidence ({measured}{fewer})."
    )
