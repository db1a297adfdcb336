"""The plain scripts of instruction tuning run, and the loss on rows they do not learn falls."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from tiny import tiny_llama

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"


def chat(i: int) -> dict:
    said = ("user", f"say card {i}"), ("assistant", "card arrival"), ("user", "and?")
    turns = [*said, ("assistant", "late transfer")]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


@pytest.mark.parametrize(("name", "kept"), [("instruct", "adapter"), ("instruct_full", "tuned")])
def test_a_script_teaches_and_saves(name, kept, tmp_path, monkeypatch, capsys):
    base = tiny_llama(tmp_path / "tiny")
    rows = "".join(json.dumps(chat(i)) + "\n" for i in range(40))
    (tmp_path / "chats.jsonl").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(base), "chats.jsonl", "chats.jsonl"])
    before = set(sys.modules)
    runpy.run_path(str(PLAIN / f"{name}.py"))
    assert not {m for m in set(sys.modules) - before if m.split(".")[0] == "nshot"}
    first, last = map(float, re.findall(r"loss \w+ ([\d.]+)", capsys.readouterr().out))
    assert last < first
    assert list((tmp_path / kept).glob("*.safetensors"))
