"""A method that learns from background classes, on a task of one's own: from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphs import glyphs
from nshot.cli.main import main
from nshot.core.types import Example, Input
from nshot.data.pictures import as_image
from nshot.methods.fewshot.learning import shape_of


def nshot(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def folder_of(root: Path, names: str, seed: int, each: int) -> None:
    for i, picture in enumerate(glyphs(len(names), each, seed)):
        name = names[i // each]
        (root / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / name / f"{i}.png")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder_of(tmp_path / "mine", "xyz", 1, 6)
    folder_of(tmp_path / "others", "abcdefgh", 2, 6)
    (tmp_path / "task.yaml").write_text(
        "name: letters\nkind: classify\ndata:\n  train: mine\n  background: others\n"
    )
    return tmp_path / "task.yaml"


def test_adapt_and_predict(task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "adapted"
    words = ("--set", "steps=[30]", "--set", "filters=8", "--set", "learning_rate=0.01")
    assert nshot("adapt", str(task), "--method", "prototypical", *words, "--out", str(out)) == 0
    asked = sorted(str(path) for path in (tmp_path / "mine").rglob("*.png"))
    assert nshot("predict", str(out), *asked, "-o", str(tmp_path / "answers.jsonl")) == 0
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    answers = [json.loads(line)["answer"] for line in lines]
    right = [answer == Path(file).parent.name for answer, file in zip(answers, asked, strict=True)]
    assert np.mean(right) > 0.5, "chance is a third"
    capsys.readouterr()


def test_without_background_classes_it_says_so(
    task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task.write_text(task.read_text().replace("  background: others\n", ""))
    code = nshot("adapt", str(task), "--method", "prototypical", "--out", str(tmp_path / "x"))
    assert code != 0
    assert "needs background classes" in capsys.readouterr().err


def test_pictures_are_not_made_larger(tmp_path: Path) -> None:
    sizes = {(40, 30): (3, 40, 40), (8, 8): (3, 16, 16), (300, 200): (3, 84, 84)}
    for size, wanted in sizes.items():
        path = tmp_path / f"{size[0]}.png"
        Image.new("RGB", size).save(path)
        assert shape_of([Example("x", Input(images=(as_image(path),)), ("a",))]) == wanted
