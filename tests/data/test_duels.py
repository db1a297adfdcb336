"""Two answers and which of them is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nshot.data import load

ASKED = [f"Say {word} in Korean." for word in ("one", "two", "three", "four", "five", "six")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Q", "response_a": "good", "response_b": "bad", "winner": "a"},
        {"question": "Q", "answer_1": "bad", "answer_2": "good", "better": 2},
        {"instruction": "Q", "input": "", "output_1": "bad", "output_2": "good", "preference": 2},
        {"history": "Q", "human_ref_A": "good", "human_ref_B": "bad", "labels": 1},
        {"history": "Q", "human_ref_A": "bad", "human_ref_B": "good", "labels": 0},
        {"question": "Q", "response_j": "good", "response_k": "bad"},
        {"prompt": "Q", "win": "good", "lose": "bad"},
        {
            "input": {"messages": [{"role": "user", "content": "Q"}], "tools": []},
            "preferred_output": [{"role": "assistant", "content": "good"}],
            "non_preferred_output": [{"role": "assistant", "content": "bad"}],
        },
    ],
)
def test_verdicts_are_read(row: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    text = "".join(json.dumps(row).replace('"Q"', json.dumps(q)) + "\n" for q in ASKED)
    path.write_text(text, encoding="utf-8")
    loaded = load(path)
    assert loaded.task.kind == "rank"
    for example, question in zip(loaded.train, ASKED, strict=True):
        best = example.input.answers[example.grades.index(max(example.grades))]
        assert best == "good"
        assert question in example.input.text or question == example.input.turns[-1].text


def test_ties_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        {"prompt": q, "response_a": "x", "response_b": "y", "winner": ["model_a", "tie"][i % 2]}
        for i, q in enumerate(ASKED)
    ]
    path = tmp_path / "arena.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    loaded = load(path)
    assert len(loaded.train) == 3
    assert any("3 rows left out" in note for note in loaded.notes)


def test_a_verdict_that_nobody_knows_is_no_pair(tmp_path: Path) -> None:
    rows = [
        {"prompt": q, "response_a": "x", "response_b": "y", "label": ["safe", "unsafe"][i % 2]}
        for i, q in enumerate(ASKED)
    ]
    path = tmp_path / "safety.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert load(path, text=["prompt"], label="label").task.kind == "classify"
