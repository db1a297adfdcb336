"""The plain scripts that learn from pairs run, score, and leave safetensors."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from tiny import tiny_llama

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"
LEFT = {
    "reward": {"adapter_model.safetensors", "reward_head.safetensors"},
    "dpo": {"adapter_model.safetensors"},
    "kto": {"adapter_model.safetensors"},
}


@pytest.mark.parametrize("name", LEFT)
def test_a_script_trains_scores_and_saves(name, tmp_path, monkeypatch, capsys):
    base = tiny_llama(tmp_path / "tiny")
    pairs = [{"prompt": f"tea {i}?", "chosen": "please", "rejected": "no way"} for i in range(12)]
    rows = [*pairs, {"prompt": "same?", "chosen": "yes", "rejected": "yes "}]
    if name == "kto":
        sides = (("chosen", True), ("rejected", False))
        rows = [
            {"prompt": one["prompt"], "completion": one[key], "label": liked}
            for one in pairs
            for key, liked in sides
        ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "pairs.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(base), "pairs.jsonl", "pairs.jsonl"])
    before = set(sys.modules)
    runpy.run_path(str(PLAIN / f"{name}.py"))
    assert not {m for m in set(sys.modules) - before if m.split(".")[0] == "nshot"}
    assert float(capsys.readouterr().out.split("accuracy ")[1]) > 0.5
    assert {path.name for path in folder.rglob("*.safetensors")} == LEFT[name]
