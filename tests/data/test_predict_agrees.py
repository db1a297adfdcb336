"""What check reads, predict reads too: the same texts of the same odd file."""

from __future__ import annotations

from pathlib import Path

import pytest
from layouts import ENGLISH, LAYOUTS, Layout, joined
from test_layouts import request

from nshot.data import load
from nshot.data.blocks.opening import open_inputs

ODD = [
    layout
    for layout in LAYOUTS
    if layout.kind in ("classify", "multilabel") and len(layout.files) == 1 and not layout.flags
    and layout.group in ("tables", "JSON", "public sets")
    and not next(iter(layout.files)).endswith((".txt", ".yaml"))
]  # fmt: skip


@pytest.mark.parametrize("layout", ODD, ids=lambda layout: layout.name)
def test_the_texts_that_check_reads_are_those_that_predict_reads(
    layout: Layout, tmp_path: Path
) -> None:
    request(layout, tmp_path / "data")
    path = tmp_path / "data" / next(iter(layout.files))
    loaded = load(path)
    texts = {row.input.fields for row in (*loaded.train, *(loaded.test or ()))}
    blocks = open_inputs([path], loaded.task)
    read = {row.input.fields for block in blocks for row in block.rows() if row.input}
    assert texts <= read


@pytest.mark.parametrize("mark", [";", "^", "|||", " :: "])
def test_a_file_that_is_read_row_by_row_is_parted_alike(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("text", "label"), *ENGLISH]
    (tmp_path / "t.csv").write_text(joined(rows, mark))
    task = load(tmp_path / "t.csv").task
    monkeypatch.setattr("nshot.data.blocks.text.BEGINNING", 64)
    blocks = open_inputs([tmp_path / "t.csv"], task)
    texts = [row.input.text for block in blocks for row in block.rows() if row.input]
    assert texts == [text for text, _ in ENGLISH]
