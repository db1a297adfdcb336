"""A few pictures of each class on a frozen network: coins, groceries, CIFAR-10.

    python benchmarks/pictures.py measure          # what is missing, in cells that are kept
    python benchmarks/pictures.py page             # the block of docs/results/fewshot.md

Choices were made on the coins of the official training photos and on the first 40 grocery classes;
what is measured here are the test photos and the other 41. `--only coins` measures one set.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.types import Example, Image, Input, Label, Shots, Task, digest
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.methods.spec import spec_hash
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.report import charts
from table import ROOT, data_folder, line, read, write
from workbench import Shelf, Workbench

RUNS = ROOT / "runs" / "pictures"
PAGE = ROOT / "docs" / "results" / "fewshot.md"
DRAWS = 20
COINS = ("1c", "2c", "5c", "10c", "20c", "50c", "1e", "2e")
POOL = 3
"""Crops that count of a class in one photo."""
ASKED = 30
"""Most queries of a class of coins."""
CHOOSING = 40
"""Grocery classes, the first of classes.jsonl, on which choices were made."""
WAY = 20
Z = (-1.96, 1.96)
METHODS: Mapping[str, Mapping[str, Any]] = {
    "picture_probe": {"method": "picture_probe"},
    "nearest_mean": {"method": "nearest_mean"},
    "linear_probe": {"method": "linear_probe"},
    "picture_probe, no colours": {"method": "picture_probe", "colour": False},
    "picture_probe, whole view": {"method": "picture_probe", "views": "whole"},
}
UNLABELLED: Mapping[str, Mapping[str, Any]] = {
    "picture_probe, unlabelled": {"method": "picture_probe", "unlabelled": "shift"},
    "picture_probe, unlabelled, no colours": {
        "method": "picture_probe",
        "unlabelled": "shift",
        "colour": False,
    },
}


Sides: TypeAlias = Callable[[random.Random, set[str]], tuple[set[str], set[str]]]


@dataclass(frozen=True)
class Draw:
    """What one draw learns from and is asked."""

    task: Task
    shots: Shots
    asked: tuple[Example, ...]


@dataclass(frozen=True)
class Protocol:
    """One row of the table: the draws of a number of shots, and what is known of the mark."""

    name: str
    words: str
    shots: int
    draws: Callable[[int], Iterator[Draw]]
    mark: str = ""


# ------------------------------------------------------------------ the sets


@lru_cache
def unpacked(name: str) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of a set's pictures, unzipped once, and its index."""
    source, folder = data_folder() / name, RUNS / "data" / name
    for archive in sorted(source.glob("*.zip")):
        mark = folder / f"{archive.stem}.unzipped"
        if not mark.exists():
            with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as pack:
                pack.extractall(folder)
            mark.touch()
    return folder, read(source / "index.jsonl")


@cache
def picture(path: Path) -> Image:
    return Image(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def example(folder: Path, row: Mapping[str, Any], group: str | None = None) -> Example:
    name = str(row["file"])
    return Example(name, Input(images=(picture(folder / name),)), (str(row["label"]),), (), group)


def task(name: str, labels: Sequence[str]) -> Task:
    return Task(name, "classify", tuple(Label(label) for label in labels), pictures=True)


def pool(rows: Sequence[Mapping[str, Any]], split: str) -> list[Mapping[str, Any]]:
    """Crops of a split, the first `POOL` of a class in one photo."""
    seen: dict[tuple[str, str], int] = defaultdict(int)
    kept = []
    for row in rows:
        place = (row["photo"], row["label"])
        seen[place] += 1
        if seen[place] <= POOL and row["split"] == split:
            kept.append(row)
    return kept


def support_of(
    rows: Sequence[Mapping[str, Any]], known: set[str], shots: int, rng: random.Random
) -> list[Mapping[str, Any]] | None:
    """Of each class one crop from each of `shots` photos; None where a class has too few."""
    support = []
    for label in COINS:
        by_photo = defaultdict(list)
        for row in rows:
            if row["label"] == label and row["photo"] in known:
                by_photo[row["photo"]].append(row)
        if len(by_photo) < shots:
            return None
        support += [rng.choice(by_photo[photo]) for photo in rng.sample(sorted(by_photo), shots)]
    return support


def coins(shots: int, asked: int, sides: Sides
          ) -> Iterator[Draw]:  # fmt: skip
    """Support from the photos of one side, queries from all others, `asked` of a class at most.

    What is left of the other side's pool is unlabelled.
    """
    folder, index = unpacked("coins")
    for draw in range(DRAWS):
        rng = random.Random(f"coins:{draw}")
        rows = pool(index, "test")
        support = None
        while support is None:
            known, others = sides(rng, {row["photo"] for row in rows})
            support = support_of(rows, known, shots, rng)
        other = [row for row in rows if row["photo"] in others]
        rng.shuffle(other)
        queries = [r for label in COINS for r in [o for o in other if o["label"] == label][:asked]]
        taken = {row["file"] for row in queries}
        bare = [example(folder, r) for r in other if r["file"] not in taken]
        yield Draw(
            task("coins", COINS),
            Shots(
                tuple(example(folder, row, row["photo"]) for row in support),
                tuple(Example(f"u{one.id}", one.input) for one in bare),
            ),
            tuple(example(folder, row) for row in queries),
        )


def halves(rng: random.Random, photos: set[str]) -> tuple[set[str], set[str]]:
    """Half of the photos, and the other half."""
    known = set(rng.sample(sorted(photos), len(photos) // 2))
    return known, photos - known


def shootings(rng: random.Random, photos: set[str]) -> tuple[set[str], set[str]]:
    """The photos on white paper and those on stone, either as what is learned from.

    By eye: test_1 to test_14, and test_15 to test_21. The photos named IMG_ (on wood) have one
    class each and are left out.
    """
    stone = {f"test_{i}" for i in range(15, 22)} & photos
    paper = {f"test_{i}" for i in range(1, 15)} & photos
    return (stone, paper) if rng.random() < 0.5 else (paper, stone)


def groceries(shots: int) -> Iterator[Draw]:
    """`WAY` classes of those not chosen on; support from the official train part, all test rows."""
    folder, rows = unpacked("grocery")
    names = [row["label"] for row in read(data_folder() / "grocery" / "classes.jsonl")][CHOOSING:]
    for draw in range(DRAWS):
        rng = random.Random(f"grocery:{draw}")
        labels = rng.sample(names, WAY)
        known, asked = [], []
        for label in labels:
            train, test = ([r for r in rows if (r["label"], r["split"]) == (label, split)]
                           for split in ("train", "test"))  # fmt: skip
            known += [example(folder, row) for row in rng.sample(train, shots)]
            asked += [example(folder, row) for row in test]
        yield Draw(task("grocery", labels), Shots(tuple(known)), tuple(asked))


def cifar(shots: int) -> Iterator[Draw]:
    """All ten classes; support from train, the first 20 test pictures of each class."""
    folder = RUNS / "data" / "cifar10_small"
    with np.load(data_folder() / "cifar10_small" / "cifar10_small.npz") as pack:
        pixels = {part: pack[f"x_{part}"] for part in ("train", "test")}
        numbers = {part: pack[f"y_{part}"] for part in ("train", "test")}
        names = [str(name) for name in pack["class_names"]]

    def rows(part: str, label: int, picks: Sequence[int]) -> list[Example]:
        found = np.flatnonzero(numbers[part] == label)
        made = []
        for pick in picks:
            name = f"{part}/{names[label]}/{found[pick]}.png"
            save(folder / name, pixels[part][found[pick]])
            made.append(example(folder, {"file": name, "label": names[label]}))
        return made

    for draw in range(DRAWS):
        rng = random.Random(f"cifar10:{draw}")
        known = [e for c in range(10) for e in rows("train", c, rng.sample(range(40), shots))]
        asked = [e for c in range(10) for e in rows("test", c, range(20))]
        yield Draw(task("cifar10", names), Shots(tuple(known)), tuple(asked))


def save(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image as pillow

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(pixels).save(path)


PROTOCOLS = (
    Protocol("coins", "coins, other photographs", 4, lambda k: coins(k, ASKED, halves), "77"),
    Protocol("grocery-1", "grocery, 20 classes", 1, groceries, "57"),
    Protocol("grocery-4", "grocery, 20 classes", 4, groceries, "73"),
    Protocol("grocery-8", "grocery, 20 classes", 8, groceries, "79"),
    Protocol("shooting", "coins, another shooting", 4, lambda k: coins(k, 15, shootings)),
    Protocol("coins-1", "coins, other photographs", 1, lambda k: coins(k, ASKED, halves)),
    Protocol("coins-2", "coins, other photographs", 2, lambda k: coins(k, ASKED, halves)),
    Protocol("cifar10", "CIFAR-10, 32 x 32 pixels", 4, cifar),
)


# ------------------------------------------------------------------ measuring


def measure(folder: Path, only: str, draws: int) -> None:
    """Every method on every protocol; a draw that was measured is not measured again."""
    bench = Workbench(open_models(), None, folder, encoder=resolve(None, "features"))
    ways = list(METHODS.items())
    for way, spec in ways:
        for protocol in PROTOCOLS:
            if only in protocol.name:
                _measure(folder, bench, protocol, way, TABLE.build(spec), draws)
    for way, spec in UNLABELLED.items():
        _measure(folder, bench, PROTOCOLS[4], way, TABLE.build(spec), draws)


def _measure(
    folder: Path, bench: Workbench, protocol: Protocol, way: str, method: Method, draws: int
) -> None:
    file = folder / f"{protocol.name}-{way.replace(', ', '-').replace(' ', '-')}.json"
    plan = digest(spec_hash(method), repr(bench.encoder), json.dumps(machine.identity()))
    kept: dict[str, Any] = {"plan": plan, "draws": []}
    if file.exists() and (known := json.loads(file.read_text()))["plan"] == plan:
        kept = known
    todo = range(len(kept["draws"]), draws)
    if not todo:
        return
    for number, draw in enumerate(protocol.draws(protocol.shots)):
        if number in todo:
            kept["draws"].append(measured(bench, method, draw))
            write_atomic(file, json.dumps(kept, indent=1))
    mean = np.mean([one["accuracy"] for one in kept["draws"]])
    print(f"{time.strftime('%H:%M:%S')} {protocol.name} {way}: {100 * mean:.1f}", flush=True)


def measured(bench: Workbench, method: Method, draw: Draw) -> dict[str, Any]:
    """One draw: accuracy, and the mean of the classes' accuracies."""
    bench.shelf = Shelf()
    bench.notes.clear()
    machine.seed_everything(0)
    start = time.perf_counter()
    predictor = method.adapt(draw.task, draw.shots, bench)
    taught = time.perf_counter() - start
    told = predictor.predict([row.input for row in draw.asked])
    right = np.array([p.answer == e.label for p, e in zip(told, draw.asked, strict=True)])
    labels = np.array([row.label for row in draw.asked])
    return {
        "accuracy": float(right.mean()),
        "balanced": float(np.mean([right[labels == one].mean() for one in np.unique(labels)])),
        "asked": len(right),
        "unlabelled": len(draw.shots.unlabelled),
        "seconds": taught,
        "notes": list(bench.notes),
    }


# ------------------------------------------------------------------ the page


def page(folder: Path) -> str:
    """The block of the result page from the cells that are there."""
    ways = [*METHODS, *UNLABELLED]
    lines = [line("data", "pictures a class", "mark", *(f"`{way}`" for way in ways))]
    lines.append(line("---", "--:", "--:", *["--:"] * len(ways)))
    for protocol in PROTOCOLS:
        cells = [_said(folder, protocol, way) for way in ways]
        if any(cell != "-" for cell in cells):
            lines.append(line(protocol.words, str(protocol.shots), protocol.mark or "-", *cells))
    return "\n".join(lines)


def _cell(folder: Path, protocol: Protocol, way: str) -> list[dict[str, Any]]:
    file = folder / f"{protocol.name}-{way.replace(', ', '-').replace(' ', '-')}.json"
    return list(json.loads(file.read_text())["draws"]) if file.exists() else []


def _said(folder: Path, protocol: Protocol, way: str) -> str:
    """Mean over draws, with its 95 % interval, and the deviation of a draw."""
    points = [100 * one["accuracy"] for one in _cell(folder, protocol, way)]
    if len(points) < 2:
        return "-"
    deviation = float(np.std(points, ddof=1))
    said = f"{np.mean(points):.1f} ± {1.96 * deviation / len(points) ** 0.5:.1f} ({deviation:.1f})"
    return said if len(points) == DRAWS else f"{said}, {len(points)} draws"


def drawn(folder: Path, name: str) -> str:
    """Accuracy over pictures a class of one set, a panel for each method; "" where too little."""
    found = []
    for way in METHODS:
        points = []
        for protocol in sorted(PROTOCOLS, key=lambda one: one.shots):
            scores = [one["accuracy"] for one in _cell(folder, protocol, way)]
            if protocol.name.partition("-")[0] == name and len(scores) > 1:
                mean, error = np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5
                points.append((protocol.shots, float(mean), *(float(mean + z * error) for z in Z)))
        role: charts.Role = "pick" if way == "picture_probe" else "could"
        found.append(charts.Series(way, role, tuple(points)))
    found = [one for one in found if len(one.points) > 1]
    return charts.standalone(charts.curves(found, f"{name}: pictures a class")) if found else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("measure", "page"))
    parser.add_argument("--folder", type=Path, default=RUNS)
    parser.add_argument("--only", default="", help="protocols whose names hold this")
    parser.add_argument("--draws", type=int, default=DRAWS)
    given = parser.parse_args()
    if given.what == "page":
        text = page(given.folder)
        for name in ("coins", "grocery"):
            if svg := drawn(given.folder, name):
                write_atomic(PAGE.parent / f"fewshot-{name}.svg", svg)
                text += f"\n\n![{name}: accuracy over pictures a class](fewshot-{name}.svg)"
        write("pictures.py", text, PAGE)
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    measure(given.folder, given.only, given.draws)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
