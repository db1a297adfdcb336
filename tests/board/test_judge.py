"""A judge of two answers: both orders, ties, and whether it may speak at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.board.judge import Comparison, Judge, admit, read_pairs, share_of, wins
from nshot.core.errors import InputError

PAIRS = tuple(Comparison(f"question {i}", f"good {i}", f"poor {i}") for i in range(40))


@dataclass
class Scripted:
    """A model that scores what it is told to: a liking for the word `likes`, and for a place."""

    likes: str
    for_a: float = 0.0
    can: frozenset[str] = frozenset({"score", "generate"})
    mute: bool = False

    @property
    def facts(self) -> Any:
        return SimpleNamespace(can=self.can)

    def _odds(self, prompt: Any) -> float:
        text = prompt[0].text
        a = text.partition("[Answer A]\n")[2].partition("\n")[0]
        return self.for_a + (1.0 if self.likes in a else -1.0 if self.likes in text else 0.0)

    def logprobs(self, prompts: Sequence[Any], answers: Sequence[Sequence[str]]) -> list[Any]:
        assert {tuple(one) for one in answers} == {("A", "B")}
        return [SimpleNamespace(logprobs=np.array([self._odds(p), 0.0])) for p in prompts]

    def generate(self, prompts: Sequence[Any], how: Any) -> list[Any]:
        letters = ["A" if self._odds(p) > 0 else "B" for p in prompts]
        return [SimpleNamespace(text="well." if self.mute else f" {x}, I think") for x in letters]


def judge(**facts: Any) -> Judge:
    return Judge(Scripted(**facts))  # type: ignore[arg-type]


WRITER = frozenset({"generate"})


def test_the_log_odds_are_a_mean_over_both_orders() -> None:
    assert judge(likes="good", for_a=0.7).preferences(PAIRS[:2]) == pytest.approx([1.0, 1.0])
    assert judge(likes="poor", for_a=0.7).preferences(PAIRS[:1]) == pytest.approx([-1.0])
    assert judge(likes="nothing", for_a=5.0).preferences(PAIRS[:1]) == pytest.approx([0.0])
    assert judge(likes="good").preferences([]) == []


def test_a_writer_whose_orders_disagree_has_no_preference() -> None:
    assert judge(likes="good", can=WRITER).preferences(PAIRS[:2]) == [1.0, 1.0]
    assert judge(likes="poor", can=WRITER).preferences(PAIRS[:1]) == [-1.0]
    assert judge(likes="good", for_a=9.0, can=WRITER).preferences(PAIRS[:1]) == [0.0]
    assert judge(likes="good", can=WRITER, mute=True).preferences(PAIRS[:1]) == [0.0]


def test_who_agrees_with_people_is_admitted() -> None:
    found = admit(judge(likes="good"), PAIRS)
    assert (found.share, found.pairs, found.admitted, found.reason) == (1.0, 40, True, "")
    assert 0.85 < found.low < found.high == 1.0


@pytest.mark.parametrize("likes", ["poor", "nothing"])
def test_who_does_not_is_refused_with_the_figures(likes: str) -> None:
    found = admit(judge(likes=likes, for_a=3.0), PAIRS)
    assert not found.admitted
    assert found.ties == (40 if likes == "nothing" else 0)
    assert "of 40 pairs" in found.reason
    assert "not above chance" in found.reason


def test_a_few_agreements_admit_nobody() -> None:
    assert not admit(judge(likes="good"), PAIRS[:3]).admitted
    with pytest.raises(InputError, match="no pairs"):
        admit(judge(likes="good"), [])


def test_pairs_of_one_prompt_are_no_independent_evidence() -> None:
    won = [1.0] * 45 + [0.0] * 15
    alone = share_of(won, [str(i) for i in range(60)])
    grouped = share_of(won, [str(i // 15) for i in range(60)])
    assert alone[0] == grouped[0] == 0.75
    assert alone[1] > 0.5 > grouped[1]
    assert grouped[2] >= alone[2]


points = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=40)


@settings(deadline=None, max_examples=50)
@given(points, st.integers(1, 9))
def test_the_interval_holds_the_share(won: list[float], groups: int) -> None:
    share, low, high = share_of(won, [str(i % groups) for i in range(len(won))])
    assert 0 <= low <= share <= high <= 1
    turned = share_of([1 - one for one in won], [str(i % groups) for i in range(len(won))])
    assert turned == pytest.approx((1 - share, 1 - high, 1 - low))


def test_a_win_a_tie_and_a_loss() -> None:
    assert wins([2.0, 0.0, -0.1]) == [1.0, 0.5, 0.0]


def test_pairs_are_read_with_all_their_faults(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "chosen": "c", "rejected": "r", "group": 7}, {"prompt": "p"}, [1]]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_pairs(path)
    assert "row 2: no text under chosen, rejected" in str(caught.value)
    assert "row 3: not a JSON object" in str(caught.value)
    path.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert read_pairs(path) == (Comparison("p", "c", "r", "7"),)
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path / "none.jsonl")
