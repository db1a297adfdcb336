"""What methods that learn to learn reach on Omniglot in minutes, and on other pictures.

    python benchmarks/fewshot.py omniglot [--only prototypical,maml] [--out runs/omniglot]
    python benchmarks/fewshot.py page     [--out runs/omniglot]

Trains what is not trained yet, each method for its own minutes, and goes on where it was killed;
every method answers the same episodes. `page` writes the two tables of docs/results/fewshot.md and
the drawing of how the learning went, from what is there. Needs no peer: any Python with nshot.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nshot.bench.episodes import RESULT, carry_out, prepare
from nshot.bench.episodes_request import EpisodesRequest
from nshot.core.files import write_atomic
from nshot.data.episodes import EpisodeShape
from nshot.data.fitted import fitted
from nshot.report.episodes import cell, learning
from nshot.report.numbers import say
from nshot.report.terminal import display
from table import ROOT, data_folder, line, read, write

PAGE = ROOT / "docs" / "results" / "fewshot.md"
SHAPES = tuple(EpisodeShape(way, shot, 15) for way in (5, 20) for shot in (1, 5))
MINUTES: Mapping[str, float] = {
    "prototypical": 6, "matching": 10, "relation": 10, "baseline": 10, "baseline_pp": 10,
    "meta_baseline": 10, "maml": 10,
}  # fmt: skip
PAPERS: Mapping[str, tuple[float, float, float, float]] = {
    "prototypical": (98.8, 99.7, 96.0, 98.9),
    "matching": (98.1, 98.9, 93.8, 98.5),
    "relation": (99.6, 99.8, 97.6, 99.1),
    "maml": (98.7, 99.9, 95.8, 98.9),
}
"""Accuracy, %, in the order of `SHAPES`: each paper's own."""
MARKS = (96.5, 99.0, 90.0, 97.0)
"""What `prototypical` is to reach in its 6 minutes."""
ACROSS_WAY = 5
OTHERS = ("coins", "grocery", "cifar10_small")
SIDE = 28


def omniglot(out: Path, only: list[str]) -> None:
    """Train and measure each method into a folder of its own."""
    file = data_folder() / "omniglot" / "omniglot28.npz"
    across = others(out)
    for name in only or MINUTES:
        request = EpisodesRequest(
            data=file, way=(5, 20), shot=(1, 5), methods=(name,), out=out / name,
            train_minutes=MINUTES[name], background=1200, rotations=True, across=across,
        )  # fmt: skip
        carry_out(prepare(request), display(), _command(name))


def _command(name: str) -> str:
    return shlex.join(["python", "benchmarks/fewshot.py", "omniglot", "--only", name])


# ------------------------------------------------------------------ classes of another kind


def others(out: Path) -> tuple[Path, ...]:
    """Coins, groceries and CIFAR-10 as npz files of small pictures, made where they are not."""
    data = data_folder()
    made = [out / "data" / f"{name}.npz" for name in OTHERS[:2]]
    for path in made:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            arrays = small_pictures(data / path.stem)
            passing = path.with_suffix(".passing.npz")
            np.savez(passing, **arrays)
            passing.replace(path)
    return (*made, data / "cifar10_small" / "cifar10_small.npz")


def small_pictures(folder: Path) -> dict[str, Any]:
    """All pictures of the zip files that index.jsonl names: images (N, 28, 28, 3), class_id."""
    archives = {part: zipfile.ZipFile(folder / f"{part}.zip") for part in ("train", "test")}
    rows = [row for row in read(folder / "index.jsonl") if row["split"] in archives]
    names = sorted({row["label"] for row in rows})
    pictures = []
    for row in rows:
        with Image.open(io.BytesIO(archives[row["split"]].read(row["file"]))) as picture:
            small = fitted(np.asarray(picture.convert("RGB")), (3, SIDE, SIDE))
        pictures.append(small.transpose(1, 2, 0))
    ids = np.array([names.index(row["label"]) for row in rows])
    return {"images": np.stack(pictures), "class_id": ids, "class_names": np.array(names)}


# ------------------------------------------------------------------ the page


def page(out: Path) -> None:
    """Both tables, and how the learning went."""
    found = {
        name: json.loads((out / name / RESULT).read_text(encoding="utf-8"))
        for name in MINUTES
        if (out / name / RESULT).exists()
    }
    if not found:
        raise SystemExit(f"nothing was measured yet in {out}")
    write("fewshot.py", omniglot_table(found), PAGE)
    write("fewshot.py, across", across_table(found), PAGE)
    whole = {**next(iter(found.values())), "methods": [r["methods"][0] for r in found.values()]}
    drawing = learning(whole)
    if drawing:
        write_atomic(PAGE.parent / "fewshot-learning.svg", drawing)


def omniglot_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Each method beside its paper's figures."""
    heads = [f"{shape.way}-way {shape.shot}-shot" for shape in SHAPES]
    rows = [line("method", *heads, "trained", "papers"), line(*["--"] * (len(heads) + 3))]
    for name, result in found.items():
        (row,) = result["methods"]
        cells = _cells(row, name == "prototypical")
        training = row["training"]
        trained = (
            f"{say(training['seconds'], 'seconds')} on {result['machine']['threads']} thread(s),"
            f" {len(training['losses']):,} steps, {training['parameters']:,} numbers"
        )
        papers = " / ".join(map(str, PAPERS[name])) if name in PAPERS else ""
        rows.append(line(f"[{name}](../methods/{name}.md)", *cells, trained, papers))
    marks = " / ".join(f"{mark:g}" for mark in MARKS)
    return "\n".join(
        [
            *rows,
            "",
            f"%, ± half of the 95 % interval over episodes, (untrained). Bold: the mark of"
            f" `prototypical`, {marks}, is reached.",
            "",
            "![the learning of each method](fewshot-learning.svg)",
            "",
            _about(next(iter(found.values()))),
        ]
    )


def _cells(row: Mapping[str, Any], marked: bool) -> list[str]:
    if row["status"] != "ok":
        return [f"{row['status']}: {row['reason']}", *[""] * (len(SHAPES) - 1)]
    pairs = list(zip(row["scores"], row["untrained"], strict=True))[: len(SHAPES)]
    said = [cell(one, was) for one, was in pairs]
    if not marked:
        return said
    reached = [100 * after["mean"] >= mark for (after, _), mark in zip(pairs, MARKS, strict=True)]
    return [f"**{text}**" if ok else text for text, ok in zip(said, reached, strict=True)]


def across_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Who is best where nobody has learned."""
    scores = {
        name: {(s["set"], s["shot"]): s for s in row["scores"] if _asked(s)}
        for name, row in ((name, result["methods"][0]) for name, result in found.items())
        if row["status"] == "ok"
    }
    scores = {name: known for name, known in scores.items() if known}
    if not scores:
        return "Not measured yet."
    columns = list(dict.fromkeys(key for known in scores.values() for key in known))
    best = {key: max(scores, key=lambda name: scores[name][key]["mean"]) for key in columns}
    heads = [f"{name}, {shot}-shot" for name, shot in columns]
    rows = [line("method", *heads), line("--", *["--:"] * len(columns))]
    for name, known in scores.items():
        cells = [cell(known[key], None) for key in columns]
        bold = [f"**{c}**" if best[k] == name else c for c, k in zip(cells, columns, strict=True)]
        rows.append(line(name, *bold))
    beaten = [key for key in columns if best[key] in ("baseline", "baseline_pp")]
    return "\n".join(
        [
            *rows,
            "",
            f"5-way, 15 queries a class, chance 20 %; bold is the best of its column. A plain"
            f" baseline is the best in {len(beaten)} of {len(columns)} columns. Crops of one"
            " photograph may be on both sides of an episode here, which flatters coins.",
        ]
    )


def _asked(score: Mapping[str, Any]) -> bool:
    return score["set"] in OTHERS and score["way"] == ACROSS_WAY


def _about(result: Mapping[str, Any]) -> str:
    known, data = result["machine"], result["data"]
    return (
        f"{data['background_classes']:,} classes to learn from, {data['evaluation_classes']:,} new"
        f" ones (fingerprint `{data['fingerprint']}`), {result['episodes']:,} episodes a column,"
        f" seed {result['seed']}; {known['processor']}, {known['device']},"
        f" torch {known['versions']['torch']}."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("omniglot", "page"))
    parser.add_argument("--only", default="", metavar="A,B", help="of the methods")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "omniglot")
    asked = parser.parse_args()
    if asked.what == "omniglot":
        omniglot(asked.out, [name for name in asked.only.split(",") if name])
    page(asked.out)
