"""The plain scripts that learn from background classes run, and do as well as the methods."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nshot.data.collections import load
from nshot.data.episodes import EpisodeShape, draw
from nshot.methods import TABLE
from nshot.methods.fewshot import learning
from nshot.nets import answering
from nshot.nets.learner import embed_all

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"
SCRIPTS = ("prototypical", "matching", "relation", "meta_baseline", "maml")
ASKED = EpisodeShape(5, 1, 5)


def told(name: str, file: Path, steps: int, monkeypatch, capsys) -> float:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(file), str(steps)])
    torch.manual_seed(0)
    runpy.run_path(str(PLAIN / f"{name}.py"))
    return float(capsys.readouterr().out.split("accuracy ")[1])


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_trains_and_scores(name, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    arrays = {
        "images": rng.integers(0, 256, (30 * 8, 16, 16), dtype=np.uint8),
        "class_id": np.repeat(np.arange(30), 8),
        "split": np.repeat(np.arange(30) >= 20, 8).astype(np.int64),
    }
    np.savez(tmp_path / "noise.npz", **arrays)
    assert 0.1 < told(name, tmp_path / "noise.npz", 1, monkeypatch, capsys) < 0.5


@pytest.mark.full
@pytest.mark.data
@pytest.mark.parametrize("name", SCRIPTS)
def test_on_omniglot_script_and_method_are_level(name, data, monkeypatch, capsys):
    """Weights and draws differ, so the two are level within some points, far above chance."""
    file = data / "omniglot" / "omniglot28.npz"
    theirs = told(name, file, 60, monkeypatch, capsys)
    cut = load(file)
    steps = [60, 60] if name == "meta_baseline" else [60]
    method = TABLE.build({"method": name, "steps": steps})
    learner = learning.fresh(method, cut.background.shape, 0)
    learning.train(method, learner, cut.background, steps, seed=0)
    drawn = draw(cut.evaluation.counts, ASKED, 0, 200, 0)
    features = embed_all(learner, torch.from_numpy(cut.evaluation.items))
    right = answering.correct(answering.answer(learner, features, drawn, ASKED), ASKED)
    ours = answering.accuracy(right, ASKED).mean
    assert theirs > 0.4
    assert ours == pytest.approx(theirs, abs=0.08)
