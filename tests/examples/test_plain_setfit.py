"""The plain script that tunes a sentence encoder runs, and leaves an encoder."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from encoders import tiny_encoder
from nshot.models.catalog import resolve

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plain" / "setfit.py"
ROWS = "message,topic\n" + "".join(
    f"my {word} is late {i},{topic}\n"
    for i, (word, topic) in enumerate([("parcel", "parcel"), ("refund", "money")] * 3)
)


def test_the_script_trains_scores_and_saves(tmp_path, monkeypatch, capsys):
    base = tiny_encoder(tmp_path / "tiny")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["setfit.py", str(base), "rows.csv", "rows.csv", "message", "topic"]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(SCRIPT))
    assert 0 <= float(capsys.readouterr().out.split("accuracy ")[1]) <= 1
    assert resolve(str(tmp_path / "encoder"), "encoder").name.endswith("encoder")
