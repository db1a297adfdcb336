"""Which examples a prompt shows, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.methods.contract import Brief, Rates
from nshot.methods.prompt.few_shot import FewShot, likeness, margins
from nshot.methods.prompt.retrieved_shots import RetrievedShots
from nshot.methods.spec import spec
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from nshot.prompts.demonstrations import (
    at_random,
    diverse,
    entropy,
    grouped,
    hardest,
    in_turn,
    orders,
)
from toys import REMOTE, SCORER, TASK, Bench, ask, examples, shots

POINTS = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.0, 0.2], [0.0, 9.0], [9.0, 9.0]])
ROWS = tuple(Example(f"r{i}", ask(f"r{i}"), (("a", "b")[i % 2],)) for i in range(6))


def near(at: int) -> np.ndarray[Any, Any]:
    return -np.linalg.norm(POINTS - POINTS[at], axis=1)


def test_k_centre_takes_the_farthest_point_and_covers_all_clusters() -> None:
    """Without labels it is Gonzalez' algorithm: four clusters, whatever is drawn first."""
    for seed in range(6):
        chosen = diverse(ROWS, near, 4, seed, labels=False)
        first = int(chosen[0].id[1:])
        farthest = int(np.argmax(np.linalg.norm(POINTS - POINTS[first], axis=1)))
        assert chosen[1].id == f"r{farthest}"
        clusters = [{0, 1}, {2, 3}, {4}, {5}]
        places = {int(one.id[1:]) for one in chosen}
        assert all(places & cluster for cluster in clusters)


def test_labels_come_in_turn_whatever_is_chosen() -> None:
    for chosen in (diverse(ROWS, near, 4, 0), hardest(ROWS, [0.9, 0.1, 0.5, 0.2, 0.3, 0.8], 4, 0)):
        assert Counter(one.label for one in chosen) == {"a": 2, "b": 2}
        assert chosen[0].label != chosen[1].label
    hard = hardest(ROWS, [0.9, 0.1, 0.5, 0.2, 0.3, 0.8], 4, 0)
    assert {one.id for one in hard} == {"r1", "r3", "r4", "r2"}, "the smallest margins of each"
    assert len(diverse(ROWS, near, 99, 0)) == 6
    assert at_random(ROWS, 3, 1) == at_random(ROWS[::-1], 3, 1)
    assert len({one.label for one in at_random(ROWS, 3, 1)}) == 1, "labels in turn would be two"


def test_orders_differ_and_the_entropy_of_answers_is_the_papers() -> None:
    assert orders(ROWS[:3], 8, 0)[0] == ROWS[:3]
    assert len(set(orders(ROWS[:3], 8, 0))) == 6, "three examples have six orders"
    assert orders(ROWS, 4, 0) == orders(ROWS, 4, 0)
    assert entropy(["a", "b", "a", "b"]) == pytest.approx(np.log(2))
    assert entropy(["a", "a", "a", "b"]) == pytest.approx(
        -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    )
    task = Task("t", "classify", (Label("b"), Label("a")))
    assert [one.label for one in grouped(task, in_turn(ROWS, 4, 0))] == ["b", "b", "a", "a"]


def adapted(folder: Path, **settings: Any) -> Prompted:
    made = FewShot(**settings).adapt(TASK, shots(), Bench(folder))
    assert isinstance(made, Prompted)
    return made


@pytest.mark.parametrize("encoder", [True, False])
def test_a_diverse_prompt_needs_no_encoder(encoder: bool, tmp_path: Path) -> None:
    bench = Bench(tmp_path, **({} if encoder else {"encoder": None}))
    rows = examples()
    like = likeness([row.input for row in rows], bench)
    for at in range(len(rows)):
        assert like(at)[at] == pytest.approx(1.0, abs=1e-5)
        assert like(at).max() <= 1.0 + 1e-5
    made = FewShot(n=6, choice="diverse").adapt(TASK, shots(), bench)
    assert isinstance(made, Prompted)
    assert Counter(demo.label for demo in made.demos) == dict.fromkeys(TASK.label_names, 2)


def test_hard_examples_are_those_with_the_smallest_margins(tmp_path: Path) -> None:
    made = adapted(tmp_path, n=3, choice="hard")
    bare = replace(made, demos=(), offsets=())
    rows = in_turn(examples(), 96, 0)
    margin = dict(zip([row.id for row in rows], margins(bare, rows), strict=True))
    assert len(set(margin.values())) > 4
    for demo in made.demos:
        assert margin[demo.id] == min(margin[row.id] for row in rows if row.label == demo.label)


def test_the_order_with_the_most_even_answers_is_shown(tmp_path: Path) -> None:
    drawn = adapted(tmp_path, n=4)
    ordered = adapted(tmp_path, n=4, order="entropy")
    assert {demo.id for demo in ordered.demos} == {demo.id for demo in drawn.demos}
    probing = [row.input for row in shots().unlabelled]

    def spread(order: Sequence[Example]) -> float:
        answers = replace(drawn, demos=tuple(order), offsets=()).predict(probing)
        return entropy([one.answer for one in answers])

    assert spread(ordered.demos) == max(map(spread, orders(drawn.demos, 8, 0)))
    by_label = adapted(tmp_path, n=6, order="grouped")
    labels = [demo.label for demo in by_label.demos]
    assert labels == sorted(labels, key=TASK.label_names.index)


def test_retrieved_examples_stand_the_likest_first_where_that_is_set(tmp_path: Path) -> None:
    last, first = (
        RetrievedShots(k=3, order=order).adapt(TASK, shots(), Bench(tmp_path))  # type: ignore[arg-type]
        for order in ("similar_last", "similar_first")
    )
    assert isinstance(last, Prompted)
    assert isinstance(first, Prompted)
    asked: list[Input] = [ask("돈을 돌려 주세요"), ask("where is my card")]
    assert last.retrieval is not None
    assert first.retrieval is not None
    likest = [row[-1].input for row in last.retrieval.nearest(asked)]
    assert likest == asked, "each stands among the shots"
    assert [row[::-1] for row in first.retrieval.nearest(asked)] == last.retrieval.nearest(asked)
    first.save(tmp_path / "saved")
    again = load(tmp_path / "saved", FakeModels())
    answers: list[Prediction] = again.predict(asked)
    assert answers == first.predict(asked)


def test_defaults_are_written_as_before_and_choices_are_names_on_the_board() -> None:
    assert {"choice", "order", "search_examples"} & spec(FewShot()).keys() == set()
    assert "order" not in spec(RetrievedShots())
    assert FewShot(choice="diverse", order="grouped").called == "few_shot:diverse:grouped"
    assert RetrievedShots(order="similar_first").called == "retrieved_shots:similar_first"
    assert "choice" not in FewShot().searched("classify")
    assert FewShot(search_examples=True).searched("classify")["order"][0] == "drawn"
    assert FewShot(search_examples=True).searched("generate")["choice"] == ("balanced", "diverse")


def test_what_cannot_be_chosen_is_said_beforehand(tmp_path: Path) -> None:
    brief = Brief(
        task=TASK, labelled=12, unlabelled=20, per_label=4, test=100, tokens=10.0, longest=30,
        base=SCORER, abilities=frozenset({"score", "generate"}), context=2048, layers=4,
        encoder=None, rates=Rates(300.0, 100.0, 3000.0),
    )  # fmt: skip
    for method in (FewShot(choice="hard"), FewShot(order="entropy")):
        assert method.why_not(brief) is None
        assert method.forecast(brief).seconds > FewShot().forecast(brief).seconds
        remote = replace(brief, base=REMOTE, abilities=frozenset({"generate"}))
        assert "probabilities of labels" in str(method.why_not(remote))
        written = replace(brief, task=replace(TASK, kind="generate", labels=()))
        assert "probabilities of labels" in str(method.why_not(written))
