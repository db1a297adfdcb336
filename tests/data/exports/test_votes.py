"""Exports of labelling tools, as the tools write them, read as rows with labels."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from nshot.core.errors import InputError
from nshot.data.loading import Loaded, load

TEXTS = ["the card is late", "where is my parcel", "i want money back", "card lost", "pay me back",
         "소포가 안 와요", "환불해 주세요", "the parcel broke"]  # fmt: skip
LABELS = ["card", "parcel", "refund", "card", "refund", "parcel", "refund", "parcel"]
ROWS = list(zip(TEXTS, LABELS, strict=True))


def write(path: Path, rows: list[Any]) -> Path:
    body = json.dumps(rows) if path.suffix == ".json" else "".join(
        json.dumps(row, ensure_ascii=False) + "\n" for row in rows
    )  # fmt: skip
    path.write_text(body, encoding="utf-8")
    return path


def labelled(loaded: Loaded) -> list[tuple[str, str]]:
    return [(example.input.text, example.label) for example in loaded.train]


def task(text: str, *choices: str, **more: Any) -> dict[str, Any]:
    """Label Studio's: one annotation for each of the choices."""
    annotations = [
        {"completed_by": i, "result": [{"type": "choices", "from_name": "topic",
                                        "value": {"choices": [choice]}}], **more}
        for i, choice in enumerate(choices)
    ]  # fmt: skip
    return {"id": 1, "data": {"text": text}, "annotations": annotations, "predictions": []}


def session(text: str, label: str, who: str, answer: str = "accept") -> dict[str, Any]:
    """Prodigy's."""
    number = zlib.crc32(text.encode())
    return {"text": text, "label": label, "answer": answer, "_input_hash": number,
            "_task_hash": number + 1, "_session_id": who}  # fmt: skip


def record(text: str, *values: str, status: str = "submitted") -> dict[str, Any]:
    """Argilla's."""
    given = [{"value": v, "user_id": f"u{i}", "status": status} for i, v in enumerate(values)]
    return {"id": text, "fields": {"text": text}, "responses": {"topic": given}, "metadata": {}}


SHAPES = {
    "Label Studio": ("a.json", lambda t, label: task(t, label)),
    "Label Studio (a row an annotation)": (
        "a.jsonl",
        lambda t, label: {"text": t, "id": TEXTS.index(t), "sentiment": label, "annotator": 1,
                          "annotation_id": 5, "created_at": "2026", "lead_time": 1.5},
    ),
    "doccano": ("a.jsonl", lambda t, label: {"id": 1, "text": t, "label": [label], "Comments": []}),
    "Prodigy": ("a.jsonl", lambda t, label: {"text": t, "label": label, "answer": "accept",
                                             "_input_hash": 1, "_task_hash": 2}),
    "Argilla": ("a.json", lambda t, label: record(t, label)),
    "Argilla (flat)": (
        "a.jsonl",
        lambda t, label: {"text": t, "topic.responses": [label], "topic.responses.users": ["u"],
                          "topic.responses.status": ["submitted"], "id": t},
    ),
    "spaCy cats": (
        "a.jsonl", lambda t, label: {"text": t, "cats": {n: float(n == label) for n in
                                                         ("card", "parcel", "refund")}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_one_annotator_a_row(name: str, tmp_path: Path) -> None:
    file, shape = SHAPES[name]
    loaded = load(write(tmp_path / file, [shape(text, label) for text, label in ROWS]))
    assert labelled(loaded) == ROWS
    assert loaded.task.label_names == ("card", "parcel", "refund")
    assert f"{file}: an export of {name}" in loaded.notes


def test_prodigys_options_are_choices(tmp_path: Path) -> None:
    options = [{"id": name, "text": name} for name in ("card", "parcel", "refund")]
    rows = [{"text": t, "options": options, "accept": [label], "answer": "accept"}
            for t, label in ROWS]  # fmt: skip
    assert labelled(load(write(tmp_path / "a.jsonl", rows))) == ROWS


def test_what_was_rejected_or_skipped_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [session(text, label, "") for text, label in ROWS]
    rows += [session("not a card", "card", "", "reject"), session("?", "card", "", "ignore")]
    loaded = load(write(tmp_path / "a.jsonl", rows))
    assert labelled(loaded) == ROWS
    assert {"1 rows left out: answer: reject", "1 rows left out: answer: ignore"} <= {*loaded.notes}
    tasks = [task(text, label) for text, label in ROWS] + [task("?", "card", was_cancelled=True)]
    loaded = load(write(tmp_path / "b.json", tasks))
    assert labelled(loaded) == ROWS
    assert "1 rows left out: skipped by the annotator" in loaded.notes
    records = [record(t, label) for t, label in ROWS] + [record("?", "card", status="discarded")]
    assert "1 rows left out: discarded" in load(write(tmp_path / "c.json", records)).notes


def test_several_annotators_become_a_vote_and_their_agreement_is_said(tmp_path: Path) -> None:
    tasks = [task(text, label, label, label) for text, label in ROWS]
    tasks[0] = task(TEXTS[0], "card", "refund", "card")
    tasks.append(task("level", "card", "refund"))
    loaded = load(write(tmp_path / "a.json", tasks))
    assert labelled(loaded) == ROWS
    (note,) = [note for note in loaded.notes if "annotators" in note]
    assert note.startswith("9 rows have several annotators (Krippendorff's alpha 0.")
    assert note.endswith("they differ on 2 (row 1, 9)")
    assert "1 rows have two labels equally often: no label" in loaded.notes


def test_rows_of_one_text_by_several_people_are_one_row(tmp_path: Path) -> None:
    rows = [session(t, label, who) for who in ("ann", "ben") for t, label in ROWS]
    loaded = load(write(tmp_path / "a.jsonl", rows))
    assert labelled(loaded) == ROWS
    assert any("8 rows have several annotators" in note for note in loaded.notes)


def test_a_row_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    boxes = {"id": 9, "data": {"text": "Seoul"}, "predictions": [], "annotations": [
        {"result": [{"type": "rectanglelabels", "value": {"x": 0, "y": 5}}]}
    ]}  # fmt: skip
    with pytest.raises(InputError, match="cannot be read as an export of Label Studio"):
        load(write(tmp_path / "a.json", [*(task(t, label) for t, label in ROWS), boxes]))


def test_a_table_of_texts_and_labels_is_no_export(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in ROWS]
    loaded = load(write(tmp_path / "a.jsonl", rows))
    assert not any("an export of" in note for note in loaded.notes)
