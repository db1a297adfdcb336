"""Rows of a finished run in each form that `nshot quantise` makes, on SST-2.

    python benchmarks/quantised_row.py OUT [--write]

LoRA on the embedded language model, and a head and nearest neighbours on an embedded encoder, from
200 labelled rows, asked on 400 others; then each quantised, and measured in a new process on the
same rows. What OUT holds already is not made again.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import nshot
from compression import points
from nshot.bench.quantising import FILE
from nshot.board.lesson import Side
from nshot.board.shrinking import Shrinking
from nshot.core import machine
from nshot.core.serial import read_json
from table import ROOT, data_folder, line, read, write

PAGE = ROOT / "docs" / "quantisation.md"
LABELLED, ASKED, MEGABYTES = 200, 400, 100
LORA = {"learning_rate": 5e-4, "epochs": 3}
HEAD = ("row", "bits", "on disk", "before", "accuracy", "before", "less before", "rows a second",
        "before")  # fmt: skip


class Run(NamedTuple):
    """A run, and what its rows are quantised to."""

    name: str
    settings: dict[str, Any]
    bits: dict[str, tuple[str, ...]]


RUNS = (
    Run("tuned", {"methods": ("lora",), "settings": {"lora": LORA}},
        {"lora": ("mixed", "Q4_0", "Q5_0", "Q8_0", "int8", "nf4")}),
    Run("heads", {"methods": ("linear_probe", "knn"), "encoder": "all-minilm-l6-v2"},
        {"linear_probe": ("int8", "Q8_0"), "knn": ("int8", "Q8_0")}),
)  # fmt: skip


def files(into: Path) -> None:
    """train.jsonl and test.jsonl, drawn once."""
    into.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    for part, count in (("train", LABELLED), ("test", ASKED)):
        rows = read(data_folder() / "sst2" / f"{part}.jsonl")
        draw.shuffle(rows)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[:count])
        (into / f"{part}.jsonl").write_text(text, encoding="utf-8")


def forms(run: Run, out: Path) -> list[tuple[str, Shrinking]]:
    """Each row in each form, made where it is not there yet."""
    place, made = out / run.name, []
    if not (place / "winner").exists():
        nshot.compare(
            out / "train.jsonl", test=out / "test.jsonl", thorough=True, workers=1, minutes=60,
            out=place, **run.settings,
        )  # fmt: skip
    for row, every in run.bits.items():
        for bits in every:
            folder = out / f"{run.name}-{row}-{bits}"
            if not (folder / FILE).exists():
                limit = MEGABYTES if bits == "mixed" else None
                nshot.quantise(place, bits, row=row, megabytes=limit, out=folder)
            made.append((row, Shrinking.model_validate(read_json(folder / FILE))))
    return made


def cells(row: str, one: Shrinking) -> str:
    """A line of the table."""
    return line(
        f"`{row}`", one.bits, megabytes(one.bytes_after or 0), megabytes(one.bytes_before),
        score(one.after), score(one.before), points(one.difference), speed(one.after),
        speed(one.before),
    )  # fmt: skip


def megabytes(count: int) -> str:
    """``145 MB``; ``0.04 MB`` where it is little."""
    return f"{count / 1e6:,.{0 if count > 2e6 else 2}f} MB"


def score(side: Side) -> str:
    """In percent."""
    return f"{100 * (side.score or 0):.1f} %"


def speed(side: Side) -> str:
    """Rows a second."""
    return f"{side.rows_per_second or 0:,.1f}"


def main() -> None:
    """Print the table, or put it on the page of quantisation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--write", action="store_true")
    typed = parser.parse_args()
    files(typed.out)
    made = [cells(row, one) for run in RUNS for row, one in forms(run, typed.out)]
    text = "\n".join([line(*HEAD), line("---", "---", *["--:"] * (len(HEAD) - 2)), *made])
    text += f"\n\n{LABELLED} labelled rows of SST-2, {ASKED} to answer; {machine.threads()} thread "
    text += f"of {machine.device()}. Before: the same row as it lies in its run."
    if typed.write:
        write("quantised_row.py", text, PAGE)
    print(text)


if __name__ == "__main__":
    main()
