"""The plain scripts of instruction tuning take the method's loss, and it falls where none learn."""

from __future__ import annotations

import re

import pytest
import torch
from plain_scripts import PLAIN, lines, run

from nshot.core.types import ModelRef, Shots
from nshot.data import load
from nshot.methods.finetune.instruct import Instruct
from nshot.models import open_models
from tiny import tiny_llama


def chat(i: int) -> dict:
    first = ("user", f"say card {i}"), ("assistant", "card arrival" if i % 2 else "카드 도착")
    turns = [*first, ("user", "and?"), ("assistant", "late transfer")]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def method_loss(base, path, module) -> float:
    """nshot's mean loss of a token that is taught, read with what the script has trained."""
    method, loaded = Instruct(validation=0.0), load(path)
    data, part = (of(loaded.task, Shots(loaded.train), 0) for of in (method.data, method.part))
    with open_models().lend(ModelRef("hf", str(base))) as lent:
        lesson = data.lesson(lent, lent.facts.context)
    model, objective = data.reader(module, lesson, part, "cpu", str), method.objective()
    with torch.no_grad():
        return float(objective.total(model, lesson.rows)) / objective.weight(lesson.rows)


@pytest.mark.parametrize(("name", "kept"), [("instruct", "adapter"), ("instruct_full", "tuned")])
def test_a_script_teaches_and_saves(name, kept, tmp_path, monkeypatch, capsys):
    base = tiny_llama(tmp_path / "tiny")
    rows = [chat(i) for i in range(40)]
    lines(tmp_path / "chats.jsonl", rows)
    lines(tmp_path / "test.jsonl", [*rows, {"messages": rows[0]["messages"][:2]}])
    names = run(monkeypatch, tmp_path, PLAIN / f"{name}.py", base, "chats.jsonl", "test.jsonl")
    first, last = map(float, re.findall(r"loss \w+ ([\d.]+)", capsys.readouterr().out))
    assert last < first
    assert last == pytest.approx(
        method_loss(base, tmp_path / "test.jsonl", names["model"]), abs=1e-4
    )
    assert list((tmp_path / kept).glob("*.safetensors"))
