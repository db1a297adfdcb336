"""setfit against the package of its authors: same shots, encoder, pairs' number, batches and rate.

    make bench, or: .bench/venv/bin/python benchmarks/contrastive.py [--shots 8,32] [--draws 3]
                    [--rows 400] [--write]

SST-2 and ten BANKING77 intents. Both sides draw 20 pairs of one label and 20 of two for each shot
from all there are, and take the same number of steps. Timed is the package's `Trainer.train()`,
which ends with a fitted head in memory, and the product's `adapt`, which has also written the
encoder to disk and opened it again. The sides take turns; which begins changes with the draw. A
cell is one draw of one task, kept as one JSON file in `runs/contrastive`; what is there is not
measured again, so a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import peers
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task, digest
from nshot.methods.fewshot.setfit import SetFit
from nshot.methods.spec import spec_hash
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.catalog import locate, resolve
from table import ROOT, data_folder, line, read, write
from workbench import Workbench

Side: TypeAlias = dict[str, float]
Answer: TypeAlias = Callable[[Sequence[str]], list[str]]
Adapt: TypeAlias = Callable[[], Answer]
RUNS = ROOT / "runs" / "contrastive"
TASKS = {"sst2": "SST-2", "banking77": "ten BANKING77 intents"}
OURS, PEER = "nshot", "setfit 1.2.0"
GOAL = 2.0
"""Points by which the means may differ."""


def rows_of(data: Path, name: str) -> tuple[Task, list[Example], list[Example]]:
    """A task with its train and test rows; of BANKING77 the ten intents of all boards."""
    parts = {part: read(data / name / f"{part}.jsonl") for part in ("train", "test")}
    labels = sorted({str(row["label"]) for row in parts["test"]})
    kept = random.Random(0).sample(labels, 10) if name == "banking77" else labels
    train, test = (
        [
            Example(f"{part}{i}", Input((("text", row["text"]),)), (str(row["label"]),))
            for i, row in enumerate(rows)
            if str(row["label"]) in kept
        ]
        for part, rows in parts.items()
    )
    return Task(name, "classify", tuple(map(Label, sorted(kept)))), train, test


def drawn(task: Task, train: Sequence[Example], shots: int, draw: int) -> Shots:
    """`shots` examples of each label."""
    shuffled = random.Random(f"{task.name}:{draw}").sample(train, len(train))
    of = {label: [e for e in shuffled if e.label == label] for label in task.label_names}
    return Shots(tuple(example for rows in of.values() for example in rows[:shots]))


def steps_of(method: SetFit, shots: Shots) -> int:
    """Optimiser steps of both sides."""
    pairs = 2 * method.iterations * len(shots.labelled)
    return min(-(-pairs // method.batch_size), method.max_steps)


def timed(adapt: Adapt, test: list[Example]) -> Side:
    """Seconds of adapting, by wall and by processor, and the accuracy of what came of it."""
    start, worked = time.perf_counter(), time.process_time()
    answer = adapt()
    took = {"seconds": time.perf_counter() - start, "work": time.process_time() - worked}
    said = answer([example.input.text for example in test])
    right = [told == example.label for told, example in zip(said, test, strict=True)]
    return {**took, "accuracy": float(np.mean(right))}


def ours(
    method: SetFit, task: Task, shots: Shots, models: Models, ref: ModelRef, seed: int, folder: Path
) -> Answer:
    """nshot's own way, its encoder kept in `folder`."""
    bench = Workbench(models, None, folder, seed=seed, encoder=ref)
    predictor = method.adapt(task, shots, bench)
    if len(bench.ended) != steps_of(method, shots):
        raise RuntimeError(f"nshot took {len(bench.ended)} steps")

    def answer(texts: Sequence[str]) -> list[str]:
        return [told.answer for told in predictor.predict([Input((("text", t),)) for t in texts])]

    return answer


def peer(method: SetFit, task: Task, shots: Shots, body: Any, seed: int, folder: Path) -> Answer:
    """The package, on a fresh copy of the encoder."""
    from sklearn.linear_model import LogisticRegression

    package = peers.setfit()
    model = package.SetFitModel(model_body=body, model_head=LogisticRegression())
    arguments = package.TrainingArguments(
        output_dir=str(folder),
        batch_size=method.batch_size,
        num_iterations=method.iterations,
        max_steps=steps_of(method, shots),
        body_learning_rate=method.learning_rate,
        warmup_proportion=0.1,
        seed=seed,
        report_to="none",
        logging_strategy="no",
        save_strategy="no",
        show_progress_bar=False,
    )
    names = list(task.label_names)
    rows = [{"text": e.input.text, "label": names.index(e.label)} for e in shots.labelled]
    dataset = package.Dataset.from_list(rows)
    trainer = package.Trainer(model=model, args=arguments, train_dataset=dataset)
    trainer.train()
    if trainer.st_trainer.state.global_step != steps_of(method, shots):
        raise RuntimeError(f"the package took {trainer.st_trainer.state.global_step} steps")

    def answer(texts: Sequence[str]) -> list[str]:
        return [names[int(i)] for i in model.predict(list(texts), show_progress_bar=False)]

    return answer


def measure(
    method: SetFit, task: Task, shots: Shots, test: list[Example], models: Models, draw: int
) -> dict[str, Side]:
    """Both sides on one draw."""
    from sentence_transformers import SentenceTransformer

    ref = resolve(None, "encoder")
    models.encoder(ref).encode(["warm"])
    body = SentenceTransformer(str(locate(ref)), device=machine.device())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sides: dict[str, Adapt] = {
            OURS: lambda: ours(method, task, shots, models, ref, draw, folder / "ours"),
            PEER: lambda: peer(method, task, shots, body, draw, folder / "peer"),
        }
        return in_turns(sides, test, draw)


def in_turns(sides: Mapping[str, Adapt], test: list[Example], draw: int) -> dict[str, Side]:
    """Every side timed; the last begins in every second draw."""
    turns = list(sides) if draw % 2 == 0 else list(sides)[::-1]
    found = {name: timed(sides[name], test) for name in turns}
    return {name: found[name] for name in sides}


def cell(name: str, plan: str, make: Callable[[], dict[str, Side]], runs: Path) -> dict[str, Side]:
    """What `make` gives, from its file where it was made under the same plan."""
    file = runs / f"{name}.json"
    if file.exists():
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["plan"] == plan:
            sides: dict[str, Side] = known["sides"]
            return sides
    print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
    made = make()
    runs.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps({"plan": plan, "sides": made}, indent=1))
    for side, took in made.items():
        print(f"  {side}: {100 * took['accuracy']:.1f} % in {took['seconds']:.1f} s", flush=True)
    return made


def table(found: dict[tuple[str, int], list[dict[str, Side]]], method: SetFit, rows: int) -> str:
    """A row for each task and size: means of accuracy, medians of time."""
    lines = [
        line("task", "shots per label", "steps", OURS, PEER, "difference, points", "s",
             f"s, {PEER}", "ratio", "by CPU time"),
        "|--|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for (task, shots), draws in found.items():
        right = {side: [100 * d[side]["accuracy"] for d in draws] for side in (OURS, PEER)}
        took = {
            (side, clock): statistics.median(d[side][clock] for d in draws)
            for side in (OURS, PEER)
            for clock in ("seconds", "work")
        }
        gap = statistics.mean(right[OURS]) - statistics.mean(right[PEER])
        lines.append(
            line(
                TASKS[task],
                str(shots),
                str(steps_of(method, Shots((Example("", Input()),) * (shots * _labels(task))))),
                _spread(right[OURS]),
                _spread(right[PEER]),
                f"{gap:+.1f}" if gap >= -GOAL else f"**{gap:+.1f}**",
                f"{took[OURS, 'seconds']:.1f}",
                f"{took[PEER, 'seconds']:.1f}",
                f"{took[PEER, 'seconds'] / took[OURS, 'seconds']:.2f}x",
                f"{took[PEER, 'work'] / took[OURS, 'work']:.2f}x",
            )
        )
    draws = len(next(iter(found.values())))
    how = (
        f"all-MiniLM-L6-v2, float32 on {machine.device()}, {machine.threads()} thread(s); batches "
        f"of {method.batch_size} pairs, rate {method.learning_rate:g}; at most {rows} test rows; "
        f"means of {draws} draw(s), lowest to highest in brackets, medians of time. Goal: within "
        f"{GOAL:g} points, in no more time."
    )
    return "\n".join([*lines, "", how])


def _labels(task: str) -> int:
    return 10 if task == "banking77" else 2


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ({min(values):.1f} - {max(values):.1f})"


def compare(data: Path, sizes: Sequence[int], draws: int, rows: int, runs: Path) -> str:
    """The table, from what is there and what is measured now."""
    models, method = open_models(), SetFit()
    found: dict[tuple[str, int], list[dict[str, Side]]] = {}
    for name in TASKS:
        task, train, test = rows_of(data, name)
        asked = random.Random(0).sample(test, min(rows, len(test)))
        for shots in sizes:
            for draw in range(draws):
                given = drawn(task, train, shots, draw)
                plan = digest(
                    spec_hash(method), repr(given), repr([e.id for e in asked]), PEER,
                    json.dumps(machine.identity()),
                )  # fmt: skip

                def make(
                    task: Task = task,
                    given: Shots = given,
                    asked: list[Example] = asked,
                    draw: int = draw,
                ) -> dict[str, Side]:
                    return measure(method, task, given, asked, models, draw)

                sides = cell(f"{name}-{shots}-{draw}", plan, make, runs)
                found.setdefault((name, shots), []).append(sides)
    return table(found, method, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", default="8,32", help="per label, several with commas")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--rows", type=int, default=400, help="test rows of each task, at most")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where the cells are kept")
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    torch.set_num_threads(machine.threads())
    sizes = [int(size) for size in given.shots.split(",")]
    text = compare(data_folder(), sizes, given.draws, given.rows, given.runs)
    print(text)
    if given.write:
        write("contrastive.py", text)


if __name__ == "__main__":
    main()
