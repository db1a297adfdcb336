"""The plain script that probes layers of an image network runs on a tiny one."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plain" / "picture_probe.py"


def test_the_script_tells_colours_apart(tmp_path, monkeypatch, capsys):
    import torch
    from PIL import Image
    from transformers import ResNetConfig, ResNetModel

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ResNetModel(config).save_pretrained(tmp_path / "network")
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, colour in {"red": (200, 60, 60), "blue": (60, 60, 200)}.items():
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(4):
                pixels = np.clip(np.array(colour) + rng.normal(0, 30, (32, 32, 3)), 0, 255)
                file = tmp_path / part / name / f"{i}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(file)
    assert len(SCRIPT.read_text().splitlines()) <= 45
    words = [str(tmp_path / name) for name in ("network", "train", "test")]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    runpy.run_path(str(SCRIPT))
    assert float(capsys.readouterr().out.split()[-1]) > 0.9
