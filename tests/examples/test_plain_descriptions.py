"""The plain script that tells classes from their descriptions runs on tiny models."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from encoders import tiny_encoder
from scenes import shelf

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plain" / "description_match.py"


def test_the_script_learns_a_map_and_scores(tmp_path, monkeypatch, capsys):
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=16,
    )  # fmt: skip
    ViTModel(config).save_pretrained(tmp_path / "vision")
    tiny_encoder(tmp_path / "sentences")
    shelf(tmp_path / "known", {"red": 3, "green": 3})
    shelf(tmp_path / "new", {"blue": 2, "grey": 2})
    rows = "".join(f"{name},all of it is {name}\n" for name in ("red", "green", "blue", "grey"))
    (tmp_path / "classes.csv").write_text(f"label,description\n{rows}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["vision", "sentences", "known", "new", "classes.csv"]
    monkeypatch.setattr(sys, "argv", ["description_match.py", *words])
    runpy.run_path(str(SCRIPT))
    assert 0 <= float(capsys.readouterr().out.split("accuracy ")[1]) <= 1
    assert (tmp_path / "weights.csv").stat().st_size > 0
