"""The decision in words: costs under a wish, and the sentences that a report begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nshot.board.decide import FEWEST_ROWS, TINY, Column, Decision, in_points

if TYPE_CHECKING:  # the board is typed there, and decides by what is said here
    from nshot.board.schema import Preference, Row

REQUESTS = 10_000
"""How many answers the balanced wish weighs against building."""
_PER = {
    "balanced": f"to build and answer {REQUESTS:,} requests",
    "accuracy": f"to build and answer {REQUESTS:,} requests",
    "serving": "for 1,000 answers",
    "building": "to build",
    "memory": "of memory at its peak",
}
_TRAINS = {
    "nothing": "It trains nothing.",
    "head": "It trains a small head; the base model stays as it is.",
    "adapter": "It trains an adapter; the base model's own weights stay as they are.",
    "weights": "It changes the weights of the base model.",
}


def cost_of(row: Row, prefer: Preference) -> float:
    """The cost a wish looks at: seconds, or bytes for `memory`. `accuracy` breaks ties only."""
    build, use = row.build_seconds or 0.0, row.use_seconds_per_1000 or 0.0
    if prefer == "serving":
        return use
    if prefer == "building":
        return build
    if prefer == "memory":
        return float(row.build_peak_bytes or 0)
    return build + use * REQUESTS / 1000


def give_up_of(prefer: Preference) -> float:
    """The give-up that a wish implies when the user names none: 2 points, 0 for `accuracy`."""
    return 0.0 if prefer == "accuracy" else 0.02


def frontier(scores: Mapping[str, float], costs: Mapping[str, float]) -> tuple[str, ...]:
    """Names that no other beats in both score and cost (Pareto), cheapest first.

    Beaten: another scores at least as high at no more cost, and is better in one of the two.
    """

    def beaten(name: str) -> bool:
        return any(
            scores[o] >= scores[name]
            and costs[o] <= costs[name]
            and (scores[o] > scores[name] or costs[o] < costs[name])
            for o in scores
        )

    return tuple(sorted((n for n in scores if not beaten(n)), key=lambda n: (costs[n], n)))


def reasons(
    d: Decision,
    columns: Sequence[Column],
    rows: Mapping[str, Row],
    prefer: Preference,
    *,
    missing: int = 0,
    folds: bool = False,
    metric: str = "accuracy",
) -> tuple[str, ...]:
    """The sentences that explain a decision.

    Args:
        d: the decision.
        columns: what it was made of.
        rows: by name, for every column.
        prefer: what `cost` of the columns was taken from.
        missing: how many rows have no score (skipped, failed): they are not ruled out.
        folds: the scores are out-of-fold, from training on 80% of the rows.
        metric: its name; accuracy is said in percent, any other as points of 100.
    """
    sentences = [
        _say_pick(d, metric, folds),
        _say_why(columns, d, rows, prefer),
        _say_cost(rows[d.pick]),
        _say_verdict(d),
        _say_set(d, missing),
        _say_cheapest(columns, d, rows, prefer),
        _say_sight(d),
        _say_draws(columns, d),
        _say_more_tests(d),
        _say_more_training(d, rows[d.pick]),
        _say_folds() if folds else "",
    ]
    return tuple(sentence for sentence in sentences if sentence)


def _say_pick(d: Decision, metric: str, folds: bool) -> str:
    percent = "%" if metric == "accuracy" else f" of 100 ({metric})"
    about = "about " if folds else ""
    score = f"{about}{100 * d.corrected_score:.0f}{percent}"
    ends = f"{about}{100 * d.corrected_low:.0f}-{100 * d.corrected_high:.0f}"
    how = " measured on fresh draws of the shots that it was not chosen on," if d.confirmed else ""
    lowered = (
        f" already lowered by {in_points(d.optimism)} because it won a contest of {d.contenders}"
        if d.optimism >= 0.0005 and d.contenders > 1
        else ""
    )
    end = f",{how}{lowered}".rstrip(",")
    return f"Pick: {d.pick}, {score} ({ends}) on new inputs{end}."


def _say_why(
    columns: Sequence[Column], d: Decision, rows: Mapping[str, Row], prefer: Preference
) -> str:
    if d.pick == d.top:
        if len(columns) == 1:
            return "It is the only method measured."
        cheaper = (
            f", and no cheaper one that could be the best came within {in_points(d.give_up)}"
            if d.give_up > 0
            else ""
        )
        return f"It measured highest of {len(columns)}{cheaper}."
    behind = f"It measured {in_points(d.gap[d.top])} below the top"
    if d.top not in {c.name for c in columns if c.allowed}:
        return f"{behind}, {d.top}, which your wish leaves out."
    dearer = _dearer(rows[d.top], rows[d.pick], prefer)
    if d.gap[d.top] <= TINY:
        return f"It measured the same score as {d.top} ({dearer})."
    within = f"within the {in_points(d.give_up)} you give up for less cost"
    return f"{behind} ({d.top}, {dearer}): {within}."


def _dearer(dear: Row, cheap: Row, prefer: Preference) -> str:
    """How much more the dear one costs, as a ratio; in full where the cheap one costs nothing."""
    high, low = cost_of(dear, prefer), cost_of(cheap, prefer)
    if low <= 0:
        return _amount(dear, prefer)
    ratio = high / low
    if ratio < 1.05:
        return "at much the same cost"
    times = f"{ratio:,.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"
    return f"{times} the memory" if prefer == "memory" else f"{times} dearer"


def _amount(row: Row, prefer: Preference) -> str:
    """A cost with its unit: ``12 s to build``, or ``free to build``."""
    value = cost_of(row, prefer)
    if value <= 0:
        return "no memory measured" if prefer == "memory" else f"free {_PER[prefer]}"
    amount = f"{value / 1e6:,.0f} MB" if prefer == "memory" else _duration(value)
    return f"{amount} {_PER[prefer]}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _say_cost(row: Row) -> str:
    build = f"took {_duration(row.build_seconds)} to build" if row.build_seconds else "is free"
    use = _duration(row.use_seconds_per_1000 or 0.0)
    return f"It {build} and needs {use} for 1,000 answers here. {_TRAINS[row.trains]}"


def _say_verdict(d: Decision) -> str:
    if d.rows < FEWEST_ROWS:
        return (
            f"Cannot tell: {d.rows} test examples are too few for a verdict; "
            f"from {FEWEST_ROWS} on there is one."
        )
    if d.settled_to is None:
        return "Cannot tell: there is no other method to compare it with."
    could = in_points(max(d.settled_to, 0.0))
    bound = f"to count as settled it may be at most {in_points(d.delta)}"
    if d.verdict == "settled":
        return (
            f"Settled to within {in_points(d.delta)}: no other method open to you is more than "
            f"{could} better."
        )
    if d.settled_to <= d.delta + TINY:
        return "Leaning: on one draw of the shots nothing is called settled."
    word = "Leaning" if d.verdict == "leaning" else "Cannot tell"
    return f"{word}: another method could still be up to {could} better; {bound}."


def _say_set(d: Decision, missing: int) -> str:
    measured, inside = len(d.mean), len(d.could_be_best)
    out = measured - inside
    unseen = ""
    if missing:
        have = "method has" if missing == 1 else "methods have"
        unseen = f" {missing} more {have} no score; the board says why."
    if measured == 1:
        return unseen.strip()
    ruled = f"; {out} {'is' if out == 1 else 'are'} ruled out" if out else "; none is ruled out"
    return f"{inside} of {measured} methods could still be the best{ruled}.{unseen}"


def _say_cheapest(
    columns: Sequence[Column], d: Decision, rows: Mapping[str, Row], prefer: Preference
) -> str:
    """The cheapest contender beside the pick: what one would gain and risk by taking it."""
    inside = [c for c in columns if c.allowed and c.name in d.could_be_best]
    if len(inside) < 2:
        return ""
    cheapest = min(inside, key=lambda c: (c.cost, d.gap[c.name] * -1, c.name)).name
    if cheapest == d.pick:
        return "It is also the cheapest of those that could still be the best."
    return (
        f"The cheapest of those is {cheapest}: {_amount(rows[cheapest], prefer)}, "
        f"measured {_signed(d.gap[cheapest])} the pick, could be "
        f"{_range(d.gap_low[cheapest], d.gap_high[cheapest])}."
    )


def _signed(gap: float) -> str:
    return f"{in_points(gap)} {'below' if gap < 0 else 'above'}"


def _range(low: float, high: float) -> str:
    """``15 below to 3 above``, in whole points."""
    return " to ".join(
        f"{abs(100 * end):.0f} {'below' if end < 0 else 'above'}" for end in (low, high)
    )


def _say_sight(d: Decision) -> str:
    if d.mdd is None:
        return ""
    draws = "1 draw" if d.draws == 1 else f"{d.draws} draws"
    return (
        f"With {d.rows:,} test rows and {draws} this board reliably sees differences of about "
        f"{100 * d.mdd:.0f} points or more."
    )


def _say_draws(columns: Sequence[Column], d: Decision) -> str:
    """The caveat of one draw, for the pick or else for the contender that moves most."""
    if not d.assumed:
        return ""
    once = {c.name for c in columns if len(c.points) == 1 and not c.deterministic}
    name = d.pick if d.pick in once else max(once, key=lambda n: (d.draw_sd[n], n))
    who = "this method" if name == d.pick else name
    return (
        f"One draw only: how much {who} moves with other shots was assumed "
        f"(sd {in_points(round(d.draw_sd[name], 3))}), not measured."
    )


def _say_more_tests(d: Decision) -> str:
    if d.more_test_labels is None:
        return d.outlook
    again = d.alpha / 2**d.look
    return (
        f"{d.outlook} Looking again is a further test: the next look allows itself an error of "
        f"{100 * again:.3g}%, so that all looks together stay under {100 * 2 * d.alpha:.3g}%."
    )


def _say_more_training(d: Decision, pick: Row) -> str:
    """Only what was measured, and only from three sizes on: no forecast of a learning curve."""
    curve = sorted((p.shots, p.score or 0.0) for p in pick.curve if isinstance(p.shots, int))
    if len(curve) < 3:
        return (
            "What more training labels would do was not measured: that takes at least 3 sizes "
            "(--shots 4,8,16)."
        )
    step = curve[-1][1] - curve[-2][1]
    sizes = ", ".join(str(shots) for shots, _ in curve)
    scores = ", ".join(f"{100 * score:.0f}" for _, score in curve)
    moved = f"{'brought' if step >= 0 else 'cost'} {in_points(step)}"
    if abs(step) < (d.high[d.pick] - d.low[d.pick]) / 2:
        moved += ", which may be luck"
    return (
        f"More training labels: with {sizes} a label {d.pick} measured {scores}; the last step "
        f"{moved}. Beyond {curve[-1][0]} nothing was measured."
    )


def _say_folds() -> str:
    return (
        "The scores are estimated by training on 80% of your rows and testing on the rest, in "
        "turn; the delivered model saw all of them, so they are if anything a little low. Folds "
        "share rows, so the interval holds the truth in nearer 85-90 than 95 of 100 cases."
    )
