"""The plain scripts that train a language model run, and leave what they say they leave."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tiny import tiny_llama

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"
SCRIPTS = (
    "ia3", "bitfit", "llama_adapter", "bottleneck", "lora", "qlora", "lora_head", "fewer_layers",
    "qat", "pattern_tuning", "in_context_tuning", "full", "prefix", "prompt_tuning", "p_tuning",
)  # fmt: skip
KEPT = {
    "bitfit": "weights.safetensors", "full": "weights.safetensors",
    "bottleneck": "bottleneck.safetensors",
    "fewer_layers": "model.safetensors", "qat": "model.safetensors",
}  # fmt: skip
ROWS = "message,topic\n" + "".join(
    f"my {word} is late {i},{topic}\n"
    for i, (word, topic) in enumerate([("parcel", "parcel"), ("refund", "money")] * 3)
)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", width=64)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_trains_scores_and_saves(name, base, tmp_path, monkeypatch, capsys):
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = [f"{name}.py", str(base), "rows.csv", "rows.csv", "message", "topic"]
    words += ["rows.csv"] * (name == "in_context_tuning")
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(PLAIN / f"{name}.py"))
    assert 0 <= float(capsys.readouterr().out.split("accuracy ")[1]) <= 1
    kept = {path.name for path in tmp_path.rglob("*.safetensors")}
    assert kept == {KEPT.get(name, "adapter_model.safetensors")}


SETS = "message,topics\nlate and cold,late|cold\nlate,late\ncold,cold\nfine,\n"
NUMBERS = "message,days\ntomorrow,1\nin two days,2\nnext week,7\n"


@pytest.mark.parametrize(
    ("name", "rows", "metric"),
    [("lora_head_labels", SETS, "micro_f1"), ("lora_head_number", NUMBERS, "mae")],
)
def test_a_head_of_another_kind(name, rows, metric, base, tmp_path, monkeypatch, capsys):
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = [f"{name}.py", str(base), "rows.csv", "rows.csv", *rows.split("\n")[0].split(",")]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(PLAIN / f"{name}.py"))
    assert 0 <= float(capsys.readouterr().out.split(f"{metric} ")[1]) <= 6
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()
