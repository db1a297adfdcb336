"""Every cheap method on toy data: adapt, answer, save, load, answer the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Method, Rates
from nshot.methods.fewshot.lm_probe import LMProbe
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.methods.prompt.few_shot import FewShot
from nshot.methods.prompt.retrieved_shots import RetrievedShots
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.methods.spec import spec
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Prompted
from nshot.predictors.ranker import Ranker
from nshot.prompts.demonstrations import in_turn
from toys import ENCODER, QUESTIONS, REMOTE, SCORER, TASK, Bench, ask, examples, shots

# Endpoints decide in test_contract.py.
CHEAP = [
    name
    for name in TABLE.ready
    if not {"train", "decide"} & TABLE[name].needs
    and "classify" in TABLE[name].kinds
    and "text" in TABLE[name].takes
    and TABLE[name].trains != "weights"
]
LOADED = (
    "import sys\n{}\nprint([m for m in ('torch','transformers','sklearn') if m in sys.modules])"
)


def _method(name: str) -> Method:
    return TABLE.build({"method": name})


def _adapt(name: str, tmp_path: Path, given: Shots | None = None, task: Task = TASK) -> Predictor:
    return _method(name).adapt(task, given or shots(), Bench(tmp_path))


def _brief(**changes: object) -> Brief:
    brief = Brief(
        task=TASK, labelled=12, unlabelled=100, per_label=4, test=100, tokens=10.0, longest=30,
        base=SCORER, abilities=frozenset({"score", "generate", "hidden"}), context=2048, layers=4,
        encoder=ENCODER, rates=Rates(300.0, 100.0, 3000.0),
    )  # fmt: skip
    return replace(brief, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    folder = tmp_path_factory.mktemp("adapted")
    made = {name: _adapt(name, folder) for name in CHEAP}
    remote = FewShot().adapt(TASK, shots(), Bench(folder, base=REMOTE))
    return {**made, "remote": remote}


@pytest.mark.parametrize("name", [*CHEAP, "remote"])
def test_saved_and_loaded_it_answers_the_same(
    name: str, predictors: dict[str, Predictor], tmp_path: Path
) -> None:
    predictor = predictors[name]
    predictor.save(tmp_path / "winner")
    again = load(tmp_path / "winner", FakeModels())
    assert again.task == TASK
    assert again.predict(QUESTIONS) == predictor.predict(QUESTIONS)
    kinds = {path.suffix for path in (tmp_path / "winner").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors"}
    again.save(tmp_path / "copy")
    for path in (tmp_path / "winner").rglob("*.*"):
        copy = tmp_path / "copy" / path.relative_to(tmp_path / "winner")
        assert path.is_dir() or path.read_bytes() == copy.read_bytes()


@pytest.mark.parametrize("name", [*CHEAP, "remote"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(range(len(QUESTIONS))), cut=st.integers(0, len(QUESTIONS)))
def test_any_order_and_split_of_the_inputs_gives_the_same_answers(
    name: str, predictors: dict[str, Predictor], order: list[int], cut: int
) -> None:
    predictor = predictors[name]
    whole = predictor.predict(QUESTIONS)
    mixed = [QUESTIONS[i] for i in order]
    parts = predictor.predict(mixed[:cut]) + predictor.predict(mixed[cut:])
    for place, prediction in zip(order, parts, strict=True):
        assert prediction.answer == whole[place].answer
        np.testing.assert_allclose(prediction.scores, whole[place].scores, atol=1e-9)


@pytest.mark.parametrize("name", CHEAP)
def test_scores_are_log_probabilities_in_the_tasks_order(
    name: str, predictors: dict[str, Predictor]
) -> None:
    for prediction in predictors[name].predict(QUESTIONS):
        assert np.exp(prediction.scores).sum() == pytest.approx(1.0)
        assert prediction.answer == TASK.label_names[int(np.argmax(prediction.scores))]


@pytest.mark.parametrize("name", CHEAP)
def test_one_shot_per_label_is_enough(name: str, tmp_path: Path) -> None:
    answers = _adapt(name, tmp_path, shots(1)).predict(QUESTIONS)
    assert all(np.isfinite(prediction.scores).all() for prediction in answers)


@pytest.mark.parametrize("name", CHEAP)
def test_a_label_without_any_row_is_no_reason_to_fail(name: str, tmp_path: Path) -> None:
    rows = tuple(row for row in examples() if row.label == "refund")
    answers = _adapt(name, tmp_path, Shots(labelled=rows)).predict(QUESTIONS)
    assert all(np.isfinite(prediction.scores).all() for prediction in answers)
    if name not in (
        "zero_shot", "label_similarity", "few_shot", "retrieved_shots", "prompt_search",
        "rationale", "self_consistency",
    ):  # fmt: skip
        assert answers[0].answer == "refund"


@pytest.mark.parametrize("name", CHEAP)
def test_two_fields_and_two_labels(name: str, tmp_path: Path) -> None:
    task = Task("nli", "classify", (Label("entailment"), Label("contradiction")))
    rows = tuple(
        Example(f"{i}", Input(fields=(("premise", p), ("hypothesis", h))), (label,))
        for i, (p, h, label) in enumerate(
            [
                ("비가 온다", "날이 흐리다", "entailment"),
                ("비가 온다", "맑다 아니다", "contradiction"),
                ("a man runs", "a person moves", "entailment"),
                ("a man runs", "nobody moves", "contradiction"),
            ]
        )
    )
    predictor = _adapt(name, tmp_path, Shots(labelled=rows), task)
    assert len(predictor.predict([row.input for row in rows])) == 4


@pytest.mark.parametrize("name", CHEAP)
def test_the_same_shots_and_seed_give_the_same_folder(name: str, tmp_path: Path) -> None:
    rows = list(shots().labelled)
    random.Random(1).shuffle(rows)
    for place, given_rows in (("a", shots().labelled), ("b", shots().labelled)):
        _adapt(name, tmp_path, replace(shots(), labelled=given_rows)).save(tmp_path / place)
    first, second = ((tmp_path / place / "nshot.json").read_bytes() for place in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("name", CHEAP)
def test_what_may_be_tried_is_valid_and_begins_with_the_default(name: str) -> None:
    method = _method(name)
    for field, values in method.space.items():
        assert values[0] == getattr(method, field)
        for value in values:
            TABLE.build({"method": name, field: value})
    assert spec(TABLE.build(spec(method))) == spec(method)
    assert method.name == name
    assert method.about


@pytest.mark.parametrize("name", CHEAP)
def test_forecasts_grow_with_the_rows(name: str) -> None:
    method = _method(name)
    small, large = _brief(), _brief(labelled=1200, test=10_000)
    assert method.why_not(small) is None
    assert 0 <= method.forecast(small).seconds <= method.forecast(large).seconds
    if name != "majority":
        assert method.use_forecast(small).seconds < method.use_forecast(large).seconds


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("nearest_mean", {"encoder": None}, "needs an encoder"),
        ("zero_shot", {"base": None}, "needs a language model"),
        ("lm_probe", {"abilities": frozenset({"generate"})}, "cannot show hidden states"),
        ("lm_probe", {"layers": 0}, "how many layers"),
        ("few_shot", {"context": 40}, "take 52 tokens, the model's context has 40"),
        ("few_shot", {"labelled": 0}, "at least one labelled"),
        ("retrieved_shots", {"context": 40}, "context has 40"),
        ("knn", {"task": Task("t", "generate")}, "answers tasks of kind classify"),
    ],
)
def test_what_cannot_work_says_why(name: str, changes: dict[str, object], reason: str) -> None:
    assert reason in str(_method(name).why_not(_brief(**changes)))


def test_ranking_needs_a_model_that_scores() -> None:
    task = Task("pairs", "rank")
    remote = _brief(task=task, abilities=frozenset({"generate"}))
    assert "cannot score" in str(ZeroShot().why_not(remote))
    assert ZeroShot().why_not(_brief(task=task)) is None


def test_a_rank_task_is_answered_by_a_ranker(tmp_path: Path) -> None:
    task = Task("pairs", "rank")
    predictor = ZeroShot().adapt(task, Shots(), Bench(tmp_path))
    assert isinstance(predictor, Ranker)
    predictor.save(tmp_path / "w")
    row = Input(fields=(("text", "the cat"),), answers=("a dog", "the cat"))
    assert load(tmp_path / "w", FakeModels()).predict([row]) == predictor.predict([row])


@pytest.mark.parametrize("name", ["zero_shot", "few_shot", "retrieved_shots"])
def test_a_generate_task_is_answered_with_text(name: str, tmp_path: Path) -> None:
    task = Task("sum", "generate", answer_name="Summary")
    rows = (
        Example("1", ask("a very long story"), ("story", "tale")),
        Example("2", ask("some other news"), ("news",)),
    )
    predictor = _adapt(name, tmp_path, Shots(labelled=rows), task)
    predictor.save(tmp_path / "w")
    (said,) = predictor.predict([ask("the very long story")])
    assert said.scores == ()
    assert [said] == load(tmp_path / "w", FakeModels()).predict([ask("the very long story")])
    if name != "zero_shot":
        assert said.answer == "story"


def test_demonstrations_are_balanced_seeded_and_of_every_label_first() -> None:
    rows = examples(4)
    shown = in_turn(rows, 7, seed=0)
    labels = [row.label for row in shown]
    assert set(labels[:3]) == set(labels[3:6]) == set(TASK.label_names)
    assert labels[:3] == labels[3:6]
    assert shown == in_turn(rows[::-1], 7, seed=0)
    assert len({in_turn(rows, 7, seed=seed) for seed in range(5)}) > 1
    assert len(in_turn(rows, 99, seed=0)) == 12


def test_imbalanced_shots_are_shown_in_turn_while_they_last() -> None:
    rows = examples(4)
    few = tuple(row for row in rows if row.label != "refund" or row.id == "refund-0")
    labels = [row.label for row in in_turn(few, 6, seed=0)]
    assert labels.count("refund") == 1


@pytest.mark.parametrize("name", ["few_shot", "retrieved_shots"])
def test_no_more_examples_are_shown_than_the_context_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nshot.models.fake.fake_engine.CONTEXT", 26)
    bench = Bench(tmp_path)
    predictor = _method(name).adapt(TASK, shots(), bench)
    assert isinstance(predictor, Prompted)
    assert "the context holds no more" in bench.notes[0]
    model = FakeModels().open(SCORER)
    longest = [max((row.input for row in shots().labelled), key=lambda i: len(i.text))]
    assert max(model.count(predictor.prompts(longest))) <= 26
    assert str(predictor.prompts(longest)[0]).count("Intent:") > 1
    monkeypatch.setattr("nshot.models.fake.fake_engine.CONTEXT", 9)
    with pytest.raises(CannotAdapt, match="do not fit"):
        _method(name).adapt(TASK, shots(), bench)


def test_calibration_never_looks_at_the_demonstrations(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    only_shown = replace(shots(1), unlabelled=())
    predictor = FewShot(n=8).adapt(TASK, only_shown, bench)
    assert isinstance(predictor, Prompted)
    assert predictor.offsets == ()
    assert bench.notes == ["not calibrated: every row that there is stands in the prompt"]
    rest = FewShot(n=3).adapt(TASK, replace(shots(4), unlabelled=()), Bench(tmp_path))
    assert isinstance(rest, Prompted)
    unshown = [row for row in shots(4).labelled if row not in rest.demos]
    bare = replace(rest, offsets=())
    ordered = [row.input for row in unshown]
    np.testing.assert_allclose(rest.offsets, bare.calibrate("batch", ordered).offsets)


def test_retrieved_shots_are_calibrated_on_unlabelled_rows_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    method = RetrievedShots(calibration="batch")
    calibrated = method.adapt(TASK, shots(), bench)
    assert isinstance(calibrated, Prompted)
    assert len(calibrated.offsets) == 3
    method.adapt(TASK, replace(shots(), unlabelled=()), bench)
    assert "not calibrated" in bench.notes[0]


def test_hidden_states_of_a_draw_are_read_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for pooling in ("last", "mean"):
        for depth in (1.0, 0.67):
            LMProbe(depth=depth, pooling=pooling).adapt(TASK, shots(), bench)  # type: ignore[arg-type]
    assert len(bench.shelf) == 1


def test_a_standardised_head_equals_one_on_standardised_states(tmp_path: Path) -> None:
    predictor = LMProbe(depth=0.5).adapt(TASK, shots(), Bench(tmp_path))
    assert predictor.source.layer == 2  # type: ignore[attr-defined]
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    source = predictor.source  # type: ignore[attr-defined]
    inputs = [row.input for row in shots().labelled]
    labels = [TASK.label_names.index(row.label) for row in shots().labelled]
    seen = source.read(inputs).matrix.astype(np.float64)
    moving = seen.std(axis=0) > 1e-6
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, tol=1e-8))
    theirs.fit(seen[:, moving], labels)
    expected = theirs.predict_log_proba(source.read(QUESTIONS).matrix[:, moving])
    ours = [prediction.scores for prediction in predictor.predict(QUESTIONS)]
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_reading_the_methods_files_loads_nothing_heavy() -> None:
    code = f"from nshot.methods import TABLE\n[TABLE[name] for name in {CHEAP!r}]"
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.embedded
@pytest.mark.data
def test_nearest_mean_on_ten_banking_intents(data: Path, tmp_path: Path) -> None:
    from nshot.models import open_models
    from nshot.models.catalog import resolve

    rows = {
        part: [json.loads(line) for line in (data / "banking77" / f"{part}.jsonl").open()]
        for part in ("train", "test")
    }
    names = random.Random(0).sample(sorted({row["label"] for row in rows["train"]}), 10)
    task = Task("banking", "classify", tuple(Label(name) for name in names))
    labelled = [
        Example(f"{name}-{i}", ask(row["text"]), (name,))
        for name in names
        for i, row in enumerate([row for row in rows["train"] if row["label"] == name][:8])
    ]
    bench = Bench(tmp_path, encoder=resolve(None, "encoder"), models=open_models())  # type: ignore[arg-type]
    predictor = NearestMean().adapt(task, Shots(labelled=tuple(labelled)), bench)
    test = [row for row in rows["test"] if row["label"] in names][::2]
    answers = predictor.predict([ask(row["text"]) for row in test])
    right = [a.answer == row["label"] for a, row in zip(answers, test, strict=True)]
    assert np.mean(right) > 0.85


@pytest.mark.parametrize("method", [ZeroShot(), FewShot(), RetrievedShots()])
def test_what_only_labels_have_is_not_searched_where_answers_are_written(method: Method) -> None:
    assert set(method.searched("classify")) == set(method.space)
    assert set(method.space) - set(method.searched("generate")) == {"calibration"}
