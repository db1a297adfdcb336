"""Questions about a text, with answers that stand in it: SQuAD, KorQuAD, KLUE-MRC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshot.core.types import Example, Input, digest
from nshot.data.formats.format import Format, Problems, text_of
from nshot.data.table import Row

_FIELDS = ("context", "question")
_ANSWERS = "answers"


def _texts(answers: Any) -> list[str] | None:
    """The answers of ``{"text": [...], "answer_start": [...]}`` or of a list of such objects."""
    if isinstance(answers, Mapping):
        texts = answers.get("text")
        texts = [texts] if isinstance(texts, str) else texts
    elif isinstance(answers, list) and all(isinstance(one, Mapping) for one in answers):
        texts = [one.get("text") for one in answers]
    else:
        return None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    return list(dict.fromkeys(text for text in texts if text.strip()))


def _claims(row: Row) -> bool:
    return {*_FIELDS, _ANSWERS} <= row.keys() and _texts(row[_ANSWERS]) is not None


def _read(row: Row, problems: Problems) -> tuple[Example, ...]:
    """Context and question; the answers that were given, the first in front. One context is one
    group, so that no split parts its questions."""
    fields = tuple((name, text_of(row, name, problems)) for name in _FIELDS)
    texts = _texts(row.get(_ANSWERS))
    if texts is None:
        problems.append((f"'{_ANSWERS}' holds no answers", '{"text": ["..."]}'))
    elif not texts:
        problems.leave_out("the text does not answer the question")
    if problems or not texts:
        return ()
    return (Example("", Input(fields), tuple(texts), group=digest(fields[0][1])),)


def _write(example: Example) -> Row | None:
    fields = dict(example.input.fields)
    plain = not example.input.answers and not example.input.images and not example.input.turns
    if tuple(fields) != _FIELDS or not example.targets or not plain:
        return None
    starts = [fields["context"].find(text) for text in example.targets]
    return {**fields, _ANSWERS: {"text": list(example.targets), "answer_start": starts}}


SQUAD = Format(
    "squad",
    "generate",
    "context, question and answers: {text: [...]}",
    frozenset({*_FIELDS, _ANSWERS}),
    _claims,
    _read,
    _write,
)
