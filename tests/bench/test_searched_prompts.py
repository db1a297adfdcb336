"""A prompt that was searched for, by a command: candidates and both scores stand on the row."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from nshot.cli.main import main
from nshot.core.serial import read_json


def test_the_row_lists_every_candidate_and_says_both_scores(tmp_path: Path) -> None:
    texts = {"refund": "money back please", "card": "my card is lost", "환불": "돈을 돌려 주세요"}
    for part, count in (("train", 20), ("test", 8)):
        with (tmp_path / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            rows = [
                (f"{text} {part} {i}", name) for i in range(count) for name, text in texts.items()
            ]
            writer.writerows(rows)
    out = tmp_path / "out"
    command = [
        "adapt", str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv"),
        "--method", "prompt_search", "--set", "candidates=6",
        "--model", "fake:scorer", "--encoder", "fake:encoder", "--out", str(out),
    ]  # fmt: skip
    with pytest.raises(SystemExit) as end:
        main(command)
    assert not end.value.code
    row = read_json(out / "adapted.json")
    (note,) = [note for note in row["notes"] if note.startswith("searched ")]
    assert "rows that chose it" in note
    assert "rows that chose nothing" in note
    assert sum(trial["chosen"] for trial in row["trials"]) == 1
    assert 2 <= len(row["trials"]) <= 6
    assert row["score"] is not None
    shown = json.dumps(row["trials"], ensure_ascii=False)
    assert "test 0" not in shown
