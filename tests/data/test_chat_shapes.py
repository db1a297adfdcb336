"""Conversations under other keys, roles and shapes than those of OpenAI and ShareGPT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from layouts import ENGLISH, lines, quoted

from nshot.core.errors import InputError
from nshot.data import load
from nshot.data.formats.turns import BY_TURNS, THOUGHTS

ASK, ANSWER = "Name fruit {}", "an apple {}"


def said(role: str, words: str, who: str = "role", what: str = "content") -> dict[str, str]:
    return {who: role, what: words}


SHAPES: dict[str, Any] = {
    "Gemini": lambda a, b: {"contents": [
        {"role": "user", "parts": [{"text": a}]}, {"role": "model", "parts": [{"text": b}]}]},
    "Cohere": lambda a, b: {"messages": [said("User", a), said("Chatbot", b)]},
    "any key": lambda a, b: {"id": 1, "items": [
        said("human", a, "from", "value"), said("gpt", b, "from", "value")]},
    "pairs": lambda a, b: {"conversation": [{"human": a, "assistant": b}]},
    "texts by turns": lambda a, b: {"dialog": [a, b]},
    "JSON in a cell": lambda a, b: {"messages": json.dumps([said("user", a), said("bot", b)])},
    "Python in a cell": lambda a, b: {"messages": str([said("user", a), said("bot", b)])},
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_conversation_of_any_shape_is_read(name: str, tmp_path: Path) -> None:
    rows = [SHAPES[name](ASK.format(i), ANSWER.format(i)) for i in range(8)]
    path = tmp_path / "g.jsonl"
    path.write_text(lines(rows))
    loaded = load(path)
    assert loaded.task.kind == "generate"
    turns = [(turn.role, turn.text) for turn in loaded.train[3].input.turns]
    assert (turns, loaded.train[3].targets) == ([("user", ASK.format(3))], (ANSWER.format(3),))
    assert any(BY_TURNS in note for note in loaded.notes) == (name == "texts by turns")


def test_gemini_has_its_instruction_beside(tmp_path: Path) -> None:
    rows = [
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}, **SHAPES["Gemini"](f"Q{i}", "A")}
        for i in range(8)
    ]
    path = tmp_path / "g.jsonl"
    path.write_text(lines(rows))
    turns = load(path).train[0].input.turns
    assert [(turn.role, turn.text) for turn in turns] == [("system", "Be brief."), ("user", "Q0")]


@pytest.mark.parametrize(
    "answer",
    [{"role": "assistant", "reasoning_content": "hm", "content": "A"},
     {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"},
                                       {"type": "text", "text": "A"}]}],
)  # fmt: skip
def test_reasoning_beside_an_answer_is_told_and_counted(answer: Any, tmp_path: Path) -> None:
    rows = [{"messages": [said("user", f"Q{i}"), answer]} for i in range(8)]
    path = tmp_path / "g.jsonl"
    path.write_text(lines(rows))
    loaded = load(path)
    assert loaded.train[0].targets == ("A",)
    assert f"8 rows: {THOUGHTS}" in loaded.notes


@pytest.mark.parametrize("name", ["conversation", "contents", "data", "items"])
def test_a_text_under_such_a_key_is_a_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(quoted([(name, "label"), *ENGLISH]))
    assert [(r.input.text, r.label) for r in load(path, text=[name]).train] == ENGLISH
    loaded = load(path)
    assert (loaded.task.kind, len(loaded.train)) == ("classify", 16)


def test_messages_that_are_a_text_stay_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text(lines([{"messages": f"text {i}"} for i in range(8)]))
    with pytest.raises(InputError, match="a list of turns"):
        load(path)
