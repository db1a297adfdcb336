"""The plain script of a taught student scores what the method scores."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from test_plain_heads import TICKETS, _examples, _plain

from nshot.core.types import Label, Shots, Task
from nshot.methods.compress.distil import Distil, probabilities
from nshot.methods.compress.from_folder import FromFolder
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from toys import Bench


def test_the_plain_script_scores_the_same(tmp_path: Path) -> None:
    train, test = _examples(TICKETS / "train.csv"), _examples(TICKETS / "test.csv")
    labels = tuple(Label(name) for name in sorted({row.label for row in train}))
    task = Task("tickets", "classify", labels, answer_name="Topic")
    few, more = train[:60], tuple(replace(row, targets=()) for row in train[60:])
    bench = Bench(tmp_path)
    knowing = TfIdfLR(C=100.0).adapt(task, Shots(train), bench)
    knowing.save(tmp_path / "knowing")
    told = knowing.predict([row.input for row in more])
    shares = probabilities(task, told)
    with (tmp_path / "taught.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", *task.label_names])
        writer.writerows(
            [row.input.text, *share] for row, share in zip(more, shares.tolist(), strict=True)
        )
    with (tmp_path / "few.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "topic"])
        writer.writerows([row.input.text, row.label] for row in few)
    theirs = _plain("distil.py", tmp_path / "few.csv", tmp_path / "taught.csv",
                    TICKETS / "test.csv")  # fmt: skip
    given = FromFolder(folder=str(tmp_path / "knowing"))
    method = Distil(teacher=given, student=TfIdfLR(), hard=1.0)
    student = method.adapt(task, Shots(few, more), bench)
    right = [
        one.answer == row.label
        for one, row in zip(student.predict([row.input for row in test]), test, strict=True)
    ]
    assert sum(right) / len(right) == pytest.approx(theirs, abs=0.006)
