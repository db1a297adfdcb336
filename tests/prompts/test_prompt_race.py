"""Wordings by rule, instructions that models write, and the race between candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.types import Example, Input, Label, Task
from nshot.prompts.render import FORMATS, render
from nshot.prompts.search.proposals import read_proposal, request
from nshot.prompts.search.race import Look, behind, ends, race
from nshot.prompts.search.wording import Grid, Wording, own, shortened, with_particle

TEXT = Input((("text", "a fine film"),))
FILMS = Task(
    "films", "classify", (Label("negative", "they hated it"), Label("positive", "they liked it")),
    instruction="Please give the sentiment of the review. Read all of it first.",
)  # fmt: skip
KOREAN = Task(
    "영화", "classify", (Label("부정적"), Label("긍정적")), answer_name="라벨",
    instruction="영화평을 읽고 감정을 고르세요.",
)  # fmt: skip
HANGUL = Input((("text", "참 좋은 영화였다"),))


def test_every_wording_asks_otherwise_and_the_tasks_own_stand_first() -> None:
    for task, like in ((FILMS, TEXT), (KOREAN, HANGUL)):
        wordings = Grid(task, like, FORMATS).draw(24, seed=1)
        assert wordings[:3] == [own(task, format) for format in FORMATS]
        prompts = [render(one.of(task), one.format, like) for one in wordings]
        assert len(set(prompts)) == len(wordings) == 24
        assert wordings == Grid(task, like, FORMATS).draw(24, seed=1)
        assert wordings != Grid(task, like, FORMATS).draw(24, seed=2)


def test_names_and_instructions_are_in_english_and_in_korean() -> None:
    english = Grid(FILMS, TEXT, FORMATS).draw(200, seed=0)
    assert {"Label", "Sentiment"} <= {one.answer for one in english}
    assert {name for one in english for _, name in one.field_names} >= {"Review", "Text"}
    texts = {one.instruction for one in english}
    assert "Give the sentiment of the review." in texts
    assert "What is the sentiment of this review?" in texts
    korean = Grid(KOREAN, HANGUL, FORMATS).draw(200, seed=0)
    assert {"라벨", "감정"} <= {one.answer for one in korean}
    assert {name for one in korean for _, name in one.field_names} >= {"영화평", "리뷰"}
    assert any("영화평의 감정을 고르세요." in one.instruction for one in korean)
    assert any("이 영화평의 감정은 무엇인가요?" in one.instruction for one in korean)


def test_labels_are_described_listed_or_hidden() -> None:
    asked = {
        shows: str(render(replace(own(FILMS, "instruction"), shows=shows).of(FILMS), "instruction",
                          TEXT))
        for shows in ("described", "listed", "hidden")
    }  # fmt: skip
    assert "- negative: they hated it" in asked["described"]
    assert "Answer with one of: negative, positive." in asked["listed"]
    assert "negative" not in asked["hidden"]
    bare = Task("t", "classify", (Label("a"), Label("b")))
    kinds = {one.shows for one in Grid(bare, TEXT, FORMATS).draw(40, seed=0)}
    assert kinds == {"described", "hidden"}


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Please give the sentiment of the review. Read all of it.",
         "Give the sentiment of the review."),
        ("Your task is to carefully name the topic!", "Name the topic!"),
        ("부디 감정을 고르세요. 모두 읽으세요.", "감정을 고르세요."),
        ("", ""),
    ],
)  # fmt: skip
def test_a_shorter_instruction(text: str, short: str) -> None:
    assert shortened(text) == short


@pytest.mark.parametrize(
    ("noun", "whole"),
    [("글", "글을"), ("메시지", "메시지를"), ("답", "답을"), ("Topic", "Topic를")],
)
def test_a_noun_takes_its_particle(noun: str, whole: str) -> None:
    assert with_particle(noun, "을", "를") == whole


def test_children_have_each_part_from_a_parent() -> None:
    parents = [
        Wording("plain", "A", (("text", "X"),), "own", "One."),
        Wording("instruction", "B", (("text", "Y"),), "read", "Two.", "hidden"),
        Wording("chat", "C", (("text", "Z"),), "question", "Three?", "listed"),
    ]
    grid = Grid(FILMS, TEXT, FORMATS)
    children = grid.children(parents, 6, seed=3)
    assert 0 < len(children) <= 6
    assert not set(children) & set(parents)
    for child in children:
        assert (child.answer, child.field_names) in [(p.answer, p.field_names) for p in parents]
        assert (child.rule, child.instruction) in [(p.rule, p.instruction) for p in parents]
    assert grid.children(parents[:1], 6, seed=3) == []


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ('Instruction: "Classify the review as positive or negative."\n\nMore',
         "Classify the review as positive or negative."),
        ("\n\n  지시문: 글의 감정을 고르세요.\n예", "글의 감정을 고르세요."),
        ("positive", ""),
        ("", ""),
        ("word " * 100, ""),
    ],
)  # fmt: skip
def test_an_instruction_in_what_a_model_wrote(text: str, proposal: str) -> None:
    assert read_proposal(text) == proposal


def test_the_request_shows_solved_examples() -> None:
    row = Example("1", HANGUL, ("긍정적",))
    text = request(KOREAN, [row], "Korean")
    assert "Text: 참 좋은 영화였다\n라벨: 긍정적" in text
    assert text.endswith("한 문장으로 쓰세요.\n지시문:")


def test_looks_double() -> None:
    assert ends(0) == []
    assert ends(5) == [5]
    assert ends(8) == [8]
    assert ends(50) == [8, 16, 32, 50]


def look_of(points: list[float]) -> Look:
    return Look(float(np.mean(points)), 0.0, np.array(points))


def test_who_is_behind_in_pairs_goes() -> None:
    """Of 16 rows 5 more right, none less: mean .3125, deviation .479; 2 .479 / 4 = .239 < .3125.

    Of 3 more: mean .1875, deviation .403, bound .202. So few rows as 15 send nobody away.
    """
    leader = look_of([1.0] * 16)
    assert behind(look_of([1.0] * 11 + [0.0] * 5), leader)
    assert not behind(look_of([1.0] * 13 + [0.0] * 3), leader)
    assert not behind(look_of([0.0] * 15), look_of([1.0] * 15))


def test_the_best_wins_for_half_of_the_price_of_asking_all() -> None:
    asked: dict[int, int] = {}

    def look(key: int, rows: int) -> Look | None:
        asked[key] = max(asked.get(key, 0), rows)
        return None if key == 3 else Look(key / 20, 0.0, np.full(rows, key / 20))

    best = race(range(16), look, lambda key, rows: 1, lambda: 10**6, ends(64), keep=1)
    assert best == [15]
    assert sum(asked.values()) < 16 * 64 / 2
    assert asked[0] == 8


def test_equals_keep_their_order_and_the_surer_stands_first() -> None:
    fits = {"a": -0.7, "b": -0.2, "c": -0.2}

    def look(key: str, rows: int) -> Look:
        return Look(0.5, fits[key], np.full(rows, 0.5))

    assert race("abc", look, lambda key, rows: 1, lambda: 99, [8], keep=3) == ["b", "c", "a"]


@given(
    costs=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    budget=st.integers(0, 2000),
    rows=st.integers(1, 70),
)
def test_a_race_spends_no_more_than_there_is(costs: list[int], budget: int, rows: int) -> None:
    known = [0] * len(costs)
    spent = 0

    def cost(key: int, stop: int) -> int:
        return costs[key] * max(0, stop - known[key])

    def look(key: int, stop: int) -> Look:
        nonlocal spent
        spent += cost(key, stop)
        known[key] = max(known[key], stop)
        return Look(key % 3 / 3, -key, np.full(stop, key % 3 / 3))

    best = race(range(len(costs)), look, cost, lambda: budget - spent, ends(rows), keep=2)
    assert spent <= budget
    assert len(best) <= 2
    assert bool(best) == (costs[0] * ends(rows)[0] <= budget)
