"""A classifier that goes by a name is seen; one that is merely unsteady is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from nshot.audit.contract import AuditResult, Subject
from nshot.audit.counterfactuals.audit import Counterfactuals
from nshot.audit.counterfactuals.lists import ENGLISH, KOREAN, LISTS
from nshot.audit.counterfactuals.particles import filled, final, form, refitted
from nshot.audit.counterfactuals.swaps import language_of, swaps
from nshot.audit.estimates import held
from nshot.audit.luck import of_pairs
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.models import open_models

TASK = Task("credit", "classify", labels=(Label("yes"), Label("no")))
WOMEN = ENGLISH[0].groups[0] + KOREAN[0].groups[0]


class Ruled:
    """Answers by a rule of the text: a predictor that needs no model."""

    def __init__(self, rule: Callable[[str], bool]) -> None:
        self.rule, self.task = rule, TASK

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        return [Prediction("yes" if self.rule(one.text) else "no") for one in inputs]


def row(number: int, text: str) -> Example:
    return Example(f"r{number}", Input((("text", text),)), ("yes",))


def rows(count: int = 40) -> tuple[Example, ...]:
    """Half English, half Korean."""
    english = [row(i, f"please look at the request number {i} that I sent") for i in range(count)]
    korean = [row(1000 + i, f"어제 보낸 신청서 {i} 번을 봐 주세요") for i in range(count)]
    return tuple(english + korean)


def looked(rule: Callable[[str], bool], some: Sequence[Example] | None = None) -> AuditResult:
    subject = Subject("credit", open_models(), TASK, Ruled(rule), rows=tuple(some or rows()))
    assert Counterfactuals().why_not(subject) is None
    return Counterfactuals().run(subject)


def test_a_classifier_that_goes_by_a_name_is_found_in_both_languages() -> None:
    result = looked(lambda text: not any(name in text for name in WOMEN))
    about = {one.about for one in result.alarms}
    assert {"names of women or men (English)", "names of women or men (Korean)"} <= about
    assert not any("dialect" in one or "ages" in one for one in about)
    first = next(one for one in result.alarms if one.about == "names of women or men (English)")
    assert (first.value, first.rows != ()) == (1.0, True)
    sheet = next(one for one in result.sheets if one.title.endswith("(English): what changes"))
    assert sheet.heads[:2] == ("women", "men")
    assert sheet.lines == (("no", "yes", 40),)


def test_one_that_looks_at_something_else_raises_no_alarm() -> None:
    result = looked(lambda text: "7" in text.replace("67", "").replace("78", ""))
    assert not [one for one in result.alarms if "ages" not in one.about]
    assert looked(lambda text: "3 " in text).summary.startswith("none of 13 swaps")


def _unsteady(seed: int, share: float) -> Callable[[str], bool]:
    """A rule that changes its mind with any letter: in a `share` of the texts it says no."""

    def rule(text: str) -> bool:
        number = int.from_bytes(hashlib.sha256(f"{seed}{text}".encode()).digest()[:4], "big")
        return number / 2**32 >= share

    return rule  # fmt: skip


def test_unsteady_classifiers_raise_alarms_no_more_often_than_stated() -> None:
    """200 classifiers on eight dimensions: all change answers, none because of a group."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(200):
        count, share = int(rng.integers(20, 80)), rng.uniform(0.05, 0.5)
        pairs = []
        for _ in range(8):
            own, other, again = (rng.random((3, count)) < share).astype(bool)
            pairs.append(of_pairs(own != other, own != again).p)
        alarms += min(held(pairs)) < 0.05
    assert alarms <= 18  # 10 expected at most; more than 18 by luck once in a hundred


def test_an_unsteady_predictor_is_held_against_its_control() -> None:
    """The whole path: changed answers in a fifth of the rows, the control as many, no alarm."""
    some = rows()
    results = [looked(_unsteady(seed, 0.1), some) for seed in range(4)]
    assert all("% of answers change" in one.sentence for one in results[0].findings)
    assert sum(bool(result.alarms) for result in results) <= 1


@pytest.mark.parametrize(
    ("word", "pair", "right"),
    [
        ("지영", ("은", "는"), "은"), ("민지", ("은", "는"), "는"),
        ("서울", ("으로", "로"), "로"), ("부산", ("으로", "로"), "으로"),
        ("제주", ("으로", "로"), "로"), ("딸", ("을", "를"), "을"), ("어머니", ("과", "와"), "와"),
        ("28", ("이", "가"), "이"), ("25", ("이", "가"), "가"), ("Kim", ("이", "가"), "이"),
    ],
)  # fmt: skip
def test_particles_fit_the_word_before_them(word: str, pair: tuple[str, str], right: str) -> None:
    assert form(word, *pair) == right
    assert refitted(pair[0], word) == refitted(pair[1], word) == right


def test_frames_and_finals() -> None:
    assert final("값") != 0
    assert filled("저는 {word}[이라고/라고] 합니다.", "수진") == "저는 수진이라고 합니다."
    assert filled("저는 {word}[이라고/라고] 합니다.", "민지") == "저는 민지라고 합니다."
    assert filled("{word}", "I ain't sure.") == "I ain't sure."


def test_words_are_swapped_where_they_stand_with_article_and_particle() -> None:
    family, nation = KOREAN[2], ENGLISH[4]
    korean = swaps([row(1, "우리 어머니는 딸기를 좋아하고 어머니와 삽니다")], family)[0]
    for made, word in zip((korean.own, korean.other, korean.control), korean.words, strict=True):
        topic, partner = form(word, "은", "는"), form(word, "과", "와")
        assert made.text == f"우리 {word}{topic} 딸기를 좋아하고 {word}{partner} 삽니다"
    english = swaps([row(2, "An American wrote, and a Mexicano did not")], nation)[0]
    article = "An" if english.words[0] in ("American", "Australian") else "A"
    assert english.own.text == f"{article} {english.words[0]} wrote, and a Mexicano did not"


def test_the_control_is_of_the_same_group_and_the_same_row() -> None:
    for dimension in (*ENGLISH, *KOREAN):
        for swap in swaps(rows(6), dimension):
            own = next(group for group in dimension.groups if swap.words[0] in group)
            assert swap.words[2] in own
            assert swap.words[1] not in own
            assert len({swap.own, swap.other, swap.control}) == 3
    assert swaps(rows(6), ENGLISH[0]) == swaps(rows(6), ENGLISH[0])


def test_lists_are_apart_and_every_frame_holds_a_word() -> None:
    for dimension in (*ENGLISH, *KOREAN):
        first, second = dimension.groups
        assert not set(first) & set(second)
        assert all("{word}" in frame for frame in dimension.frames)
    assert set(LISTS) == {"English", "Korean"}


def test_an_unknown_language_is_said_and_the_rest_goes_on() -> None:
    russian = [row(5000 + i, f"пожалуйста, посмотрите заявку {i}") for i in range(30)]
    german = [row(6000 + i, f"bitte sehen Sie sich meinen Antrag {i} an") for i in range(3)]
    assert language_of(russian[0]) is None
    assert language_of(german[0]) is None
    result = looked(lambda text: "3" in text, (*rows(), *russian, *german))
    assert "33 rows are in neither English nor Korean: there are no word lists" in result.notes
    alone = Subject("ru", open_models(), TASK, Ruled(lambda text: True), rows=tuple(russian))
    assert "no 20 rows in one of them: 0 of 30" in (Counterfactuals().why_not(alone) or "")
