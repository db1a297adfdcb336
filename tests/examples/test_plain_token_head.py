"""The plain script of spans runs, and marks what the method marks."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from encoders import tiny_encoder
from nshot.core.spans import spans_of
from nshot.core.types import Shots
from nshot.data.loading import load
from nshot.methods.fewshot.token_head import TokenHead
from nshot.models import open_models
from nshot.models.catalog import resolve
from toys import Bench

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plain" / "token_head.py"
NAMES = {"red": "colour", "dark blue": "colour", "cup": "thing", "old chair": "thing"}


def rows() -> list[dict]:
    made = []
    for i, (one, other) in enumerate((a, b) for a in NAMES for b in NAMES if a != b):
        text = f"no {i}: {one} or {other} it is"
        spans = [{"start": text.index(p), "end": text.index(p) + len(p), "label": NAMES[p]}
                 for p in (one, other)]  # fmt: skip
        made.append({"text": text, "spans": spans})
    return made


def test_the_script_marks_what_the_method_marks(tmp_path, monkeypatch, capsys):
    base = tiny_encoder(tmp_path / "tiny")
    body = "\n".join(map(json.dumps, rows()))
    (tmp_path / "rows.jsonl").write_text(body, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["token_head.py", str(base), "rows.jsonl", "rows.jsonl"])
    names = runpy.run_path(str(SCRIPT))
    assert float(capsys.readouterr().out.split("F1 ")[1]) > 0.5
    loaded = load(tmp_path / "rows.jsonl")
    bench = Bench(tmp_path, models=open_models(), encoder=resolve(str(base), "encoder"))
    predictor = TokenHead().adapt(loaded.task, Shots(loaded.train), bench)
    answers = predictor.predict([row.input for row in loaded.train])
    ours = [[(s.start, s.end, s.label) for s in spans_of(one.answer)] for one in answers]
    assert ours == names["answers"]
