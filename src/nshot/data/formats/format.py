"""What a format is: how its rows are told from others, read, and written."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nshot.core.types import Example, Kind
from nshot.data.table import Row, cell_text

Problem: TypeAlias = tuple[str, str]
"""What was found, and what was expected."""


class Problems(list[Problem]):
    """What is wrong with a row; what was assumed to read it; why it is left out, if it is."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.left_out = ""

    def note(self, assumption: str) -> None:
        """A sentence for all rows of which it holds, once a row."""
        if assumption not in self.notes:
            self.notes.append(assumption)

    def leave_out(self, reason: str) -> None:
        """Without a fault: the row has nothing to learn from."""
        self.left_out = reason


@dataclass(frozen=True)
class Format:
    """One way in which people write rows of instruction data.

    `claims` says by a row's keys (and the type of a value where keys are shared) that the row is
    of this format. `read` makes examples without ids of a row and appends to the problems; with a
    problem, or where the row is left out, it returns (). `write` is its inverse: None for an
    example that the format cannot hold. `uses` are all the keys it may read, `keys` those it needs,
    in words.
    """

    name: str
    kind: Kind
    keys: str
    uses: frozenset[str]
    claims: Callable[[Row], bool]
    read: Callable[[Row, Problems], tuple[Example, ...]]
    write: Callable[[Example], Row | None]


def one_of(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of `names` that the row has as a key."""
    return next((name for name in names if name in row), None)


_WORDS = {list: "a list", dict: "an object", str: "a text", bool: "a truth value", int: "a number"}


def in_words(value: Any) -> str:
    """What kind of JSON value this is, in words."""
    return "nothing" if value is None else _WORDS.get(type(value), f"a {type(value).__name__}")


def text_of(row: Row, name: str, problems: Problems, empty: bool = False) -> str:
    """The text under a key, as it stands; a key that is missing, not a text or empty is a problem.

    With `empty` a missing or empty text is none.
    """
    text = cell_text(row.get(name))
    if text is None:
        problems.append((f"'{name}' holds {in_words(row[name])}", "a text"))
    elif not text.strip() and not empty:
        word = "empty" if name in row and row[name] is not None else "missing"
        problems.append((f"'{name}' is {word}", "a text in every row"))
    return text or ""


def listed(cell: Any) -> list[Any] | None:
    """A cell as a list: it is one, or a text that holds one, as JSON or as Python prints it."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        for parse in (json.loads, ast.literal_eval):
            try:
                cell = parse(cell)
                break
            except (ValueError, RecursionError, SyntaxError, MemoryError):
                continue
    return cell if isinstance(cell, list) else None
