"""Labels against each other: the loss is that of a forward pass written by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from nshot.core.types import Example, Input, Label, Task
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.prompts.patterns import Pattern
from nshot.training.data.demonstrations import drawn_for
from nshot.training.data.patterns import PatternRows
from nshot.training.objectives.competition import LabelCompetition
from nshot.training.parts.weights import Body
from nshot.training.recipe import Lesson
from tiny import tiny_llama

FILMS = Task(
    "films", "classify", (Label("good"), Label("very_bad")), instruction="영화평의 감정은?",
    field_names=(("text", "Review"),), answer_name="Sentiment",
)  # fmt: skip
TEXTS = (
    "warm and funny",
    "dull and grey",
    "재미있고 따뜻하다",
    "길고 지루",
    "a delight",
    "a waste",
)
ROWS = tuple(
    Example(f"r{i}", Input((("text", text),)), (FILMS.label_names[i % 2],))
    for i, text in enumerate(TEXTS)
)
VIEWS = (
    Pattern().view(FILMS, "plain"),
    Pattern(format="instruction", answer="한마디로", words=("좋다", "나쁘다")).view(FILMS, "plain"),
)
SHARES = ((1.0, 0.0), (0.0, 1.0), (0.7, 0.3), (0.1, 0.9), (1.0, 0.0), (0.0, 1.0))
DATA = PatternRows(FILMS, VIEWS, ROWS, SHARES, ROWS, 1, 2, 5)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory):
    return resolve(str(tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", context=512)), "lm")


def by_hand(lent, data: PatternRows) -> float:
    """Mean cross-entropy over all passes: every label's text read alone, by the model itself."""
    losses = []
    for one in (put for number in range(data.passes) for put in data.put(number)):
        likely = []
        for answer in one.answers:
            prompt, whole = (
                lent.tokenizer(t)["input_ids"] for t in (one.prompt, one.prompt + answer)
            )
            assert whole[: len(prompt)] == prompt
            with torch.no_grad():
                logits = lent.module(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
            likely.append(
                sum(logits[at - 1, whole[at]].item() for at in range(len(prompt), len(whole)))
            )
        chances = torch.tensor(likely, dtype=torch.float64).log_softmax(0)
        losses.append(-sum(s * c.item() for s, c in zip(one.shares, chances, strict=True)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("shown", [0, 1])
def test_the_loss_is_that_of_a_forward_pass_by_hand(base, shown: int) -> None:
    data = replace(DATA, demonstrations=shown)
    with open_models().lend(base, free=("*",)) as lent:
        lent.module.eval()
        lesson = data.lesson(lent, 512)
        read = data.reader(lent.module, lesson, Body(), "cpu", print)
        objective = LabelCompetition()
        loss = objective.total(read, lesson.rows) / objective.weight(lesson.rows)
        assert loss.item() == pytest.approx(by_hand(lent, data), abs=1e-5)
        halves = objective.total(read, lesson.rows[:5]) + objective.total(read, lesson.rows[5:])
        assert halves.item() / len(lesson.rows) == pytest.approx(loss.item(), abs=1e-5)


def test_only_the_labels_of_the_row_are_in_the_loss_not_those_of_demonstrations(base) -> None:
    with open_models().lend(base, free=("*",)) as lent:
        lesson = DATA.lesson(lent, 512)
    for contest, one in zip(lesson.rows, (*DATA.put(0), *DATA.put(1)), strict=True):
        words = [lent.tokenizer.decode(row.targets) for row in contest.rows]
        assert words == list(one.answers)
        for row in contest.rows:
            assert row.points == tuple(range(row.points[0], row.length))
            prompt = lent.tokenizer.decode(row.tokens[: row.points[0] + 1])
            assert prompt == one.prompt
            assert prompt.count("\n\n") == 2 + ("감정은" in prompt), "a demonstration a label"


def test_each_pass_puts_a_row_by_the_next_pattern_and_behind_others() -> None:
    first, second = list(DATA.put(0)), list(DATA.put(1))
    assert [one.answers[0] for one in first] == [" good", " 좋다"] * 3
    assert [one.answers[0] for one in second] == [" 좋다", " good"] * 3
    third = list(DATA.put(2))
    assert [one.answers for one in third] == [one.answers for one in first]
    assert [one.prompt for one in third] != [one.prompt for one in first]
    assert all(one.prompt.endswith("한마디로:") for one in second[::2])


def test_a_row_is_never_shown_before_itself_nor_one_of_its_group() -> None:
    rng = random.Random(0)
    pool = (*ROWS, replace(ROWS[0], id="twin"), replace(ROWS[2], id="kin", group="g"))
    for _ in range(20):
        shown = drawn_for(replace(ROWS[0], group="g"), pool, 2, rng)
        assert not {"r0", "twin", "kin"} & {one.id for one in shown}
        assert sorted(one.label for one in shown) == ["good"] * 2 + ["very_bad"] * 2


def test_what_is_too_long_loses_the_first_demonstrations_and_says_so(base) -> None:
    with open_models().lend(base, free=("*",)) as lent:
        lesson: Lesson = DATA.lesson(lent, 60)
    assert max(row.length for contest in lesson.rows for row in contest.rows) <= 60
    assert "lost their beginning" in lesson.notes[0]
