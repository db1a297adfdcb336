"""A slow teacher and fast students on SST-2 and ten BANKING77 intents, from command to board.

    python benchmarks/compression.py OUT [--write]

Few labelled rows (100; 8 of each intent), up to 2,000 further training rows without their labels,
500 and 400 test rows. Each run is `nshot compare` with tfidf_lr and linear_probe on two encoders,
then `nshot distil` for each student. What OUT holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import nshot
from nshot.bench.distilling import LESSON
from nshot.board.lesson import Lesson, Side
from nshot.board.schema import Board, Estimate
from nshot.core import machine
from nshot.core.serial import read_json
from table import ROOT, data_folder, line, read, write

PAGE = ROOT / "docs" / "results" / "compression.md"
TEACHER = "linear_probe @ multilingual-e5-small"
STUDENTS = ("tfidf_lr", "linear_probe@all-minilm-l6-v2")
UNLABELLED = 2000


def sst2() -> tuple[list[dict[str, Any]], list[dict[str, Any]], int, int]:
    """Training rows, test rows, labelled ones of each label, test rows of each label."""
    folder = data_folder() / "sst2"
    return read(folder / "train.jsonl"), read(folder / "test.jsonl"), 50, 250


def banking10() -> tuple[list[dict[str, Any]], list[dict[str, Any]], int, int]:
    """The same of ten intents, those of `ten_intents.py`."""
    folder = data_folder() / "banking77"
    train, test = read(folder / "train.jsonl"), read(folder / "test.jsonl")
    intents = set(random.Random(0).sample(sorted({row["label"] for row in test}), 10))
    some = [[row for row in rows if row["label"] in intents] for rows in (train, test)]
    return some[0], some[1], 8, 40


DATA = {"sst2": sst2, "banking10": banking10}


def files(name: str, into: Path) -> None:
    """train.jsonl, test.jsonl and more.jsonl, which has no labels."""
    train, test, labelled, asked = DATA[name]()
    draw = random.Random(0)
    draw.shuffle(train)
    draw.shuffle(test)
    some, more = of_each(train, labelled)
    answered, _ = of_each(test, asked)
    unlabelled = [{"text": row["text"]} for row in more[:UNLABELLED]]
    for part, rows in (("train", some), ("test", answered), ("more", unlabelled)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (into / f"{part}.jsonl").write_text(text, encoding="utf-8")


def of_each(
    rows: list[dict[str, Any]], count: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first `count` rows of each label, and the others."""
    seen: dict[str, int] = {}
    first, others = [], []
    for row in rows:
        seen[row["label"]] = seen.get(row["label"], 0) + 1
        (first if seen[row["label"]] <= count else others).append(row)
    return first, others


def lessons(name: str, out: Path) -> list[Lesson]:
    """Those of each student, run where they are not there yet."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "train.jsonl").exists():
        files(name, folder)
    run = folder / "run"
    if not (run / "winner").exists():
        nshot.compare(
            folder / "train.jsonl",
            test=folder / "test.jsonl",
            methods=("tfidf_lr", "linear_probe"),
            encoder=("all-minilm-l6-v2", "multilingual-e5-small"),
            workers=1,
            out=run,
        )
    for student in STUDENTS:
        place = run / f"distil-{student.replace('@', '-')}"
        if not (place / LESSON).exists():
            nshot.distil(run, student, teacher=TEACHER, unlabelled=folder / "more.jsonl")
    return [
        Lesson.model_validate(read_json(run / f"distil-{one.replace('@', '-')}" / LESSON))
        for one in STUDENTS
    ]


def cell(side: Side) -> str:
    """``84.2 %, 31 a second``."""
    return f"{100 * (side.score or 0):.1f} %, {side.rows_per_second or 0:,.0f} a second"


def points(e: Estimate | None) -> str:
    """``-3.2 (-5.1 to -1.3)``."""
    low, mid, high = (100 * (v or 0) for v in ((e.low, e.score, e.high) if e else (0, 0, 0)))
    return f"{mid:+.1f} ({low:+.1f} to {high:+.1f})"


def table(out: Path) -> str:
    """Both data sets, a line for each student."""
    head = ("data", "labelled, unlabelled", "teacher", "student", "alone", "taught",
            "less its teacher", "less itself alone", "faster", "teaching took",
            "pays from")  # fmt: skip
    rows = [line(*head), line(*["---"] * 4, *["--:"] * 7)]
    for name in DATA:
        for student, one in zip(STUDENTS, lessons(name, out), strict=True):
            train, more = (len(read(out / name / f"{part}.jsonl")) for part in ("train", "more"))
            rows.append(
                line(
                    name,
                    f"{train:,}, {more:,}",
                    f"`{TEACHER}`: {cell(one.teacher)}",
                    f"`{student}`",
                    f"{100 * (one.alone.score or 0):.1f} %",
                    cell(one.taught),
                    points(one.against_teacher),
                    points(one.against_alone),
                    f"{one.speed or 0:.0f}x",
                    f"{one.teaching_seconds or 0:,.0f} s",
                    f"{one.breaks_even:,} rows" if one.breaks_even else "never",
                )
            )
    board = Board.read(out / "sst2" / "run")
    where = f"one thread of {machine.device()}, beside other work on the machine"
    return "\n".join([*rows, "", f"{board.task.test} and 400 test rows; {where}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    text = table(arguments.out)
    print(text)
    if arguments.write:
        write("compression.py", text, PAGE)


if __name__ == "__main__":
    main()
