"""The plain scripts that learn from rewards run, and leave safetensors."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from tiny import tiny_llama

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"


@pytest.mark.parametrize("name", ["grpo", "ppo"])
def test_a_script_learns_and_saves(name, tmp_path, monkeypatch, capsys):
    base = tiny_llama(tmp_path / "tiny")
    folder = tmp_path / "work"
    folder.mkdir()
    text = "".join(json.dumps({"prompt": f"tea {i}?"}) + "\n" for i in range(2))
    (folder / "prompts.jsonl").write_text(text, encoding="utf-8")
    script = (PLAIN / f"{name}.py").read_text(encoding="utf-8")
    quick = script.replace("tokens=32", "tokens=4").replace(
        "updates, group, rate = read(train), 40, 8", "updates, group, rate = read(train), 2, 3"
    )
    quick = quick.replace("read(train), 40, 2, 2", "read(train), 2, 2, 2").replace("k=32", "k=4")
    assert quick != script
    (folder / "quick.py").write_text(quick, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(base), "prompts.jsonl", "prompts.jsonl"])
    before = set(sys.modules)
    runpy.run_path(str(folder / "quick.py"))
    assert not {m for m in set(sys.modules) - before if m.split(".")[0] == "nshot"}
    assert 0 <= float(capsys.readouterr().out.split("reward ")[1]) <= 1
    assert [path.name for path in folder.rglob("*.safetensors")] == ["adapter_model.safetensors"]
