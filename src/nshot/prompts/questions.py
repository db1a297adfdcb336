"""Several labels a row as questions of yes or no, one a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nshot.core.types import Example, Input, Label, Task, group_of

YES, NO = "yes", "no"
_ASKED = "asked"
"""The field of the question, behind those of the row: what comes before it is read once."""


def question_task(task: Task) -> Task:
    """The task that answers the questions."""
    return replace(
        task,
        kind="classify",
        labels=(Label(YES), Label(NO)),
        instruction=task.instruction or "Read the text and answer the question.",
        metric="accuracy",
        field_names=(*task.field_names, (_ASKED, "Question")),
        answer_name="Answer",
    )


def question_of(task: Task, label: Label, input: Input) -> Input:
    """Does the label apply to the input?"""
    about = f" ({label.description})" if label.description else ""
    question = f'{task.answer_name}: does "{label.words}"{about} apply?'
    return replace(input, fields=(*input.fields, (_ASKED, question)))


def questions(task: Task, examples: Sequence[Example]) -> tuple[Example, ...]:
    """A question for each example and label, with its answer; those of one example are a group."""
    return tuple(
        Example(
            f"{example.id}:{place}",
            question_of(task, label, example.input),
            (YES if label.name in example.targets else NO,),
            group=group_of(example),
        )
        for example in examples
        for place, label in enumerate(task.labels)
    )
