"""Wording searched where it may be: what is tried, what is sent, and not unless it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from lent import Lent

from deciding import SECRET, Mind, deciding
from nshot.bench.search import search
from nshot.core.types import Example, Fold, Input, Label, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.methods.prompt.decide import WORDINGS, Decide
from nshot.models import open_models
from nshot.predictors import load

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


def test_levels_and_several_labels_are_shown_as_answers(tmp_path: Path) -> None:
    several = Task("t", "multilabel", TASK.labels)
    rows = tuple(Example(f"m{i}", Input((("text", f"both {i}"),)), ("a", "b")) for i in range(4))
    method = TABLE.build({"method": "decide_shots", "n": 1})
    with deciding(Mind({"a": "apple", "b": "berry"})) as service:
        bench = Lent(open_models(), service.ref(), tmp_path)
        method.adapt(several, Shots(rows), bench).predict([rows[0].input])
    assert "\nLabel: a | b\n" in service.bodies[0]["state"]
