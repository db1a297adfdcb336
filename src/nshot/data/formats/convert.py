"""Rows of one format written as another."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example
from nshot.data.formats.format import Format
from nshot.data.formats.instructions import SEEDS
from nshot.data.table import Row


def converted(examples: Sequence[Example], form: Format) -> list[Row]:
    """The examples as rows of `form`, with their ids and groups.

    What a row of `form` says is what the example says: read back it is the same example, but for
    the names of its fields where the format has its own. Raises `InputError` with the number of
    examples that it cannot hold.
    """
    rows = [(example, form.write(example)) for example in examples]
    lost = [example.id for example, row in rows if row is None]
    if lost:
        problem = f"{len(lost)} of {len(rows)} rows cannot be written as {form.name}"
        raise InputError(
            Fault(f"{problem}, such as '{lost[0]}'", expected=f"rows with {form.keys}")
        )
    return [_named(example, row, form) for example, row in rows if row is not None]


def _named(example: Example, row: Row, form: Format) -> Row:
    """The row with the example's id and group; the id of a seed is the group."""
    grouped = example.group is not None and form is not SEEDS
    return {"id": example.id, **row, **({"group": example.group} if grouped else {})}
