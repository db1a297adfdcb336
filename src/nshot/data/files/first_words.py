"""Lines that begin with their label: ``refund: the text``, ``NUM:date a text``, ``1 a text``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from nshot.data.files.opened import Opened
from nshot.data.header import counts_up
from nshot.data.table import Table

_LEAST = 4
_TIMES = 3
"""How often each label stands, on average."""
_MOST, _LONG = 40, 30
"""Labels, and characters of one."""
_FORMS = (
    (re.compile(r"([^\s:][^:]*?)\s*:\s+(\S.*)"), "LABEL: TEXT"),
    (re.compile(r"(\S+)\s{2,}(\S.*)"), "LABEL, spaces, TEXT"),
    (re.compile(r"([A-Z]{2,}(?::\w+)?)\s+(\S.*)"), "LABEL TEXT"),
    (re.compile(r"([-+]?\d{1,3})\s+(\S.*)"), "LABEL TEXT"),
    (re.compile(r"([a-z][a-z_-]*)\s+((?![a-z])[^\W_].*|[\"'(¿¡].*)"), "LABEL TEXT"),
)
"""Ways to write a label before its text: something must set it off, for every text has a first
word. The last: words without a capital before texts that begin with one."""


def labelled_lines(file: Opened, text: str) -> Table | None:
    """Columns ``label`` and ``text``, where all lines begin with one of a few that recur."""
    lines = [(line.strip(), at) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < _LEAST:
        return None
    for form, note in _FORMS:
        matches = [form.fullmatch(line) for line, _ in lines]
        pairs = [(match[1], match[2]) for match in matches if match]
        if len(pairs) == len(lines) and _are_labels(*zip(*pairs, strict=True)):
            table = Table(file.path, ("label", "text"), headed=False)
            table.rows = [{"label": label, "text": words} for label, words in pairs]
            table.places = [at for _, at in lines]
            file.notes.append(f"{file.path.name}: each line begins with its label ({note})")
            return table
    return None


def _are_labels(labels: Sequence[str], texts: Sequence[str]) -> bool:
    """A few that recur before texts that mostly do not, and no numbers of lines."""
    kinds = Counter(labels)
    return (
        1 < len(kinds) <= min(_MOST, len(labels) // _TIMES)
        and max(map(len, kinds)) <= _LONG
        and 2 * len({*texts}) > len(texts)
        and not counts_up(labels)
    )
