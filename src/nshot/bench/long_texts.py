"""Texts longer than what a model reads at once: how many, how long, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.core.types import ModelRef, Split
from nshot.models.embedded.packages import Role
from nshot.models.hf.window import reads_at_least, window

MOST = 2000
"""Of more texts than these that may be too long, so many stand for all."""
MARKS = 16
"""Tokens that a model's own marks and its prompt may take."""
_BECOMES: dict[Role, str] = {
    "encoder": "only their beginning is read; put first what decides, or give an --encoder that "
    "reads more",
    "lm": "a prompt with such a text loses its beginning; shorten them, or give a --model that "
    "reads more",
}


def long_notes(
    rows: Split, encoders: Sequence[ModelRef], bases: Sequence[ModelRef]
) -> tuple[str, ...]:
    """A note for each model that does not read all texts of the rows at once."""
    texts = [example.input.text for example in (*rows.train, *rows.test)]
    models: list[tuple[ModelRef, Role]] = [(ref, "encoder") for ref in encoders]
    models += [(ref, "lm") for ref in bases]
    notes = [_note(texts, ref, role) for ref, role in models]
    return tuple(dict.fromkeys(note for note in notes if note))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _note(texts: Sequence[str], ref: ModelRef, role: Role) -> str:
    # A token is a byte at least: a text of fewer bytes is read whole. Some room is for marks.
    candidates = [text for text in texts if _bytes(text) > reads_at_least(ref) - MARKS]
    if not candidates or (model := window(ref, role)) is None:
        return ""
    stride = max(1, -(-len(candidates) // MOST))
    counts = model.count(candidates[::stride])
    over = [count for count in counts if count > model.limit]
    if not over:
        return ""
    about = "about " * (stride > 1)
    many = round(len(candidates) * len(over) / len(counts))
    return (
        f"{about}{many} of {len(texts)} texts are longer than the {model.limit} tokens that "
        f"{ref.name} reads at once (the longest has {about}{max(over)}): {_BECOMES[role]}"
    )
