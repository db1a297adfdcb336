"""Audits side by side: what each model changed, and what of it is more than luck."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import responsible_changes as bench


def audit(gap: float, alarm: bool) -> dict:
    finding = {
        "sentence": "general questions right, after minus before", "unit": "points",
        "value": gap, "low": gap - 0.1, "high": gap + 0.1, "alarm": alarm,
    }  # fmt: skip
    sheet = {"lines": [["general questions right", 0.62, 0.62 + gap, 100]]}
    swap = {"about": "ages (English)", "unit": "points", "value": 0.0, "low": -0.05, "high": 0.05}
    swaps = {"lines": [["ages (English)", 34, 0.0, 0.0, 0.1, 0.0, 1.0]]}
    return {
        "results": [
            {"audit": "counterfactuals", "findings": [swap], "sheets": [swaps]},
            {"audit": "calibration", "reason": "no run"},
            {"audit": "change", "findings": [finding], "sheets": [sheet]},
        ]
    }


def test_models_stand_side_by_side() -> None:
    text = bench.table({"sst2.lora": audit(0.04, False), "sst2.student": audit(-0.3, True)})
    assert "| figure | rows | before | sst2.lora | sst2.student |" in text
    cells = ["general questions right", "100", "0.62", "+4.0 (−6.0 to +14.0)",
             "**−30.0 (−40.0 to −20.0)**"]  # fmt: skip
    row = f"| {' | '.join(cells)} |"
    assert row in text
    assert (
        "| swapped: ages (English) | 34 | – | +0.0 (−5.0 to +5.0) | +0.0 (−5.0 to +5.0) |" in text
    )


def test_an_audit_that_is_kept_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "data_folder", lambda: tmp_path / "data")
    (tmp_path / "data" / "sst2").mkdir(parents=True)
    (tmp_path / "data" / "sst2" / "test.jsonl").write_text("{}\n" * 200, encoding="utf-8")
    for name in bench.MODELS[:2]:
        folder = tmp_path / "audits" / name
        folder.mkdir(parents=True)
        (folder / "audit.json").write_text(json.dumps(audit(0.0, False)), encoding="utf-8")
    asked: list[list[str]] = []
    monkeypatch.setattr(bench.subprocess, "run", lambda words, check: asked.append(words))
    bench.run()
    assert len(asked) == 1
    assert str(tmp_path / "models" / "sst2.student") in asked[0]
    assert len((tmp_path / "sst2-test.jsonl").read_text(encoding="utf-8").splitlines()) == 100
