"""Writes docs/layouts.md from the layouts that the tests read: ``python docs/make_layouts.py``."""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).parent / "layouts.md"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))

from layouts import LAYOUTS, Layout  # noqa: E402

HEAD = """\
# Layouts

How people keep labelled data, and what nshot makes of it. `tests/data/layouts.py` holds a small
file of each, and a test reads it; this page is made from that list by `python
docs/make_layouts.py`. What is assumed beyond a plain reading is printed as a note, by `nshot check`
as by `nshot compare`; the rules stand in [data](data.md).
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for group in dict.fromkeys(layout.group for layout in LAYOUTS):
        rows = [_row(layout) for layout in LAYOUTS if layout.group == group]
        table = ["| layout | read as | the note or the message says |", "|---|---|---|", *rows]
        parts.append(f"## {group[0].upper()}{group[1:]}\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def _row(layout: Layout) -> str:
    flags = [flag for flag in layout.flags if "{}" not in flag and flag != "--test"]
    typed = f" with `{' '.join(flags)}`" if flags else ""
    reading = f"`{layout.kind}`{typed}" if layout.kind else "refused"
    return f"| {_cell(layout.name)} | {reading} | {_cell(layout.note) or '–'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
