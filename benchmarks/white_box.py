"""Half the layers under a teacher's logits, and weights trained on the grid of a 4-bit file.

    python benchmarks/white_box.py OUT [--quick | --long] [--write]

On SST-2 and ten BANKING77 intents: LoRA on the embedded language model, from a few labelled rows;
a student with 14 of its 30 layers, alone on these rows, and taught by the LoRA with rows that have
no labels; the LoRA rounded to Q4_0 after training, and trained on the grid of Q4_0 with the same
data and steps. Each on the same test rows, one after the other on one thread. What OUT holds
already is not made again, and a training that was killed goes on from its last checkpoint. After
each data set the tables are written as far as they are known. ``--quick``: the second table alone,
on few rows of SST-2; ``--long``: SST-2 with more rows without labels, steps and test rows; each in
a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compression import DATA, PAGE, of_each
from nshot.bench.workbench import Workbench
from nshot.core import machine
from nshot.core.files import content_hash, write_atomic, write_folder
from nshot.core.serial import read_json
from nshot.core.types import Delta, Example, Input, Label, ModelRef, Shots, Task
from nshot.methods.compress.distil import Distil
from nshot.methods.compress.fewer_layers import FewerLayers
from nshot.methods.compress.from_folder import FromFolder
from nshot.methods.compress.qat import QAT
from nshot.methods.peft.lora import LoRA
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Prompted
from table import ROOT, line, write

LAYERS = 14
TUNED: dict[str, Any] = {"learning_rate": 5e-4, "epochs": 3, "batch_size": 8, "max_steps": 600}
STUDENT: dict[str, Any] = {"layers": LAYERS, "learning_rate": 3e-4, "batch_size": 8}


class Rows(NamedTuple):
    """A task, what is learned from, and what is asked."""

    task: Task
    shots: Shots
    test: tuple[Example, ...]


KINDS = ("lora", "taught", "alone", "rounded", "qat")


class Plan(NamedTuple):
    """How much of each set, how long, and which rows of the tables.

    `sizes` are labelled rows of each label, rows without labels, and test rows of each label; the
    student is `taught` so many epochs, and steps at most.
    """

    name: str
    sizes: dict[str, tuple[int, int, int]]
    tuned: dict[str, Any]
    taught: dict[str, int]
    kinds: tuple[str, ...] = KINDS

    @property
    def ending(self) -> str:
        """Behind the name of a table."""
        return ", longer" if self.name == "long" else ""


SHORT = {"epochs": 2, "max_steps": 120}
PLANS = {
    plan.name: plan
    for plan in (
        Plan("", {"sst2": (100, 400, 100), "banking10": (12, 300, 20)}, TUNED, SHORT),
        Plan("quick", {"sst2": (24, 1, 50)}, {**TUNED, "learning_rate": 1e-3, "epochs": 2}, SHORT,
             ("lora", "rounded", "qat")),
        Plan("long", {"sst2": (100, 2000, 200)}, {**TUNED, "epochs": 5},
             {"epochs": 4, "max_steps": 550}),
    )
}  # fmt: skip


def rows(name: str, sizes: tuple[int, int, int]) -> Rows:
    """The first rows of each label, those that follow without labels, and test rows."""
    import random

    train, test, _, _ = DATA[name]()
    labelled, unlabelled, asked = sizes
    draw = random.Random(0)
    draw.shuffle(train)
    draw.shuffle(test)
    some, more = of_each(train, labelled)
    answered, _ = of_each(test, asked)
    labels = tuple(Label(one) for one in sorted({row["label"] for row in some}))
    fields = (("text", {"sst2": "Review", "banking10": "Query"}[name]),)
    word = {"sst2": "Sentiment", "banking10": "Intent"}[name]
    task = Task(name, "classify", labels, field_names=fields, answer_name=word)
    shots = Shots(examples("train", some, True), examples("more", more[:unlabelled], False))
    return Rows(task, shots, examples("test", answered, True))


def examples(part: str, some: list[dict[str, Any]], labelled: bool) -> tuple[Example, ...]:
    """Rows of a file as examples."""
    return tuple(
        Example(f"{part}{i}", Input((("text", row["text"]),)), (row["label"],) if labelled else ())
        for i, row in enumerate(some)
    )


def rounded(place: Path, into: Path, base: ModelRef, task: Task, models: Any) -> Predictor:
    """The model in `place` with its weights as a Q4_0 file holds them."""
    from nshot.models.hf.merged import merged
    from nshot.models.llamacpp.grid import on_grid
    from nshot.training.straight_through import matrices, outside

    tuned = load(place, models)
    if not isinstance(tuned, Prompted):
        raise TypeError("a language model was expected")
    module, tokenizer = merged(tuned.ref)
    for _, matrix in matrices(module):
        matrix.weight.data = on_grid(matrix.weight.data, "Q4_0")
    for weight in outside(module).values():
        weight.data = on_grid(weight.data, "Q8_0")
    module.save_pretrained(into)
    tokenizer.save_pretrained(into)
    delta = Delta("model", str(into), content_hash(into))
    return Prompted(task, models, ModelRef(base.engine, base.name, deltas=(delta,)), tuned.format)


class Piece(NamedTuple):
    """How one row of the table came out."""

    right: list[bool]
    nll: list[float]
    seconds: float
    built: float
    parameters: int
    notes: list[str]


def piece(name: str, kind: str, out: Path, data: Rows, plan: Plan) -> Piece:
    """Adapt, save, load afresh, ask; or read what was kept."""
    folder, path = out / name / kind, out / name / f"{kind}.json"
    if path.exists():
        return Piece(**read_json(path))
    base = resolve(None, "lm")
    bench = Workbench(open_models(), base, folder=out / name / f"{kind}-work", on_progress=shown)
    start = time.perf_counter()
    if not (folder / "nshot.json").exists():
        predictor = made(kind, out / name, bench, base, data, plan)
        write_folder(folder, predictor.save)
    built = time.perf_counter() - start
    models = open_models()
    again = load(folder, models)
    inputs = [row.input for row in data.test]
    again.predict(inputs[:8])
    start = time.perf_counter()
    answers = again.predict(inputs)
    seconds = time.perf_counter() - start
    right = [one.answer == row.label for one, row in zip(answers, data.test, strict=True)]
    names = data.task.label_names
    nll = [-one.scores[names.index(row.label)]
           for one, row in zip(answers, data.test, strict=True)]  # fmt: skip
    if not isinstance(again, Prompted):
        raise TypeError("a language model was expected")
    parameters = models.open(again.ref).facts.parameters
    one = Piece(right, nll, seconds, built, parameters, bench.notes)
    write_atomic(path, json.dumps(one._asdict()))
    print(f"{name} {kind}: {np.mean(right):.3f}, nll {np.mean(nll):.3f}, {seconds:.0f} s of asking,"
          f" {built:.0f} s of building", flush=True)  # fmt: skip
    return one


def shown(done: int, total: int, what: str) -> None:
    """Every fiftieth step."""
    if done % 50 == 0:
        print(f"  {what} {done} of {total}", flush=True)


def made(
    kind: str, out: Path, bench: Workbench, base: ModelRef, data: Rows, plan: Plan
) -> Predictor:
    """What answers for a row of the table."""
    student = FewerLayers(**STUDENT, **plan.taught)
    methods: dict[str, Callable[[], Any]] = {
        "lora": lambda: LoRA(**plan.tuned),
        "taught": lambda: Distil(teacher=FromFolder(folder=str(out / "lora")), student=student),
        "alone": lambda: FewerLayers(**STUDENT, epochs=4, max_steps=120),
        "qat": lambda: QAT(**plan.tuned),
    }
    if kind == "rounded":
        return rounded(out / "lora", out / "rounded-model", base, data.task, bench.models)
    adapted: Predictor = methods[kind]().adapt(data.task, data.shots, bench)
    return adapted


def less(one: list[Any], other: list[Any], scale: float = 1.0) -> str:
    """The mean difference on the same rows, with a 95 % interval of its standard error."""
    apart = scale * (np.array(one, float) - np.array(other, float))
    half, mid = 1.96 * apart.std(ddof=1) / np.sqrt(len(apart)), apart.mean()
    digits = "+.1f" if scale == 100 else "+.3f"
    return f"{mid:{digits}} ({mid - half:{digits}} to {mid + half:{digits}})"


def layers(known: dict[str, dict[str, Piece]]) -> str:
    """Teacher, student, student alone."""
    head = ("data", "teacher", "student, 14 of 30 layers", "alone", "taught", "less its teacher",
            "of its accuracy", "less itself alone", "fewer parameters", "faster")  # fmt: skip
    out = [line(*head), line(*["---"] * 3, *["--:"] * 7)]
    for name, some in known.items():
        teacher, taught, alone = (some[kind] for kind in ("lora", "taught", "alone"))
        scores = [100 * float(np.mean(one.right)) for one in (teacher, taught, alone)]
        speed = teacher.seconds / taught.seconds
        out.append(
            line(
                name,
                f"`lora`: {scores[0]:.1f} %",
                "`fewer_layers`",
                f"{scores[2]:.1f} %",
                f"{scores[1]:.1f} %",
                less(taught.right, teacher.right, 100),
                f"{100 * scores[1] / scores[0]:.0f} %",
                less(taught.right, alone.right, 100),
                f"{100 * (1 - taught.parameters / teacher.parameters):.0f} %",
                f"{speed:.1f}x",
            )
        )
    return "\n".join(out)


def grid(known: dict[str, dict[str, Piece]]) -> str:
    """What Q4_0 after training loses, and what training on the grid gives back."""
    head = ("data", "weights", "accuracy", "nll of the right label", "nll less `lora`'s")
    out = [line(*head), line("---", "---", "--:", "--:", "--:")]
    words = {"lora": "32 bits (`lora`)", "rounded": "Q4_0 after training", "qat": "Q4_0, `qat`"}
    for name, some in known.items():
        for kind, word in words.items():
            one = some[kind]
            beside = "" if kind == "lora" else less(one.nll, some["lora"].nll)
            score = f"{100 * float(np.mean(one.right)):.1f} %"
            out.append(line(name, word, score, f"{float(np.mean(one.nll)):.3f}", beside))
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", dest="plan", action="store_const", const="quick", default="",
                       help="little of SST-2, the grid alone")  # fmt: skip
    which.add_argument("--long", dest="plan", action="store_const", const="long",
                       help="SST-2, with more rows and steps")  # fmt: skip
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    plan = PLANS[arguments.plan]
    out = arguments.out / plan.name
    known: dict[str, dict[str, Piece]] = {}
    for name, sizes in plan.sizes.items():
        data = rows(name, sizes)
        (out / name).mkdir(parents=True, exist_ok=True)
        known[name] = {kind: piece(name, kind, out, data, plan) for kind in plan.kinds}
        for part, text in tables(known, plan).items():
            print(text)
            if arguments.write:
                write(f"white_box.py, {part}", text, PAGE)


def tables(known: dict[str, dict[str, Piece]], plan: Plan) -> dict[str, str]:
    """The blocks of the page by the part that their mark names."""
    where = f"one thread of {machine.device()}, beside other work on the machine."
    count = "; ".join(f"{name}: {len(one['lora'].right)} test rows" for name, one in known.items())
    parts = {"grid": grid(known)} | ({"layers": layers(known)} if "taught" in plan.kinds else {})
    return {f"{part}{plan.ending}": f"{table}\n\n{count}; {where}" for part, table in parts.items()}


if __name__ == "__main__":
    main()
