"""Every layout of `layouts.py` is read as it says, or refused in the words it says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from layouts import LAYOUTS, Layout

from nshot.bench.request import Request
from nshot.bench.task_rows import checked_rows
from nshot.cli.flags import read
from nshot.cli.main import parser
from nshot.core.errors import InputError

DOCS = Path(__file__).parents[2] / "docs"


def request(layout: Layout, folder: Path) -> Request:
    """The layout's files, written, and what is typed."""
    for name, content in layout.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    only = next(iter(layout.files)) if len(layout.files) == 1 else ""
    flags = [flag.format(folder) for flag in layout.flags]
    words = ["check", str(folder / (layout.where or only)), *flags]
    return read(Request, parser(words).parse_args(words))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_read_or_refused_as_it_says(layout: Layout, tmp_path: Path) -> None:
    asks = request(layout, tmp_path / "data")
    if not layout.kind:
        with pytest.raises(InputError, match=layout.note):
            checked_rows(asks)
        return
    task, rows = checked_rows(asks)
    examples = [*rows.train, *rows.test]
    assert (task.kind, len(examples)) == (layout.kind, layout.rows)
    assert task.label_names == layout.labels
    assert layout.note in "\n".join(rows.notes)
    assert not layout.first or layout.first in [example.input.text for example in examples]


def test_the_page_of_layouts_is_made_from_them() -> None:
    made = runpy.run_path(str(DOCS / "make_layouts.py"))
    assert (DOCS / "layouts.md").read_text(encoding="utf-8") == made["page"]()


def test_sixty_layouts_and_more_no_name_twice() -> None:
    names = [layout.name for layout in LAYOUTS]
    assert len(names) == len(set(names)) >= 60
