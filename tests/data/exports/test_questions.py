"""Exports with several questions a text, and those of clouds and of old versions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from layouts import ENGLISH, quoted

from nshot.core.errors import InputError
from nshot.core.spans import spans_of
from nshot.data import Loaded, load

URGENT = ["no", "yes"]


def labelled(loaded: Loaded) -> list[tuple[str, str]]:
    return [(row.input.text, row.label) for row in loaded.train]


def write(path: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def choice(control: str, value: str) -> dict[str, Any]:
    return {"from_name": control, "type": "choices", "value": {"choices": [value]}}


def argilla(text: str, topic: str, number: int) -> dict[str, Any]:
    given = {"topic": topic, "urgent": URGENT[number % 2]}
    return {
        "fields": {"text": text},
        "responses": {
            name: [{"value": value, "status": "submitted"}] for name, value in given.items()
        },
    }


def flat(text: str, topic: str, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"text": text}
    for name, value in {"topic": topic, "urgent": URGENT[number % 2]}.items():
        row |= {f"{name}.responses": [value], f"{name}.responses.users": ["u"]}
        row[f"{name}.responses.status"] = ["submitted"]
    return row


def task(text: str, topic: str, number: int) -> dict[str, Any]:
    result = [choice("topic", topic), choice("urgent", URGENT[number % 2])]
    return {"data": {"text": text}, "annotations": [{"result": result}]}


@pytest.mark.parametrize("row", [task, argilla, flat])
def test_of_two_questions_the_message_asks_and_its_commands_work(row: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "p.json", [row(t, n, i) for i, (t, n) in enumerate(ENGLISH)])
    with pytest.raises(InputError, match="2 questions were answered: topic, urgent") as error:
        load(path)
    asks = re.findall(r"--label (\w+)", error.value.faults[0].do)
    assert asks == ["topic", "urgent"]
    assert labelled(load(path, label="topic")) == ENGLISH
    assert load(path, label="urgent").task.label_names == ("no", "yes")
    assert load(path, label="topic").task.answer_name == "Topic"
    with pytest.raises(InputError, match="no column 'tpic'"):
        load(path, label="tpic")


def test_two_columns_of_answers_in_a_table_of_label_studio(tmp_path: Path) -> None:
    head = ("annotation_id", "id", "lead_time", "text", "topic", "urgent")
    rows = [(i, i, 1.5, t, n, URGENT[i % 2]) for i, (t, n) in enumerate(ENGLISH)]
    path = write(tmp_path / "p.csv", quoted([head, *rows]))
    with pytest.raises(InputError, match="2 questions were answered: topic, urgent"):
        load(path)
    assert labelled(load(path, label="topic", text=["text"])) == ENGLISH


def test_columns_of_label_studio_by_the_alphabet(tmp_path: Path) -> None:
    head = ("annotation_id", "annotator", "id", "lead_time", "sentiment", "text", "updated_at")
    rows = [(i, 1, i, 1.5, n, t, "2024") for i, (t, n) in enumerate(ENGLISH)]
    assert labelled(load(write(tmp_path / "p.csv", quoted([head, *rows])))) == ENGLISH


def test_answers_beside_pieces_that_were_marked_are_told(tmp_path: Path) -> None:
    tasks = [
        {"data": {"text": t}, "annotations": [{"result": [
            {"from_name": "names", "type": "labels",
             "value": {"start": 0, "end": 3, "labels": ["W"]}},
            choice("topic", n)]}]}
        for t, n in ENGLISH
    ]  # fmt: skip
    path = write(tmp_path / "p.json", tasks)
    loaded = load(path)
    assert loaded.task.kind == "spans"
    assert spans_of(loaded.train[0].targets[0])[0].end == 3
    assert any("'topic' was answered: not used (--label topic" in note for note in loaded.notes)
    assert labelled(load(path, label="topic")) == ENGLISH


def test_label_studio_of_old(tmp_path: Path) -> None:
    tasks = [
        {"data": {"text": t}, "completions": [{"result": [choice("c", n)]}]} for t, n in ENGLISH
    ]
    assert labelled(load(write(tmp_path / "p.json", tasks))) == ENGLISH


NUMBERS = {"parcel": 0, "refund": 1}
EXPORTS = {
    "Ground Truth": lambda t, n: {
        "source": t, "job": NUMBERS[n], "job-metadata": {"class-name": n, "confidence": 0.9}},
    "Vertex": lambda t, n: {"textContent": t, "classificationAnnotation": {"displayName": n}},
    "doccano 1": lambda t, n: {
        "id": 1, "text": t, "annotations": [{"label": n, "user": 1}], "meta": {}},
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_names_of_labels_inside_objects(name: str, tmp_path: Path) -> None:
    rows = [EXPORTS[name](t, n) for t, n in ENGLISH]
    path = write(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    loaded = load(path)
    assert labelled(loaded) == ENGLISH
    assert any("an export of" in note for note in loaded.notes)


def test_several_labels_of_ground_truth(tmp_path: Path) -> None:
    rows = [
        {"source": t, "job": [NUMBERS[n]], "job-metadata": {
            "class-map": {"2": "urgent", str(NUMBERS[n]): n}}} for t, n in ENGLISH
    ]  # fmt: skip
    path = write(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert load(path).task.label_names == ("parcel", "refund", "urgent")


def test_vertex_says_which_rows_are_for_testing(tmp_path: Path) -> None:
    rows = [
        {"textContent": t, "classificationAnnotation": {"displayName": n},
         "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": use}}
        for (t, n), use in zip(ENGLISH, ["training"] * 12 + ["test"] * 4, strict=True)
    ]  # fmt: skip
    path = write(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    loaded = load(path)
    assert (len(loaded.train), len(loaded.test or ())) == (12, 4)


def test_one_label_to_accept_has_a_contrary(tmp_path: Path) -> None:
    rows = [
        {"text": t, "label": "REFUND", "_task_hash": i,
         "answer": "accept" if n == "refund" else "reject"}
        for i, (t, n) in enumerate(ENGLISH)
    ]  # fmt: skip
    loaded = load(write(tmp_path / "p.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert loaded.task.label_names == ("REFUND", "not REFUND")
    assert any("rejected have the label 'not REFUND'" in note for note in loaded.notes)


def test_intents_beside_entities_are_two_tasks(tmp_path: Path) -> None:
    examples = [
        {"text": t, "intent": n, "entities": [{"start": 0, "end": 3, "entity": "w"}] * (i % 2)}
        for i, (t, n) in enumerate(ENGLISH)
    ]
    path = write(tmp_path / "nlu.json", {"rasa_nlu_data": {"common_examples": examples}})
    with pytest.raises(InputError, match="two tasks") as error:
        load(path)
    assert re.findall(r"--label (\w+)", error.value.faults[0].do) == ["intent", "entities"]
    assert labelled(load(path, label="intent")) == ENGLISH
    assert load(path, label="entities").task.kind == "spans"
