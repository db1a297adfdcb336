"""The plain scripts and the methods they explain give the same score."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods.compose.stacked import Stacked
from nshot.methods.contract import Method
from nshot.methods.fewshot.baseline import Baseline
from nshot.methods.fewshot.baseline_pp import BaselinePP
from nshot.methods.fewshot.linear_probe import LinearProbe
from nshot.methods.fewshot.lm_probe import LMProbe
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from toys import Bench

ROOT = Path(__file__).resolve().parents[2]
TICKETS = ROOT / "examples" / "support-tickets"


def _few(part: str, count: int, folder: Path) -> Path:
    """A file with the first `count` rows of each label; all scripts read it."""
    with (TICKETS / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    seen: dict[str, int] = {}
    with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["message", "topic"])
        writer.writeheader()
        for row in rows:
            seen[row["topic"]] = seen.get(row["topic"], 0) + 1
            if seen[row["topic"]] <= count:
                writer.writerow(row)
    return folder / f"{part}.csv"


def _examples(path: Path) -> tuple[Example, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            Example(str(i), Input(fields=(("message", row["message"]),)), (row["topic"],))
            for i, row in enumerate(csv.DictReader(file))
        )


def _ours(method: Method, train: Path, test: Path, bench: Bench) -> float:
    labelled, asked = _examples(train), _examples(test)
    labels = tuple(Label(name) for name in sorted({row.label for row in labelled}))
    task = Task("tickets", "classify", labels, answer_name="Topic")
    answers = method.adapt(task, Shots(labelled), bench).predict([row.input for row in asked])
    right = [a.answer == row.label for a, row in zip(answers, asked, strict=True)]
    return sum(right) / len(right)


def _plain(name: str, *words: object) -> float:
    script = ROOT / "examples" / "plain" / name
    assert len(script.read_text().splitlines()) <= 40
    done = subprocess.run(
        [sys.executable, script, *map(str, words), "message", "topic"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def test_tfidf(tmp_path: Path) -> None:
    train, test = TICKETS / "train.csv", TICKETS / "test.csv"
    theirs = _plain("tfidf_lr.py", train, test)
    assert theirs > 0.3
    assert _ours(TfIdfLR(), train, test, Bench(tmp_path)) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.full
@pytest.mark.embedded
@pytest.mark.parametrize(
    ("name", "method", "role", "count"),
    [
        ("linear_probe.py", LinearProbe(), "encoder", 8),
        ("baseline.py", Baseline(), "encoder", 8),
        ("baseline_pp.py", BaselinePP(), "encoder", 8),
        ("lm_probe.py", LMProbe(), "lm", 2),
    ],
)
def test_heads_on_models(name: str, method: Method, role: str, count: int, tmp_path: Path) -> None:
    from nshot.models import open_models
    from nshot.models.catalog import locate, resolve

    refs = {"base": resolve(None, "lm"), "encoder": resolve(None, "encoder")}
    bench = Bench(tmp_path, **refs, models=open_models())  # type: ignore[arg-type]
    train, test = _few("train", count, tmp_path), _few("test", 2, tmp_path)
    ref = refs["base" if role == "lm" else "encoder"]
    theirs = _plain(name, locate(ref), train, test)
    assert _ours(method, train, test, bench) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.full
@pytest.mark.embedded
def test_a_head_on_probabilities_and_vectors(tmp_path: Path) -> None:
    """Its folds are others, so scores are alike, not equal."""
    from nshot.models import open_models
    from nshot.models.catalog import locate, resolve

    encoder = resolve(None, "encoder")
    bench = Bench(tmp_path, encoder=encoder, models=open_models())
    train, test = _few("train", 8, tmp_path), _few("test", 4, tmp_path)
    theirs = _plain("stacked.py", locate(encoder), train, test)
    assert _ours(Stacked(of=TfIdfLR()), train, test, bench) == pytest.approx(theirs, abs=0.1)
