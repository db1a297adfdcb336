"""The sentences of a decision: of what every score is, what is doubted, what would help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from columns import boards, coins, column, exactly, few
from hypothesis import given
from hypothesis import strategies as st

from nshot.board.decide import Column, decide
from nshot.board.outlook import Outlook
from nshot.board.schema import (
    Advice,
    Board,
    CurvePoint,
    Latency,
    Points,
    Preference,
    Row,
    RowPoints,
    TaskSummary,
    TrialScore,
    Wish,
)
from nshot.board.words import Scope, cost_of, frontier, give_up_of, reasons


def rows(columns: list[Column], curve: Sequence[tuple[int, float]] = ()) -> dict[str, Row]:
    return {
        c.name: Row(
            name=c.name, method="m", rung="fewshot", trains="head", status="ok",
            score=c.points.mean(), build_seconds=c.cost, use_seconds_per_1000=0.1 * c.cost,
            build_peak_bytes=int(2e6 * c.cost),
            curve=tuple(CurvePoint(shots=n, score=score) for n, score in curve),
        )
        for c in columns
    }  # fmt: skip


def board(columns: list[Column]) -> Board:
    task = TaskSummary(
        name="t", kind="classify", metric="accuracy", train=9, test=9, mode="file", shots=(4,),
        seeds=1,
    )  # fmt: skip
    points = {
        c.name: RowPoints(points=c.points.tolist(), deterministic=c.deterministic) for c in columns
    }
    shown = Board(fingerprint="f", task=task, rows=tuple(rows(columns).values()))
    return shown.having(Points(rows=points, contenders=len(columns)))


def words(columns: list[Column], scope: Scope | None = None, **more: Any) -> tuple[str, ...]:
    prefer = more.pop("prefer", "balanced")
    shown = rows(columns, more.pop("curve", ()))
    d = decide(columns, **more)
    return reasons(d, columns, shown, prefer, scope or Scope(labelled=1499))


# ------------------------------------------------------------------------------ any board


@few
@given(columns=boards(), prefer=st.sampled_from(get_args(Preference)))
def test_advice_of_any_board_is_plain_json_and_claims_no_equality(
    columns: list[Column], prefer: Any
) -> None:
    n = max(c.rows for c in columns)
    advice = board([c for c in columns if c.rows == n]).decide(Wish(prefer=prefer))
    assert Advice.model_validate_json(advice.dumps()) == advice
    assert set(advice.could_be_best) | set(advice.frontier) <= {c.name for c in columns}


@few
@given(
    columns=boards(),
    prefer=st.sampled_from(get_args(Preference)),
    question=st.sampled_from([1, 2]),
    groups=st.sampled_from([None, 1, 3, 20]),
    scope=st.builds(
        Scope,
        labelled=st.integers(1, 5000),
        shots=st.sampled_from([None, 4]),
        fewest=st.sampled_from([None, 3, 30]),
        missing=st.integers(0, 2),
        metric=st.sampled_from(["accuracy", "bleu"]),
    ),
)
def test_any_board_is_said_in_sentences(
    columns: list[Column], prefer: Any, question: Any, groups: int | None, scope: Scope
) -> None:
    n = max(c.rows for c in columns)
    numbers = groups and [i % groups for i in range(n)]
    said = words(columns, scope, prefer=prefer, question=question, groups=numbers)
    assert said[0].startswith("Pick: ")
    text = " ".join(said)
    for claim in ("equal", "as good as", "no difference", " nan", " inf", "None"):
        assert claim not in text
    assert all(s.endswith(".") and (s[0].isupper() or s[0].isdigit()) for s in said)


# ------------------------------------------------------------------------- what a score is of


def usual() -> list[Column]:
    hard = np.random.default_rng(3).random(500)
    return [
        column(f"m{m:02}", (hard + np.random.default_rng(m).normal(0, 0.2, 500)) < level, 1.0 + m)
        for m, level in enumerate([0.70, 0.69, 0.71, 0.66, 0.5, 0.45, 0.4, 0.35])
    ]


def test_the_pick_is_the_delivered_model_and_its_rows_are_named() -> None:
    d = decide(usual())
    (first, *_) = words(usual())
    ends = f"({100 * d.corrected_low:.0f}-{100 * d.corrected_high:.0f})"
    assert first == (
        f"Pick: {d.pick}. The delivered model, fitted on all 1,499 labelled rows, scored "
        f"{100 * d.corrected_score:.0f} % {ends} on 500 test rows it never saw, already lowered by "
        f"{100 * d.optimism:.1f} points because it won a contest of 8."
    )


def test_a_prompt_is_not_said_to_be_fitted() -> None:
    prompt = [exactly("prompt", 400, 500, deterministic=True), exactly("b", 300, 500)]
    (first, *_) = words(prompt)
    assert "It learns from no rows; it scored 80 % " in first
    (first, *_) = words([replace(c, folds=5) for c in prompt], Scope(labelled=500))
    assert "It learns from no rows; asked about all 500, it scored 80 %" in first


def test_folds_say_at_which_share_of_the_rows() -> None:
    five = [replace(coins(name, p, 120, 3), folds=5) for name, p in (("a", 0.8), ("b", 0.5))]
    slow = replace(coins("lora", 0.5, 120, 2), folds=3)
    said = words([*five, slow], Scope(labelled=120, fewest=30))
    assert said[0].startswith(
        "Pick: a. Models of it, fitted on 80 % of the 120 labelled rows at a time and asked about "
        "the rest, scored about "
    )
    assert (
        "The delivered model learns from all 120 rows, so this is if anything a little low"
        in (said[0])
    )
    assert "Not all scores are at 80 %: lora learned from 67 % of the rows." in said
    (first, *_) = words([replace(c, folds=3) for c in five], Scope(labelled=120))
    assert "fitted on 67 % of the 120" in first
    few_rows = words(five, Scope(labelled=120, fewest=5))
    assert "The rarest label has 5 rows: below 8 a score from folds reads low." in few_rows
    assert "reads low" not in " ".join(said)


def test_draws_are_said_with_the_number_of_shots_and_are_not_the_delivered_model() -> None:
    columns = [coins("a", 0.8, 300, 3), coins("b", 0.5, 300, 3)]
    (first, *_) = words(columns, Scope(labelled=1499, shots=16), question=2)
    assert first.startswith("Pick: a. With 16 examples of each label it scored ")
    assert "on 300 test rows, the mean of 3 draws" in first
    assert "not the delivered model's score: it learns from all 1,499 labelled rows." in first
    fresh = coins("a", 0.8, 300, 2, seed=9).points
    (first, *_) = words(columns, Scope(labelled=1499, shots=16), question=2, fresh=fresh)
    assert "on 300 test rows, measured on fresh draws of the shots that it was not chosen on" in (
        first
    )


def test_another_metric_is_said_in_points_of_a_hundred() -> None:
    columns = [coins("a", 0.8, 300), coins("b", 0.5, 300)]
    assert "of 100 (macro_f1)" in words(columns, Scope(9, metric="macro_f1"))[0]


def test_groups_say_for_whose_rows_the_interval_is() -> None:
    columns = [coins("a", 0.8, 300), coins("b", 0.5, 300)]
    many = words(columns, groups=[i % 40 for i in range(300)])
    assert (
        "The 300 test rows are of 40 groups, whose rows share their luck: the interval is for rows "
        "of other groups."
    ) in many
    three = "\n".join(words(columns, groups=[i % 3 for i in range(300)]))
    assert "the interval is for more rows of these 3 groups, not for rows of others" in three
    assert "Cannot tell: rows of 3 groups are too few for a verdict; from 8 groups" in three
    assert "groups" not in " ".join(words(columns))


# --------------------------------------------------------------------------- how sure it is


def test_verdicts_are_said() -> None:
    settled = "\n".join(words([exactly("a", 900, 1000), exactly("b", 500, 1000)]))
    assert "Settled to within 5 points: no other method open to you is better." in settled
    y = np.repeat([1.0, 1.0, 0.0, 0.0], [200, 36, 28, 136])
    x = np.repeat([1.0, 0.0, 1.0, 0.0], [200, 36, 28, 136])
    two = [column("a", y), column("b", x, cost=9.0)]
    d = decide(two)
    assert d.settled_to is not None
    assert d.leaning_to is not None
    leaning = "\n".join(words(two, delta=(d.settled_to + d.leaning_to) / 2))
    assert "points better at 3 in 4; at 19 in 20 one could still be up to" in leaning
    cannot = "\n".join(words([column("a", y), column("b", y[::-1], cost=9.0)], delta=0.02))
    assert "Cannot tell: another method could still be up to" in cannot
    few_rows = "\n".join(words([exactly("a", 40, 49), exactly("b", 5, 49)]))
    assert "49 test rows are too few for a verdict; from 50 on there is one" in few_rows
    alone = "\n".join(words([exactly("a", 400, 490)]))
    assert "there is no other method to compare it with" in alone


def test_what_was_not_reached_is_said_with_the_minutes_it_would_take() -> None:
    left = tuple(
        Row(name=name, method=name, rung="peft", status="skipped", left_seconds=600, trial=trial)
        for name, trial in (("lora", TrialScore(score=0.75, rows=64)), ("full", None))
    )
    trials = {"good": TrialScore(score=0.5, rows=64)}
    scope = Scope(60, left_out=left, trials=trials)
    good, bad = coins("good", 0.85, 400), coins("bad", 0.5, 400)
    sentences = " ".join(words([good, bad], scope, left_out=2))
    assert "Leaning: of the methods that were measured" in sentences
    assert "2 were not reached and could be." in sentences
    trial = "lora: in its trial it scored 75.0 % on 64 labelled rows it had not seen, good 50.0 %."
    assert f"Not reached: lora, full. {trial}" in sentences
    assert "goes on from here: --minutes 12 has time for lora, --minutes 24 for all" in sentences
    best = coins("good", 0.99, 400)
    sentences = " ".join(words([best, bad], scope, left_out=2))
    assert "Settled to within 5 points: no other method that was measured" in sentences
    assert "What was not reached could be at most" in sentences


def test_no_difference_is_seen_where_none_could_be() -> None:
    few_groups = words(usual(), groups=[i % 2 for i in range(500)])
    assert "reliably sees" not in "\n".join(few_groups)
    assert "reliably sees" in "\n".join(words(usual()))


def test_the_set_counts_and_names_what_has_no_score() -> None:
    text = "\n".join(words(usual(), Scope(9, missing=1)))
    assert "methods could still be the best; " in text
    assert "are ruled out. 1 more method has no score" in text


def test_put_aside_is_not_ruled_out() -> None:
    slow = Column("lora", usual()[0].points[:, :100], 9.0, fast=False, searched=False)
    whole = Column("full", usual()[1].points, 9.0, fast=False, searched=False)
    scope = Scope(9, aside={"dpo": "behind on the validation rows"})
    (said,) = [s for s in words([*usual(), slow, whole], scope) if s.startswith("Put aside")]
    assert said.startswith(
        "Put aside, not ruled out: full (with default settings), lora (after 100 of 500 test rows, "
        "with default settings), dpo (behind on the validation rows)."
    )
    assert not [s for s in words(usual()) if "aside" in s]


def test_who_stopped_early_is_not_counted_as_ruled_out() -> None:
    far = coins("far", 0.2, 500, seed=7)
    before = [s for s in words([*usual(), far]) if "could still be the best" in s]
    early = replace(far, points=far.points[:, :100], fast=False)
    after = [s for s in words([*usual(), early]) if "could still be the best" in s]
    assert "ruled out" in before[0]
    out = int(before[0].split("; ")[1].split()[0])
    assert after[0].split("; ")[1].startswith(f"{out - 1} " if out > 1 else "none ")


def test_the_cheapest_contender_is_named_beside_the_pick() -> None:
    columns = [exactly("dear", 80, 100, cost=9.0), exactly("cheap", 70, 100, cost=0.0)]
    columns[1] = replace(columns[1], points=columns[1].points[:, ::-1])
    text = "\n".join(words(columns, prefer="building"))
    assert "The cheapest of those is cheap: free to build, measured 10 points below" in text
    assert "below to " in text


def test_a_cheaper_one_that_only_the_clock_makes_cheaper_is_said_to_cost_the_same() -> None:
    columns = [exactly("a", 80, 100, cost=9.0), exactly("b", 79, 100, cost=8.9)]
    text = "\n".join(words(columns))
    assert "no clearly cheaper one that could be the best came within 2 points" in text
    assert (
        "none is clearly cheaper: b costs much the same and measured 1 point below the pick" in text
    )
    apart = "\n".join(words([columns[0], replace(columns[1], cost=2.0)], give_up=0.005))
    assert "no cheaper one that could be the best came within 0.5 points" in apart


def test_what_the_wish_leaves_out_is_named() -> None:
    columns = [exactly("lora", 90, 100, allowed=False), exactly("head", 84, 100)]
    assert "It measured 6 points below the top, lora, which your wish leaves out." in words(columns)


def test_one_draw_is_said_to_be_assumed() -> None:
    columns = [coins("a", 0.75, 100), coins("b", 0.7, 100, deterministic=True)]
    text = "\n".join(words(columns, question=2))
    assert "One draw only: how much a moves with other shots was assumed (sd 4.9 points)" in text
    columns = [replace(c, deterministic=True) for c in columns]
    assert "One draw only" not in "\n".join(words(columns, question=2))
    assert "draw" not in "\n".join(words(columns))


# ------------------------------------------------------------------------------ what helps


def test_training_labels_are_spoken_of_only_from_three_sizes() -> None:
    columns = [coins("a", 0.8, 300, 3), coins("b", 0.5, 300, 3)]
    assert "not measured" in words(columns, question=2, curve=[(4, 0.5), (8, 0.6)])[-1]
    three = words(columns, question=2, curve=[(16, 0.8), (4, 0.5), (8, 0.6)])[-1]
    assert "with 4, 8, 16 a label a measured 50, 60, 80; the last step brought 20 points" in three
    assert "may be luck" not in three
    flat = words(columns, question=2, curve=[(4, 0.78), (8, 0.81), (16, 0.80)])[-1]
    assert "the last step cost 1 point, which may be luck" in flat


def test_more_labels_come_with_the_price_of_looking_again() -> None:
    dear = np.repeat([1.0, 1.0, 0.0, 0.0], [87, 20, 20, 23])
    cheap = np.repeat([1.0, 0.0, 1.0, 0.0], [87, 20, 20, 23])
    columns = [column("dear", dear, 2.0), column("cheap", cheap, 1.0)]
    first = "\n".join(words(columns))
    assert "from the same source) would settle it to within 5 points" in first
    assert "the next look allows itself an error of 2.5 %" in first
    assert "stay under 10 %" in first
    assert "This is look" not in first
    second = "\n".join(words(columns, look=2))
    assert "This is look 2 at these test rows: it allowed itself an error of 2.5 %." in second
    assert "the next look allows itself an error of 1.25 %" in second
    assert "stay under 10 %" in second


@pytest.mark.parametrize(
    ("outlook", "sentence"),
    [
        (Outlook("draws", None, True, 0.6), "two more draws of the shots would: 60% of the doubt"),
        (Outlook("draws", None, False, 0.7), "More draws (--seeds) are the lever"),
        (Outlook("gap"), "the gap is smaller than you asked to see"),
        (Outlook("settled"), "No more test labels are needed to settle this to within 5 points."),
        (Outlook("few groups"), "No forecast is made from so few groups"),
        (Outlook("rows", 900, True), "About 900 test rows in all (400 more, from the same source)"),
    ],
)
def test_what_would_settle_it_is_said(outlook: Outlook, sentence: str) -> None:
    d = replace(decide(usual()), outlook=outlook)
    text = "\n".join(reasons(d, usual(), rows(usual()), "balanced", Scope(9)))
    assert sentence in text


# -------------------------------------------------------------------------------------- costs


def test_costs_under_each_wish() -> None:
    (row,) = rows([coins("lora", 0.5, 9)]).values()
    update = {
        "build_seconds": 100.0,
        "use_seconds_per_1000": 3.0,
        "build_peak_bytes": 5_000_000_000,
    }
    row = row.model_copy(update=update)
    seen = {prefer: cost_of(row, prefer) for prefer in get_args(Preference)}
    assert seen == {
        "balanced": 130.0,
        "accuracy": 130.0,
        "serving": 3.0,
        "building": 100.0,
        "memory": 5e9,
        "money": 0.0,
    }
    for unknown in (None, 0):
        assert cost_of(row.model_copy(update={"build_peak_bytes": unknown}), "memory") == math.inf
    assert give_up_of("accuracy") == 0
    assert give_up_of("serving") == 0.02


SEEN = Latency(median=0.1, p95=0.2)


@pytest.mark.parametrize(
    ("row", "hour", "money"),
    [
        ({"build_money": 7.0, "money_per_1000": 0.5, "latency": SEEN}, None, 12.0),
        ({"build_money": 7.0, "money_per_1000": 0.5, "latency": SEEN}, 3.6, 12.0),
        ({"build_money": 7.0, "build_seconds": 100.0, "trains": "head"}, 3.6, 7.13),
        ({"build_seconds": 100.0, "money_per_1000": 0.5, "latency": SEEN, "trains": "adapter"},
         3.6, 5.1),
        ({"build_seconds": 100.0, "trains": "adapter"}, 3.6, 0.13),
        ({"build_seconds": 100.0, "trains": "adapter"}, None, 0.0),
        ({"money_per_1000": 0.0, "latency": SEEN}, 3.6, 0.0),
        ({"latency": SEEN}, 3.6, math.inf),
        ({"rung": "outside"}, None, math.inf),
        ({"rung": "outside", "money_per_1000": 0.5, "use_seconds_per_1000": None}, 3.6, 5.0),
    ],
    ids=["endpoint", "its seconds are a wait", "taught by one", "cascade onto one", "own",
         "own, no hour", "free endpoint", "no price", "recorded, no cost", "recorded"],
)  # fmt: skip
def test_money_is_what_is_billed_and_the_time_of_this_machine_by_its_price(
    row: dict[str, Any], hour: float | None, money: float
) -> None:
    """10,000 answers; an hour of 3.60 is a thousandth a second, and an own answer takes 3 ms."""
    (bare,) = rows([coins("one", 0.5, 9)]).values()
    usual = {"build_seconds": 20.0, "use_seconds_per_1000": 3.0, "trains": "nothing"}
    one = bare.model_copy(update=usual | row)
    assert cost_of(one, "money", hour) == pytest.approx(1e6 * money)


def paid_board() -> Board:
    """Two endpoints, the better and quicker one twice as dear, and a model that runs here."""
    shown = board([
        exactly("quick", 161, 200, cost=5.0),
        exactly("slow", 160, 200, cost=9.0),
        exactly("own", 120, 200, cost=100.0),
    ])  # fmt: skip
    money = {"quick": 8.0, "slow": 4.0}
    made = [
        row.model_copy(update={"money_per_1000": money[row.name], "latency": SEEN})
        if row.name in money
        else row
        for row in shown.rows
    ]
    return shown.model_copy(update={"rows": tuple(made)})


def test_a_wish_for_little_money_takes_what_is_paid_less_for() -> None:
    assert paid_board().decide(Wish()).pick == "quick"
    advice = paid_board().decide(Wish(prefer="money"))
    assert advice.pick == "slow"
    assert any("(quick, 2.0x dearer)" in one for one in advice.reasons)
    amount = "By the prices it is 40.00 in money to build and answer 10,000 requests."
    assert amount in advice.reasons


def test_a_pick_of_unknown_price_is_said_to_be_one() -> None:
    shown = paid_board()
    unknown = [
        row.model_copy(update={"money_per_1000": None}) if row.name == "quick" else row
        for row in shown.rows
    ]
    half_known = shown.model_copy(update={"rows": tuple(unknown)})
    assert half_known.decide(Wish(prefer="money")).pick == "slow", "what is known is cheaper"
    advice = half_known.decide(Wish(prefer="money", give_up=0.0))
    assert advice.pick == "quick"
    assert "No price of it is known." in advice.reasons


def test_a_board_without_a_price_says_so_under_a_wish_for_little_money() -> None:
    advice = board([exactly("better", 161, 200), exactly("worse", 160, 200)]).decide(
        Wish(prefer="money")
    )
    assert advice.pick == "better"
    assert any("Nothing here has a price" in one for one in advice.reasons)


def test_memory_that_was_not_measured_is_not_the_least() -> None:
    few_bytes, many_bytes, unknown = (exactly(n, 160, 200) for n in ("few", "many", "unknown"))
    shown = board([few_bytes, many_bytes, unknown])
    peaks = {"few": 1_000_000, "many": 9_000_000, "unknown": 0}
    rows = tuple(r.model_copy(update={"build_peak_bytes": peaks[r.name]}) for r in shown.rows)
    advice = shown.model_copy(update={"rows": rows}).decide(Wish(prefer="memory"))
    assert advice.pick == "few"
    assert advice.frontier[0] == "few"
    alone = board([unknown, exactly("also", 100, 200)])
    rows = tuple(r.model_copy(update={"build_peak_bytes": None}) for r in alone.rows)
    assert alone.model_copy(update={"rows": rows}).decide(Wish(prefer="memory")).pick == "unknown"


def test_frontier_keeps_what_nothing_beats_in_both() -> None:
    scores = {"a": 0.9, "b": 0.8, "c": 0.8, "d": 0.7, "e": 0.7}
    costs = {"a": 9.0, "b": 2.0, "c": 3.0, "d": 1.0, "e": 1.0}
    assert frontier(scores, costs) == ("d", "e", "b", "a")
