"""The decision in words: costs under a wish, and the sentences that a report begins with.

Every score is said with what it is of: which fitted model, on how many rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nshot.board.contest import FEW_GROUPS
from nshot.board.critical import TINY, alike
from nshot.board.decide import BEST, FEWEST_GROUPS, FEWEST_ROWS, Column, Decision
from nshot.core.types import Trains

if TYPE_CHECKING:  # the board is typed there, and decides by what is said here
    from nshot.board.schema import Estimate, Preference, Row, TrialScore

REQUESTS = 10_000
"""How many answers the balanced wish weighs against building."""
FEW_A_LABEL = 8
"""Below so many rows of a label, a score from folds reads low: they learn from fewer still."""
_PER = {
    "balanced": f"to build and answer {REQUESTS:,} requests",
    "accuracy": f"to build and answer {REQUESTS:,} requests",
    "serving": "for 1,000 answers",
    "building": "to build",
    "memory": "of memory at its peak",
    "money": f"to build and answer {REQUESTS:,} requests",
}
_UNKNOWN = {"memory": "no memory measured", "money": "no price is known"}
_MILLION = 1e6
"""Money is weighed in millionths of its unit: `alike` lets half a second pass as no difference, and
half a millionth is none."""
_TRAINS = {
    "nothing": "It trains nothing.",
    "head": "It trains a small head; the base model stays as it is.",
    "adapter": "It trains an adapter; the base model's own weights stay as they are.",
    "weights": "It changes the weights of the base model.",
}


@dataclass(frozen=True)
class Scope:
    """What the scores of a board are of.

    `labelled` rows were there to learn from, `shots` of each label were learned from (None: all),
    `fewest` is how many rows the rarest label has. `missing` rows of the board have no score;
    `aside` are those that were put aside before any test row, with the reason, `stopped` those
    after some. `metric`: accuracy
    is said in percent, any other as points of 100. `refit` is how many rows the delivered model
    learns from, where it is fitted anew and not the one that was measured. `left_out` are the
    missing ones that more minutes would measure, in the order in which they would be, `unfinished`
    those that they would measure to the end; `trials` is how those with a score did in theirs.
    """

    labelled: int
    shots: int | None = None
    fewest: int | None = None
    missing: int = 0
    aside: Mapping[str, str] = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()
    metric: str = "accuracy"
    refit: int | None = None
    left_out: Sequence[Row] = ()
    unfinished: Sequence[Row] = ()
    trials: Mapping[str, TrialScore] = field(default_factory=dict)


class Outlay(NamedTuple):
    """What a contender takes to build, and for 1,000 answers, in seconds and in money.

    `seconds` are those of this machine alone. `use_money` None: somebody is paid, nobody knows how
    much.
    """

    seconds: float
    use_seconds: float
    money: float
    use_money: float | None

    @staticmethod
    def of(
        build: tuple[float, float], use: tuple[float, float | None], trains: Trains, elsewhere: bool
    ) -> Outlay:
        """Of (seconds, money) to build and to use; where the answers come from `elsewhere` this
        machine waits for them, and where nothing is trained its building is a wait too."""
        waits = elsewhere and trains == "nothing"
        seconds, use_seconds = (0.0 if waits else build[0]), (0.0 if elsewhere else use[0])
        return Outlay(seconds, use_seconds, build[1], use[1] if elsewhere else use[1] or 0.0)


def cost_of(row: Row, prefer: Preference, hour: float | None = None) -> float:
    """The cost a wish looks at: seconds, or bytes for `memory`. `accuracy` breaks ties only.

    For `money` see `cost_in_money`; `hour` is the price of an hour of this machine.
    Memory that was not measured, or did not grow, which is the same where an earlier method had
    taken more, is dearer than any that was; and so is what an answer takes where it was not
    recorded.
    """
    if prefer == "memory":
        return float(row.build_peak_bytes or math.inf)
    if prefer == "money":
        return cost_in_money(_outlay(row), hour)
    if row.is_measured and row.use_seconds_per_1000 is None and prefer != "building":
        return math.inf
    return cost_in_seconds(prefer, row.build_seconds or 0.0, row.use_seconds_per_1000 or 0.0)


def _outlay(row: Row) -> Outlay:
    return Outlay.of(
        (row.build_seconds or 0.0, row.build_money or 0.0),
        (row.use_seconds_per_1000 or 0.0, row.money_per_1000),
        row.trains,
        elsewhere=row.latency is not None or row.rung == "outside",
    )


def cost_in_money(outlay: Outlay, hour: float | None) -> float:
    """What building and `REQUESTS` answers cost, in millionths of the currency.

    The time of this machine counts where its `hour` has a price. What is not known is dearer than
    anything that is.
    """
    if outlay.use_money is None:
        return math.inf
    times = REQUESTS / 1000
    seconds = outlay.seconds + times * outlay.use_seconds
    money = outlay.money + times * outlay.use_money + seconds * (hour or 0.0) / 3600
    return _MILLION * money


def cost_in_seconds(prefer: Preference, build: float, use: float) -> float:
    """What a wish weighs of the seconds to build, and to `use` it for 1,000 answers."""
    if prefer == "serving":
        return use
    return build if prefer == "building" else build + use * REQUESTS / 1000


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
    scope: Scope,
) -> tuple[str, ...]:
    """The sentences that explain a decision, that of the pick first.

    Args:
        d: the decision.
        columns: what it was made of.
        rows: by name, for every column.
        prefer: what `cost` of the columns was taken from.
        scope: what the scores are of.
    """
    by_name = {column.name: column for column in columns}
    sentences = [
        _say_pick(d, by_name[d.pick], scope),
        _say_groups(d),
        _say_why(columns, d, prefer),
        _say_cost(rows[d.pick]),
        _say_money(columns, d, prefer),
        _say_verdict(d),
        _say_left_out(scope),
        _say_set(columns, d, scope),
        _say_aside(columns, d, scope),
        _say_cheapest(columns, d, prefer),
        _say_sight(d),
        _say_draws(d),
        _say_look(d),
        _say_more_tests(d),
        _say_more_training(d, rows[d.pick]),
        _say_folds(columns, by_name[d.pick], scope),
    ]
    return tuple(sentence for sentence in sentences if sentence)


# ------------------------------------------------------------------------------------- the pick


def _say_pick(d: Decision, pick: Column, scope: Scope) -> str:
    percent = " %" if scope.metric == "accuracy" else f" of 100 ({scope.metric})"
    ends = f"{100 * d.corrected_low:.0f}-{100 * d.corrected_high:.0f}"
    score = f"{100 * d.corrected_score:.0f}{percent} ({ends})"
    lowered = (
        f", already lowered by {in_points(d.optimism)} because it won a contest of {d.contenders}"
        if d.optimism >= 0.0005 and d.contenders > 1
        else ""
    )
    start = f"Pick: {d.pick}."
    if pick.folds:
        return f"{start} {_from_folds(pick, score + lowered, scope)}"
    if d.question == 1:
        after = "" if scope.refit is None else f" {_refitted(scope.refit, scope.labelled)}"
        return f"{start} {_from_one_fit(d, pick, score, scope)}{lowered}.{after}"
    return f"{start} {_from_draws(d, pick, score, scope)}{lowered}. {_delivered(scope)}".rstrip()


def _from_one_fit(d: Decision, pick: Column, score: str, scope: Scope) -> str:
    if pick.deterministic:
        return f"It learns from no rows; it scored {score} on {d.rows:,} test rows"
    on_all = f"on all {scope.labelled:,} labelled rows"
    fitted = f"Fitted {on_all} it" if scope.refit else f"The delivered model, fitted {on_all},"
    return f"{fitted} scored {score} on {d.rows:,} test rows it never saw"


def _refitted(refit: int, labelled: int) -> str:
    """What `--refit-on-all` delivers; what that brings is never claimed."""
    if refit <= labelled:
        return "The delivered model is fitted anew on the same rows (--refit-on-all)."
    return (
        f"The delivered model is fitted anew on {refit:,} rows, these test rows among them "
        "(--refit-on-all): what that brings is not measured."
    )


def _from_folds(pick: Column, score: str, scope: Scope) -> str:
    if pick.deterministic:
        return f"It learns from no rows; asked about all {scope.labelled:,}, it scored {score}."
    learned = f"with {scope.shots} examples of each label" if scope.shots else ""
    learned = learned or f"fitted on {_share(pick)} of the {scope.labelled:,} labelled rows"
    return (
        f"Models of it, {learned} at a time and asked about the rest, scored about {score}. The "
        f"delivered model learns from all {scope.labelled:,} rows, so this is if anything a little "
        "low."
    )


def _share(column: Column) -> str:
    """The share of the rows that a fold learned from."""
    return f"{100 - 100 / column.folds:.0f} %"


def _from_draws(d: Decision, pick: Column, score: str, scope: Scope) -> str:
    learned = f"With {scope.shots} examples of each label" if scope.shots else "Fitted on all rows"
    on = f"on {d.rows:,} test rows"
    if d.confirmed:
        fresh = "measured on fresh draws of the shots that it was not chosen on"
        return f"{learned} it scored {score} {on}, {fresh}"
    if pick.deterministic or d.draws == 1:
        return f"{learned} it scored {score} {on}"
    return f"{learned} it scored {score} {on}, the mean of {d.draws} draws"


def _delivered(scope: Scope) -> str:
    if scope.shots is None:
        return ""
    return (
        f"That is not the delivered model's score: it learns from all {scope.labelled:,} labelled "
        "rows."
    )


def _say_groups(d: Decision) -> str:
    if d.groups is None or d.groups == d.rows:
        return ""
    if d.groups <= FEW_GROUPS:
        groups = "one group" if d.groups == 1 else f"{d.groups} groups"
        these = "this one group" if d.groups == 1 else f"these {d.groups} groups"
        return (
            f"The {d.rows:,} test rows are of {groups} only: the interval is for more rows of "
            f"{these}, not for rows of others."
        )
    return (
        f"The {d.rows:,} test rows are of {d.groups} groups, whose rows share their luck: the "
        "interval is for rows of other groups."
    )


def _say_why(columns: Sequence[Column], d: Decision, prefer: Preference) -> str:
    if d.pick == d.top:
        if len(columns) == 1:
            return "It is the only method measured."
        cheaper = (
            f", and no {_cheaper(columns, d)} one that could be the best came within"
            f" {in_points(d.give_up)}"
            if d.give_up > 0
            else ""
        )
        return f"It measured highest of {len(columns)}{cheaper}."
    behind = f"It measured {in_points(d.gap[d.top])} below the top"
    if d.top not in {c.name for c in columns if c.allowed}:
        return f"{behind}, {d.top}, which your wish leaves out."
    cost = {c.name: c.cost for c in columns}
    dearer = _dearer(cost[d.top], cost[d.pick], prefer)
    if d.gap[d.top] <= TINY:
        return f"It measured the same score as {d.top} ({dearer})."
    within = f"within the {in_points(d.give_up)} you give up for less cost"
    return f"{behind} ({d.top}, {dearer}): {within}."


def _cheaper(columns: Sequence[Column], d: Decision) -> str:
    """What no other one is: costs that a clock cannot tell apart weigh nothing."""
    pick = next(c for c in columns if c.name == d.pick)
    near = [
        c
        for c in columns
        if c.allowed and c.cost < pick.cost and c.name in d.could_be_best
        if d.gap[c.name] >= -d.give_up - TINY
    ]
    return "clearly cheaper" if near else "cheaper"


def _dearer(high: float, low: float, prefer: Preference) -> str:
    """How much more the dear one costs, as a ratio; in full where the cheap one costs nothing."""
    if low <= 0 or not math.isfinite(high):
        return _amount(high, prefer)
    ratio = high / low
    if ratio < 1.05:
        return "at much the same cost"
    times = f"{ratio:,.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"
    return f"{times} the memory" if prefer == "memory" else f"{times} dearer"


def _amount(value: float, prefer: Preference) -> str:
    """A cost with its unit: ``12 s to build``, or ``free to build``."""
    if not math.isfinite(value):
        return _UNKNOWN.get(prefer, "its cost was not recorded")
    if value <= 0:
        return f"free {_PER[prefer]}"
    if prefer == "money":
        amount = f"{_sum_of_money(value / _MILLION)} in money"
    else:
        amount = f"{value / 1e6:,.0f} MB" if prefer == "memory" else _duration(value)
    return f"{amount} {_PER[prefer]}"


def _sum_of_money(value: float) -> str:
    return f"{value:,.2f}" if value >= 10 else f"{value:.2g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _say_cost(row: Row) -> str:
    if row.rung == "outside":
        return _say_what_stands(row)
    build = f"took {_duration(row.build_seconds)} to build" if row.build_seconds else "is free"
    use = _duration(row.use_seconds_per_1000 or 0.0)
    return f"It {build} and needs {use} for 1,000 answers here. {_TRAINS[row.trains]}"


def _say_money(columns: Sequence[Column], d: Decision, prefer: Preference) -> str:
    """By which amount a wish for little money has chosen."""
    if prefer != "money":
        return ""
    if not any(math.isfinite(c.cost) and c.cost > 0 for c in columns):
        return (
            "Nothing here has a price, so that all cost the same: a table of prices (--prices"
            " FILE, docs/endpoints.md) has those of models behind endpoints and of an hour of this"
            " machine."
        )
    pick = next(c for c in columns if c.name == d.pick)
    if not math.isfinite(pick.cost):
        return "No price of it is known."
    return f"By the prices it is {_amount(pick.cost, prefer)}."


def _say_what_stands(row: Row) -> str:
    """What a system costs that nobody has to build."""
    money = f"{row.money_per_1000:.4g} in money" if row.money_per_1000 else ""
    if row.use_seconds_per_1000 is not None:
        seconds = _duration(row.use_seconds_per_1000)
        cost = f"Its 1,000 answers take {' and '.join(filter(None, (seconds, money)))}, as recorded"
    else:
        paid = f"Its 1,000 answers cost {money}; their" if money else "Its answers'"
        cost = f"{paid} time was not recorded, so it counts as dearer than any other"
    return f"{cost}. It stands already: stay with it, there is no model to deliver."


# ---------------------------------------------------------------------------------- how sure it is


def _say_verdict(d: Decision) -> str:
    if d.outlook.why == "few rows":
        return (
            f"Cannot tell: {d.rows} test rows are too few for a verdict; "
            f"from {FEWEST_ROWS} on there is one."
        )
    if d.outlook.why == "few groups":
        return (
            f"Cannot tell: rows of {d.groups} groups are too few for a verdict; from "
            f"{FEWEST_GROUPS} groups of much the same size on there is one."
        )
    if d.settled_to is None or d.leaning_to is None:
        return "Cannot tell: there is no other method to compare it with."
    could, within = in_points(d.settled_to), in_points(d.delta)
    better = f"more than {could} better" if d.settled_to > TINY else "better"
    if d.verdict == "settled":
        open_to_you = "open to you" if not d.left_out else "that was measured"
        return (
            f"Settled to within {within}: no other method {open_to_you} is {better}.{_ceiling(d)}"
        )
    if d.verdict == "leaning" and d.settled_to <= d.delta + TINY:
        if d.assumed:
            return "Leaning: on one draw of the shots nothing is called settled."
        return (
            f"Leaning: of the methods that were measured no other one is {better}, "
            f"but {d.left_out} {'was' if d.left_out == 1 else 'were'} not reached and could be."
        )
    if d.verdict == "leaning":
        return (
            f"Leaning: no other method is more than {within} better at 3 in 4; at 19 in 20 one "
            f"could still be up to {could} better."
        )
    if d.settled_to <= d.delta + TINY:
        return "Cannot tell: the pick itself is not measured to the end."
    return (
        f"Cannot tell: another method could still be up to {could} better; to count as settled it "
        f"may be at most {within}."
    )


def _ceiling(d: Decision) -> str:
    """Why what was not reached leaves the board settled."""
    if not d.left_out:
        return ""
    most = in_points(BEST - d.corrected_low)
    return f" What was not reached could be at most {most} better: no score is above 100."


def _say_left_out(scope: Scope) -> str:
    """What more minutes would measure, the one that is worth most a second first."""
    rows = (*scope.left_out, *scope.unfinished)
    if not rows:
        return ""
    first, *others = rows
    whole = sum(row.left_seconds or 0.0 for row in rows)
    also = f", --minutes {_minutes(whole)} for all of them; most stop sooner" if others else ""
    return (
        f"{_not_reached(scope.left_out, scope.trials)}{_not_finished(scope.unfinished)}The same "
        f"command goes on from here: --minutes {_minutes(first.left_seconds or 0.0)} has time for "
        f"{first.name}{also}."
    )


def _not_reached(rows: Sequence[Row], trials: Mapping[str, TrialScore]) -> str:
    """Those without a score, and what is known of the first."""
    if not rows:
        return ""
    first = rows[0]
    which = f"Not reached: {', '.join(row.name for row in rows)}."
    if first.trial is None:
        return f"{which} "
    best, alike = "", {n: t for n, t in trials.items() if t.learned == first.trial.learned}
    if alike:
        name = max(sorted(alike), key=lambda name: alike[name].score)
        best = f", {name} {100 * alike[name].score:.1f} %"
    return f"{which} {first.name}: {trial_words(first.trial)}{best}. "


def _not_finished(rows: Sequence[Row]) -> str:
    names = ", ".join(row.name for row in rows)
    return f"The minutes stopped {names} before the end. " if rows else ""


def _minutes(seconds: float) -> int:
    """Whole minutes to ask for, with a fifth to spare."""
    return max(math.ceil(1.2 * seconds / 60), 1)


def trial_words(trial: TrialScore) -> str:
    """What a trial came to."""
    which = "trial" if trial.steps is None else f"short trial, after {trial.steps} steps,"
    return (
        f"in its {which} it scored {100 * trial.score:.1f} % on {trial.rows} labelled rows it had "
        "not seen"
    )


def _say_set(columns: Sequence[Column], d: Decision, scope: Scope) -> str:
    """Who stopped before the end is not counted as ruled out."""
    measured, inside, missing = len(d.mean), len(d.could_be_best), scope.missing
    whole = [c for c in columns if _is_whole(c, d, scope)]
    out = sum(c.name not in d.could_be_best for c in whole)
    unseen = ""
    if missing:
        have = "method has" if missing == 1 else "methods have"
        unseen = f" {missing} more {have} no score; the board says why."
    if measured == 1:
        return unseen.strip()
    ruled = f"; {out} {'is' if out == 1 else 'are'} ruled out" if out else "; none is ruled out"
    return f"{inside} of {measured} methods could still be the best{ruled}.{unseen}"


def _is_whole(column: Column, d: Decision, scope: Scope) -> bool:
    """Has it answered every test row, with settings that were chosen, on every draw?"""
    return column.rows >= d.rows and column.searched and column.name not in scope.stopped


def _say_aside(columns: Sequence[Column], d: Decision, scope: Scope) -> str:
    """Who stopped before the end: that rules nobody out."""
    stopped = []
    for c in sorted(columns, key=lambda c: c.name):
        if _is_whole(c, d, scope):
            continue
        rows = f"{c.rows:,} of {d.rows:,} test rows" if c.rows < d.rows else ""
        draws = len(c.points) if d.question == 2 else 0
        if draws:
            rows = f"{draws} draw{'s' * (draws > 1)} on {rows or f'{d.rows:,} test rows'}"
        settings = "" if c.searched else "with default settings"
        extent = (f"after {rows}" if rows else "", settings)
        stopped.append(f"{c.name} ({', '.join(filter(None, extent))})")
    stopped += [f"{name} ({_why_aside(reason)})" for name, reason in scope.aside.items()]
    if not stopped:
        return ""
    return (
        f"Put aside, not ruled out: {', '.join(stopped)}. Going on was not worth its time; a "
        "contender without a search counts as if it brought 5 points more."
    )


def _why_aside(reason: str) -> str:
    return reason.removeprefix("put aside").lstrip(": ")


def _say_cheapest(columns: Sequence[Column], d: Decision, prefer: Preference) -> str:
    """The cheapest contender beside the pick: what one would gain and risk by taking it."""
    inside = [c for c in columns if c.allowed and c.name in d.could_be_best]
    if len(inside) < 2:
        return ""
    least = min(inside, key=lambda c: (c.cost, d.gap[c.name] * -1, c.name))
    cheapest, pick = least.name, next(c for c in columns if c.name == d.pick)
    if cheapest == d.pick:
        return "It is also the cheapest of those that could still be the best."
    if pick.allowed and alike(np.array([pick.cost]), least.cost)[0]:
        return (
            f"Of those that could still be the best none is clearly cheaper: {cheapest} costs much "
            f"the same and measured {_signed(d.gap[cheapest])} the pick."
        )
    return (
        f"The cheapest of those is {cheapest}: {_amount(least.cost, prefer)}, "
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
    if d.mdd is None or d.mdd >= 0.5:
        return ""
    draws = "" if d.question == 1 else f" and {d.draws} {'draw' if d.draws == 1 else 'draws'}"
    return (
        f"With {d.rows:,} test rows{draws} this board reliably sees differences of about "
        f"{100 * d.mdd:.0f} points or more."
    )


def _say_draws(d: Decision) -> str:
    if not d.assumed:
        return ""
    return (
        f"One draw only: how much {d.pick} moves with other shots was assumed "
        f"(sd {in_points(round(d.draw_sd[d.pick], 3))}), not measured."
    )


def _say_look(d: Decision) -> str:
    if d.look == 1:
        return ""
    return (
        f"This is look {d.look} at these test rows: it allowed itself an error of "
        f"{100 * d.alpha:.3g} %."
    )


# ------------------------------------------------------------------------------ what would help


def _say_more_tests(d: Decision) -> str:
    within, sight = f"to within {in_points(d.delta)}", d.outlook
    draws = f"{sight.draw_share:.0%} of the doubt is from the draws of the shots"
    from_where = "the same source" if d.groups is None else "the same source, of other groups"
    if sight.rows is not None:
        also = " So would two more draws of the shots." if sight.draws else ""
        return (
            f"About {sight.rows:,} test rows in all ({sight.rows - d.rows:,} more, from "
            f"{from_where}) would settle it {within}: so it ended in at least 8 of 10 simulated "
            f"futures.{also} Looking again is a further test: the next look allows itself an error "
            f"of {50 * d.alpha:.3g} %, so that all looks together stay under "
            f"{200 * d.alpha * 2 ** (d.look - 1):.3g} %."
        )
    if sight.why == "draws" and sight.draws:
        return (
            "More test rows alone will not settle this; two more draws of the shots would: "
            f"{draws}."
        )
    if sight.why == "draws":
        return (
            f"More test rows will not settle this: {draws}. More draws (--seeds) are the lever, "
            "and two more are not enough."
        )
    return {
        "one contender": "There is nothing to settle with one method.",
        "few rows": f"With {d.rows} test rows no forecast is made: bring at least {FEWEST_ROWS}.",
        "few groups": "No forecast is made from so few groups: bring rows of others.",
        "settled": f"No more test labels are needed to settle this {within}"
        f"{', among what was measured' if d.left_out else ''}.",
        "one draw": "One draw of the shots gives no forecast: measure 3 draws (--seeds 3) first.",
        "gap": (
            "More test rows will not settle this, not ten times as many: the gap is smaller than "
            "you asked to see."
        ),
    }[sight.why]


def _say_more_training(d: Decision, pick: Row) -> str:
    """Only what was measured, and only from three sizes on: no forecast of a learning curve."""
    if pick.gain:
        return _say_gain(pick, pick.gain)
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


def _say_gain(pick: Row, gain: Estimate) -> str:
    """What the last doubling of the labelled rows brought, and what that suggests."""
    parts = [(point.rows, point.score or 0.0) for point in pick.curve if point.rows]
    curve = ", ".join(f"{100 * score:.0f} with {rows:,}" for rows, score in parts)
    brought, low, high = (100 * (value or 0.0) for value in (gain.score, gain.low, gain.high))
    suggestion = (
        "twice as many labels may bring about as much again, or less: that is an extrapolation"
        if low > 0
        else "whether more labels would bring anything cannot be told from that"
    )
    return (
        f"More training labels: {pick.name} measured {curve} and {100 * (pick.score or 0.0):.0f} "
        f"with all labelled rows; the last doubling brought {brought:.1f} points "
        f"({low:.1f} to {high:.1f}), and {suggestion}."
    )


def _say_folds(columns: Sequence[Column], pick: Column, scope: Scope) -> str:
    """At which share of the rows folds learned, where it is not the pick's, and what that does."""
    if not pick.folds:
        return ""
    others: dict[str, list[str]] = {}
    for c in columns:
        if c.folds and c.folds != pick.folds and not c.deterministic:
            others.setdefault(_share(c), []).append(c.name)
    unlike = [
        f"{', '.join(sorted(names))} learned from {share} of the rows"
        for share, names in sorted(others.items())
    ]
    few = (
        f"The rarest label has {scope.fewest} rows: below {FEW_A_LABEL} a score from folds reads "
        "low."
        if scope.fewest is not None and scope.fewest < FEW_A_LABEL
        else ""
    )
    first = f"Not all scores are at {_share(pick)}: {'; '.join(unlike)}." if unlike else ""
    return f"{first} {few}".strip()


def in_points(fraction: float) -> str:
    """A difference of scores in words: ``1.4 points``."""
    value = f"{100 * abs(fraction):.1f}".removesuffix(".0")
    return f"{value} point" if value == "1" else f"{value} points"
