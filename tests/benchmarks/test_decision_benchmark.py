"""The worlds of the decision's tables: truths are exact, races spend, figures are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import decision
from decision_cells import CELLS, Sources, Store
from decision_race import Bench, drawn_world, everything, raced
from decision_worlds import level, made_up, world

POOL = made_up(0, rows=800, draws=4)


def test_a_level_is_exact_and_turns_as_few_rows_as_it_must() -> None:
    rng = np.random.default_rng(0)
    right = (rng.random(500) < 0.6).astype(float)
    for share in (0.4, 0.6, 0.9):
        moved = level(right, share, rng)
        assert moved.mean() == share
        assert np.abs(moved - right).sum() == abs(round(share * 500) - right.sum())


@pytest.mark.parametrize("kind", ["equal", "trap", "rare", "hopeless", "search"])
def test_worlds_are_as_their_kind_says(kind: str) -> None:
    w = world(POOL, 12, 3, kind)
    assert w.truth == pytest.approx(w.right.mean(axis=1))
    ordered = np.sort(w.truth)
    if kind == "equal":
        assert np.ptp(w.truth) == 0
    if kind == "trap":
        assert ordered[-1] - ordered[-2] > 0.05
    if kind == "rare":
        assert (round(ordered[-1], 2), round(ordered[-2], 2)) == (0.98, 0.93)
    if kind == "hopeless":
        assert w.truth[~w.fast].max() <= w.truth[w.fast].max() - 0.05
    if kind == "search":
        best = int(w.truth.argmax())
        assert not w.fast[best]
        assert w.right[best].mean() - w.default[best].mean() == pytest.approx(0.10, abs=0.03)


def test_a_race_spends_less_and_never_more_than_everything_and_its_trials() -> None:
    w = world(POOL, 12, 1, "hopeless")
    rows = w.rows(300, 0)
    whole, race = everything(w, rows), raced(w, rows)
    assert race[0] < 0.6 * whole[0]
    assert race[1].regret == whole[1].regret


def test_a_search_that_keeps_the_defaults_keeps_the_answers() -> None:
    w = world(POOL, 12, 1)
    bench = Bench(w, w.rows(100, 0))
    slow = bench.slow
    same = [m for m in slow if (w.default[m] == w.right[m]).all()]
    other = [m for m in slow if m not in same]
    for m, builds in ((same[0], 0), (other[0], 1)):
        bench.build(m, search=False)
        bench.answer(m, 100)
        before = bench.seconds
        bench.search(m)
        again = builds * (w.build[m] + 100 * w.use[m])
        assert bench.seconds - before == pytest.approx(w.search[m] + again)
        assert bench.answered[m] == 100


def test_worlds_of_draws_have_fresh_ones_left() -> None:
    w = drawn_world("dear", 50, 0)
    shapes = {len(points) for points in w.drawn}
    assert shapes == {1, 5, 22}
    assert w.truth.argmax() >= 6


def test_figures_are_kept_and_a_stopped_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "decision.json"
    store = Store(Sources(None), 0.01, file)
    first = store["graded"]
    assert json.loads(file.read_text())["graded | 6"] == first
    again = Store(Sources(None), 0.01, file)
    monkeypatch.setitem(CELLS, "graded", CELLS["graded"].__class__("graded", 600, 1, None))
    assert again["graded"] == first


def test_the_page_has_a_block_for_the_tables() -> None:
    page = decision.PAGE.read_text(encoding="utf-8")
    assert page.index(decision.BEGIN) < page.index(decision.END)


def test_claims_are_of_cells_that_are_there_and_named_once() -> None:
    assert {claim.cell for claim in decision.CLAIMS} <= set(CELLS)
    assert len({(claim.what, claim.cell) for claim in decision.CLAIMS}) == len(decision.CLAIMS)


def test_chance_has_room_on_few_boards_but_not_for_a_control() -> None:
    claim = decision.at_least("", 0.95, "graded", "cover")
    control = decision.at_least("", 0.95, "graded", "cover", control=True)
    few, many = Store(Sources(None)), Store(Sources(None), 1.0)
    for store, holds in ((few, True), (many, False)):
        store.known = {f"graded | {store.boards('graded')}": {"cover": 0.94}}
        assert claim.on(store)[1] is holds
        assert control.on(store)[1]
    few.known = {f"graded | {few.boards('graded')}": {"cover": 0.96}}
    assert not control.on(few)[1]
