"""How answers were written: cut, closed, refused, retried, by which model; counts and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nshot.board.schema import WritingCell
from nshot.core.types import Measurement
from nshot.models.base import Completion

KEY = "writing"
"""Where a measurement has it."""


def writing(completions: Sequence[Completion]) -> dict[str, Any]:
    """Counts over completions, as JSON; {} for none, and where there is nothing to be known."""
    served = [one.served for one in completions if one.served is not None]
    cell = WritingCell(
        answers=len(completions),
        cut=sum(not one.finished for one in completions),
        closed=sum(one.closed for one in completions),
        refused=sum(bool(one.refusal) for one in served),
        estimated=sum(one.estimated for one in served),
        retries=Counter(kind for one in served for kind in one.retries),
        models=Counter(one.model for one in served if one.model),
    )
    if not served and not (cell.cut or cell.closed):
        return {}
    body: dict[str, Any] = cell.model_dump(mode="json")
    return body


def together(parts: Iterable[Mapping[str, Any]]) -> WritingCell | None:
    """The counts of several parts as one; None without any."""
    cells = [WritingCell.model_validate(part) for part in parts if part]
    if not cells:
        return None
    return WritingCell(
        answers=sum(one.answers for one in cells),
        cut=sum(one.cut for one in cells),
        closed=sum(one.closed for one in cells),
        refused=sum(one.refused for one in cells),
        estimated=sum(one.estimated for one in cells),
        retries=_sums(one.retries for one in cells),
        models=_sums(one.models for one in cells),
    )


def writing_cell(measurements: Sequence[Measurement]) -> WritingCell | None:
    """That of all draws of a row."""
    return together(m.extra.get(KEY, {}) for m in measurements)


def writing_words(cell: WritingCell | None) -> Iterator[str]:
    """What a reader of the row should know."""
    if cell is None:
        return
    of = f"of {cell.answers:,} answers"
    if cell.closed:
        yield f"{cell.closed:,} {of} were closed by the grammar as their tokens came to an end"
    if cell.cut:
        yield f"{cell.cut:,} {of} were cut off: they reached the most tokens that one may have"
    if cell.refused:
        yield f"{cell.refused:,} {of} were refused by the endpoint, and count as no answer"
    if cell.estimated:
        yield f"the endpoint counted no tokens for {cell.estimated:,} {of}: these are guessed"
    if cell.retries:
        reasons = ", ".join(f"{kind} {n:,}" for kind, n in sorted(cell.retries.items()))
        yield f"asked again after {sum(cell.retries.values()):,} failures ({reasons})"
    for name, count in sorted(cell.models.items()):
        yield f"{count:,} {of} came from a model that the endpoint calls '{name}'"


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)
