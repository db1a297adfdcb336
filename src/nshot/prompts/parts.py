"""A prompt's named parts: what it says before the demonstrations and the input, and their fences.

In the order in which a prompt shows them::

    persona         You are a film critic.                        who answers
    context         The texts are comments on film pages.         what must be known
    instruction     Give the sentiment of the review.             what is asked
    labels          Answer with one of: negative, positive.       or the labels described
    constraints     - A review that only retells is negative.     what an answer must keep to
    output_format   Write the label alone.                        how an answer must look
    demonstrations, input                                         see `nshot.prompts.render`
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from nshot.core.types import Delimiter, Task

DESCRIPTIONS = 2000
"""Characters of label descriptions that still fit into an instruction; more are left out."""
ORDER = ("persona", "context", "instruction", "labels", "constraints", "output_format")
"""The parts that stand before the demonstrations."""
_FENCES = {"quotes": '"""', "hashes": "###"}


class Part(NamedTuple):
    """One part of a prompt, as it is shown."""

    name: str
    text: str


def instruction_parts(task: Task) -> tuple[Part, ...]:
    """What stands before the demonstrations, in order and without empty parts."""
    own = task.parts
    texts = {
        "persona": own.persona,
        "context": own.context,
        "instruction": task.instruction or _default_instruction(task),
        "labels": _labels(task),
        "constraints": "\n".join(f"- {line}" for line in own.constraints),
        "output_format": own.output_format,
    }
    return tuple(Part(name, texts[name]) for name in ORDER if texts[name])


def instruction(task: Task) -> str:
    """All that is asked, with the labels: described if all fit, else listed."""
    return "\n".join(part.text for part in instruction_parts(task))


def beside_the_request(task: Task) -> str:
    """The task's own parts alone: what is said to an input that asks by itself."""
    parts = instruction_parts(task)
    return "\n".join(p.text for p in parts if p.name not in ("instruction", "labels"))


@lru_cache(maxsize=64)
def label_words(task: Task) -> tuple[str, ...]:
    """How a prompt says each label: its words, or its name where two labels have the same words."""
    count = Counter(label.words for label in task.labels)
    return tuple(label.words if count[label.words] == 1 else label.name for label in task.labels)


def field_line(delimiter: Delimiter, name: str, text: str) -> str:
    """A named text of an input as a prompt shows it."""
    if delimiter == "none":
        return f"{name}: {text}".rstrip()
    if delimiter == "tags":
        return fenced(delimiter, name, text)
    return f"{name}: {fenced(delimiter, name, text)}"


def field_start(delimiter: Delimiter, name: str) -> str:
    """With what a named text begins: where a model writes it, it makes up the next example."""
    return f"<{tag_of(name)}>" if delimiter == "tags" else f"{name}:"


def fenced(delimiter: Delimiter, name: str, text: str) -> str:
    """A text between its delimiters."""
    if delimiter == "none":
        return text
    if delimiter == "tags":
        tag = tag_of(name)
        return f"<{tag}>\n{text}\n</{tag}>"
    fence = _FENCES[delimiter]
    return f"{fence}\n{text}\n{fence}"


def fence_marks(delimiter: Delimiter, name: str) -> tuple[str, ...]:
    """What must not stand in a text that is named `name`, or it ends too soon."""
    if delimiter == "tags":
        return (f"</{tag_of(name)}>",)
    return (_FENCES[delimiter],) if delimiter in _FENCES else ()


def tag_of(name: str) -> str:
    """``Customer message`` -> ``customer_message``."""
    return "_".join(name.lower().split())


def _labels(task: Task) -> str:
    if (not task.has_labels and task.kind != "spans") or task.parts.hides_labels:
        return ""
    spans = task.kind == "spans"
    names = task.label_names if spans else label_words(task)
    choice = "Each label is one of" if spans else "Answer with one of"
    if not descriptions_fit(task):
        return f"{choice}: {', '.join(names)}."
    return f"{choice}:\n{_described(task, names)}"


def descriptions_fit(task: Task) -> bool:
    """Are there descriptions of labels, and are all of them short enough to be shown?"""
    names = task.label_names if task.kind == "spans" else label_words(task)
    some = any(label.description for label in task.labels)
    return some and len(_described(task, names)) <= DESCRIPTIONS


def _described(task: Task, names: tuple[str, ...]) -> str:
    return "\n".join(
        f"- {name}: {label.description}" if label.description else f"- {name}"
        for name, label in zip(names, task.labels, strict=True)
    )


def _default_instruction(task: Task) -> str:
    """What is asked when the task does not say."""
    if task.has_labels:
        return f"Give the {task.answer_name.lower()} of the text."
    if task.kind == "number":
        return f"Give the {task.answer_name.lower()} as a number."
    if task.kind == "spans":
        return (
            "List the pieces of the text that have a label, in their order, as JSON: "
            '[{"label": "...", "text": "..."}].'
        )
    return f"Write the {task.answer_name.lower()}."
