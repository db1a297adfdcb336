"""From how many requests on a model of one's own is cheaper than a long prompt, or an endpoint.

What `n` requests cost is ``once + n * each``: what building takes, and what an answer takes. Two
such lines cross once at most, where ``n = (own.once - other.once) / (other.each - own.each)``.
Where a row was measured on several draws both figures are uncertain: the ends of the range are
the crossings of the own line at its best with the other at its worst, and the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from nshot.board.reduce import Entry, Facts, Searching
from nshot.board.schema import Board, BreakEven, CostLine, Crossing, Row
from nshot.core.durations import duration
from nshot.core.types import Measurement


class Line(NamedTuple):
    """Seconds or money: of building, and of each request."""

    once: float
    each: float

    def total(self, requests: float) -> float:
        """Of so many requests."""
        return self.once + requests * self.each


def crossing(own: Line, other: Line) -> float:
    """From how many requests on `own` costs less: 0 from the first, infinity never."""
    saved, more = other.each - own.each, own.once - other.once
    if saved > 0:
        return max(0.0, more / saved)
    return 0.0 if saved == 0 and more < 0 else math.inf


def crossed(own: Sequence[Line], other: Sequence[Line]) -> Crossing:
    """The crossing of the middles of both, and its range over their draws."""
    one, two = _middle(own), _middle(other)
    return Crossing(
        own=CostLine(once=one.once, each=one.each),
        other=CostLine(once=two.once, each=two.each),
        requests=_finite(crossing(one, two)),
        low=_finite(crossing(_least(own), _most(other))),
        high=_finite(crossing(_most(own), _least(other))),
    )


def break_evens(
    facts: Facts,
    entries: Sequence[Entry],
    rows: Sequence[Row],
    pick: str | None,
    hour: float | None,
) -> tuple[BreakEven, ...]:
    """A model that learned against the best prompt of each language model, and recorded answers.

    It is the pick where that learned, else the best that did. Money is compared where the other
    is paid for; `hour` is the price of one of the machine on which the rest runs, None where it
    is not counted.
    """
    by_name = {entry.name: entry for entry in entries}
    whole = [row for row in rows if row.status == "ok" and row.in_contest and row.score is not None
             and row.name in by_name and row.use_seconds_per_1000 is not None]  # fmt: skip
    learned = [row for row in whole if row.trains != "nothing" and not row.money_per_1000]
    if not learned:
        return ()
    own = next((row for row in learned if row.name == pick), max(learned, key=_score))
    others = dict[str, Row]()
    for row in sorted(whole, key=_score):
        if row.rung in ("prompt", "outside") and row.trains == "nothing":
            others[f"{row.rung} {row.base} {bool(row.money_per_1000)}"] = row
    pairs = []
    for other in others.values():
        ours, theirs = (_draws(by_name[row.name], facts) for row in (own, other))
        search = [
            by_name[row.name].searching.get(facts.largest, Searching()) for row in (own, other)
        ]
        money = None
        if other.money_per_1000:
            money = crossed(_money(ours, search[0], hour), _money(theirs, search[1], None))
        pairs.append(
            BreakEven(
                own=own.name,
                other=other.name,
                own_score=own.score,
                other_score=other.score,
                seconds=crossed(_seconds(ours, search[0]), _seconds(theirs, search[1])),
                money=money,
                hour=hour,
            )
        )
    return tuple(pairs)


def sentences(board: Board) -> list[str]:
    """Those of all its pairs."""
    currency = board.money.currency if board.money else ""
    return [in_words(one, currency) for one in board.break_even]


def in_words(pair: BreakEven, currency: str = "") -> str:
    """The sentence for people."""
    points = 100 * ((pair.own_score or 0.0) - (pair.other_score or 0.0))
    parts = [f"in time {_words(pair.seconds, duration)}"]
    if pair.money is not None:
        machine = "" if pair.hour is not None else ", this machine's time not counted"
        unit = currency or "in money"

        def paid(amount: float) -> str:
            return f"{amount:.3g} {unit}"

        parts.append(f"in money {_words(pair.money, paid)}{machine}")
    return f"{pair.own} ({points:+.1f} points) is cheaper than {pair.other} {'; '.join(parts)}."


def _words(one: Crossing, say: Callable[[float], str]) -> str:
    """From where on, and by what figures."""
    figures = (
        f"{say(one.own.once)} once and {say(1000 * one.own.each)} a 1,000 answers, against"
        f" {say(one.other.once)} and {say(1000 * one.other.each)}"
    )
    if one.requests is None:
        return f"at no number of requests ({figures})"
    if not one.requests:
        return f"from the first request on ({figures})"
    low = "the first" if not one.low else _number(one.low)
    high = "never" if one.high is None else _number(one.high)
    known = one.high is not None and one.high - (one.low or 0.0) < 0.01 * one.requests
    spread = "" if known else f" ({low} to {high} by the draws)"
    return f"from about {_number(one.requests)} requests on{spread} ({figures})"


def _number(requests: float) -> str:
    """Two digits are known at most."""
    whole = max(1, math.ceil(requests))
    digits = max(0, len(str(whole)) - 2)
    return f"{math.ceil(whole / 10**digits) * 10**digits:,}"


def _draws(entry: Entry, facts: Facts) -> list[Measurement]:
    return [one for one in entry.measurements.get(facts.largest, []) if one.ids]


def _seconds(draws: Sequence[Measurement], search: Searching) -> list[Line]:
    return [Line(m.build.seconds + search.seconds, m.use.seconds / len(m.ids)) for m in draws]


def _money(draws: Sequence[Measurement], search: Searching, hour: float | None) -> list[Line]:
    """What is paid for answers, and for the machine; a machine that waits is not paid."""
    second = (hour or 0.0) / 3600
    return [
        Line(
            m.build.money + search.money + second * (m.build.seconds + search.seconds),
            (m.use.money + second * m.use.seconds) / len(m.ids),
        )
        for m in draws
    ]


def _middle(lines: Sequence[Line]) -> Line:
    """The median of each figure."""
    return Line(median([one.once for one in lines]), median([one.each for one in lines]))


def _least(lines: Sequence[Line]) -> Line:
    return Line(min(one.once for one in lines), min(one.each for one in lines))


def _most(lines: Sequence[Line]) -> Line:
    return Line(max(one.once for one in lines), max(one.each for one in lines))


def _finite(requests: float) -> float | None:
    return None if math.isinf(requests) else requests


def _score(row: Row) -> float:
    return row.score or 0.0
