"""Grocery classes without a picture, told from their descriptions alone.

    python benchmarks/descriptions.py [--splits 10] [--write]

81 fine classes of groceries, each with a text. About half of them are learned from (12 pictures
each, official train part), the others are asked for (10 pictures each, official test part) through
`description_match`, which has only their names and texts. In the second row no coarse category
(milk, apple) is on both sides. Features are kept on disk: a second run takes seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import statistics
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Image, Input, Label, Prediction, Shots, Task
from nshot.methods.fewshot.description_match import DescriptionMatch
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.catalog import resolve
from table import ROOT, data_folder, line, read, write
from workbench import Workbench

RUNS = ROOT / "runs" / "grocery"
LEARNED = 40
"""Classes that are learned from; in the row of whole categories the least number."""
TOP = 5


@dataclass(frozen=True)
class Grocery:
    """Its pictures by part; the description, coarse category and group of each class."""

    rows: dict[str, list[Example]]
    described: dict[str, str]
    coarse: dict[str, str]
    group: dict[str, str]

    @staticmethod
    def read(data: Path, place: Path) -> Grocery:
        """The data set, its pictures unpacked into `place`."""
        source = data / "grocery"
        index = read(source / "index.jsonl")
        rows: dict[str, list[Example]] = {}
        for part in ("train", "test"):
            if not (place / part).exists():
                with zipfile.ZipFile(source / f"{part}.zip") as packed:
                    packed.extractall(place)
            rows[part] = [
                Example(row["file"], Input(images=(_image(place / row["file"]),)), (row["label"],))
                for row in index
                if row["split"] == part
            ]
        described = {row["label"]: row["description"] for row in read(source / "classes.jsonl")}
        coarse, group = (
            {row["label"]: row[key] for row in index if key in row} for key in ("coarse", "group")
        )
        return Grocery(rows, described, coarse, group)


def _image(path: Path) -> Image:
    return Image(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def any_classes(grocery: Grocery, rng: random.Random) -> list[str]:
    """The classes to learn from: `LEARNED` at random."""
    return rng.sample(sorted(grocery.described), LEARNED)


def whole_categories(grocery: Grocery, rng: random.Random) -> list[str]:
    """The classes of coarse categories at random, until there are `LEARNED`."""
    categories = sorted(set(grocery.coarse.values()))
    rng.shuffle(categories)
    taken: list[str] = []
    for category in categories:
        if len(taken) < LEARNED:
            taken += sorted(name for name, its in grocery.coarse.items() if its == category)
    return taken


WAYS: dict[str, Callable[[Grocery, random.Random], list[str]]] = {
    "classes at random": any_classes,
    "no category on both sides": whole_categories,
}


def answered(
    grocery: Grocery, known: Sequence[str], models: Models, seed: int
) -> tuple[list[Example], list[Prediction], Task]:
    """The pictures of the classes that are not `known`, and what is said of them."""
    unseen = [name for name in sorted(grocery.described) if name not in known]
    task = Task(
        "grocery", "classify", tuple(Label(name, grocery.described[name]) for name in unseen)
    )
    background = tuple(
        Example(
            row.id,
            Input((("description", grocery.described[row.label]),), images=row.input.images),
            row.targets,
        )
        for row in grocery.rows["train"]
        if row.label in known
    )
    asked = [row for row in grocery.rows["test"] if row.label in unseen]
    with tempfile.TemporaryDirectory() as folder:
        encoder = resolve(None, "features")
        bench = Workbench(models, None, Path(folder), seed=seed, encoder=encoder)
        predictor = DescriptionMatch().adapt(task, Shots(background=background), bench)
    return asked, predictor.predict([row.input for row in asked]), task


def right(grocery: Grocery, known: Sequence[str], models: Models, seed: int) -> dict[str, float]:
    """Shares: of right answers, of those among the first five, of right groups; and chance."""
    asked, said, task = answered(grocery, known, models, seed)
    scores: NDArray[np.float64] = np.array([one.scores for one in said])
    first = np.argsort(-scores, axis=1)[:, :TOP]
    names, group = task.label_names, grocery.group
    pairs = list(zip(asked, said, strict=True))
    near = [{names[i] for i in places} for places in first]
    return {
        "top-1": float(np.mean([row.label == one.answer for row, one in pairs])),
        "top-5": float(np.mean([row.label in of for row, of in zip(asked, near, strict=True)])),
        "group": float(np.mean([group[row.label] == group[one.answer] for row, one in pairs])),
        "chance": 1 / len(names),
    }


def table(grocery: Grocery, models: Models, splits: int) -> str:
    """A row for each way to part the classes."""
    lines = [
        line("what is learned from", "right of about 41", "among the first 5",
             "right group of 3", "chance"),
        "|--|--:|--:|--:|--:|",
    ]  # fmt: skip
    for name, part in WAYS.items():
        found = [
            right(grocery, part(grocery, random.Random(f"{name}:{seed}")), models, seed)
            for seed in range(splits)
        ]
        shown = [_spread([100 * one[key] for one in found]) for key in ("top-1", "top-5", "group")]
        chance = statistics.mean(100 * one["chance"] for one in found)
        lines.append(line(name, *shown, f"{chance:.1f} %"))
    how = (
        f"EfficientNet-Lite0 and all-MiniLM-L6-v2; means and standard deviations over {splits} "
        "random splits of the classes."
    )
    return "\n".join([*lines, "", how])


def _spread(values: list[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.1f} % ± {deviation:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    text = table(Grocery.read(data_folder(), RUNS), open_models(), given.splits)
    print(text)
    if given.write:
        write("descriptions.py", text)


if __name__ == "__main__":
    main()
