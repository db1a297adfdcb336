"""The nouns as plain JSON data and back, without loss, and files of one JSON object per line.

Keys that hold nothing are left out. Numbers that JSON does not know are written as texts (``nan``,
``inf``, ``-inf``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.types import (
    Cost,
    Example,
    Grammar,
    Image,
    Input,
    Label,
    Measurement,
    Prediction,
    Shots,
    Task,
    Trial,
    Turn,
)

Json: TypeAlias = dict[str, Any]


def task_to_json(task: Task) -> Json:
    """The task as JSON data; `field_names` as pairs, for their order counts."""
    return _full(
        name=task.name,
        kind=task.kind,
        labels=[asdict(label) for label in task.labels],
        instruction=task.instruction,
        metric=task.metric,
        system=task.system,
        field_names=[list(pair) for pair in task.field_names],
        answer_name=task.answer_name,
        answer_format=None if task.answer_format is None else asdict(task.answer_format),
        pictures=task.pictures or None,
    )


def task_from_json(data: Mapping[str, Any]) -> Task:
    """The inverse of `task_to_json`."""
    return Task(
        name=data.get("name", ""),
        kind=data["kind"],
        labels=tuple(Label(one["name"], one["description"]) for one in data.get("labels", ())),
        instruction=data.get("instruction", ""),
        metric=data.get("metric", ""),
        system=data.get("system", ""),
        field_names=_pairs(data.get("field_names", ())),
        answer_name=data.get("answer_name", ""),
        answer_format=Grammar(**data["answer_format"]) if "answer_format" in data else None,
        pictures=data.get("pictures", False),
    )


def input_to_json(input: Input) -> Json:
    """The input as JSON data; `fields` as pairs, for their order counts."""
    return _full(
        fields=[list(pair) for pair in input.fields],
        turns=[
            _full(role=turn.role, text=turn.text, images=_images(turn.images))
            for turn in input.turns
        ],
        images=_images(input.images),
        answers=list(input.answers),
    )


def input_from_json(data: Mapping[str, Any]) -> Input:
    """The inverse of `input_to_json`."""
    return Input(
        fields=_pairs(data.get("fields", ())),
        turns=tuple(
            Turn(turn["role"], turn.get("text", ""), _images_back(turn))
            for turn in data.get("turns", ())
        ),
        images=_images_back(data),
        answers=tuple(data.get("answers", ())),
    )


def example_to_json(example: Example) -> Json:
    """The example as JSON data: ``id``, ``input``, and what is known of the answer."""
    return {
        "id": example.id,
        "input": input_to_json(example.input),
        **_full(targets=list(example.targets), grades=_numbers(example.grades)),
        **({} if example.group is None else {"group": example.group}),
    }


def example_from_json(data: Mapping[str, Any]) -> Example:
    """The inverse of `example_to_json`."""
    return Example(
        id=data["id"],
        input=input_from_json(data["input"]),
        targets=tuple(data.get("targets", ())),
        grades=_floats(data.get("grades", ())),
        group=data.get("group"),
    )


def shots_to_json(shots: Shots) -> Json:
    """The shots as JSON data, part by part."""
    return _full(
        labelled=[example_to_json(example) for example in shots.labelled],
        unlabelled=[example_to_json(example) for example in shots.unlabelled],
        preferences=[example_to_json(example) for example in shots.preferences],
        background=[example_to_json(example) for example in shots.background],
    )


def shots_from_json(data: Mapping[str, Any]) -> Shots:
    """The inverse of `shots_to_json`."""
    return Shots(
        labelled=_examples(data.get("labelled", ())),
        unlabelled=_examples(data.get("unlabelled", ())),
        preferences=_examples(data.get("preferences", ())),
        background=_examples(data.get("background", ())),
    )


def prediction_to_json(prediction: Prediction) -> Json:
    """The prediction as JSON data."""
    return {
        "answer": prediction.answer,
        **_full(
            scores=_numbers(prediction.scores),
            tokens_in=prediction.tokens_in,
            tokens_out=prediction.tokens_out,
        ),
    }


def prediction_from_json(data: Mapping[str, Any]) -> Prediction:
    """The inverse of `prediction_to_json`."""
    return Prediction(
        answer=data["answer"],
        scores=_floats(data.get("scores", ())),
        tokens_in=data.get("tokens_in", 0),
        tokens_out=data.get("tokens_out", 0),
    )


def cost_to_json(cost: Cost) -> Json:
    """Every part of the cost, zeros too."""
    return {name: _number(value) for name, value in asdict(cost).items()}


def cost_from_json(data: Mapping[str, Any]) -> Cost:
    """The inverse of `cost_to_json`."""
    return Cost(
        seconds=float(data["seconds"]),
        spent_seconds=float(data["spent_seconds"]),
        peak_bytes=data["peak_bytes"],
        tokens_in=data["tokens_in"],
        tokens_out=data["tokens_out"],
        trained_params=data["trained_params"],
        disk_bytes=data["disk_bytes"],
        money=float(data["money"]),
    )


def measurement_to_json(measurement: Measurement) -> Json:
    """The measurement as JSON data, with every prediction and statistic."""
    m = measurement
    return {
        "job": m.job,
        "method": m.method,
        "spec": dict(m.spec),
        "rung": m.rung,
        "form": m.form,
        "parent": m.parent,
        "fingerprint": m.fingerprint,
        "unit": m.unit,
        "shots": m.shots,
        "draw": m.draw,
        "ids": list(m.ids),
        "predictions": [prediction_to_json(prediction) for prediction in m.predictions],
        "statistics": [_numbers(row) for row in m.statistics],
        "build": cost_to_json(m.build),
        "use": cost_to_json(m.use),
        "train_score": None if m.train_score is None else _number(m.train_score),
        "tried": [_trial_to_json(trial) for trial in m.tried],
        "notes": list(m.notes),
        "extra": dict(m.extra),
    }


def measurement_from_json(data: Mapping[str, Any]) -> Measurement:
    """The inverse of `measurement_to_json`."""
    return Measurement(
        **{
            **data,
            "ids": tuple(data["ids"]),
            "predictions": tuple(prediction_from_json(one) for one in data["predictions"]),
            "statistics": tuple(_floats(row) for row in data["statistics"]),
            "build": cost_from_json(data["build"]),
            "use": cost_from_json(data["use"]),
            "train_score": None if data["train_score"] is None else float(data["train_score"]),
            "tried": tuple(_trial_from_json(one) for one in data["tried"]),
            "notes": tuple(data["notes"]),
        }
    )


def dumps(data: object) -> str:
    """One canonical line of strict JSON: keys sorted, no spaces, Unicode as it is.

    Half a surrogate pair, which UTF-8 cannot hold, is escaped.
    """
    line = json.dumps(
        data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    if line.isascii() or not any("\ud800" <= char <= "\udfff" for char in line):
        return line
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in line)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line, UTF-8: the whole file or none of it."""
    write_atomic(Path(path), "".join(dumps(row) + "\n" for row in rows))


def read_rows(path: str | Path) -> list[Json]:
    """Read what `write_rows` wrote. Raises `InputError` with the line of a broken row."""
    rows = []
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(
                Fault(f"not a row of JSON: {error}", where=f"{path}, line {number}")
            ) from None
        rows.append(row)
    return rows


def _trial_to_json(trial: Trial) -> Json:
    score = None if trial.score is None else _number(trial.score)
    return {
        "settings": dict(trial.settings),
        "score": score,
        "chosen": trial.chosen,
        "note": trial.note,
    }


def _trial_from_json(data: Mapping[str, Any]) -> Trial:
    score = None if data["score"] is None else float(data["score"])
    return Trial(data["settings"], score, data["chosen"], data["note"])


def _full(**values: Any) -> Json:
    """The values that hold something, so that a row does not list what it lacks."""
    return {name: value for name, value in values.items() if value or value is False}


def _pairs(data: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in data)


def _examples(data: Iterable[Mapping[str, Any]]) -> tuple[Example, ...]:
    return tuple(example_from_json(one) for one in data)


def _images(images: Iterable[Image]) -> list[Json]:
    return [asdict(image) for image in images]


def _images_back(data: Mapping[str, Any]) -> tuple[Image, ...]:
    return tuple(Image(one["path"], one["sha256"]) for one in data.get("images", ()))


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(float(value))


def _numbers(values: Iterable[float]) -> list[float | str]:
    return [_number(value) for value in values]


def _floats(values: Iterable[float | str]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
