"""The plain script of ordered levels runs, and fits what the method fits."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

from encoders import tiny_encoder
from nshot.methods.fewshot.ordinal import proportional_odds

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plain" / "ordinal.py"
WORDS = ("awful", "dull", "fair", "fine", "great")


def test_the_script_fits_line_and_thresholds_of_the_method(tmp_path, monkeypatch, capsys):
    base = tiny_encoder(tmp_path / "tiny")
    rows = [
        (f"{word} film number {i}", stars + 1) for i in range(6) for stars, word in enumerate(WORDS)
    ]
    body = "".join(f"{text},{stars}\n" for text, stars in rows)
    (tmp_path / "rows.csv").write_text(f"review,stars\n{body}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["ordinal.py", str(base), "rows.csv", "rows.csv", "review", "stars"]
    monkeypatch.setattr(sys, "argv", words)
    names = runpy.run_path(str(SCRIPT))
    assert -1 <= float(capsys.readouterr().out.split("kappa ")[1]) <= 1
    weights, thresholds = proportional_odds(names["x"].numpy(), names["y"].numpy(), C=10.0)
    steps = names["steps"].detach().numpy()
    theirs = np.cumsum(np.concatenate([steps[:1], np.exp(steps[1:])]))
    np.testing.assert_allclose(names["w"].detach().numpy(), weights, atol=1e-2)
    np.testing.assert_allclose(theirs, thresholds, atol=1e-2)
