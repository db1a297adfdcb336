"""Exports of labelling tools in which pieces of the text were marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nshot.core.spans import Span, spans_of
from nshot.data.loading import Loaded, load

TEXT = "Kim lives in Seoul"
KIM, SEOUL = Span(0, 3, "PER"), Span(13, 18, "LOC")


def studio(*annotators: list[tuple[int, int, str]]) -> dict[str, Any]:
    """Label Studio's: an annotation for each annotator."""
    annotations = [
        {"result": [
            {"type": "labels", "from_name": "label", "to_name": "text",
             "value": {"start": s, "end": e, "text": TEXT[s:e], "labels": [label]}}
            for s, e, label in spans
        ]} for spans in annotators
    ]  # fmt: skip
    return {"id": 1, "data": {"text": TEXT}, "annotations": annotations}


def prodigy(*spans: tuple[int, int, str], answer: str = "accept") -> dict[str, Any]:
    marked = [{"start": s, "end": e, "label": x, "token_start": 0} for s, e, x in spans]
    row = {"text": TEXT, "tokens": [], "answer": answer, "_input_hash": 1, "_task_hash": 2}
    return {**row, "spans": marked} if spans else row


def doccano(*spans: tuple[int, int, str]) -> dict[str, Any]:
    return {"id": 1, "text": TEXT, "label": [list(span) for span in spans], "Comments": []}


PER, LOC = (0, 3, "PER"), (13, 18, "LOC")
CASES = {
    "Label Studio": [studio([PER, LOC]), studio([LOC]), studio([])],
    "Prodigy": [prodigy(PER, LOC), prodigy(LOC), prodigy(), prodigy(PER, answer="reject")],
    "doccano": [doccano(PER, LOC), doccano(LOC), doccano()],
}


def read(folder: Path, rows: list[Any]) -> Loaded:
    path = folder / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("tool", CASES)
def test_marked_pieces_are_spans(tool: str, tmp_path: Path) -> None:
    loaded = read(tmp_path, CASES[tool])
    assert loaded.task.kind == "spans"
    spans = [spans_of(row.targets[0]) for row in loaded.train]
    assert spans == [(KIM, SEOUL), (SEOUL,), ()]
    assert any(f"an export of {tool}" in note for note in loaded.notes)


def test_of_several_annotators_more_than_half_must_have_marked_a_span(tmp_path: Path) -> None:
    rows = [studio([PER, LOC], [PER], [PER, (4, 9, "LOC")]), studio([PER], []), studio([LOC])]
    loaded = read(tmp_path, rows)
    assert [spans_of(row.targets[0]) for row in loaded.train] == [(KIM,), (), (SEOUL,)]
    assert any("2 rows have several annotators: spans that" in note for note in loaded.notes)


def test_spacys_lists_need_no_tool(tmp_path: Path) -> None:
    rows = [{"text": TEXT, "entities": [PER, LOC]}, {"text": TEXT, "entities": []}]
    loaded = read(tmp_path, rows)
    assert [spans_of(row.targets[0]) for row in loaded.train] == [(KIM, SEOUL), ()]
