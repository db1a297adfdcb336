"""The decision: exact cases, invariances, and simulated boards whose truth is known."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.board.decide import (
    Column,
    Decision,
    decide,
    estimate,
    forecast_rows,
    interval,
    round_up,
)
from nshot.board.schema import (
    Advice,
    Board,
    CurvePoint,
    Points,
    Preference,
    Row,
    RowPoints,
    TaskSummary,
    Wish,
)
from nshot.board.words import cost_of, frontier, give_up_of, reasons
from nshot.core.errors import InputError


def _simulation() -> ModuleType:
    """benchmarks/decision.py: the worlds and the measures are the ones its table shows."""
    path = Path(__file__).parents[2] / "benchmarks" / "decision.py"
    spec = importlib.util.spec_from_file_location("decision_simulation", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sim = _simulation()


def column(name: str, points: Any, cost: float = 1.0, **more: bool) -> Column:
    return Column(name, np.atleast_2d(np.asarray(points, dtype=np.float64)), cost, **more)


def coins(name: str, p: float, n: int, draws: int = 1, seed: int = 0, **more: Any) -> Column:
    points = np.random.default_rng([seed, *name.encode()]).random((draws, n)) < p
    return Column(name, points.astype(np.float64), **({"cost": 1.0} | more))


def exactly(name: str, right: int, n: int, **more: Any) -> Column:
    """`right` of `n` correct, in one draw that never changes."""
    points = (np.arange(n) < right).astype(np.float64)[None]
    return Column(name, points, **({"cost": 1.0, "deterministic": True} | more))


@st.composite
def boards(draw: st.DrawFn) -> list[Column]:
    """Any small board: unequal draws, deterministic methods, extreme and identical columns."""
    n = draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = []
    for m in range(draw(st.integers(1, 5))):
        draws = draw(st.integers(1, 4))
        p = draw(st.sampled_from([0.0, 0.3, 0.8, 0.97, 1.0]))
        points = (rng.random((draws, n)) < p).astype(np.float64)
        if draw(st.booleans()):
            points = points * 0.5 + 0.25
        cost = draw(st.sampled_from([0.0, 1.0, 2.5]))
        columns.append(Column(f"m{m}", points, cost, draw(st.booleans())))
    if draw(st.booleans()):
        columns.append(replace(columns[0], name="twin"))
    return columns


few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def same(a: Decision, b: Decision) -> None:
    """Equal names, and numbers to far below anything shown."""
    for name, value in vars(a).items():
        other = getattr(b, name)
        if isinstance(value, dict):
            assert value.keys() == other.keys()
            for key in value:
                assert value[key] == pytest.approx(other[key], abs=1e-6), name
        elif isinstance(value, float):
            assert value == pytest.approx(other, abs=1e-6), name
        else:
            assert value == other, name


# ------------------------------------------------------------------------------ what must hold


@few
@given(columns=boards(), order=st.randoms(use_true_random=False))
def test_order_of_methods_rows_and_draws_does_not_matter(columns: list[Column], order: Any) -> None:
    rows = np.arange(columns[0].points.shape[1])
    order.shuffle(rows)
    mixed = []
    for c in columns:
        draws = list(range(len(c.points)))
        order.shuffle(draws)
        mixed.append(replace(c, points=c.points[draws][:, rows]))
    order.shuffle(mixed)
    same(decide(columns), decide(mixed))


@few
@given(columns=boards())
def test_any_board_gives_a_sound_decision_without_a_warning(columns: list[Column]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d = decide(columns)
    for name in d.mean:
        assert 0 <= d.low[name] <= d.mean[name] <= d.high[name] <= 1
        assert d.gap_low[name] <= d.gap[name] <= d.gap_high[name]
    assert 0 <= d.corrected_low <= d.corrected_score <= d.corrected_high <= 1
    assert {d.pick, d.top} <= set(d.could_be_best)
    assert d.mean[d.top] - d.mean[d.pick] <= 0.02 + 1e-9
    assert d.optimism >= 0
    if d.rows < 50 or len(columns) == 1:
        assert d.verdict == "cannot_tell"
    names = {c.name for c in columns}
    if "twin" in names:
        assert ("m0" in d.could_be_best) == ("twin" in d.could_be_best)


@few
@given(columns=boards())
def test_the_same_board_gives_the_same_bits(columns: list[Column]) -> None:
    assert decide(columns) == decide(columns)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_columns_of_all_right_or_all_wrong_have_width(p: float) -> None:
    d = decide([column("a", np.full((1, 50), p)), column("b", np.full((1, 50), p))])
    assert d.could_be_best == ("a", "b")
    assert 0.03 < d.high["a"] - d.low["a"] < 0.5


def test_two_deterministic_methods_meet_the_paired_z_test() -> None:
    """The set is the one-sided paired test at .05 with variance var(d)/n + 2/n^2 (section 7.2).

    Accuracies near a half, where the floor under a column's variance does not bind.
    """
    seen = set()
    for seed in range(60):
        n = 200
        rng = np.random.default_rng(seed)
        hard = rng.random(n)
        a = (hard < 0.55 + rng.normal(0, 0.05)).astype(float)
        b = ((hard + rng.normal(0, 0.3, n)) < 0.45).astype(float)
        gap = a - b
        statistic = gap.mean() / np.sqrt(gap.var(ddof=1) / n + 2 / n**2)
        beaten = {"b"} if statistic > 1.6448536 else {"a"} if statistic < -1.6448536 else set()
        d = decide([column("a", a, deterministic=True), column("b", b, deterministic=True)])
        assert set(d.could_be_best) == {"a", "b"} - beaten
        seen.add(frozenset(beaten))
    assert len(seen) > 1


def test_the_floor_hardly_moves_one_binary_column() -> None:
    y = np.array([1.0] * 70 + [0.0] * 30)
    E = estimate([column("a", y), column("b", 1 - y)]).E
    assert E[0, 0] == pytest.approx(y.var(ddof=1) / 100)


def test_draw_variance_is_pooled_between_measured_and_assumed() -> None:
    """Steady and wild methods are pulled together, and towards the prior; by hand for one."""
    rng = np.random.default_rng(0)
    level = np.array([0.9, 0.5, 0.7])[:, None]
    wild = (rng.random((3, 400)) < level).astype(float)
    steady = np.tile((rng.random(400) < 0.7).astype(float), (3, 1))
    board = estimate([column("steady", steady), column("wild", wild)])
    prior = 0.115**2 * np.array([q * (1 - q) for q in (400 * board.p + 2) / 404])
    grand = wild.mean()
    residual = wild - wild.mean(1, keepdims=True) - wild.mean(0) + grand
    measured = wild.mean(1).var(ddof=1) - (residual**2).sum() / (2 * 399) / 400
    r = (4 + 2 * measured / prior[1]) / (4 + 4)
    assert board.s2[1] == pytest.approx((4 * r * prior[1] + 2 * measured) / 6)
    assert board.s2[0] == pytest.approx(4 * r * prior[0] / 6)
    assert measured > board.s2[1] > board.s2[0] > 0


def test_one_draw_falls_back_on_the_assumption_and_deterministic_on_nothing() -> None:
    y = (np.arange(100) < 75).astype(float)
    d = decide([column("learns", y), column("fixed", y, deterministic=True)])
    assert d.draw_sd["learns"] == pytest.approx(0.05, abs=0.001)
    assert d.draw_sd["fixed"] == 0
    assert d.high["learns"] - d.low["learns"] > d.high["fixed"] - d.low["fixed"]


def test_interval_with_binomial_variance_is_wilsons() -> None:
    """81 of 100 correct, as any textbook has it: .722 to .875."""
    q = (83 / 104) * (21 / 104)
    assert interval(0.81, q / 100, 100, 1e9) == pytest.approx((0.7222, 0.8749), abs=1e-4)
    wide = interval(0.81, q / 100, 100, 4)
    assert wide[0] < 0.70
    assert wide[1] > 0.885


def graded(rng: np.random.Generator, truth: list[float], n: int = 60) -> list[Column]:
    """Scores between 0 and 1 with a spread of .12 over examples and .015 over three draws."""
    hard = rng.normal(0, 0.09, n)
    return [
        column(
            str(m),
            np.clip(
                mean + hard + rng.normal(0, 0.07, n) + rng.normal(0, 0.015, (3, 1))
                + rng.normal(0, 0.03, (3, n)), 0, 1),
        )
        for m, mean in enumerate(truth)
    ]  # fmt: skip


def test_graded_scores_are_neither_too_sure_nor_too_doubtful() -> None:
    """300 boards of four methods: the truth is inside, the best is kept, the width their own."""
    rng = np.random.default_rng(5)
    truth = [0.55, 0.52, 0.46, 0.40]
    inside, kept, width, out = [], [], [], []
    for _ in range(300):
        d = decide(graded(rng, truth))
        inside += [d.low[str(m)] <= mean <= d.high[str(m)] for m, mean in enumerate(truth)]
        kept.append("0" in d.could_be_best)
        out.append("3" not in d.could_be_best)
        width.append(d.high["0"] - d.low["0"])
    assert np.mean(inside) >= 0.93
    assert np.mean(kept) >= 0.95
    assert np.mean(out) >= 0.9  # 15 points behind on 60 examples
    assert np.median(width) < 0.12  # as 0/1 points these would be .25 wide


def test_right_or_wrong_points_have_a_grain_of_one() -> None:
    board = estimate([coins("a", 0.7, 50, draws=3), column("b", np.full((1, 50), 0.25))])
    assert board.grain.tolist() == [1.0, pytest.approx(4 / 54)]


def test_unequal_draws_are_each_weighed_by_their_own_number() -> None:
    many, one = coins("many", 0.7, 200, draws=5), coins("one", 0.7, 200, draws=1)
    d = decide([many, one])
    assert d.high["one"] - d.low["one"] > 1.3 * (d.high["many"] - d.low["many"])


# -------------------------------------------------------------------------------------- picks


def test_pick_is_the_cheapest_within_the_give_up() -> None:
    columns = [
        exactly("dear", 80, 100, cost=9.0),
        exactly("near", 78, 100, cost=2.0),  # .80 - .78 is more than .02 in floating point
        exactly("cheap", 75, 100, cost=1.0),
    ]
    assert decide(columns).pick == "near"
    assert set(decide(columns).could_be_best) == {"dear", "near", "cheap"}
    assert decide(columns, give_up=0.0).pick == "dear"
    assert decide(columns, give_up=0.05).pick == "cheap"


def test_ties_in_cost_go_to_the_score_and_then_to_the_name() -> None:
    a, b, c = exactly("a", 79, 100), exactly("b", 80, 100), exactly("c", 80, 100)
    assert decide([c, a, b]).pick == "b"


def test_an_excluded_method_counts_but_is_not_picked() -> None:
    lora = exactly("lora", 90, 100, allowed=False)
    head, prompt = exactly("head", 88, 100, cost=5.0), exactly("prompt", 87, 100, cost=1.0)
    d = decide([lora, head, prompt])
    assert (d.pick, d.top, d.contenders) == ("prompt", "lora", 3)
    assert "lora" in d.could_be_best


def test_no_allowed_method_in_the_set_gives_the_best_allowed_one() -> None:
    d = decide(
        [
            exactly("lora", 290, 300, allowed=False),
            exactly("head", 160, 300, cost=5.0),
            exactly("prompt", 158, 300, cost=1.0),
        ]
    )
    assert d.could_be_best == ("lora",)
    assert d.pick == "head"


def test_a_wish_that_excludes_everything_is_refused() -> None:
    with pytest.raises(InputError, match="excludes every measured method"):
        decide([exactly("lora", 9, 100, allowed=False)])


def test_an_empty_board_is_refused() -> None:
    with pytest.raises(InputError, match="no method was measured"):
        decide([])


@pytest.mark.parametrize(
    "columns",
    [
        [exactly("a", 5, 10), exactly("a", 6, 10)],
        [exactly("a", 5, 10), exactly("b", 6, 11)],
        [column("a", [np.nan, 1.0])],
        [column("a", [0.0, 1.0], cost=float("nan"))],
    ],
    ids=["twice one name", "other rows", "not a number", "no cost"],
)
def test_points_that_are_no_board_are_refused(columns: list[Column]) -> None:
    with pytest.raises(ValueError):
        decide(columns)


# ----------------------------------------------------------------------------- verdict, looks


def test_verdicts() -> None:
    def verdict(right: int, n: int, rival: int, **more: Any) -> str:
        return decide([exactly("a", right, n, **more), exactly("b", rival, n, **more)]).verdict

    assert verdict(900, 1000, 500) == "settled"
    assert verdict(80, 100, 70) == "settled"  # nested columns: the gap is nearly certain
    assert verdict(45, 49, 5) == "cannot_tell"
    a, b = coins("a", 0.8, 120, draws=3), coins("b", 0.78, 120, draws=3, seed=5)
    assert decide([a, b]).verdict == "cannot_tell"
    far = [coins(f"far{i}", 0.2, 120, draws=3) for i in range(4)]
    assert decide([a, b, *far]).verdict == "leaning"
    assert decide([a]).verdict == "cannot_tell"


def test_one_draw_is_at_most_leaning() -> None:
    far = [coins("a", 0.95, 1000), coins("b", 0.3, 1000)]
    d = decide(far)
    assert (d.assumed, d.verdict) == (True, "leaning")
    assert d.settled_to is not None
    assert d.settled_to < 0.05
    assert decide([replace(c, deterministic=True) for c in far]).verdict == "settled"


def test_a_later_look_and_more_methods_tried_rule_out_less() -> None:
    columns = [coins("a", 0.80, 300, 3), coins("b", 0.66, 300, 3), coins("c", 0.5, 300, 3)]
    first, third = decide(columns), decide(columns, look=3)
    many = decide(columns, contenders=300)
    for strict in (third, many):
        assert set(first.could_be_best) <= set(strict.could_be_best)
        assert strict.settled_to is not None
        assert first.settled_to is not None
        assert strict.settled_to > first.settled_to
    assert many.contenders == 300


def test_fresh_draws_replace_the_flattered_score() -> None:
    world = sim.world("equal", 12, 300, 3, seed=1)
    first = decide(world.columns)
    fresh = world.fresh[int(first.pick[1:])]
    d = decide(world.columns, fresh=fresh)
    assert d.confirmed
    assert d.pick == first.pick
    assert d.optimism < first.optimism
    assert d.corrected_score == pytest.approx(fresh.mean() - d.optimism)
    first_sentence = reasons(d, world.columns, rows(world.columns), "balanced")[0]
    assert "measured on fresh draws of the shots that it was not chosen on, already" in (
        first_sentence
    )
    with pytest.raises(ValueError, match="fresh must be"):
        decide(world.columns, fresh=fresh[:, :9])


def test_a_single_method_is_not_flattered_and_has_nothing_to_settle() -> None:
    d = decide([coins("only", 0.7, 100, 3)])
    assert (d.mdd, d.settled_to, d.more_test_labels) == (None, None, None)
    assert d.optimism == pytest.approx(0, abs=1e-12)
    assert d.corrected_score == pytest.approx(d.mean["only"])
    assert (d.corrected_low, d.corrected_high) == pytest.approx((d.low["only"], d.high["only"]))


# ------------------------------------------------------------------------------ what it needs


def often_disagreeing() -> list[Column]:
    """Two fixed methods with one score that disagree on 40 of 150 rows."""
    dear = np.repeat([1.0, 1.0, 0.0, 0.0], [87, 20, 20, 23])
    cheap = np.repeat([1.0, 0.0, 1.0, 0.0], [87, 20, 20, 23])
    return [
        column("dear", dear, cost=2.0, deterministic=True),
        column("cheap", cheap, cost=1.0, deterministic=True),
    ]


def test_more_rows_are_asked_for_where_rows_are_the_doubt() -> None:
    d = decide(often_disagreeing())
    assert d.verdict != "settled"
    assert d.more_test_labels is not None
    assert d.more_test_labels > 150
    assert d.more_test_labels % 50 == 0
    assert f"{d.more_test_labels:,} test examples in all" in d.outlook
    assert not d.more_draws_settle


def test_more_rows_are_refused_where_draws_are_the_doubt() -> None:
    rng = np.random.default_rng(3)
    level = rng.normal(0.7, 0.12, (6, 3, 1))
    columns = [column(f"m{m}", rng.random((3, 2000)) < level[m], cost=float(m)) for m in range(6)]
    d = decide(columns)
    assert d.verdict != "settled"
    assert d.more_test_labels is None
    assert "of the doubt is from the draws" in d.outlook


def test_more_rows_are_refused_where_nothing_can_be_seen_apart() -> None:
    columns = [coins(f"m{m}", 0.7, 60, deterministic=True) for m in range(12)]
    d = decide(columns, delta=0.002)
    assert d.more_test_labels is None
    assert "smaller than you asked to see" in d.outlook


def test_no_forecast_from_one_draw_or_few_rows_and_none_needed_when_settled() -> None:
    close = [coins("a", 0.8, 100), coins("b", 0.78, 100)]
    assert decide(close).more_test_labels is None
    assert "measure 3 draws" in decide(close).outlook
    few_rows = decide([coins("a", 0.8, 49, 3), coins("b", 0.78, 49, 3)])
    assert few_rows.more_test_labels is None
    assert "at least 50" in few_rows.outlook
    done = decide([exactly("a", 900, 1000), exactly("b", 500, 1000)])
    assert "No more test labels are needed" in done.outlook


def test_the_forecast_grows_with_rows() -> None:
    columns = often_disagreeing()
    shares = [forecast_rows(estimate(columns), 1.645, f) for f in (1.5, 3.0, 10.0)]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 0.1


def test_round_up() -> None:
    rows = (90, 100, 101, 501, 1001, 2001, 5001)
    assert [round_up(r) for r in rows] == [100, 100, 150, 600, 1200, 2500, 6000]
    assert round_up(60 * 5.000000000000001) == 300


# ------------------------------------------------------------------------- simulated worlds


def test_the_best_stays_in_the_set_and_a_test_on_rows_alone_loses_it() -> None:
    """Section 7.3, with its negative control: ignoring the draws must be seen to fail."""
    assert sim.kept(400)[0] >= 0.92
    assert sim.kept(400, of=sim.rows_only)[0] < 0.75


def test_intervals_hold_the_truth() -> None:
    assert 0.93 <= sim.covered(200, "wide", 300, (0.02, 0.08)) <= 0.975
    assert sim.covered(200, "high", 60, (0.005, 0.02)) >= 0.93


def test_the_score_of_the_pick_is_corrected() -> None:
    """The uncorrected bias is 2.4 points (2,000 boards); 300 boards alone would blur it by .2."""
    bias, coverage, naive, _ = sim.pick_score(1000, "close", 12, 300, confirm=False)
    assert abs(bias) <= 0.012
    assert coverage >= 0.91
    assert naive >= 0.02


def test_fresh_draws_hold_the_truth_with_many_methods() -> None:
    assert sim.pick_score(150, "normal", 30, 1000, confirm=True)[1] >= 0.88


def test_the_give_up_costs_little_and_the_cheapest_of_the_set_costs_much() -> None:
    lost = sim.regret(300)
    assert lost["give-up 2"][0] <= lost["top score"][0] + 0.01
    assert lost["give-up 2"][1] < lost["top score"][1]
    assert lost["cheapest in the set"][0] >= 0.05


def test_the_forecast_meets_the_fact() -> None:
    said, fact = sim.forecast_and_fact(200)
    assert abs(said - fact) <= 0.12
    assert 0.2 < fact < 0.8


def test_a_large_board_is_decided_within_two_seconds() -> None:
    assert sim.seconds() < 2


@pytest.mark.full
def test_every_bound_of_the_page_holds_at_full_size() -> None:
    text, fine = sim.table(lambda full: full)
    assert fine, text


# --------------------------------------------------------------------------------------- words


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


def words(columns: list[Column], **more: Any) -> tuple[str, ...]:
    to_decide = {k: more.pop(k) for k in ("give_up", "fresh", "look") if k in more}
    shown, prefer = rows(columns, more.pop("curve", ())), more.pop("prefer", "balanced")
    return reasons(decide(columns, **to_decide), columns, shown, prefer, **more)


@few
@given(columns=boards(), prefer=st.sampled_from(get_args(Preference)))
def test_advice_of_any_board_is_plain_json_and_claims_no_equality(
    columns: list[Column], prefer: Any
) -> None:
    advice = board(columns).decide(Wish(prefer=prefer))
    assert Advice.model_validate_json(advice.dumps()) == advice
    assert set(advice.could_be_best) | set(advice.frontier) <= {c.name for c in columns}
    text = " ".join(advice.reasons)
    for claim in ("equal", "as good as", "no difference", " nan", " inf"):
        assert claim not in text.lower()
    assert all(
        reason.endswith(".") and (reason[0].isupper() or reason[0].isdigit())
        for reason in advice.reasons
    )


def test_the_sentences_of_a_usual_board() -> None:
    columns = sim.world("close", 12, 1000, 5, seed=3).columns
    d = decide(columns)
    text = "\n".join(words(columns, missing=1))
    assert d.pick != d.top
    assert f"Pick: {d.pick}, {100 * d.corrected_score:.0f}% " in text
    assert "already lowered by 2.1 points because it won a contest of 12." in text
    assert f"below the top ({d.top}, 5.3x dearer): within the 2 points" in text
    assert "5 of 12 methods could still be the best; 7 are ruled out. 1 more method" in text
    assert "With 1,000 test rows and 5 draws this board reliably sees differences of about" in text
    assert "More training labels" not in text
    assert "What more training labels would do was not measured" in text


def test_the_cheapest_contender_is_named_beside_the_pick() -> None:
    columns = [exactly("dear", 80, 100, cost=9.0), exactly("cheap", 70, 100, cost=0.0)]
    columns[1] = replace(columns[1], points=columns[1].points[:, ::-1])
    text = "\n".join(words(columns, prefer="building"))
    assert "The cheapest of those is cheap: free to build, measured 10 points below" in text
    assert "below to " in text


def test_one_draw_is_said_to_be_assumed() -> None:
    columns = [coins("a", 0.75, 100), coins("b", 0.7, 100, deterministic=True)]
    text = "\n".join(words(columns))
    assert "One draw only: how much this method moves with other shots was assumed (sd" in text
    columns = [replace(c, deterministic=True) for c in columns]
    assert "One draw only" not in "\n".join(words(columns))


def test_training_labels_are_spoken_of_only_from_three_sizes() -> None:
    columns = [coins("a", 0.8, 300, 3), coins("b", 0.5, 300, 3)]
    two = words(columns, curve=[(4, 0.5), (8, 0.6)])[-1]
    assert "not measured" in two
    three = words(columns, curve=[(16, 0.8), (4, 0.5), (8, 0.6)])[-1]
    assert "with 4, 8, 16 a label a measured 50, 60, 80; the last step brought 20 points" in three
    assert "may be luck" not in three
    flat = words(columns, curve=[(4, 0.78), (8, 0.81), (16, 0.80)])[-1]
    assert "the last step cost 1 point, which may be luck" in flat


def test_more_labels_come_with_the_price_of_looking_again() -> None:
    columns = often_disagreeing()
    text = "\n".join(words(columns))
    assert "the next look allows itself an error of 2.5%" in text
    assert "stay under 10%" in text


def test_folds_are_said_to_be_about() -> None:
    columns = [coins("a", 0.8, 300, 3), coins("b", 0.5, 300, 3)]
    told = words(columns, folds=True)
    assert told[0].startswith("Pick: a, about ")
    assert "training on 80% of your rows" in told[-1]


def test_another_metric_is_said_in_points_of_a_hundred() -> None:
    columns = [coins("a", 0.8, 300, 3), coins("b", 0.5, 300, 3)]
    assert "of 100 (macro_f1)" in words(columns, metric="macro_f1")[0]


def test_what_the_wish_leaves_out_is_named() -> None:
    columns = [exactly("lora", 90, 100, allowed=False), exactly("head", 84, 100)]
    assert "It measured 6 points below the top, lora, which your wish leaves out." in words(columns)


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
    }
    assert give_up_of("accuracy") == 0
    assert give_up_of("serving") == 0.02


def test_frontier_keeps_what_nothing_beats_in_both() -> None:
    scores = {"a": 0.9, "b": 0.8, "c": 0.8, "d": 0.7, "e": 0.7}
    costs = {"a": 9.0, "b": 2.0, "c": 3.0, "d": 1.0, "e": 1.0}
    assert frontier(scores, costs) == ("d", "e", "b", "a")


def test_importing_the_decision_loads_neither_scipy_nor_torch() -> None:
    code = (
        "import sys, nshot.board.decide\nprint([m for m in ('scipy', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
