"""What spoke for an answer: the demonstrations in the prompt, or the nearest labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nshot.core.types import Example, Input
from nshot.predictors import Predictor
from nshot.predictors.calibrated import bare
from nshot.predictors.nearest import NearestAnswer, Vote, cosines, neighbours
from nshot.predictors.prompted import Prompted

MOST = 16
"""Examples that are shown of one answer."""


def evidence(predictor: Predictor, inputs: Sequence[Input]) -> list[list[dict[str, Any]]]:
    """The labelled rows behind each answer; [] where a predictor keeps none.

    Of a vote only the labels and cosines of its neighbours: it does not keep their texts.
    """
    inner = bare(predictor)
    if isinstance(inner, Prompted):
        if inner.retrieval is None:
            return [[_shown(one) for one in inner.demos[:MOST]]] * len(inputs)
        return [[_shown(one) for one in some[:MOST]] for some in inner.retrieval.nearest(inputs)]
    if isinstance(inner, Vote):
        return _voters(inner, inputs)
    if isinstance(inner, NearestAnswer):
        known = dict(zip(inner.answers, inner.inputs, strict=True))
        answers = [one.answer for one in inner.predict(inputs)]
        return [[{"text": known[one].text, "answer": one}] for one in answers]
    return [[]] * len(inputs)


def _shown(example: Example) -> dict[str, Any]:
    return {"text": example.input.text, "answer": example.label}


def _voters(vote: Vote, inputs: Sequence[Input]) -> list[list[dict[str, Any]]]:
    likeness = cosines(vote.source.read(inputs).matrix, vote.vectors)
    names = vote.task.label_names
    return [
        [{"answer": names[vote.targets[i]], "cosine": float(row[i])} for i in near[:MOST]]
        for row, near in zip(likeness, neighbours(likeness, vote.k), strict=True)
    ]
