"""The plain scripts that learn from preferences minimise what the methods do, and leave files."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plain_scripts import PLAIN, lines, run

from nshot.core.types import ModelRef, Shots
from nshot.data import load
from nshot.methods.align.dpo import DPO
from nshot.methods.align.kto import KTO
from nshot.methods.align.reward import Reward
from nshot.methods.trained import Trained
from nshot.models import open_models
from nshot.nets.reward_head import RewardLogits
from tiny import tiny_llama

METHODS: dict[str, Trained] = {"reward": Reward(), "dpo": DPO(), "kto": KTO()}
LEFT = {
    "reward": {"adapter_model.safetensors", "reward_head.safetensors"},
    "dpo": {"adapter_model.safetensors"},
    "kto": {"adapter_model.safetensors"},
}
PAIRS = [
    {"prompt": f"{thing} {i}?", "chosen": good, "rejected": bad}
    for i in range(6)
    for thing, good, bad in (("tea", "please", "no way"), ("차", "네, 여기요", "싫어"))
]
SAME = {"prompt": "same?", "chosen": "yes", "rejected": "yes "}
JUDGED = [
    {"prompt": one["prompt"], "completion": one[key], "label": key == "chosen"}
    for one in PAIRS
    for key in ("chosen", "rejected")
]


def theirs(name: str, names: dict[str, Any], base: Any, path: Any) -> tuple[float, list[int]]:
    """nshot's loss of a file, read with what the script has trained; its rows in their order."""
    method, loaded = METHODS[name], load(path)
    shots = Shots(loaded.train)
    part, data = method.part(loaded.task, shots, 0), method.data(loaded.task, shots, 0)
    with open_models().lend(ModelRef("hf", str(base))) as lent:
        lesson = data.lesson(lent, lent.facts.context)
    module = names["model"]
    if name == "reward":
        module = RewardLogits(module)
        module.head = names["head"]
    model = data.reader(module, lesson, part, "cpu", lambda sentence: None)
    objective = method.objective()
    with torch.no_grad():
        total = objective.total(model, lesson.rows)
    order = [int(row.id.split("/")[-1]) for row in lesson.rows[0].rows]
    return float(total) / objective.weight(lesson.rows), order


@pytest.mark.parametrize("name", METHODS)
def test_a_script_minimises_what_the_method_does(name, tmp_path, monkeypatch, capsys):
    base, folder = tiny_llama(tmp_path / "tiny"), tmp_path / "work"
    folder.mkdir()
    lines(folder / "rows.jsonl", JUDGED if name == "kto" else [*PAIRS, SAME])
    lines(folder / "test.jsonl", JUDGED[:16] if name == "kto" else [*PAIRS, SAME])
    names = run(monkeypatch, folder, PLAIN / f"{name}.py", base, "rows.jsonl", "test.jsonl")
    assert float(capsys.readouterr().out.split("accuracy ")[1]) > 0.5
    assert {path.name for path in folder.rglob("*.safetensors")} == LEFT[name]
    expected, order = theirs(name, names, base, folder / "test.jsonl")
    rows = names["read"]("test.jsonl")
    if name == "dpo":
        rows = names["tests"]  # with what the reference says
    if name == "kto":
        rows = [rows[i] for i in order]  # each is read with the answer of the next
    else:
        assert len(rows) == len(PAIRS), "two equal answers teach nothing"
    with torch.no_grad():
        assert float(names["loss_of"](rows)) == pytest.approx(expected, abs=1e-5)
