"""The contract of an export: what its own runtime answers is what the predictor answers."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nshot.core.errors import InputError
from nshot.core.types import Input, Prediction
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.folder import read
from nshot.testing.contracts import promise, refused, tied
from nshot.use.export.base import Export

SAFE = frozenset({".json", ".safetensors", ".jinja", ".onnx", ".onnx_data"})
"""Endings of files that hold data and nothing that runs."""
CLOSE = 1e-6
"""How far a score may be from the predictor's: the same sums in another order."""


def check_export(
    export: Export,
    folder: Path,
    models: Models,
    into: Path,
    inputs: Sequence[Input],
    close: float = CLOSE,
) -> None:
    """Write the saved predictor in `folder` to the new folder `into` and ask both.

    A form that rounds weights names how `close` its scores are. Raises `ContractBroken`.
    """
    saved = read(folder)
    promise(export.why_not(saved) is None, "it takes this folder")
    into.mkdir(parents=True)
    promise(
        refused(InputError, lambda: export.answer(into, inputs)),
        "a folder that it did not write is refused",
    )
    export.write(saved, models, into)
    files = [path for path in into.rglob("*") if path.is_file()]
    programs: Collection[str] = getattr(export, "programs", ())
    data = {path.suffix for path in files if path.name not in programs}
    promise(bool(files) and data <= SAFE, "safetensors and JSON only")
    answers = export.answer(into, inputs)
    _check_same(load(folder, models).predict(inputs), answers, close)
    promise(export.answer(into, []) == [], "no input, no prediction")
    singly = [export.answer(into, [one])[0] for one in inputs]
    _check_same(answers, singly, close)
    with TemporaryDirectory() as elsewhere:
        moved = shutil.copytree(into, Path(elsewhere) / "moved")
        promise(
            not refused(InputError, lambda: export.answer(moved, inputs)),
            "a copy of its folder answers too",
        )
        _check_same(answers, export.answer(moved, inputs), close)


def _check_same(one: Sequence[Prediction], other: Sequence[Prediction], close: float) -> None:
    """Each answer is the other's, but between labels that are equally likely."""
    promise(len(one) == len(other), "one prediction per input")
    for a, b in zip(one, other, strict=True):
        promise(len(a.scores) == len(b.scores), "as many scores as the predictor gives")
        moves = [abs(x - y) for x, y in zip(a.scores, b.scores, strict=True)]
        promise(max(moves, default=0.0) <= close, "the predictor's scores")
        promise(a.answer == b.answer or tied(a, 2 * close), "the predictor's answer")
