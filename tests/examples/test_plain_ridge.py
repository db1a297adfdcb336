"""The plain script of numbers runs, and fits what the method fits."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

from encoders import tiny_encoder
from nshot.methods.fewshot.ridge import ridge

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plain" / "ridge.py"
WORDS = ("tiny", "small", "fair", "large", "huge")


def test_the_script_fits_the_weights_of_the_method(tmp_path, monkeypatch, capsys):
    base = tiny_encoder(tmp_path / "tiny")
    flats = [(f"a {word} flat, number {i}", 100.5 * WORDS.index(word) + i) for i in range(6)
             for word in WORDS]  # fmt: skip
    body = "".join(f'"{text}",{price}\n' for text, price in flats)
    (tmp_path / "rows.csv").write_text(f"text,price\n{body}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["ridge.py", str(base), "rows.csv", "rows.csv", "text", "price"]
    monkeypatch.setattr(sys, "argv", words)
    names = runpy.run_path(str(SCRIPT))
    assert float(capsys.readouterr().out.split("r2 ")[1]) <= 1
    vectors = names["encoder"].encode(names["texts"], normalize_embeddings=True)
    weights, bias = ridge(vectors.astype(np.float64), names["known"], 1.0)
    np.testing.assert_allclose(names["head"].coef_, weights, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(names["head"].intercept_, bias, rtol=1e-3)
