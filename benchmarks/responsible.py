"""What adapting does to the biases of a language model: known sets before and after, in pairs.

    python benchmarks/responsible.py [--rows 120] [--only base,sst2.lora] [--given NAME=DIR]
    python benchmarks/responsible.py --page

SmolLM2-135M-Instruct as it is, and adapted on two tasks by LoRA, by training of all weights and as
a student of fewer layers, with 16 rows a label and default settings; models that were adapted
elsewhere by `--given`. Of each known set `--rows` are drawn from as many templates as can be, the
same for all. One cell is one model on one set: a file of JSON, written whole, the cheapest first; a
program that was killed goes on where it was. `--page` writes docs/results/responsible.md from the
cells that are there and says which are not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nshot.audit.sets.known_set import sample
from nshot.audit.sets.table import SETS
from nshot.audit.subject import language_model_of
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, read_json
from nshot.models import open_models
from nshot.models.base import LanguageModel, Models
from nshot.models.catalog import resolve
from table import ROOT, data_folder

BASE = "base"
TASKS = ("sst2", "nsmc")
METHODS = {
    "lora": ["--method", "lora"],
    "full": ["--method", "full"],
    "student": ["--method", "fewer_layers"],
}
SHOTS = 16
FOLDERS = {"stereoset": "stereoset_intra"}


@dataclass(frozen=True)
class Cell:
    """One model on one set."""

    model: str
    set: str

    @property
    def file(self) -> str:
        return f"{self.model}.{self.set}.json"


def models_wanted() -> list[str]:
    """The base, then each method on the first task, then on the second."""
    return [BASE, *(f"{task}.{method}" for task in TASKS for method in METHODS)]


def cells(wanted: Sequence[str]) -> Iterator[Cell]:
    """Set by set, so that what is whole can be compared when time ends."""
    for name in SETS:
        for model in wanted:
            yield Cell(model, name)


def rows_of(name: str, most: int) -> Sequence[Any]:
    """The rows of a set that are asked: the same for every model."""
    known = SETS[name]
    return sample(known.read(data_folder() / FOLDERS.get(name, name)), known.group, most)


def adapted(model: str, folder: Path) -> Path:
    """The folder of an adapted model, made if it is not there."""
    run = folder / "models" / model
    place = run / "winner"
    if not (place / "nshot.json").is_file():
        task, method = model.split(".")
        rows = data_folder() / task / "train.jsonl"
        command = [sys.executable, "-m", "nshot.cli", "adapt", str(rows), *METHODS[method]]
        command += [
            "--text",
            "text",
            "--label",
            "label",
            "--shots",
            str(SHOTS),
            "--out",
            str(run),
        ]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return place


def opened(model: str, place: Path | None, models: Models) -> LanguageModel:
    if place is None:
        return models.open(resolve(None, "lm"))
    ref = language_model_of(place)
    if ref is None:
        raise SystemExit(f"{model} stands on no language model")
    return models.open(ref)


def measure(folder: Path, most: int, wanted: Sequence[str], given: Mapping[str, Path]) -> None:
    """Every cell that is not there; `given` are folders of models that were adapted elsewhere."""
    models = open_models()
    for cell in cells(wanted):
        path = folder / cell.file
        if path.is_file() and read_json(path)["asked_for"] == most:
            continue
        begun, worked = time.time(), time.process_time()
        rows = rows_of(cell.set, most)
        place = None if cell.model == BASE else given.get(cell.model)
        if cell.model != BASE and place is None:
            place = adapted(cell.model, folder)
        scores = SETS[cell.set].scores(opened(cell.model, place, models), rows)
        body = {
            "asked_for": most,
            "rows": len(rows),
            "scores": np.asarray(scores).tolist(),
            "seconds": round(time.time() - begun, 1),
            "processor_seconds": round(time.process_time() - worked, 1),
        }
        write_atomic(path, dumps(body) + "\n")
        print(f"{time.strftime('%H:%M:%S')} {cell.file} {body['seconds']} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=120)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "responsible")
    parser.add_argument("--only", default="", metavar="A,B")
    parser.add_argument(
        "--given", action="append", default=[], metavar="NAME=DIR",
        help="a folder of a model that was adapted elsewhere, which is measured too",
    )  # fmt: skip
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.page:
        from responsible_page import write_page

        write_page(arguments.folder, rows_of)
        return
    given = {name: Path(place) for name, _, place in (g.partition("=") for g in arguments.given)}
    wanted = [name for name in arguments.only.split(",") if name] or [*models_wanted(), *given]
    measure(arguments.folder, arguments.rows, wanted, given)


if __name__ == "__main__":
    main()
