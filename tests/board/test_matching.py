"""From how many rows on a model of one's own matches what stands: the promise, and its words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nshot.board.matching import in_words, match
from nshot.board.schema import Board
from spine import command, jsonl, stay_here, tickets

MARGIN = 0.02


def draws(rng: np.random.Generator, p: float, count: int, rows: int) -> np.ndarray:
    return (rng.uniform(size=(count, rows)) < p).astype(float)


def test_what_is_worse_by_the_margin_is_seldom_called_a_match() -> None:
    rng = np.random.default_rng(0)
    worlds, wrong = 2000, 0
    for _ in range(worlds):
        theirs = draws(rng, 0.80, 1, 400)[0]
        sizes = [(n, draws(rng, 0.80 - MARGIN, 3, 400)) for n in (60, 120)]
        sizes.append((240, draws(rng, 0.80 - MARGIN, 1, 400)))
        wrong += match("own", "hosted", MARGIN, sizes, theirs).enough is not None
    assert wrong / worlds < 0.05 + 2 * (0.05 * 0.95 / worlds) ** 0.5


def test_it_begins_where_every_larger_size_holds() -> None:
    theirs = np.array([1.0, 0.0] * 200)
    better, worse = theirs[None], np.zeros((1, 400))
    one = match("own", "hosted", MARGIN, [(50, better), (100, worse), (200, better)], theirs)
    assert one.enough == 200
    assert "From about 200 labelled rows on, own is not more than 2 points worse" in in_words(one)
    none = match("own", "hosted", MARGIN, [(50, better), (100, worse)], theirs)
    assert none.enough is None
    assert "cannot be told" in in_words(none)
    every = match("own", "hosted", MARGIN, [(50, better), (100, better)], theirs)
    assert "fewer were not tried" in in_words(every)


def test_rows_of_a_group_share_their_luck() -> None:
    rng = np.random.default_rng(1)
    theirs = np.repeat(rng.uniform(size=20) < 0.5, 20).astype(float)
    own = np.repeat(rng.uniform(size=20) < 0.5, 20).astype(float)[None]
    alone = match("own", "hosted", MARGIN, [(9, own)], theirs).steps[0]
    grouped = match("own", "hosted", MARGIN, [(9, own)], theirs, np.repeat(range(20), 20)).steps[0]
    assert grouped.difference == alone.difference
    assert grouped.low < alone.low


def test_the_board_and_the_page_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stay_here(monkeypatch)
    test = [{"id": f"t{i}", **row} for i, row in enumerate(tickets(30, "t"))]
    train = [{"id": f"a{i}", **row} for i, row in enumerate(tickets(24))]
    given = [
        {"id": row["id"], "answer": row["label"] if i % 5 else "refund", "seconds": 1}
        for i, row in enumerate(test)
    ]
    words = ["compare", jsonl(tmp_path / "a.jsonl", train), "--test",
             jsonl(tmp_path / "t.jsonl", test), "--methods", "majority,tfidf_lr",
             "--answers", f"today={jsonl(tmp_path / 'today.jsonl', given)}",
             "--margin", "2", "--out", str(tmp_path / "r")]  # fmt: skip
    assert command(words) == 0
    (one,) = Board.read(tmp_path / "r").matches
    assert (one.own, one.reference, one.margin) == ("tfidf_lr", "today", 0.02)
    assert [step.rows for step in one.steps][-1] == 72
    assert one.enough is not None
    assert in_words(one) in capsys.readouterr().out
    assert "labelled rows on, tfidf_lr" in (tmp_path / "r" / "report.html").read_text("utf-8")
    assert command([*words[:-3], "0", "--out", str(tmp_path / "s")]) == 2
    assert "--margin 0" in capsys.readouterr().err
