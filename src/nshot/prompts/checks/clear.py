"""Clear: what is asked stands there once, and labels and names say what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from nshot.core.types import Label, Task
from nshot.prompts.checks.draft import Draft, Finding
from nshot.prompts.checks.names import better_name, is_empty_answer_name, is_empty_field_name
from nshot.prompts.checks.wording import (
    alike,
    asks_for,
    listed,
    mentions,
    placeholder,
    plural,
    quoted,
    sentences,
    vague,
)
from nshot.prompts.parts import fence_marks, label_words
from nshot.prompts.render import field_name

_ALIKE = 0.85
"""Share of letters from which two names of labels are taken for one another."""
_NO_NAME = re.compile(
    r"(?:label|class|cat|category|type|c|l|라벨|분류|유형)?[ _-]?(?:\d+|[a-z])", re.I
)
_LONG = 0.25
"""Share of inputs of several paragraphs from which they need delimiters."""


def clear(draft: Draft) -> Iterator[Finding]:
    """Everything under this heading."""
    yield from _instruction(draft)
    yield from _wording(draft)
    yield from _labels_named(draft)
    yield from _labels_alike(draft)
    yield from _names(draft)
    yield from _fences(draft)


def _instruction(draft: Draft) -> Iterator[Finding]:
    """There is one, and it asks for one thing."""
    if not draft.task.instruction:
        yield Finding(
            "clear",
            "the task has no instruction: a prompt can only ask for 'the label of the text'",
            f"instruction: {_proposal(draft.task)}",
            draft.where("instruction"),
        )
    requests: dict[str, tuple[str, str]] = {}
    for part in ("system", "persona", "context", "instruction", "constraints", "output_format"):
        for sentence in sentences(draft.parts.get(part, "")):
            if kind := asks_for(sentence):
                requests.setdefault(kind, (part, sentence))
    expected = "choose" if draft.task.has_labels or draft.task.kind == "multilabel" else None
    others = [kind for kind in requests if kind != (expected or next(iter(requests)))]
    for kind in others:
        part, sentence = requests[kind]
        answer = "an answer is one of the labels" if expected else "it asks for another thing too"
        yield Finding(
            "clear",
            f"a second request, to {kind}: '{sentence}'; {answer}",
            "leave it out: one prompt, one request",
            draft.where(part),
        )


def _proposal(task: Task) -> str:
    named = better_name(task).lower() if task.labels else "answer"
    return f"Give the {named} of the {field_name(task, _first_field(task)).lower()}."


def _first_field(task: Task) -> str:
    return task.field_names[0][0] if task.field_names else "text"


def _wording(draft: Draft) -> Iterator[Finding]:
    """Nothing is left to fill in, nothing left open."""
    for part, text in draft.parts.items():
        if gap := placeholder(text):
            yield Finding(
                "clear",
                f"{part} has a place that nobody filled in: '{gap}'",
                "write what belongs there, or leave it out",
                draft.where(part),
            )
        elif open_words := vague(text):
            yield Finding(
                "clear",
                f"{part} leaves open what is meant: '{open_words}'",
                "name the cases, or leave it out",
                draft.where(part),
            )


def _labels_named(draft: Draft) -> Iterator[Finding]:
    """An instruction that names labels names the task's, all of them."""
    task = draft.task
    if not task.labels or not task.has_labels:
        return
    words = label_words(task)
    for part in ("instruction", "output_format"):
        text = draft.parts.get(part, "")
        named = [one for one in words if mentions(text, one)]
        missing = [one for one in words if one not in named]
        strangers = [one for one in quoted(text) if not _is_label(one, task)]
        if len(named) > 1 and missing:
            yield Finding(
                "clear",
                f"{part} names the labels {listed(named)}, but not {listed(missing)}",
                "name all of them or none: a prompt lists them by itself",
                draft.where(part),
            )
        elif strangers and (named or len(strangers) > 1):
            yield Finding(
                "clear",
                f"{part} names {listed(strangers)}: no label of the task ({listed(words)})",
                "write the labels as they are, or none",
                draft.where(part),
            )


def _is_label(text: str, task: Task) -> bool:
    folded = text.casefold().strip(" .,")
    names = (*task.label_names, *label_words(task))
    return any(folded == name.casefold() for name in names) or folded == task.answer_name.casefold()


def _labels_alike(draft: Draft) -> Iterator[Finding]:
    """Labels say what they are, and can be told from one another."""
    labels = draft.task.labels
    bare = [label.name for label in labels if not label.description]
    empty = [name for name in bare if _NO_NAME.fullmatch(name)]
    if draft.task.kind != "score" and empty and len(empty) == len(labels):
        yield Finding(
            "clear",
            f"labels that say nothing: {listed(empty)}",
            "labels: [{name: " + empty[0] + ", description: what it means}, ...]",
            draft.where("labels"),
        )
        return
    for first, second in combinations(labels, 2):
        if first.description and first.description == second.description:
            yield Finding(
                "clear",
                f"labels '{first.name}' and '{second.name}' have the same description",
                "say of each what the other is not",
                draft.where("labels"),
            )
        elif _confusable(first, second) and draft.task.kind != "score":
            yield Finding(
                "clear",
                f"labels '{first.name}' and '{second.name}' can hardly be told apart",
                "give both a description, or other names",
                draft.where("labels"),
            )


def _confusable(first: Label, second: Label) -> bool:
    if first.description and second.description:
        return False
    words = (first.words.casefold(), second.words.casefold())
    digits = [re.sub(r"\d+", "", one) for one in words]
    return alike(*words) >= _ALIKE or (digits[0] == digits[1] and words[0] != words[1])


def _names(draft: Draft) -> Iterator[Finding]:
    """What the answer and the fields are called in the prompt."""
    task = draft.task
    if task.labels and task.kind != "spans" and is_empty_answer_name(task.answer_name):
        yield Finding(
            "clear",
            f"the answer is called '{task.answer_name}', which says nothing (a word that does was"
            " worth 17 points)",
            f"prompt: {{answer: {better_name(task)}}}",
            draft.where("answer"),
        )
    for name in dict.fromkeys(name for row in draft.rows for name, _ in row.input.fields):
        if is_empty_field_name(field_name(task, name)):
            yield Finding(
                "clear",
                f"a field is called '{field_name(task, name)}', which says nothing",
                f"prompt: {{fields: {{{name}: what it is}}}}",
                draft.where("fields"),
            )


def _fences(draft: Draft) -> Iterator[Finding]:
    """Where a text ends can be seen."""
    task, delimiter = draft.task, draft.task.parts.delimiter
    rows = (*draft.rows, *draft.met)
    for name in dict.fromkeys(name for row in rows for name, _ in row.input.fields):
        shown = field_name(task, name)
        marks = fence_marks(delimiter, shown) or (f"\n{task.answer_name}:", f"\n{shown}:")
        hits = [
            (row, mark)
            for row in rows
            for mark in marks
            if mark.casefold() in "\n" + dict(row.input.fields).get(name, "").casefold()
        ]
        if hits:
            row, mark = hits[0]
            better = "tags" if delimiter != "tags" else "quotes"
            yield Finding(
                "clear",
                f"{plural(len(hits), 'text')} hold '{mark.strip()}', with which the prompt says"
                " where a text ends",
                f"prompt: {{delimiter: {better}}}",
                draft.row(row),
            )
    texts = [text for row in draft.rows for _, text in row.input.fields]
    several = sum(bool(re.search(r"\S\s*\n\s*\n\s*\S", text)) for text in texts)
    if delimiter == "none" and texts and several >= max(2, _LONG * len(texts)):
        yield Finding(
            "clear",
            f"{several} of {plural(len(texts), 'text')} have several paragraphs and stand without"
            " delimiters",
            "prompt: {delimiter: tags}",
            draft.where("delimiter"),
        )
