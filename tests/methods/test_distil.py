"""A student learns what its teacher answers; what lies in a folder teaches as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Example, Input, Label, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.compress.distil import Distil, probabilities
from nshot.methods.compress.from_folder import FromFolder
from nshot.methods.contract import Method
from nshot.methods.fewshot.knn import KNN
from nshot.methods.logistic import Design, logistic_of_shares
from nshot.methods.spec import spec
from nshot.methods.trivial.majority import Majority
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from toys import Bench

TASK = Task("animals", "classify", (Label("cat"), Label("개")))
KNOWN = {"cat": ["a cat purrs", "cats meow"], "개": ["개가 짖는다", "강아지 산책"]}
MORE = {
    "cat": ["whiskers and fur", "a litter box", "the kitten sleeps", "whiskers on the sofa"],
    "개": ["목줄 하고 산책", "꼬리를 흔든다", "꼬리 흔들며 목줄", "목줄 풀고 짖는다"],
}


def rows(texts: dict[str, list[str]], labelled: bool = True) -> tuple[Example, ...]:
    return tuple(
        Example(f"{label}{i}{labelled}", Input((("text", text),)), (label,) if labelled else ())
        for label, some in texts.items()
        for i, text in enumerate(some)
    )


SHOTS = Shots(rows(KNOWN), rows(MORE, labelled=False))
NEW = [Input((("text", text),)) for text in ("whiskers", "kitten litter", "꼬리", "목줄")]
RIGHT = ["cat", "cat", "개", "개"]


def answers(method: Method, bench: Bench, shots: Shots = SHOTS, task: Task = TASK) -> list[str]:
    return [one.answer for one in method.adapt(task, shots, bench).predict(NEW)]


@pytest.fixture
def teacher(tmp_path: Path) -> FromFolder:
    """A teacher that knows words which stand in no labelled row."""
    knowing = TfIdfLR().adapt(TASK, Shots((*rows(KNOWN), *rows(MORE))), Bench(tmp_path))
    knowing.save(tmp_path / "teacher")
    return FromFolder(folder=str(tmp_path / "teacher"), seconds=12.5)


@pytest.mark.parametrize("student", [TfIdfLR(), KNN()], ids=["probabilities", "answers"])
def test_a_student_learns_words_that_only_its_teacher_knew(
    student: Method, teacher: FromFolder, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    assert answers(student, bench) != RIGHT, "without a teacher it cannot know them"
    assert answers(Distil(teacher=teacher, student=student), bench) == RIGHT
    assert bench.charged == 12.5, "what the teacher took is the student's too"


def test_probabilities_hand_on_the_teachers_doubt(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    doubting = TfIdfLR(C=0.2).adapt(TASK, Shots((*rows(KNOWN), *rows(MORE))), bench)
    doubting.save(tmp_path / "teacher")
    teacher = FromFolder(folder=str(tmp_path / "teacher"))
    known = probabilities(TASK, doubting.predict(NEW))
    soft, hard = (
        np.abs(probabilities(TASK, student.predict(NEW)) - known).mean()
        for student in (
            Distil(teacher=teacher, student=TfIdfLR(), soft=soft).adapt(TASK, SHOTS, bench)
            for soft in (True, False)
        )
    )
    assert soft < hard / 2


def test_shares_weigh_as_rows_do() -> None:
    """Of scikit-learn: each row once for each label, as heavy as its share."""
    draw = np.random.default_rng(0)
    for labels in (2, 4):
        matrix = draw.standard_normal((40, 6))
        shares = draw.dirichlet(np.ones(labels), 40)
        weights, bias = logistic_of_shares(Design.of(matrix), shares, 3.0)
        logits = matrix @ weights + bias
        ours = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        head = LogisticRegression(C=3.0, max_iter=10_000, tol=1e-10)
        head.fit(
            np.repeat(matrix, labels, axis=0),
            np.tile(np.arange(labels), 40),
            sample_weight=shares.ravel(),
        )
        np.testing.assert_allclose(ours, head.predict_proba(matrix), atol=2e-4)


def test_what_the_teacher_is_not_sure_of_teaches_nothing(
    teacher: FromFolder, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    knowing = teacher.adapt(TASK, SHOTS, bench)
    sure = probabilities(TASK, knowing.predict([e.input for e in SHOTS.unlabelled])).max(axis=1)
    half = float(np.median(sure))
    Distil(teacher=teacher, student=TfIdfLR(), confidence=half).adapt(TASK, SHOTS, bench)
    (note,) = bench.notes
    assert note.startswith(f"{int((sure >= half).sum())} of {len(sure)} unlabelled rows taught")
    none = Distil(teacher=teacher, student=TfIdfLR(), confidence=0.999)
    with pytest.raises(CannotAdapt, match=f"the highest is {sure.max():.2f}"):
        none.adapt(TASK, SHOTS, bench)


def test_without_unlabelled_rows_the_labelled_ones_teach_or_nothing(
    teacher: FromFolder, tmp_path: Path
) -> None:
    bench, bare = Bench(tmp_path), replace(SHOTS, unlabelled=())
    Distil(teacher=teacher, student=TfIdfLR()).adapt(TASK, bare, bench)
    assert "--unlabelled FILE" in bench.notes[0]
    for student, hard in ((KNN(), 0.5), (TfIdfLR(), 1.0)):
        method = Distil(teacher=teacher, student=student, hard=hard)
        with pytest.raises(CannotAdapt, match="--unlabelled FILE"):
            method.adapt(TASK, bare, bench)


def test_a_written_answer_is_learned_as_an_answer(tmp_path: Path) -> None:
    task = Task("sounds", "generate")
    asked = tuple(Example(f"u{i}", one) for i, one in enumerate(NEW))
    shots = Shots(rows(KNOWN), asked)
    nearest = TABLE.build({"method": "nearest_answer"})
    method = Distil(teacher=nearest, student=nearest)
    taught = method.adapt(task, shots, Bench(tmp_path)).predict(NEW)
    knowing = nearest.adapt(task, shots, Bench(tmp_path)).predict(NEW)
    assert [one.answer for one in taught] == [one.answer for one in knowing]


def test_it_is_as_its_student_is() -> None:
    lora = TABLE.build({"method": "lora"})
    dear = Distil(teacher=TfIdfLR(), student=lora)
    cheap = Distil(teacher=lora, student=TfIdfLR())
    assert (dear.trains, dear.fast) == ("adapter", False)
    assert (cheap.trains, cheap.fast) == ("head", True)
    assert cheap.called == "distil:tfidf_lr"
    assert TABLE.build(spec(cheap)) == cheap


def test_a_folder_that_answers_something_else_is_refused(
    teacher: FromFolder, tmp_path: Path
) -> None:
    other = replace(TASK, labels=(Label("cat"), Label("dog")))
    with pytest.raises(CannotAdapt, match="answers other labels: cat, 개"):
        teacher.adapt(other, SHOTS, Bench(tmp_path))
    with pytest.raises(CannotAdapt, match="kind classify, not generate"):
        teacher.adapt(Task("x", "generate"), SHOTS, Bench(tmp_path))


def test_a_folder_that_has_changed_is_refused(teacher: FromFolder, tmp_path: Path) -> None:
    Majority().adapt(TASK, SHOTS, Bench(tmp_path)).save(Path(teacher.folder))
    with pytest.raises(CannotAdapt, match="is not what it was"):
        teacher.adapt(TASK, SHOTS, Bench(tmp_path))
    with pytest.raises(InputError, match=r"no nshot\.json"):
        FromFolder(folder=str(tmp_path / "nothing"))


def test_the_winner_of_a_run_folder_is_taken(teacher: FromFolder, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    Path(teacher.folder).rename(tmp_path / "run" / "winner")
    given = FromFolder(folder=str(tmp_path / "run"))
    assert given.called == "from_folder:run"
    assert answers(given, Bench(tmp_path)) == RIGHT


def test_no_answer_says_nothing() -> None:
    rows_of = probabilities(TASK, [Prediction(""), Prediction("개")])
    assert rows_of.tolist() == [[0.5, 0.5], [0.0, 1.0]]
