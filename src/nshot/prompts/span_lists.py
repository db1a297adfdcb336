"""Spans as a language model reads and writes them: a JSON list of labels and texts, in order.

Small models cannot count characters, so offsets are not asked for: what is written is looked up in
the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from nshot.core.spans import Span
from nshot.core.types import Grammar, Task

_WRITTEN = re.compile(r"\{[^{}]*\}")
"""One object of a list, also of one that was cut off."""
MOST = 64
"""Spans that an answer may list, so that a model that repeats itself comes to an end."""


def span_list(text: str, spans: Sequence[Span]) -> str:
    """``[{"label": "name", "text": "The Eagle"}]``, the spans in the order of the text."""
    rows = [{"label": one.label, "text": text[one.start : one.end]} for one in sorted(spans)]
    return json.dumps(rows, ensure_ascii=False)


def span_grammar(task: Task, lead: str) -> Grammar:
    """A list of objects with one of the task's labels and a text each."""
    one = {
        "type": "object",
        "properties": {
            "label": {"enum": list(task.label_names)},
            "text": {"type": "string", "minLength": 1},
        },
        "required": ["label", "text"],
        "additionalProperties": False,
    }
    schema = {"type": "array", "items": one, "maxItems": MOST}
    return Grammar("json_schema", json.dumps(schema, ensure_ascii=False), lead)


def located(task: Task, text: str, answer: str) -> list[Span]:
    """The spans of a text that an answer lists, each where it stands next behind those before it.

    What stands there only further up is taken where it is; a whole word goes before a part of one.
    What stands nowhere, or has a label that the task does not know, is left out.
    """
    spans: list[Span] = []
    for label, piece in _listed(answer):
        if label in task.label_names and piece.strip():
            at = _place(text, piece.strip(), spans)
            spans += [] if at is None else [Span(at, at + len(piece.strip()), label)]
    return sorted(spans)


def _listed(answer: str) -> Iterator[tuple[str, str]]:
    for match in _WRITTEN.finditer(answer):
        try:
            item = json.loads(match[0])
        except ValueError:
            continue
        if isinstance(item.get("label"), str) and isinstance(item.get("text"), str):
            yield item["label"], item["text"]


def _place(text: str, piece: str, spans: Sequence[Span]) -> int | None:
    """Where a piece stands that none of `spans` holds; None where it does not."""
    behind = spans[-1].end if spans else 0
    places = [
        match.start()
        for match in re.finditer(f"(?={re.escape(piece)})", text)
        if all(match.start() + len(piece) <= s.start or s.end <= match.start() for s in spans)
    ]
    return min(
        places, key=lambda at: (at < behind, not _is_whole(text, at, len(piece)), at), default=None
    )


def _is_whole(text: str, at: int, length: int) -> bool:
    """Does a word begin and end here?"""
    borders = (text[max(0, at - 1) : at + 1], text[at + length - 1 : at + length + 1])
    return not any(re.match(r"\w\w", border) for border in borders)
