"""The page of few-shot results from made-up figures; small pictures out of archives."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fewshot
from nshot.methods import TABLE
from nshot.methods.fewshot.episodic import Episodic

MACHINE = {"processor": "P", "threads": 2, "device": "cpu", "versions": {"torch": "2"}}
DATA = {"background_classes": 4800, "evaluation_classes": 1692, "fingerprint": "f"}


def score(mean: float, name: str = "omniglot28", way: int = 5, shot: int = 1) -> dict[str, Any]:
    return {"set": name, "way": way, "shot": shot, "mean": mean, "half": 0.003}


def result(means: list[float], coins: float, status: str = "ok") -> dict[str, Any]:
    omniglot = [
        score(mean, way=shape.way, shot=shape.shot)
        for mean, shape in zip(means, fewshot.SHAPES, strict=True)
    ]
    across = [score(coins, "coins"), score(0.9, "grocery", way=20)]
    row = {
        "name": "x", "status": status, "reason": "did not learn: 20 %",
        "scores": omniglot + across, "untrained": [score(0.3)] * 6,
        "training": {"seconds": 360.0, "losses": [1.0, 0.5], "parameters": 111936,
                     "validation": []},
    }  # fmt: skip
    return {"methods": [row], "machine": MACHINE, "data": DATA, "episodes": 1000, "seed": 0}


FOUND = {
    "prototypical": result([0.97, 0.992, 0.88, 0.975], 0.4),
    "baseline": result([0.9, 0.95, 0.8, 0.9], 0.5),
}


def test_the_marks_are_told_apart() -> None:
    lines = fewshot.omniglot_table(FOUND).splitlines()
    row = next(line for line in lines if "methods/prototypical.md" in line)
    assert "**97.0 ±0.3 (30.0)**" in row
    assert "| 88.0 ±0.3 (30.0) |" in row, "90 is not reached"
    assert "98.8 / 99.7 / 96.0 / 98.9" in row
    assert "6 min 00 s on 2 thread(s), 2 steps, 111,936 numbers" in row
    failed = fewshot.omniglot_table({"maml": result([0.2] * 4, 0.2, "failed")})
    assert "failed: did not learn" in failed


def test_who_wins_elsewhere_is_counted() -> None:
    text = fewshot.across_table(FOUND)
    assert "| baseline | **50.0 ±0.3** |" in text
    assert "best in 1 of 1 columns" in text, "20-way is no column"
    assert fewshot.across_table({}) == "Not measured yet."


def test_small_pictures_come_out_of_the_archives(tmp_path: Path) -> None:
    rows = []
    for part, colour in (("train", "red"), ("test", "blue")):
        with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as archive:
            content = io.BytesIO()
            Image.new("RGB", (150, 120), colour).save(content, "PNG")
            archive.writestr(f"{part}/x/a.png", content.getvalue())
            rows.append({"file": f"{part}/x/a.png", "split": part, "label": part})
    rows.append({"file": "iconic/x.png", "split": "iconic", "label": "x"})
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = fewshot.small_pictures(tmp_path)
    assert made["images"].shape == (2, 28, 28, 3)
    np.testing.assert_array_equal(made["images"][0, 0, 0], [255, 0, 0])
    assert made["class_id"].tolist() == [1, 0]


@pytest.mark.parametrize("name", fewshot.MINUTES)
def test_every_method_that_is_trained_takes_part(name: str) -> None:
    assert issubclass(TABLE[name], Episodic)
