"""A small method taught by a dear one: what the teacher answers to unlabelled rows is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.label_sets import labels_of
from nshot.core.types import LABELLED, Cost, Example, Kind, Prediction, Rung, Shots, Task, digest
from nshot.methods.compress.of_inner import OfInner
from nshot.methods.contract import Brief, LearnsExpectations, LearnsShares, Method, Taken, Workbench
from nshot.methods.features import one_hot
from nshot.methods.spec import spec_hash
from nshot.methods.table import Nested
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import bare
from nshot.predictors.prompted import Prompted
from nshot.predictors.scores import log_softmax

_AT_ONCE = 100
"""Rows that the teacher is asked between two signs of life."""


class Distil(Method):
    """Geoffrey Hinton, Oriol Vinyals, Jeff Dean, "Distilling the Knowledge in a Neural Network".

    https://arxiv.org/abs/1503.02531 - the teacher is adapted (or taken from its folder) and answers
    the unlabelled rows; a student that is smaller and faster learns from these answers beside the
    labelled rows. The teacher is asked as a black box: any method teaches any other. A student that
    can learn probabilities (`nshot.methods.contract.LearnsShares`: tfidf_lr, linear_probe) is given
    the teacher's, any other the teacher's answers (pseudo-labels; of written answers this is the
    sequence-level distillation of Kim and Rush 2016, https://arxiv.org/abs/1606.07947).

    A student that can learn what a language model expects at each token
    (`nshot.methods.contract.LearnsExpectations`: fewer_layers) is given that of a teacher that is
    one, as a white box.

    Args:
        teacher: the method that teaches.
        student: the method that answers in the end.
        confidence: rows whose answer the teacher holds for less probable teach nothing; 0: all do.
        soft: give the teacher's probabilities to a student that can learn them: of the labels, or
            of every token.
        hard: share of its given label in what a labelled row teaches, the rest being the teacher's
            probabilities; 1: the teacher does not answer labelled rows. Of a student that learns
            answers, labelled rows teach their labels.
    """

    name: ClassVar = "distil"
    rung: ClassVar[Rung] = "compress"
    kinds: ClassVar[frozenset[Kind]] = LABELLED | {"multilabel", "number", "generate"}
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    trains: ClassVar[Any] = OfInner("student", "trains", "head")
    fast: ClassVar[Any] = OfInner("student", "fast", True)
    about: ClassVar[str] = "a small student learns what a dear teacher answers to unlabelled rows"

    teacher: Nested
    student: Nested
    confidence: float = Field(default=0.0, ge=0, lt=1)
    soft: bool = True
    hard: float = Field(default=0.5, ge=0, le=1)

    @property
    def called(self) -> str:
        """With the student's name."""
        return f"{self.name}:{self.student.called}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where the teacher or the student cannot work."""
        if reason := super().why_not(brief):
            return reason
        if reason := self.teacher.why_not(brief):
            return f"its teacher {self.teacher.called} {reason}"
        if reason := self.student.why_not(brief):
            return f"its student {self.student.called} {reason}"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """The teacher is built and answers, the student learns from all rows."""
        answered = brief.unlabelled + brief.labelled
        asking = self.teacher.use_forecast(replace(brief, test=max(answered, 1)))
        if isinstance(self.student, LearnsExpectations):
            asking = asking.then(asking)  # what is answered is read once more
        learning = self.student.forecast(replace(brief, labelled=answered))
        return self.teacher.forecast(brief).then(asking).then(learning)

    def use_forecast(self, brief: Brief) -> Cost:
        """The student's."""
        return self.student.use_forecast(brief)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Let the teacher answer and the student learn.

        Raises `CannotAdapt` where no answer of the teacher is as probable as `confidence`.
        """
        teacher = self.taught_by(task, shots, bench)
        whole = self._white_box(teacher, bench)
        learns = task.has_labels and self.soft and isinstance(self.student, LearnsShares)
        if not shots.unlabelled and not ((learns or whole) and self.hard < 1):
            raise CannotAdapt("has no unlabelled rows to learn from: --unlabelled FILE")
        if not shots.unlabelled:
            bench.note("no unlabelled rows: taught on the labelled ones alone (--unlabelled FILE)")
        if whole is not None and isinstance(self.student, LearnsExpectations):
            answered = self._answered(teacher, task, shots, bench)
            return self.student.adapt_to_model(
                task, shots.labelled, answered, whole, self.hard, bench
            )
        if learns and isinstance(self.student, LearnsShares):
            return self._by_probabilities(self.student, teacher, task, shots, bench)
        return self._by_answers(teacher, task, shots, bench)

    def taught_by(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """The teacher, adapted; or as it was adapted for this before."""
        if self.teacher.learns:
            return bench.adapt("teacher", self.teacher, task, shots)
        return self.teacher.adapt(task, shots, bench)

    def _white_box(self, teacher: Predictor, bench: Workbench) -> Prompted | None:
        """The teacher as a language model that is asked without examples; None where it is none."""
        if not (self.soft and isinstance(self.student, LearnsExpectations)):
            return None
        whole = bare(teacher)
        if (
            isinstance(whole, Prompted)
            and not (whole.demos or whole.retrieval or whole.offsets)
            and "logits" in bench.models.open(whole.ref).facts.can
        ):
            return whole
        bench.note(
            "taught by its teacher's answers: the teacher is no language model that answers by"
            " itself and gives logits"
        )
        return None

    def _by_probabilities(
        self, student: LearnsShares, teacher: Predictor, task: Task, shots: Shots, bench: Workbench
    ) -> Predictor:
        """Labelled rows by their labels and the teacher, unlabelled ones by the teacher."""
        given = one_hot(task, shots.labelled)
        if self.hard < 1:
            answers = self._answers(teacher, shots.labelled, shots, bench)
            given = self.hard * given + (1 - self.hard) * probabilities(task, answers)
        taught = self._answers(teacher, shots.unlabelled, shots, bench)
        kept = self._kept(task, taught, bench)
        rows = [*shots.labelled, *(shots.unlabelled[i] for i in kept)]
        shares = probabilities(task, [taught[i] for i in kept])
        return student.adapt_to_shares(task, rows, np.concatenate([given, shares]), bench)

    def _by_answers(
        self, teacher: Predictor, task: Task, shots: Shots, bench: Workbench
    ) -> Predictor:
        """Unlabelled rows as if they had been labelled so."""
        taught = self._answered(teacher, task, shots, bench)
        rows = replace(shots, labelled=(*shots.labelled, *taught), unlabelled=())
        return self.student.adapt(task, rows, bench)

    def _answered(
        self, teacher: Predictor, task: Task, shots: Shots, bench: Workbench
    ) -> list[Example]:
        """The unlabelled rows that teach, with the teacher's answers."""
        answers = self._answers(teacher, shots.unlabelled, shots, bench)
        return [
            replace(shots.unlabelled[i], targets=_targets(task, answers[i]))
            for i in self._kept(task, answers, bench)
        ]

    def _answers(
        self, teacher: Predictor, rows: Sequence[Example], shots: Shots, bench: Workbench
    ) -> list[Prediction]:
        """What the teacher answers: asked once, charged to each who needs it."""

        def ask() -> list[Prediction]:
            answers: list[Prediction] = []
            for start in range(0, len(rows), _AT_ONCE):
                bench.progress(start, len(rows), "rows answered by the teacher")
                some = rows[start : start + _AT_ONCE]
                answers += teacher.predict([row.input for row in some])
            return answers

        known = repr(shots.labelled) if self.teacher.learns else ""
        asked_of = digest(spec_hash(self.teacher), repr(bench.base), repr(bench.encoder), known)
        inputs = digest(*(repr(row.input) for row in rows))
        answers = bench.shared(digest("taught", asked_of, inputs, str(bench.seed)), ask)
        read, wrote = sum(a.tokens_in for a in answers), sum(a.tokens_out for a in answers)
        money = sum(a.money for a in answers)
        bench.charge(0.0, money)
        if wrote or (read and rows is shots.unlabelled):
            cost = f", {money:.4g} in money" if money else ""
            bench.note(
                f"the teacher read {read:,} tokens and wrote {wrote:,} for {len(rows)} rows{cost}"
            )
        return answers

    def _kept(self, task: Task, answers: Sequence[Prediction], bench: Workbench) -> list[int]:
        """Which answers teach: those that are there, and probable enough."""
        if not answers:
            return []
        usable = [i for i, one in enumerate(answers) if one.answer or task.kind == "multilabel"]
        if not self.confidence or not task.has_labels:
            return usable
        sure = probabilities(task, answers).max(axis=1)
        kept = [i for i in usable if sure[i] >= self.confidence]
        if not kept:
            highest = f"the highest is {sure.max():.2f}"
            raise CannotAdapt(
                f"no answer of the teacher has the probability {self.confidence:g}: {highest}"
            )
        bench.note(
            f"{len(kept)} of {len(answers)} unlabelled rows taught: of the others the teacher is"
            f" less sure than {self.confidence:g}"
        )
        return kept


def probabilities(task: Task, answers: Sequence[Prediction]) -> Floats:
    """(answers, labels): what the teacher's scores say; all for the answer where there are none."""
    rows = np.zeros((len(answers), len(task.labels)))
    for row, one in zip(rows, answers, strict=True):
        if one.scores:
            row[:] = np.exp(log_softmax(np.array(one.scores)))
        elif one.answer:
            row[task.label_names.index(one.answer)] = 1.0
        else:
            row[:] = 1 / len(task.labels)
    return rows


def _targets(task: Task, answer: Prediction) -> tuple[str, ...]:
    return labels_of(answer.answer) if task.kind == "multilabel" else (answer.answer,)
