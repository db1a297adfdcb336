"""Shapes of tasks and models, driven through adapt, store, board, save and load.

The methods here are small, but the contracts, the workplace, the store, the board and the
predictors are the real ones, on the fake engine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from house import COLOURS, ENCODER, REMOTE, SCORER, WORDS, House, colours, entry, fields, places
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Split, Task, Turn
from nshot.methods.contract import Brief, Method, Rates, Workbench
from nshot.models import open_models
from nshot.predictors import Extends, Predictor, load
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Nearest, class_means
from nshot.predictors.prompted import Prompted
from nshot.predictors.ranker import Ranker


class Show(Method):
    """A few-shot prompt with all labelled examples as demonstrations."""

    name = "show"
    rung = "prompt"
    kinds = frozenset({"classify", "generate"})
    needs = frozenset({"generate"})
    about = "all shots in the prompt"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Prompted(task, bench.models, _base(bench), demos=shots.labelled[:8])


class Likely(Method):
    """Rank by log-likelihood; learns nothing."""

    name = "likely"
    rung = "align"
    kinds = frozenset({"rank"})
    needs = frozenset({"score"})
    learns = False

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Ranker(task, bench.models, _base(bench))


class Means(Method):
    """Class means; with background classes the width is what they vary in."""

    name = "means"
    rung = "fewshot"
    trains = "head"
    needs_encoder = True
    background: bool = False

    def why_not(self, brief: Brief) -> str | None:
        if self.background and not brief.background:
            return "needs background classes"
        return super().why_not(brief)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        if self.background:
            other = {example.label for example in shots.background}
            if not other or other & set(task.label_names):
                raise CannotAdapt("background classes must be other than the task's labels")
            bench.note(f"background: {len(other)} classes")
        source = Encoded(bench.models, bench.encoder or ENCODER)
        vectors = source.read([example.input for example in shots.labelled]).matrix
        index = [task.label_names.index(example.label) for example in shots.labelled]
        means = class_means(vectors, np.array(index), len(task.labels))
        bench.trained(means.size)
        return Nearest(task, source, means)


def _base(bench: Workbench) -> ModelRef:
    assert bench.base is not None
    return bench.base


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    return partial(House.build, tmp_path, places(Show, Likely, Means))


def test_a_rank_task(house: Any, tmp_path: Path) -> None:
    pairs = tuple(
        Example(
            f"p{i}",
            Input(fields=(("text", f"say {word}"),), answers=(word, "nothing")),
            grades=(1.0, 0.0),
        )
        for i, word in enumerate(["alpha", "beta", "gamma", "delta"] * 15)
    )
    task = Task("pairs", "rank", metric="pair_accuracy")
    there = house(task, Split(pairs[:8], pairs[8:], "file", "f"))
    measurement = there.measure(Likely())
    assert all(len(p.scores) == 2 for p in measurement.predictions)
    board = there.board([entry(Likely(), measurement)])
    assert board.advice.pick == "likely"
    assert board.rows[0].score > 0.9


def test_a_generate_task_with_several_references(house: Any) -> None:
    rows = tuple(
        Example(f"g{i}", fields(text=f"name thing {i % 4}"), (f"thing {i % 4}", f"it {i % 4}"))
        for i in range(60)
    )
    task = Task("names", "generate", metric="token_f1", answer_name="Answer")
    there = house(task, Split(rows[:8], rows[8:], "file", "f"))
    measurement = there.measure(Show())
    assert measurement.statistics[0] == (1.0,), "either reference counts in full"
    board = there.board([entry(Show(), measurement)])
    assert 0 < board.rows[0].score <= 1
    assert board.rows[0].tokens_per_request > 0


def test_a_row_with_two_text_fields(house: Any) -> None:
    task = Task(
        "nli", "classify", (Label("yes"), Label("no")), field_names=(("premise", "Premise"),)
    )
    rows = tuple(
        Example(f"n{i}", fields(premise=f"it rains {i}", hypothesis=said), (label,))
        for i in range(30)
        for said, label in (("wet", "yes"), ("dry", "no"))
    )
    there = house(task, Split(rows[:8], rows[8:], "file", "f"))
    prompt = Prompted(task, open_models(), SCORER).prompts([rows[0].input])[0]
    assert "Premise: it rains 0" in str(prompt)
    assert "wet" in str(prompt)
    board = there.board([entry(Means(), there.measure(Means()))])
    assert board.rows[0].status == "ok"


def test_a_learner_with_background_classes(house: Any) -> None:
    background = tuple(
        Example(f"b{i}", fields(text=f"note {i}"), (f"other{i % 5}",)) for i in range(20)
    )
    split = Split(colours(3, "a"), colours(20, "t"), "file", "f", background=background)
    measurement = house(COLOURS, split).measure(Means(background=True))
    assert "background: 5 classes" in measurement.notes
    bare = house(COLOURS, Split(colours(3, "a"), colours(20, "t"), "file", "f"))
    with pytest.raises(CannotAdapt, match="other than the task's"):
        bare.measure(Means(background=True))
    assert Means(background=True).why_not(_brief()) == "needs background classes"


def test_an_extend_changes_no_old_prototype(house: Any, tmp_path: Path) -> None:
    there = house(COLOURS, Split(colours(3, "a"), colours(20, "t"), "file", "f"))
    there.measure(Means(), do="deliver")
    winner = load(tmp_path / "winner", open_models())
    assert isinstance(winner, Extends)
    new = [Example("x", fields(text="banana lemon sun"), ("yellow",))]
    grown = winner.extend(new)
    assert grown.task.label_names == ("red", "green", "blue", "yellow")
    assert grown.predict([new[0].input])[0].answer == "yellow"
    grown.save(tmp_path / "grown")
    again = load(tmp_path / "grown", open_models())
    old = winner.prototypes.tobytes()  # type: ignore[attr-defined]
    assert again.prototypes[:3].tobytes() == old  # type: ignore[attr-defined]


def test_a_remote_model_that_cannot_score(house: Any, tmp_path: Path) -> None:
    split = Split(colours(3, "a"), colours(20, "t"), "file", "f")
    there = house(COLOURS, split, REMOTE)
    assert Likely().why_not(_brief(abilities={"generate"})) is not None
    measurement = there.measure(Show())
    assert {p.scores for p in measurement.predictions} == {()}, "it writes, it does not score"
    assert {p.answer for p in measurement.predictions} <= {"red", "green", "blue", ""}
    row = there.board([entry(Show(), measurement)]).rows[0]
    assert row.score > 0.5


def test_turns_and_images_have_a_place() -> None:
    chat = Input(turns=(Turn("user", "hello"), Turn("assistant", "yes?"), Turn("user", "red")))
    assert Prompted(COLOURS, open_models(), SCORER).predict([chat])[0].answer in WORDS
    assert chat.text == "hello\nyes?\nred"


def _brief(abilities: set[Any] | None = None) -> Brief:
    return Brief(
        task=COLOURS, labelled=9, unlabelled=0, per_label=3, test=60, tokens=5, longest=9,
        base=SCORER, abilities=frozenset(abilities or {"score", "generate"}), context=4096,
        layers=4, encoder=ENCODER, rates=Rates(1e3, 3e2, 1e4),
    )  # fmt: skip
