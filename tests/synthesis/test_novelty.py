"""ROUGE-L against the textbook, and near copies found exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.metrics.metric import units
from nshot.metrics.texts import common_subsequence
from nshot.synthesis import novelty
from nshot.synthesis.novelty import Earlier, rouge_l

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "가", "나"]), max_size=9)


def by_the_table(a: list[str], b: list[str]) -> int:
    """The longest common subsequence, cell by cell."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            up = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else up
    return table[-1][-1]


def naive(a: list[str], b: list[str]) -> float:
    return 2 * by_the_table(a, b) / (len(a) + len(b)) if a and b else 0.0


@given(WORDS, WORDS)
def test_rouge_l_is_the_textbooks(a: list[str], b: list[str]) -> None:
    assert rouge_l(a, b) == pytest.approx(naive(a, b))


@given(st.lists(WORDS, max_size=6), WORDS, st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_near_copies_are_found_as_if_all_were_compared(
    texts: list[list[str]], new: list[str], at_least: float
) -> None:
    earlier, asked = Earlier([" ".join(text) for text in texts]), " ".join(new)
    scores = [naive(units(asked), units(" ".join(text))) for text in texts]
    assert earlier.has_like(asked, at_least) == any(s >= at_least - 1e-12 for s in scores)
    nearest = earlier.nearest(asked)
    assert nearest.score == pytest.approx(max(scores, default=0.0))
    assert nearest.index == (scores.index(max(scores)) if nearest.score else -1)


@pytest.mark.parametrize(
    ("a", "b", "like"),
    [
        ("Write a short poem about spring.", "write a short poem, about SPRING", True),
        ("Write a short poem about spring.", "Sort these numbers from low to high.", False),
        ("다음 문장을 영어로 번역하세요.", "다음 문장을 영어로 번역해 주세요.", True),
        ("다음 문장을 영어로 번역하세요.", "가장 좋아하는 과일을 고르시오.", False),
    ],
)
def test_near_copies_in_both_languages(a: str, b: str, like: bool) -> None:
    assert Earlier([a]).has_like(b, 0.7) == like


def test_few_subsequences_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all of 2,000 texts are told apart by their lengths and their words alone."""
    rng = random.Random(0)
    words = [f"w{i}" for i in range(3000)]
    odds = [1 / (i + 1) for i in range(3000)]
    texts = [" ".join(rng.choices(words, odds, k=rng.randint(6, 30))) for _ in range(2000)]
    earlier, compared = Earlier(texts), list[int]()

    def counted(a: Sequence[str], b: Sequence[str]) -> int:
        compared.append(1)
        return common_subsequence(a, b)

    monkeypatch.setattr(novelty, "common_subsequence", counted)
    for text in texts[:100]:
        assert earlier.has_like(text, 0.7)
    for _ in range(100):
        earlier.has_like(" ".join(rng.choices(words, odds, k=20)), 0.7)
    assert 100 <= len(compared) < 0.01 * 200 * 2000
