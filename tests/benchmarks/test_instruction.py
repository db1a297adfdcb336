"""The measurement of instruction tuning: kinds, probes, cells that are kept, the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import instruction
import tiny
from instruction_data import SEEN_TASKS, UNSEEN, kind, labelled, probes, requests
from nshot.data.overlap import overlap
from table import data_folder

needs_data = pytest.mark.skipif(not data_folder().exists(), reason="no NSHOT_DATA")


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Explain why the sky is blue.", "english", "explain"),
        ("Classify these animals.", "english", "classify"),
        ("The sky?", "english", None),
        ("하늘이 왜 푸른지 설명하세요.", "korean", "explain"),
        ("다음 문장을 과거형으로 바꾸세요.", "korean", "rewrite"),
    ],
)
def test_the_kind_of_a_request(text: str, language: str, expected: str | None) -> None:
    assert kind(text, language) == expected


def test_a_probe_knows_its_form() -> None:
    found = probes("english")
    assert found["json"][0].keeps('{"name": "apple", "colour": "red"}')
    assert not found["json"][0].keeps('Here: {"name": "apple", "colour": "red"}')
    assert not found["json"][0].keeps('["name", "colour"]')
    assert found["list"][0].keeps("- red\n- round\n\n- sweet")
    assert not found["list"][0].keeps("red, round, sweet")


@pytest.mark.data
@needs_data
@pytest.mark.parametrize("language", ["english", "korean"])
def test_what_is_asked_was_not_taught(language: str) -> None:
    rows = requests(data_folder(), language, 200, 20)
    assert (len(rows.train), len(rows.seen), len(rows.unseen)) == (200, 20, 20)
    assert not overlap(rows.train, [*rows.seen, *rows.unseen]).ids
    for part, unseen in ((rows.train, False), (rows.seen, False), (rows.unseen, True)):
        texts = [row.input.fields[0][1] for row in part]
        assert all((kind(text, language) in UNSEEN) == unseen for text in texts)


@pytest.mark.data
@needs_data
def test_the_labels_of_a_task_are_equally_frequent() -> None:
    for name in SEEN_TASKS:
        labels = [row.label for row in labelled(data_folder(), name, "train", 24)]
        counts = {labels.count(label) for label in labels}
        assert len(counts) == 1


@pytest.mark.data
@needs_data
def test_all_of_it_on_a_tiny_model_and_what_is_whole_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny.tiny_llama(tmp_path / "tiny", context=512)
    words = ["--model", str(model), "--folder", str(tmp_path / "cells"), "--tiny"]
    for what in ("english", "table"):
        assert instruction.main([what, *words]) == 0
    assert "english-base" in capsys.readouterr().out
    assert instruction.main(["english", *words]) == 0
    assert capsys.readouterr().out == "", "every cell was there"
    tuned = json.loads((tmp_path / "cells" / "english-instruct.json").read_text(encoding="utf-8"))
    assert len(tuned["seen"]["ended"]) == 4
    assert tuned["training"]["curve"]["validation"]
    assert instruction.main(["page", "--page", str(tmp_path / "page.md"), *words]) == 0
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| nats a token, unseen kinds |" in text
    assert "No admissible judge" in text
    assert "| lora on sst2 |" in text
    assert "| zero-shot prompt, kept to the labels |" in text
    assert "english-instruct: loss" in (tmp_path / "instruction-curves.svg").read_text("utf-8")
    assert text.count("Not measured.") == 1, "Korean was not"
