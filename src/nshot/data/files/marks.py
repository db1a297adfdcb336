"""Texts whose cells are parted in a way that the csv module does not know, written as it does."""

from __future__ import annotations

import re
from typing import NamedTuple

_RARE = ("^", "~", "\x01", "\x1f", "\xa6")
"""Single signs that part cells where no usual one does."""
_BARS = ("|||", "||")
_LONG = (*_BARS, "::", "@@@", "$$$", "###", "~~~", "=>", "->")
"""Signs of several characters that do."""
UNIT = "\x1f"
"""What stands for a long sign: the control character for this."""
_RULE = re.compile(r"\|?[\s|:+-]*-[\s|:+-]*\|?")
_BOXED = 0.9
_LOOKED_AT = 1 << 16
"""Characters in which a bar stands, if bars part the cells."""


class Plain(NamedTuple):
    """A text to be read with the separator `mark` ("": a usual one), and what was assumed.

    Where a sign of several characters parts the cells it is `long`, and `mark` stands for it.
    """

    text: str
    mark: str = ""
    note: str = ""
    long: str = ""


def plainly(text: str) -> Plain:
    """A text with a sign of several characters, or drawn as a table with bars, as mere cells."""
    if "|" not in text[:_LOOKED_AT]:
        return Plain(text)
    lines = [line for line in text.splitlines() if line.strip()]
    if _is_drawn(lines):
        rows = [line.strip().strip("|") for line in lines if not _RULE.fullmatch(line.strip())]
        rows = ["|".join(cell.strip() for cell in row.split("|")) for row in rows]
        return Plain("\n".join(rows) + "\n", "|", "a table drawn with bars")
    bars = next((mark for mark in _BARS if _parts(lines, mark)), None)
    return _long(text, bars) if bars else Plain(text)


def rarely(text: str) -> Plain | None:
    """A text parted by a rare sign, where no usual one parts it: each line has as many of it."""
    lines = [line for line in text.splitlines() if line.strip()]
    for mark in (*_RARE, *_LONG):
        if _parts(lines, mark):
            if len(mark) > 1:
                return _long(text, mark)
            return Plain(text, mark, f"parted by {mark!r}")
    return None


def _long(text: str, mark: str) -> Plain:
    return Plain(text, UNIT, f"parted by {mark!r}", mark)


def with_unit(text: str, long: str) -> str:
    """The text with `UNIT` for a long sign and the spaces beside it."""
    return re.sub(rf"[ ]*{re.escape(long)}[ ]*", UNIT, text)


def _parts(lines: list[str], mark: str) -> bool:
    counts = {line.count(mark) for line in lines}
    return len(lines) > 1 and len(counts) == 1 and counts != {0}


def _is_drawn(lines: list[str]) -> bool:
    """Bars on both sides of each line, and a line of nothing but bars and hyphens."""
    boxed = sum(line.strip()[:1] == "|" == line.strip()[-1:] for line in lines)
    ruled = any(_RULE.fullmatch(line.strip()) for line in lines[:3])
    return ruled and boxed >= _BOXED * len(lines)
