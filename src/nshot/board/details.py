"""What the report shows of the pick: what it confuses and gets wrong, in words and in pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nshot.board.disagreement import disagreements
from nshot.board.reduce import Entry, Facts
from nshot.board.schema import (
    AnswerPicture,
    Confusion,
    DeliveredFolder,
    Details,
    Disagreement,
    Disagreements,
    LabelCounts,
    Lengths,
    Machine,
    Mistake,
    Picture,
    Pictures,
    Race,
)
from nshot.core.errors import InputError
from nshot.core.label_sets import joined, labels_of
from nshot.core.spans import spans_of
from nshot.core.types import Example, Kind, Measurement, Prediction, Task
from nshot.metrics import Together, metric_of, score
from nshot.metrics.lengths import length_bias

_SEVERAL: frozenset[Kind] = frozenset({"multilabel", "spans"})
"""The kinds of which a row may have several labels."""
_DISAGREEMENTS = 40
"""Rows on the page; the file has all."""
_SHOTS, _WRONG, _RIGHT = 24, 12, 6
"""With what is likest beside each answer 60 pictures, of a few kilobytes each."""


def details(
    facts: Facts,
    pick: Entry,
    machine: Machine,
    command: str,
    times: tuple[float, float],
    race: Race | None = None,
    contested: Disagreements | None = None,
    folder: DeliveredFolder | None = None,
) -> Details:
    """The details of a run whose pick is `pick`: its first draw at the largest size is shown.

    `times` are those of start and end, in seconds since 1970.
    """
    started, finished = times
    task, examples = facts.task, facts.examples
    measurement = pick.measurements[facts.largest][0]
    everything = {e.id: e for e in facts.split.train} | examples
    return Details(
        machine=machine,
        command=command,
        models=facts.models,
        seeds=tuple(range(facts.seeds)),
        fold_plan=facts.fold_plan,
        started=started,
        finished=finished,
        elapsed_seconds=finished - started,
        race=race,
        disagreements=contested,
        delivered=folder,
        confusion=confusion(task, measurement, examples) if task.has_labels else None,
        by_label=by_label(task, measurement, examples) if task.kind in _SEVERAL else (),
        lengths=lengths(measurement, examples) if task.kind == "rank" else None,
        mistakes=tuple(_mistakes(task, measurement, examples)),
        pictures=pictures(everything, measurement) if task.pictures else None,
    )


def contested_rows(
    facts: Facts, entries: Sequence[Entry], names: Sequence[str]
) -> tuple[Disagreements | None, list[Disagreement]]:
    """Where the rows of these names differ, first draw: what a page shows, and all of it.

    (None, []) of written answers, which nearly always differ, and of fewer than two rows.
    """
    members = {
        entry.name: entry.measurements[facts.largest][0]
        for entry in entries
        if entry.name in names and entry.measurements.get(facts.largest)
    }
    if facts.task.is_written or len(members) < 2:
        return None, []
    answers = {
        name: {key: one.answer for key, one in zip(m.ids, m.predictions, strict=True)}
        for name, m in members.items()
    }
    inputs = {key: example.input for key, example in facts.examples.items()}
    labels = {key: _expected(facts.task, one) for key, one in facts.examples.items()}
    rows = disagreements(inputs, answers, labels)
    counts = [sum(key in own for own in answers.values()) for key in inputs]
    shown = Disagreements(
        compared=tuple(members),
        inputs=sum(count > 1 for count in counts),
        total=len(rows),
        shown=tuple(rows[:_DISAGREEMENTS]),
    )
    return shown, rows


def confusion(task: Task, measurement: Measurement, examples: Mapping[str, Example]) -> Confusion:
    """Counts[i][j]: examples of label i answered j; a last column for answers that are no label."""
    names = task.label_names
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names) + 1), dtype=int)
    for key, prediction in zip(measurement.ids, measurement.predictions, strict=True):
        counts[index[examples[key].label], index.get(prediction.answer, len(names))] += 1
    if counts[:, -1].any():
        return Confusion(labels=names, answers=(*names, "(no label)"), counts=counts.tolist())
    return Confusion(labels=names, answers=names, counts=counts[:, :-1].tolist())


def by_label(
    task: Task, measurement: Measurement, examples: Mapping[str, Example]
) -> tuple[LabelCounts, ...]:
    """How often each label occurs, was answered, and was right; of spans each one counts."""
    answers = zip(measurement.ids, measurement.predictions, strict=True)
    occurring, answered, right = Counter[str](), Counter[str](), Counter[str]()
    for key, one in answers:
        marks, given = _marks(task, examples[key].targets), _marks(task, (one.answer,))
        occurring.update(label for label, _ in marks)
        answered.update(label for label, _ in given)
        right.update(label for label, _ in marks & given)
    return tuple(
        _label_counts(name, occurring[name], answered[name], right[name])
        for name in task.label_names
    )


def _marks(task: Task, answers: Sequence[str]) -> set[tuple[str, tuple[int, ...]]]:
    """The labels of some answers, each with where it stands in the text."""
    if task.kind == "spans":
        spans = [span for answer in answers for span in spans_of(answer)]
        return {(span.label, (span.start, span.end)) for span in spans}
    return {(label, ()) for answer in answers for label in labels_of(answer)}


def _label_counts(name: str, occurring: int, answered: int, right: int) -> LabelCounts:
    return LabelCounts(
        label=name,
        occurring=occurring,
        answered=answered,
        right=right,
        precision=right / answered if answered else None,
        recall=right / occurring if occurring else None,
        f1=2 * right / (answered + occurring) if answered + occurring else None,
    )


def lengths(measurement: Measurement, examples: Mapping[str, Example]) -> Lengths:
    """How far the scores of given answers go with their lengths."""
    rows = [examples[key] for key in measurement.ids]
    return Lengths(**asdict(length_bias(rows, measurement.predictions)))


def _mistakes(
    task: Task, measurement: Measurement, examples: Mapping[str, Example]
) -> Iterator[Mistake]:
    """Answers that are not right; of texts that were written or ranked, those short of full."""
    metric = metric_of(task)
    together = isinstance(metric, Together)  # one row has no point of its own
    rows = zip(measurement.ids, measurement.predictions, measurement.statistics, strict=True)
    for key, prediction, statistics in rows:
        example = examples[key]
        point = None if together else score(metric, np.array([statistics], dtype=np.float64))
        if task.has_labels or point is None:
            right = prediction.answer in example.targets
        else:
            right = point >= 1
        several = task.kind == "multilabel"
        if not right:
            yield Mistake(
                id=key,
                text=example.input.text or _picture_name(example),
                expected=_expected(task, example),
                answer=prediction.answer,
                score=max(prediction.scores) if prediction.scores and not several else None,
                point=point if task.is_written else None,
            )


def _expected(task: Task, example: Example) -> str:
    """What was right, written as answers are."""
    if task.kind == "multilabel":
        return joined(task, example.targets)
    return " / ".join(_right_answers(example))


def _right_answers(example: Example) -> Sequence[str]:
    """The targets; of given answers those that are graded highest."""
    if not example.grades:
        return example.targets
    graded = zip(example.input.answers, example.grades, strict=True)
    return [answer for answer, grade in graded if grade == max(example.grades)]


def _picture_name(example: Example) -> str:
    """A picture by its folder and name."""
    return ", ".join("/".join(Path(image.path).parts[-2:]) for image in example.input.images)


def pictures(examples: Mapping[str, Example], measurement: Measurement) -> Pictures:
    """What was learned from, what is wrong (the surest first) and some of what is right.

    `examples` are all rows by id. Beside an answer stands the shot that looks likest.
    """
    answers = list(zip(measurement.ids, measurement.predictions, strict=True))
    right = [pair for pair in answers if pair[1].answer in examples[pair[0]].targets]
    wrong = [pair for pair in answers if pair[1].answer not in examples[pair[0]].targets]
    wrong.sort(key=lambda pair: -max(pair[1].scores, default=0.0))
    near = measurement.extra.get("near", {})
    shots = [examples[name] for name in measurement.extra.get("shots", ())[:_SHOTS]]
    return Pictures(
        shots=tuple(map(_shot, shots)),
        wrong=tuple(_answer(examples, pair, near) for pair in wrong[:_WRONG]),
        right=tuple(_answer(examples, pair, near) for pair in _spread(right)),
    )


def _spread(pairs: Sequence[tuple[str, Prediction]]) -> Sequence[tuple[str, Prediction]]:
    """`_RIGHT` of them, evenly over all."""
    count = min(_RIGHT, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def _shot(example: Example) -> Picture:
    return Picture(label=example.label, src=_source(example))


def _answer(
    examples: Mapping[str, Example], pair: tuple[str, Prediction], near: Mapping[str, str]
) -> AnswerPicture:
    name, prediction = pair
    likest = examples.get(near.get(name, ""))
    return AnswerPicture(
        expected=examples[name].label,
        answer=prediction.answer,
        src=_source(examples[name]),
        near=_shot(likest) if likest else None,
    )


def _source(example: Example) -> str:
    """The picture as an address that holds it; "" where it can no longer be read."""
    from nshot.data.pictures import thumbnail

    try:
        return thumbnail(example.input.images[0])
    except InputError:
        return ""
