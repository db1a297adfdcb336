"""The contracts as functions that any method or predictor, ours or yours, can be run through.

Each raises `ContractBroken` with the sentence that says which promise was not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from nshot.core.errors import NshotError
from nshot.core.files import UNSAFE
from nshot.core.label_sets import labels_of
from nshot.core.types import Input, Prediction, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.methods.spec import spec, spec_hash
from nshot.methods.table import Table
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.base import Predictor

CLOSE = 1e-4
"""How far a score may move with the batch it was made in: float32 sums in another order."""


class ContractBroken(NshotError):
    """A promise of the contract that was not kept."""


def promise(kept: bool, sentence: str) -> None:
    """Raise `ContractBroken` with the sentence unless it is kept."""
    if not kept:
        raise ContractBroken(sentence)


def refused(kind: type[Exception], ask: Callable[[], object]) -> bool:
    """Is what is asked refused with this error?"""
    try:
        ask()
    except kind:
        return True
    return False


def check_value(method: Method, table: Table) -> None:
    """A method is a frozen value: the same in JSON, refusing what it does not know."""
    promise(table.build(spec(method)) == method, "its JSON builds the same method")
    promise(spec_hash(table.build(spec(method))) == spec_hash(method), "and the same hash")
    promise(type(method).__module__.split(".")[-1] == method.name, "its file bears its name")
    promise(bool(method.about and type(method).__doc__), "it says what it is")
    for name, values in method.space.items():
        promise(name in type(method).model_fields, f"what may be tried, '{name}', is a setting")
        default = type(method).model_fields[name].default
        promise(values[0] == default, f"the first value tried of '{name}' is its default")
    unknown = {"no_such_setting": 1}
    refusal = refused(ValidationError, lambda: type(method).model_validate(unknown))
    promise(refusal, "an unknown setting is refused")


def check_adapt(
    method: Method, task: Task, shots: Shots, bench: Workbench, inputs: Sequence[Input]
) -> Predictor:
    """It adapts, changes no base model, and what it returns keeps the predictors' contract."""
    before = bench.models.fingerprint(bench.base) if bench.base else ""
    predictor = method.adapt(task, shots, bench)
    after = bench.models.fingerprint(bench.base) if bench.base else ""
    promise(before == after, "the base model is as it was before")
    check_predictor(predictor, task, bench.models, bench.folder / "saved", inputs)
    return predictor


def check_predictor(
    predictor: Predictor, task: Task, models: Models, folder: Path, inputs: Sequence[Input]
) -> None:
    """One answer per input, each by itself, and the same after saving and loading."""
    predictions = predictor.predict(inputs)
    promise(len(predictions) == len(inputs), "one prediction per input")
    promise(predictor.predict([]) == [], "no input, no prediction")
    if task.has_labels:
        known = {*task.label_names, ""}
        promise(all(p.answer in known for p in predictions), "every answer is a label")
    if task.kind == "multilabel":
        names = {name for p in predictions for name in labels_of(p.answer)}
        promise(names <= {*task.label_names}, "every answer is made of labels")
    backwards = predictor.predict(inputs[::-1])[::-1]
    singly = [predictor.predict([one])[0] for one in inputs]
    promise(_same(predictions, backwards), "the order of the inputs changes no answer")
    promise(_same(predictions, singly), "what else is in the batch changes no answer")
    predictor.save(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    promise(not [p for p in files if p.suffix.lower() in UNSAFE], "safetensors and JSON only")
    promise(
        _same(predictions, load(folder, models).predict(inputs)), "saved and loaded it is the same"
    )


def _same(one: Sequence[Prediction], other: Sequence[Prediction]) -> bool:
    """Equal answers; scores within `CLOSE`, and a different answer only between equals."""
    for a, b in zip(one, other, strict=True):
        moves = [abs(x - y) for x, y in zip(a.scores, b.scores, strict=True)]
        if max(moves, default=0.0) > CLOSE:
            return False
        if a.answer != b.answer and not tied(a, CLOSE):
            return False
    return True


def tied(prediction: Prediction, close: float) -> bool:
    """Whether the two best scores are nearer than `close`."""
    best = sorted(prediction.scores, reverse=True)[:2]
    return len(best) == 2 and best[0] - best[1] < close
