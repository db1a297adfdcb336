"""Divergences against their definitions in float64, and what a teacher expects, asked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from full_disk import room
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.models.base import LanguageModel, Models
from nshot.models.catalog import resolve
from nshot.training.data.taught import TaughtAnswers
from nshot.training.objectives.distillation import (
    Distillation,
    Taught,
    divergences,
    in_buckets,
    most_likely,
)
from nshot.training.rows import Row
from tiny import tiny_llama

VOCABULARY = 12
TASK = Task("films", "classify", (Label("good"), Label("bad")))
EXAMPLES = tuple(
    Example(f"{i}", Input((("text", text),)), (label,))
    for i, (text, label) in enumerate([("warm", "good"), ("dull", "bad"), ("funny", "good")])
)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def by_definition(p: np.ndarray, q: np.ndarray, beta: float) -> np.ndarray:
    """Agarwal et al. 2023, equations 1 and 2, in float64."""
    kl = lambda a, b: (a * np.log(a / b)).sum(-1)  # noqa: E731
    if beta in (0, 1):
        return kl(q, p) if beta else kl(p, q)
    middle = beta * p + (1 - beta) * q
    return beta * kl(p, middle) + (1 - beta) * kl(q, middle)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_divergences_are_what_they_are_defined_as(beta: float) -> None:
    draw = np.random.default_rng(0)
    for scale in (0.1, 1.0, 6.0):
        teacher, student = (scale * draw.standard_normal((50, VOCABULARY)) for _ in "ab")
        right = by_definition(softmax(teacher), softmax(student), beta)
        logs = [torch.from_numpy(one).log_softmax(-1) for one in (teacher, student)]
        np.testing.assert_allclose(divergences(*logs, beta).numpy(), right, rtol=1e-9, atol=1e-12)
        near = divergences(*(one.float() for one in logs), beta).numpy()
        np.testing.assert_allclose(near, right, rtol=1e-3, atol=2e-6)
        assert (right >= 0).all()
        same = divergences(logs[0], logs[0], beta)
        assert float(same.abs().max()) < 1e-12


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_all_but_one_token_is_everything_and_fewer_tokens_see_less(beta: float) -> None:
    """Outcomes that are put together can only be told apart worse (data processing)."""
    draw = np.random.default_rng(1)
    teacher, student = (torch.from_numpy(2 * draw.standard_normal((40, VOCABULARY))) for _ in "ab")
    whole = divergences(teacher.log_softmax(-1), student.log_softmax(-1), beta)
    less = whole
    for k in (VOCABULARY - 1, 5, 1):
        likely = teacher.topk(k).indices
        seen = divergences(in_buckets(teacher, likely), in_buckets(student, likely), beta)
        assert bool((seen <= less + 1e-9).all())
        if k == VOCABULARY - 1:
            torch.testing.assert_close(seen, whole)
        less = seen
    assert float((whole - less).mean()) > 0.01


class Fixed:
    """A reader whose logits are parameters."""

    def __init__(self, logits: np.ndarray) -> None:
        self.values = torch.tensor(logits, dtype=torch.float32, requires_grad=True)

    def logits(self, rows: list[Row]) -> torch.Tensor:
        return self.values


def rows_of(teacher: np.ndarray, k: int, temperature: float) -> list[Taught]:
    """Two rows: a label of two tokens that begins with 3, 5 or 7, and one token among all."""
    plain = [Row("a", (0, 1, 2), (1, 2), (5, 6), (3, 5, 7)), Row("b", (0, 1), (1,), (4,))]
    both = most_likely(torch.from_numpy(teacher), plain, k, temperature).numpy()
    rows, at = [], 0
    for row, hard in zip(plain, (0.3, 0.0), strict=True):
        mine = both[at : at + len(row.points)]
        at += len(row.points)
        rows.append(
            Taught(
                row.id,
                row.tokens,
                row.points,
                row.targets,
                row.choices,
                likely=mine[:, :k].astype(np.int32),
                expected=mine[:, k:].astype(np.float32),
                source="teacher",
                hard=hard,
            )
        )
    return rows


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_loss_by_hand(beta: float, temperature: float) -> None:
    draw = np.random.default_rng(2)
    teacher, student = (2 * draw.standard_normal((3, VOCABULARY)) for _ in "ab")
    k = VOCABULARY - 1
    model = Fixed(student)
    objective = Distillation(temperature, beta)
    rows = rows_of(teacher, k, temperature)
    ours = objective.total(model, rows)
    right = 0.0
    for point, (hard, target) in enumerate([(0.3, 5), (0.3, 6), (0.0, 4)]):
        among = [3, 5, 7] if point == 0 else list(range(VOCABULARY))
        p, q = (softmax(one[point, among] / temperature) for one in (teacher, student))
        nll = -np.log(softmax(student[point, among])[among.index(target)])
        right += hard * nll + (1 - hard) * temperature**2 * by_definition(p, q, beta)
    assert ours.item() == pytest.approx(right, rel=1e-5)
    assert objective.weight(rows) == 3
    ours.backward()
    assert model.values.grad is not None
    assert bool(model.values.grad.isfinite().all())
    others = [i for i in range(VOCABULARY) if i not in (3, 5, 7)]
    assert float(model.values.grad[0, others].abs().max()) < 1e-6, "no label begins with these"


def test_a_student_that_expects_the_same_has_nothing_to_learn() -> None:
    teacher = 2 * np.random.default_rng(3).standard_normal((3, VOCABULARY))
    rows = [replace(row, hard=0.0) for row in rows_of(teacher, 4, 1.0)]
    model = Fixed(teacher)
    loss = Distillation(1.0, 0.5).total(model, rows)
    loss.backward()
    assert abs(loss.item()) < 1e-5
    assert model.values.grad is not None
    assert float(model.values.grad.abs().max()) < 1e-5


# ------------------------------------------------------------------ asked once, and kept


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return resolve(str(tiny_llama(tmp_path_factory.mktemp("taught") / "tiny")), "lm")


class Counting(Models):
    """The models of the test; counts how often a language model is opened."""

    def __init__(self) -> None:
        self.models, self.opened = open_models(), 0

    def open(self, ref: ModelRef) -> LanguageModel:
        self.opened += 1
        return self.models.open(ref)

    def lend(self, ref: ModelRef, **how: object):  # type: ignore[no-untyped-def, override]
        return self.models.lend(ref, **how)  # type: ignore[arg-type]

    def fingerprint(self, ref: ModelRef) -> str:
        return self.models.fingerprint(ref)


def taught(models: Models, teacher: ModelRef, cache: Path, notes: list[str], k: int = 8):  # type: ignore[no-untyped-def]
    return TaughtAnswers(
        TASK, "plain", EXAMPLES, teacher, k, 1.0, 0.5, frozenset("2"),
        models=models, cache=cache, note=notes.append,
    )  # fmt: skip


def test_a_teacher_is_asked_once_and_a_file_cut_short_is_made_again(
    base: ModelRef, tmp_path: Path
) -> None:
    student = resolve(str(tiny_llama(tmp_path / "student", layers=1)), "lm")
    models, notes = Counting(), []
    with models.lend(student) as lent:
        first = taught(models, base, tmp_path / "kept", notes).lesson(lent, 128)
        assert models.opened == 1
        again = taught(models, base, tmp_path / "kept", notes).lesson(lent, 128)
        assert models.opened == 1, "epochs, and a job that was killed, read the file"
        taught(models, base, tmp_path / "kept", notes, k=4).lesson(lent, 128)
        assert models.opened == 2, "other settings are another file"
        for row, other in zip(first.rows, again.rows, strict=True):
            assert np.array_equal(row.expected, other.expected)
            assert np.array_equal(row.likely, other.likely)
        assert [row.hard for row in first.rows] == [0.5, 0.5, 0.0]
        for path in (tmp_path / "kept").glob("*.safetensors"):
            path.write_bytes(path.read_bytes()[:-40])
        third = taught(models, base, tmp_path / "kept", notes).lesson(lent, 128)
    assert models.opened == 3
    assert "was cut short: the teacher was asked again" in notes[0]
    assert np.array_equal(third.rows[1].expected, first.rows[1].expected)


def test_a_full_disk_keeps_nothing_and_the_lesson_goes_on(base: ModelRef, tmp_path: Path) -> None:
    student = resolve(str(tiny_llama(tmp_path / "student", layers=1)), "lm")
    models, notes = Counting(), []
    with models.lend(student) as lent:
        known = taught(models, base, tmp_path / "kept", []).lesson(lent, 128)
        with room(100):
            other = taught(models, base, tmp_path / "full", notes).lesson(lent, 128)
    assert "could not be kept" in notes[0]
    assert not list((tmp_path / "full").iterdir())
    for row, same in zip(known.rows, other.rows, strict=True):
        assert np.array_equal(row.expected, same.expected)


def test_what_is_kept_is_what_the_teacher_says(base: ModelRef, tmp_path: Path) -> None:
    student = resolve(str(tiny_llama(tmp_path / "student", layers=1)), "lm")
    models = open_models()
    with models.lend(student) as lent:
        row = taught(models, base, tmp_path, []).lesson(lent, 128).rows[0]
    logits = models.open(base).next_logits([row.tokens], [row.points]).astype(np.float64)
    second = np.log(softmax(logits[1]))
    np.testing.assert_allclose(row.expected[1][:-1], second[row.likely[1]], atol=1e-5)
    rest = np.log1p(-np.exp(second[row.likely[1]]).sum())
    assert row.expected[1][-1] == pytest.approx(rest, abs=1e-3)


def test_a_teacher_of_other_tokens_is_refused(base: ModelRef, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    other = tiny_llama(tmp_path / "other", layers=1)
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["쪽말"])
    tokenizer.save_pretrained(other)
    models = open_models()
    with (
        models.lend(resolve(str(other), "lm")) as lent,
        pytest.raises(CannotAdapt, match=r"other tokens than .*distil\.soft=false"),
    ):
        taught(models, base, tmp_path, []).lesson(lent, 128)
