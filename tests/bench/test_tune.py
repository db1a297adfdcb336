"""The one search: on folds of the shots it finds what the defaults miss, and sees nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.bench.prepare import Prepared
from nshot.bench.request import Request
from nshot.bench.run import carry_out
from nshot.bench.search import Tuned, open_settings, search, trials
from nshot.bench.setting import Setting
from nshot.board.events import ignore
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged, InputError, WorkerLost
from nshot.core.serial import from_data
from nshot.core.types import Example, Fold, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.data import split
from nshot.methods.contract import Method, Workbench
from nshot.predictors.base import Predictor
from nshot.predictors.calibration import Calibration
from nshot.predictors.features import Encoded
from nshot.predictors.label_head import LabelHead
from spine import setting_of, stay_here

ENCODER = ModelRef("fake", "encoder")
TASK = Task("colours", "classify", (Label("red"), Label("blue")))
TEXTS = {"red": "rose fire blood", "blue": "sky sea ice"}


def rows(count: int, salt: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"{salt}{label}{i}", Input(fields=(("text", f"{word} {salt}{i}"),)), (label,))
        for label, words in TEXTS.items()
        for i in range(count)
        for word in [words.split()[i % 3]]
    )


class Descent(Method):
    """Gradient descent on a linear head: the default rate leaps, the next one does not move."""

    name: ClassVar = "descent"
    rung: ClassVar = "finetune"
    trains: ClassVar = "head"
    needs_encoder: ClassVar = True
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"rate": (1e9, 1e-9, 1.0)}
    about: ClassVar = "toy"

    rate: float = 1e9
    steps: int = 30

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        source = Encoded(bench.models, bench.encoder or ENCODER)
        x = np.asarray(source.read([e.input for e in shots.labelled]).matrix, dtype=np.float64)
        y = np.array([[e.label == name for name in task.label_names] for e in shots.labelled])
        weights, first = np.zeros((x.shape[1], 2)), None
        for _ in range(self.steps):
            z = x @ weights
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            loss = float(-np.log(np.maximum((p * y).sum(axis=1), 1e-300)).mean())
            first = loss if first is None else first
            if loss > 5 * first:
                raise Diverged(f"the loss went from {first:.2f} to {loss:.2f}")
            weights -= self.rate * x.T @ (p - y) / len(x)
        if first is None or loss > 0.99 * first:
            raise DidNotLearn(f"the loss stayed at {loss:.2f}")
        bench.trained(weights.size)
        return LabelHead(task, source, weights, np.zeros(2))


def run_on_toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Method) -> dict[str, Any]:
    stay_here(monkeypatch)
    setting = Setting(TASK, split(TASK, rows(12, "a"), rows(30, "t")), (), (ENCODER,))
    prepared = Prepared(
        Request("toy", shots=(4,), seeds=3), setting, (method,), (4,), tmp_path / "run"
    )
    board = carry_out(setting_of(prepared, method), ignore).board
    return board.model_dump(mode="json", by_alias=True)


def test_a_planted_default_that_fails_is_left_for_one_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = run_on_toy(tmp_path, monkeypatch, Descent())
    row, deployed = board["rows"]
    assert row["status"] == "ok"
    assert row["settings"]["rate"] == 1.0
    assert row["score"] > 0.7
    tried = {trial["settings"]["rate"]: trial for trial in row["trials"]}
    assert set(tried) == {1e9, 1e-9, 1.0}
    assert (tried[1e9]["score"], tried[1e-9]["score"]) == (None, None)
    assert "the loss went" in tried[1e9]["note"]
    assert "the loss stayed" in tried[1e-9]["note"]
    assert [rate for rate, trial in tried.items() if trial["chosen"]] == [1.0]
    assert (deployed["form"], deployed["settings"]["rate"]) == ("deployed", 1.0)


def test_the_default_alone_would_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = run_on_toy(tmp_path, monkeypatch, Descent(rate=1e9))
    row = board["rows"][0]
    assert (row["status"], row["score"], row["trials"]) == ("failed", None, [])
    assert "the loss went" in row["reason"]
    assert board["advice"]["pick"] == "majority"


def test_the_search_is_on_draw_0_once_and_charged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nshot.bench.store import Store

    board = run_on_toy(tmp_path, monkeypatch, Descent())
    store = Store(tmp_path / "run")
    kinds = [kind for _, kind, _ in store.jobs()]
    assert kinds.count("search") == 1, "its settings serve the other draws"
    assert kinds.count("measure") == 5, "three draws, and the pick on two fresh ones"
    bodies = {kind: body for job, kind, _ in store.jobs() for _, body in [store.get(job)]}  # type: ignore[misc]
    builds = sorted(
        body["build"]["seconds"]
        for job, kind, _ in store.jobs()
        for _, body in [store.get(job)]  # type: ignore[misc]
        if kind == "measure" and body["draw"] < 3
    )
    row = board["rows"][0]
    assert bodies["search"]["seconds"] > 0
    assert row["build_seconds"] == pytest.approx(builds[1] + bodies["search"]["seconds"])


# ---------------------------------------------------------------- the search itself


class Knobs(Method):
    """Three settings; what they are worth is a table in the test."""

    name: ClassVar = "knobs"
    rung: ClassVar = "prompt"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"a": (0, 1, 2), "b": ("x", "y")}

    a: int = 0
    b: str = "x"
    c: float = 1.0

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        raise NotImplementedError


class Spy:
    """Answers as well as `worth` says, and remembers whom it was asked about."""

    def __init__(self, worth: Mapping[tuple[int, str], float | None]) -> None:
        self.worth = worth
        self.asked: list[Method] = []
        self.learned: set[str] = set()
        self.answered: set[str] = set()

    def __call__(self, method: Method, fold: Fold, index: int) -> Sequence[Prediction]:
        assert isinstance(method, Knobs)
        share = self.worth.get((method.a, method.b), 0.0)
        if share is None:
            raise CannotAdapt("not with these")
        if method not in self.asked:
            self.asked.append(method)
        assert not {e.id for e in fold.shots.labelled} & {e.id for e in fold.dev}
        self.learned |= {e.id for e in fold.shots.labelled}
        self.answered |= {e.id for e in fold.dev}
        right = round(share * len(fold.dev))
        return [Prediction(e.label if i < right else "") for i, e in enumerate(fold.dev)]


SHOTS = Shots(rows(8, "s"))


def best(worth: Mapping[tuple[int, str], float | None], method: Knobs | None = None) -> Knobs:
    found = search(method or Knobs(), TASK, SHOTS, Spy(worth)).method
    assert isinstance(found, Knobs)
    return found


def test_coordinates_are_searched_in_order_from_the_best_so_far() -> None:
    spy = Spy({(0, "x"): 0.25, (2, "x"): 0.5, (2, "y"): 1.0, (0, "y"): 0.75})
    tuned = search(Knobs(), TASK, SHOTS, spy)
    assert [(m.a, m.b) for m in spy.asked] == [(0, "x"), (1, "x"), (2, "x"), (2, "y")]  # type: ignore[attr-defined]
    assert (tuned.method.a, tuned.method.b) == (2, "y")  # type: ignore[attr-defined]
    assert len(tuned.tried) == trials(Knobs(), "classify") == 4
    assert [t.score for t in tuned.tried] == [0.25, 0.0, 0.5, 1.0]
    assert [t.chosen for t in tuned.tried] == [False, False, False, True]


def test_every_shot_is_asked_once_and_nothing_else() -> None:
    spy = Spy({})
    search(Knobs(), TASK, SHOTS, spy)
    assert spy.answered == spy.learned == {e.id for e in SHOTS.labelled}


def test_ties_keep_the_default() -> None:
    assert best(dict.fromkeys([(0, "x"), (1, "x"), (2, "x"), (0, "y")], 0.5)) == Knobs(a=0, b="x")


def test_what_the_user_set_is_not_searched_and_stays() -> None:
    pinned = Knobs(a=1, c=3.0)
    assert open_settings(pinned, "classify") == {"b": ("x", "y")}
    spy = Spy({(1, "y"): 1.0, (2, "y"): 1.0})
    found = search(pinned, TASK, SHOTS, spy).method
    assert (found.a, found.b, found.c) == (1, "y", 3.0)  # type: ignore[attr-defined]
    assert {m.a for m in spy.asked} == {1}  # type: ignore[attr-defined]


def test_a_setting_pinned_to_its_default_is_pinned() -> None:
    assert trials(Knobs(a=0, b="x"), "classify") == 1
    found = search(Knobs(a=0, b="x"), TASK, SHOTS, Spy({}))
    assert found.tried == ()


def test_candidates_that_fail_lose() -> None:
    assert best({(0, "x"): None, (1, "x"): 0.25, (2, "x"): None, (1, "y"): None}).a == 1


def test_where_all_fail_the_defaults_stand_with_the_reasons() -> None:
    tuned = search(Knobs(), TASK, SHOTS, Spy({(a, b): None for a in range(3) for b in "xy"}))
    assert (tuned.method.a, tuned.method.b) == (0, "x")  # type: ignore[attr-defined]
    assert {t.note for t in tuned.tried} == {"not with these"}
    assert {t.score for t in tuned.tried} == {None}


def test_a_lost_worker_is_no_candidates_fault() -> None:
    def dies(method: Method, fold: Fold, index: int) -> Sequence[Prediction]:
        raise WorkerLost("killed")

    with pytest.raises(WorkerLost):
        search(Knobs(), TASK, SHOTS, dies)


def test_one_shot_is_not_tuned_and_says_so() -> None:
    spy = Spy({})
    tuned = search(Knobs(), TASK, Shots(rows(1, "s")), spy)
    assert tuned.method == Knobs()
    assert tuned.note.startswith("untuned: one shot")
    assert spy.asked == []


@pytest.mark.parametrize("method", [Knobs(), Knobs(a=0, b="x")])
def test_rows_of_one_group_have_no_folds_and_no_warning(method: Knobs) -> None:
    spy = Spy({})
    one = tuple(replace(row, group="me") for row in rows(60, "s"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tuned = search(method, TASK, Shots(one), spy)
    assert (tuned.tried, tuned.validation, spy.asked) == ((), (), [])
    searched = "untuned: having the rows of a label in one group leaves nothing to choose on"
    assert tuned.note == ("" if method.model_fields_set else searched)


def test_equal_scores_are_parted_by_how_sure_the_right_answers_were() -> None:
    def sure(method: Method, fold: Fold, index: int) -> Sequence[Prediction]:
        p = {0: 0.6, 1: 0.9, 2: 0.8}[method.a]  # type: ignore[attr-defined]
        return [
            Prediction(e.label, tuple(np.log([p, 1 - p][:: 1 if e.label == "red" else -1])))
            for e in fold.dev
        ]

    assert search(Knobs(), TASK, SHOTS, sure).method.a == 1  # type: ignore[attr-defined]


# ------------------------------------------------- what the chosen settings answered unlearned


class Asked(Knobs):
    """Reads a language model, trains nothing."""

    name: ClassVar = "asked"
    needs: ClassVar = frozenset({"score"})


class Taught(Asked):
    """Trains it."""

    name: ClassVar = "taught"
    trains: ClassVar = "adapter"


def validated(tuned: Tuned) -> list[str]:
    return sorted(example.id for example, _ in tuned.validation)


LABELLED = Shots(rows(20, "v"))
IDS = sorted(e.id for e in LABELLED.labelled)


def test_the_chosen_settings_answered_every_row_out_of_its_fold() -> None:
    tuned = search(Knobs(), TASK, LABELLED, Spy({(2, "y"): 1.0, (2, "x"): 0.5}))
    assert tuned.method == Knobs(a=2, b="y")
    assert validated(tuned) == IDS
    assert all(one.answer == example.label for example, one in tuned.validation), "and its own"


def test_a_dear_candidate_is_not_asked_for_more_than_its_race() -> None:
    for kind in (Asked, Taught):
        spy = Spy({(0, "x"): 1.0})
        tuned = search(kind(), TASK, LABELLED, spy)
        assert len(tuned.validation) == 10, "all others fell behind on the first of four folds"
        assert [t.note for t in tuned.tried] == ["on 1 of 4 folds"] * 4


@pytest.mark.parametrize(
    ("method", "count", "answered"),
    [(Knobs, 20, 40), (Knobs, 14, 0), (Asked, 100, 100), (Asked, 20, 20), (Taught, 100, 0)],
)
def test_nothing_to_search_is_validated_where_that_costs_little(
    method: type[Knobs], count: int, answered: int
) -> None:
    """A head on all folds, a model as it is on about 100 rows, a training not; nor too few rows."""
    shots = Shots(rows(count, "v"))
    tuned = search(method(a=0, b="x"), TASK, shots, Spy({(0, "x"): 0.5}))
    assert tuned.tried == ()
    assert len(tuned.validation) == answered
    assert len(set(validated(tuned))) == answered


def test_a_method_that_falls_on_a_fold_has_no_validation_and_no_error() -> None:
    tuned = search(Knobs(a=0, b="x"), TASK, LABELLED, Spy({(0, "x"): None}))
    assert (tuned.method, tuned.validation) == (Knobs(a=0, b="x"), ())


def test_the_search_hands_on_what_it_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nshot.bench.store import Store

    stay_here(monkeypatch)
    setting = Setting(TASK, split(TASK, rows(40, "a"), rows(30, "t")), (), (ENCODER,))
    asked = Request("toy", shots=(40,), seeds=1)
    prepared = Prepared(asked, setting, (Descent(),), (40,), tmp_path / "run")
    carry_out(setting_of(prepared, Descent()), ignore)
    store = Store(tmp_path / "run")
    (body,) = (store.get(job)[1] for job, kind, _ in store.jobs() if kind == "search")  # type: ignore[index]
    fitted = from_data(Calibration, body["calibration"])
    assert (fitted.kind, fitted.rows) == ("temperature", 80)
    assert 0.02 <= fitted.temperature <= 50


def test_scores_that_are_minus_infinity_do_not_upset_the_search() -> None:
    def unsure(method: Method, fold: Fold, index: int) -> Sequence[Prediction]:
        return [Prediction(e.label, (-np.inf, -np.inf)) for e in fold.dev]

    with np.errstate(invalid="ignore"):
        assert search(Knobs(), TASK, SHOTS, unsure).method == Knobs(a=0, b="x")


def test_a_value_that_the_method_refuses_is_a_bug_that_shows() -> None:
    class Wrong(Knobs):
        space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"a": (0, "no number")}

    with pytest.raises((InputError, ValueError)):
        search(Wrong(), TASK, SHOTS, Spy({}))


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 2), st.sampled_from("xy")),
        st.sampled_from([None, 0.0, 0.25, 0.5, 0.75, 1.0]),
    )
)
def test_the_chosen_is_never_worse_than_the_default(
    worth: dict[tuple[int, str], float | None],
) -> None:
    tuned = search(Knobs(), TASK, SHOTS, Spy(worth))
    (chosen,) = (t for t in tuned.tried if t.chosen)
    scores = [t.score for t in tuned.tried if t.score is not None]
    assert chosen.score == (max(scores) if scores else None)


def test_a_candidate_that_falls_behind_is_not_followed_to_the_end() -> None:
    """Two folds: the good default is seen on both, the hopeless value on the first only."""
    asked: list[tuple[Any, int]] = []

    class Guess(Method):
        """Right or wrong by its setting."""

        name: ClassVar[str] = "guess"
        rung: ClassVar[Any] = "trivial"
        space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"right": (True, False)}
        search_folds: ClassVar[int] = 2
        right: bool = True

        def adapt(self, task: Task, shots: Shots, bench: Any) -> Any:
            raise AssertionError("the search asks through `answer`")

    def answer(method: Method, fold: Any, index: int) -> list[Prediction]:
        right = bool(method.right)  # type: ignore[attr-defined]
        asked.append((right, index))
        other = {"a": "b", "b": "a"}
        return [Prediction(e.label if right else other[e.label]) for e in fold.dev]

    rows = tuple(Example(f"{label}{i}", Input(), (label,)) for label in "ab" for i in range(8))
    task = Task("t", "classify", (Label("a"), Label("b")))
    tuned = search(Guess(), task, Shots(labelled=rows), answer)
    assert asked == [(True, 0), (False, 0)], "one fold told them apart"
    assert tuned.method.right  # type: ignore[attr-defined]
    (loser,) = [trial for trial in tuned.tried if not trial.chosen]
    assert (loser.score, loser.note) == (0.0, "on 1 of 2 folds")


@pytest.mark.parametrize(("unsure", "folds"), [(0.6, 1), (0.95, 4)])
def test_one_row_behind_and_less_sure_is_out_but_more_sure_is_not(
    unsure: float, folds: int
) -> None:
    """`a=1` misses one row of the first fold; only its sureness says whether it is followed."""
    asked: list[tuple[int, int]] = []

    def answer(method: Method, fold: Fold, index: int) -> Sequence[Prediction]:
        a = method.a  # type: ignore[attr-defined]
        asked.append((a, index))
        said = []
        for row, e in enumerate(fold.dev):
            wrong = a == 2 or (a == 1 and (index, row) == (0, 0))
            p = {0: 0.7, 1: unsure, 2: 0.6}[a]
            likely = [0.45, 0.55] if wrong else [p, 1 - p]
            scores = np.log(likely if e.label == "red" else likely[::-1])
            other = {"red": "blue", "blue": "red"}
            said.append(Prediction(other[e.label] if wrong else e.label, tuple(scores)))
        return said

    search(Knobs(b="x"), TASK, SHOTS, answer)
    assert len([1 for a, _ in asked if a == 1]) == folds
    assert len([1 for a, _ in asked if a == 2]) == 1
