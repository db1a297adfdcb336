"""An answer as the JSON object that `nshot predict` writes of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nshot.core.label_sets import labels_of
from nshot.core.types import Prediction, Task
from nshot.use.abstaining import probability
from nshot.use.levels import expected_level

NUMBERS = frozenset({"scores", "probabilities"})
"""Keys that a table leaves out."""


def answer_line(task: Task, prediction: Prediction, abstains: bool) -> dict[str, Any]:
    """The answer, whether it was held back where any could be, and what scores there are."""
    if task.kind == "spans":
        return {"spans": json.loads(prediction.answer or "[]")}
    line: dict[str, Any] = {"answer": prediction.answer}
    if task.kind == "multilabel":
        return {
            **line,
            "labels": list(labels_of(prediction.answer)),
            **_probabilities(task, prediction),
        }
    if abstains:
        line["abstained"] = prediction.abstained
    if len(prediction.scores) == len(task.labels) > 0:
        line["probability"] = probability(task, prediction)
        line["scores"] = dict(zip(task.label_names, prediction.scores, strict=True))
        if task.kind == "score":
            line["expected"] = expected_level(task, prediction)
    if task.kind == "rank" and prediction.scores:
        line["scores"] = list(prediction.scores)
    return line


def _probabilities(task: Task, prediction: Prediction) -> dict[str, Any]:
    """How probable it is that each label applies; they do not add up to 1."""
    pairs = zip(task.label_names, prediction.scores, strict=True)
    return {"probabilities": {name: math.exp(score) for name, score in pairs}}


def beside(
    cells: Mapping[str, str], columns: Sequence[str], line: Mapping[str, Any]
) -> dict[str, Any]:
    """An answer behind the cells of its row; what has the name of one of `columns` gets another."""
    keys = (key for key in line if key not in ("id", *NUMBERS))
    return {**cells, **{answer_column(key, columns): line[key] for key in keys}}


def answer_column(key: str, columns: Sequence[str]) -> str:
    """What a table of those columns calls an answer's key."""
    return f"nshot_{key}" if key in columns else key
