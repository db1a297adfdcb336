"""Typed questions about a state: answered by a folder of that task, or by a prompt where none fits.

Confidences are computed from the probabilities by one formula for every server and folder:
of a choice among k ``(max p - 1/k) / (1 - 1/k)``; of a score among n levels ``1 - sum p_i |i - m| /
(sum |i - (n - 1) / 2| / n)``, m being the likeliest level, and not below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.serial import dumps
from nshot.core.types import Input, Label, ModelRef, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.prompted import Calibration, Prompted
from nshot.use.serve.batcher import Ask
from nshot.use.serve.service import Service
from nshot.use.wire.answerer import Answerer, language_model_of
from nshot.use.wire.refusal import Refusal

QuestionKind: TypeAlias = Literal["noul", "choice", "score"]
YES, NO = "yes", "no"
_YES = frozenset({"yes", "true", "1"})
_CALIBRATION: Calibration = "content_free"
"""How a prompt's labels are freed of the model's likings (see `nshot.predictors.prompted`)."""


@dataclass(frozen=True)
class Question:
    """`options` are the names that may be answered, for a score from low to high."""

    kind: QuestionKind
    instructions: str
    options: tuple[str, ...]
    descriptions: tuple[str | None, ...]

    @property
    def task(self) -> Task:
        """The question as a task of a prompt."""
        labels = tuple(map(Label, self.options, self.descriptions))
        kind: Literal["classify", "score"] = "score" if self.kind == "score" else "classify"
        fields = (("text", "Text"),)
        return Task(
            "question", kind, labels, self.instructions, field_names=fields, answer_name="Answer"
        )


@dataclass(frozen=True)
class Decision:
    """How probable each of a question's options is, in their order; and the tokens it took."""

    probabilities: NDArray[np.float64]
    tokens_in: int
    tokens_out: int

    @property
    def best(self) -> int:
        """The place of the likeliest option, the first of equals."""
        return int(np.argmax(self.probabilities))

    @property
    def expected(self) -> float:
        """The mean of the levels 0, 1, ..., weighted by their probabilities."""
        return float(self.probabilities @ np.arange(len(self.probabilities)))

    @property
    def choice_confidence(self) -> float:
        """From 0, nothing known, to 1."""
        k = len(self.probabilities)
        return float((self.probabilities.max() - 1 / k) / (1 - 1 / k))

    @property
    def score_confidence(self) -> float:
        """From 0 to 1, less where probability lies far from the likeliest level."""
        levels = np.arange(len(self.probabilities))
        away = self.probabilities @ np.abs(levels - self.best)
        return max(0.0, float(1 - away / np.abs(levels - levels.mean()).mean()))


async def decide(
    service: Service, named: Answerer, state: Any, question: Question, holder: str
) -> Decision:
    """The decision of the folder that fits, the one that was named before others; or of a prompt.

    Raises `Refusal` (422) where no folder fits and no language model is served.
    """
    answerer = _fitting(service, named, question)
    if answerer is not None:
        (prediction,) = await service.predict(answerer, [_input(answerer, state)], holder)
        return _decision(answerer.task, prediction, question)
    ref = _language_model(service, named)
    task = question.task
    models = service.shelf.models

    def compute(inputs: Sequence[Input]) -> list[Prediction]:
        return _prompted(models, ref, task).predict(inputs)

    input = Input((("text", state if isinstance(state, str) else dumps(state)),))
    (prediction,) = await service.ask(Ask(("question", ref, task), compute), [input])
    return _decision(task, prediction, question)


def _fitting(service: Service, named: Answerer, question: Question) -> Answerer | None:
    """The folder whose answers are the question's; of yes or no only the one that was named."""
    if question.kind == "noul":
        return named if _place_of_yes(named.task) is not None else None
    others = [one for one in service.shelf.all.values() if one is not named]
    return next((one for one in (named, *others) if _fits(one.task, question)), None)


def _fits(task: Task, question: Question) -> bool:
    if task.pictures:
        return False
    if question.kind == "score":
        return task.kind == "score" and task.label_names == question.options
    return task.kind == "classify" and set(task.label_names) == set(question.options)


def _place_of_yes(task: Task) -> int | None:
    """Which of a task's two labels is a yes; None where that cannot be told."""
    if task.kind != "classify" or len(task.labels) != 2 or task.pictures:
        return None
    if task.positive is not None:
        return task.label_names.index(task.positive)
    places = [i for i, name in enumerate(task.label_names) if name.casefold() in _YES]
    return places[0] if len(places) == 1 else None


def _language_model(service: Service, named: Answerer) -> ModelRef:
    for one in (named, *service.shelf.all.values()):
        ref = language_model_of(one.predictor)
        if ref is not None and "score" in service.shelf.models.open(ref).facts.can:
            return ref
    names = named.task.label_names
    own = f" ('{named.name}' has {', '.join(names[:8])}{', ...' * (len(names) > 8)})" * bool(names)
    problem = f"no folder that is served has these answers{own}"
    raise Refusal(422, f"{problem}, and none is a prompt on a language model")


@lru_cache(maxsize=256)
def _prompted(models: Models, ref: ModelRef, task: Task) -> Prompted:
    """A prompt for the question, measured on inputs that say nothing."""
    prompt = Prompted(task, models, ref, "instruction")
    return prompt.calibrate(_CALIBRATION, [Input((("text", ""),))])


def _input(answerer: Answerer, state: Any) -> Input:
    """A state as an input: its fields where it has them, else as JSON."""
    if isinstance(state, dict) and all(isinstance(state.get(f), str) for f in answerer.fields):
        return answerer.input(state)
    if len(answerer.fields) > 1:
        fields = ", ".join(answerer.fields)
        raise InputError(Fault("a state of another form", f"an object with {fields}"))
    return answerer.input(state if isinstance(state, str) else dumps(state))


def _decision(task: Task, prediction: Prediction, question: Question) -> Decision:
    if len(prediction.scores) != len(task.labels):
        raise Refusal(422, "the folder that fits gives no probabilities")
    shares = np.exp(np.asarray(prediction.scores, np.float64))
    shares = shares / shares.sum()
    by_name = dict(zip(task.label_names, shares.tolist(), strict=True))
    if question.kind == "noul" and task.label_names != question.options:
        yes = shares[_place_of_yes(task) or 0]
        ordered = [yes, 1 - yes]
    else:
        ordered = [by_name[name] for name in question.options]
    return Decision(np.array(ordered), prediction.tokens_in, prediction.tokens_out)
