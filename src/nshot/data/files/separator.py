"""What parts the cells of a text: told from how many cells each of its rows has."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Literal

from nshot.core.errors import Fault, InputError

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_FIRST = 1 << 18
"""Characters at the beginning from which it is told."""
_MOSTLY = 0.9
"""The share of rows with as many cells as the header, for a file with a few faults."""
_EXCEL = re.compile(r'"?sep=(\\t|.)"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True)
class _Cells:
    """How the beginning of a text reads with a separator."""

    mark: str
    cells: int
    share: float
    prose: bool

    @property
    def whole(self) -> bool:
        """Has every row as many cells as the header?"""
        return self.share == 1.0


def named_by_excel(text: str) -> tuple[str | None, str]:
    """The separator in a first line ``sep=;`` as Excel writes it, and the text after that line."""
    match = _EXCEL.match(text)
    if match is None:
        return None, text
    return match[1].replace("\\t", "\t"), text[match.end() :]


def tell_separator(text: str, usual: str, path: Path) -> str | None:
    """The separator of a text: one of `NAMES`; None where its rows have one cell each.

    `usual` is what files of its name have, and goes before others that read as well. Raises
    `InputError` where two readings are as good.
    """
    beginning = _beginning(text)
    fits = [one for mark in NAMES if (one := _with(beginning, mark)) is not None]
    whole = [one for one in fits if one.whole]
    if not whole:
        mostly = [one for one in fits if one.share >= _MOSTLY]
        best = max(mostly or fits, key=lambda one: (one.share, one.mark == usual), default=None)
        if best is not None and not mostly:
            best = next((one for one in fits if one.mark == usual), best)
        return best.mark if best else None
    if len(whole) > 1 and not all(one.prose for one in whole):
        whole = [one for one in whole if not one.prose]
    tabs = [one for one in whole if one.mark == "\t"]
    most = [one for one in whole if one.cells == max(other.cells for other in whole)]
    best_ones = tabs or most
    if len(best_ones) > 1:
        raise InputError(_either(path, best_ones[0].mark, best_ones[1].mark))
    return best_ones[0].mark


def _beginning(text: str) -> str:
    """Whole lines."""
    if len(text) <= _FIRST:
        return text
    return text[: text.rfind("\n", 0, _FIRST) + 1] or text[:_FIRST]


def _with(text: str, mark: str) -> _Cells | None:
    """None where the first row has one cell."""
    quoted = _counts(text, mark, 0)
    plain = _counts(text, mark, 3) if mark == "\t" else []
    best: _Cells | None = None
    for counts in (quoted, plain):
        if not counts or counts[0] < 2:
            continue
        share = sum(count == counts[0] for count in counts) / len(counts)
        if best is None or share > best.share:
            spaced = len(re.findall(re.escape(mark) + " ", text))
            best = _Cells(mark, counts[0], share, spaced == text.count(mark))
    return best


def _counts(text: str, mark: str, quoting: Literal[0, 3]) -> list[int]:
    """Cells of each row; empty ones that stand beyond the header's last do not count."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=mark, quoting=quoting, skipinitialspace=True
    )
    counts: list[int] = []
    try:
        for cells in reader:
            if not any(cells):
                continue
            width = counts[0] if counts else len(cells)
            counts.append(len(cells) if any(cells[width:]) else min(len(cells), width))
    except csv.Error:
        return counts
    return counts


def _either(path: Path, one: str, other: str) -> Fault:
    marks: Sequence[str] = (one, other)
    ways = [
        f"(echo 'sep={mark}'; cat {quote(str(path))}) > "
        f"{quote(str(path.with_name(f'{path.stem}.{NAMES[mark]}.csv')))}"
        for mark in marks
    ]
    return Fault(
        f"the cells may be parted by {NAMES[one]} or by {NAMES[other]}: both fit each row",
        expected="one of them, named in a first line as Excel does",
        do=" , or ".join(ways),
        where=str(path),
    )
