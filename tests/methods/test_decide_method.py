"""Wording searched where it may be: what is tried, what is sent, and not unless it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from lent import Lent

from deciding import SECRET, Mind, deciding
from nshot.bench.forecast import NOMINAL
from nshot.bench.search import search
from nshot.core.types import Example, Fold, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Method
from nshot.methods.prompt.decide import WORDINGS, Decide
from nshot.models import open_models
from nshot.predictors import load
from nshot.predictors.decided import Decided

TASK = Task("t", "classify", (Label("a", "of apples"), Label("b", "of berries")))
ROWS = tuple(
    Example(f"{i}", Input((("text", f"{'apple' if i % 2 else 'berry'} no {i}"),)), ("ba"[i % 2],))
    for i in range(40)
)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)


@dataclass
class Confused(Mind):
    """Takes apples for berries, unless it may choose by names alone."""

    described: bool = True

    def probabilities(self, text: str, options: Sequence[str], wording: str) -> list[float]:
        row = super().probabilities(text, options, wording)
        return row[::-1] if self.described else row


def test_the_wording_that_does_best_on_folds_is_chosen(tmp_path: Path) -> None:
    method = TABLE.build({"method": "decide", "search": True})
    with deciding(Confused({"a": "apple", "b": "berry"})) as service:
        mind = service.mind
        assert isinstance(mind, Confused)
        bench = Lent(open_models(), service.ref(), tmp_path)

        def answer(candidate: Method, fold: Fold, index: int) -> Sequence[Prediction]:
            assert isinstance(candidate, Decide)
            mind.described = candidate.describe
            predictor = candidate.adapt(TASK, fold.shots, bench)
            return predictor.predict([row.input for row in fold.dev])

        tuned = search(method, TASK, Shots(ROWS), answer)
    assert isinstance(tuned.method, Decide)
    assert not tuned.method.describe
    settings = [trial.settings for trial in tuned.tried]
    assert {"describe": True, "instruction": ""} in settings
    assert {one["instruction"] for one in settings} == {*WORDINGS}
    assert [trial.chosen for trial in tuned.tried].count(True) == 1


def test_without_descriptions_names_alone_are_sent_and_the_folder_keeps_it(tmp_path: Path) -> None:
    method = TABLE.build({"method": "decide", "describe": False, "instruction": WORDINGS[1]})
    with deciding(Mind({"a": "apple", "b": "berry"})) as service:
        bench = Lent(open_models(), service.ref(), tmp_path)
        method.adapt(TASK, Shots(ROWS), bench).save(tmp_path / "saved")
        load(tmp_path / "saved", open_models()).predict([ROWS[0].input])
    (question,) = service.bodies[0]["questions"].values()
    assert question == {"type": "choice", "instructions": WORDINGS[1],
                        "criteria": {"a": None, "b": None}}  # fmt: skip


def test_nothing_is_searched_unless_it_is_asked_for() -> None:
    assert TABLE.build({"method": "decide"}).searched("classify") == {}


def test_examples_stand_before_each_text_and_the_folder_keeps_them(tmp_path: Path) -> None:
    method = TABLE.build({"method": "decide_shots", "n": 4})
    with deciding(Mind({"a": "apple", "b": "berry"})) as service:
        bench = Lent(open_models(), service.ref(), tmp_path)
        method.adapt(TASK, Shots(ROWS), bench).save(tmp_path / "saved")
        (answer,) = load(tmp_path / "saved", open_models()).predict([ROWS[0].input])
    state = service.bodies[0]["state"]
    begin, *shown, note, text = state.split("\n\n")
    assert (begin, note) == ("Solved examples:", "To be decided:")
    assert text.removeprefix("To be decided:\n") == ROWS[0].input.text
    assert answer.answer == ROWS[0].label
    solved = {f"{row.input.text}\nLabel: {row.label}": row.label for row in ROWS}
    assert sorted(solved[one] for one in shown) == ["a", "a", "b", "b"]


def test_other_words_are_around_the_instruction_and_descriptions_in_their_language(
    tmp_path: Path,
) -> None:
    labels = (Label("a", "of apples"), Label("b", "산딸기 이야기"), Label("c"))
    task = Task("t", "classify", labels, "무엇에 대한 글인가요?")
    one = Decided(task, open_models(), ModelRef("systemone", "m@http://127.0.0.1:1/v1"))
    (question,) = one.in_other_words().questions
    assert question.instruction == "글을 읽고 답하세요. 무엇에 대한 글인가요?"
    assert dict(question.options) == {
        "a": "A text fits here if this is true of it: of apples",
        "b": "이런 글이면 여기에 맞습니다: 산딸기 이야기",
        "c": "",
    }
    (bare,) = replace(one, described=False).in_other_words().questions
    assert [meaning for _, meaning in bare.options] == ["", "", ""]


def test_examples_that_do_not_fit_are_told_before_anything_is_paid() -> None:
    brief = Brief(
        task=TASK, labelled=40, unlabelled=0, per_label=20, test=10, tokens=2000.0, longest=2000,
        base=ModelRef("systemone", "m"), abilities=frozenset({"decide"}), context=8192, layers=0,
        encoder=None, rates=NOMINAL,
    )  # fmt: skip
    method = TABLE.build({"method": "decide_shots"})
    assert "show fewer than 8 examples" in str(method.why_not(brief))
    assert TABLE.build({"method": "decide_shots", "n": 2}).why_not(brief) is None
    assert method.why_not(replace(brief, tokens=100.0)) is None


def test_several_labels_and_levels_are_shown_as_answers(tmp_path: Path) -> None:
    several = Task("t", "multilabel", TASK.labels)
    rows = tuple(Example(f"m{i}", Input((("text", f"both {i}"),)), ("a", "b")) for i in range(4))
    method = TABLE.build({"method": "decide_shots", "n": 1})
    with deciding(Mind({"a": "apple", "b": "berry"})) as service:
        bench = Lent(open_models(), service.ref(), tmp_path)
        method.adapt(several, Shots(rows), bench).predict([rows[0].input])
        levels = Task("t", "score", TASK.labels)
        method.adapt(levels, Shots(ROWS[:1]), bench).predict([ROWS[1].input])
    assert "\nLabel: a | b\n" in service.bodies[0]["state"]
    assert f"\nLabel: {ROWS[0].label}\n" in service.bodies[1]["state"]


def test_a_row_without_a_label_is_not_shown_and_korean_texts_have_korean_headings(
    tmp_path: Path,
) -> None:
    task = Task("t", "multilabel", TASK.labels)
    rows = (Example("e", Input((("text", "아무것도 아님"),)), ()),
            Example("f", Input((("text", "사과와 딸기"),)), ("a", "b")))  # fmt: skip
    method = TABLE.build({"method": "decide_shots"})
    with deciding(Mind({"a": "사과", "b": "딸기"})) as service:
        bench = Lent(open_models(), service.ref(), tmp_path)
        method.adapt(task, Shots(rows), bench).predict([rows[0].input])
    begin, *shown, note, text = service.bodies[0]["state"].split("\n\n")
    assert (begin, note, text) == ("풀이된 예:", "판단할 글:", "아무것도 아님")
    assert shown == ["사과와 딸기\nLabel: a | b"]
