"""What instruction tuning gives a small model, and what it takes: measured, in resumable cells.

    python benchmarks/instruction.py english      # Alpaca: about 25 minutes of one core
    python benchmarks/instruction.py korean       # KoAlpaca, beside it: about 45 of the other
    python benchmarks/instruction.py table        # prompt, fine-tuning, instruction tuning: 25
    python benchmarks/instruction.py page         # docs/results/instruction.md from what is there

`--tiny` does all of it with a handful of rows. A cell is one model with all that is measured of
it, kept as one JSON file once it is whole; a training goes on at its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from instruction_data import (
    FOLDERS,
    SCRIPTS,
    SEEN_TASKS,
    TOKENS,
    UNSEEN_TASKS,
    labelled,
    mixed,
    probes,
    requests,
)
from nshot.audit.forgetting import general
from nshot.board.judge import Comparison, Judge, admit, read_pairs, share_of, wins
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.types import Example, Grammar, Input, ModelRef, Prediction, Shots, Task, digest
from nshot.data.scripts import script
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.methods.spec import spec_hash
from nshot.metrics import metric_of
from nshot.models import open_models
from nshot.models.base import Decoding, LanguageModel, Models
from nshot.models.catalog import resolve
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import chat
from nshot.report import charts
from nshot.report.charts import Losses, Series
from table import END, ROOT, data_folder, line, mark, write
from workbench import Workbench

RUNS = ROOT / "runs" / "instruction"
PAGE = ROOT / "docs" / "results" / "instruction.md"
SCRIPT, CURVES = "instruction.py", "instruction-curves.svg"
READ_CURVES = (
    "Nats a token of the answers over optimiser steps: the line is each batch, the dots are rows"
    " of the validation (no step saw them)."
)
TASK = Task("requests", "generate", metric="rouge_l")
EXACT = Task("labels", "generate", metric="exact_match")
TUNED, BASE = "instruct", "base"
SHOWN = 4
"""Examples in the prompt of few_shot."""


@dataclass(frozen=True)
class Size:
    """How much is measured: rows to learn from, rows asked, tokens written, pairs for the judge.

    In Korean half the rows and twice the tokens (`instruction_data.TOKENS`).
    """

    train: int = 600
    test: int = 60
    written: int = 96
    pairs: int = 60
    rows: int = 64
    """Rows of each task of the table, to learn from and to be asked."""
    epochs: int = 2


TINY = Size(train=12, test=4, written=8, pairs=4, rows=8, epochs=1)


@dataclass
class Measuring:
    """One model in memory, and the folder of its cells."""

    models: Models
    base: ModelRef
    data: Path
    folder: Path
    size: Size

    def cell(self, name: str, plan: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` gives, from its file where it was made under the same plan."""
        file = self.folder / f"{name}.json"
        plan = digest(plan, repr(self.base), repr(self.size), json.dumps(machine.identity()))
        if file.exists():
            known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if known["plan"] == plan:
                return known
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        made = {"plan": plan, **make()}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(made, ensure_ascii=False, indent=1))
        shutil.rmtree(self.folder / "scratch" / name, ignore_errors=True)
        return made

    def trained(
        self, name: str, method: Method, task: Task, rows: Sequence[Example]
    ) -> tuple[ModelRef, dict[str, Any]]:
        """The model after training, and what that took."""
        place = self.folder / "scratch" / name
        place.mkdir(parents=True, exist_ok=True)
        bench, meter = Workbench(self.models, self.base, place), machine.Meter()
        machine.seed_everything(0)
        with meter.running():
            predictor = method.adapt(task, Shots(tuple(rows)), bench)
        if not isinstance(predictor, Prompted):
            raise TypeError(f"{method.name} answers through {type(predictor).__name__}")
        took = {"seconds": meter.seconds, "parameters": bench.parameters, "rows": len(rows)}
        steps = {"timed_steps": len(bench.ended), "curve": bench.curve}
        return predictor.ref, {**took, "notes": bench.notes, **steps}

    def method(self, name: str, **settings: Any) -> Method:
        """A method with the passes of this size."""
        return TABLE.build({"method": name, "epochs": self.size.epochs, **settings})


# ------------------------------------------------------------------ one language


def language(bench: Measuring, name: str) -> None:
    """The base and the tuned model on requests of one language."""
    rows = requests(bench.data, name, bench.size.train // TOKENS[name], bench.size.test)
    asked = {"seen": rows.seen, "unseen": rows.unseen}
    method = bench.method(TUNED)
    ids = repr([[row.id for row in part] for part in (rows.train, rows.seen, rows.unseen)])
    bench.cell(f"{name}-{BASE}", ids, lambda: known_of(bench, bench.base, name, asked))

    def tuned() -> dict[str, Any]:
        ref, took = bench.trained(f"{name}-{TUNED}", method, TASK, rows.train)
        return {"training": took, **known_of(bench, ref, name, asked)}

    bench.cell(f"{name}-{TUNED}", ids + spec_hash(method), tuned)
    bench.cell(f"{name}-judged", ids + spec_hash(method), lambda: judged(bench, name, asked))


def known_of(
    bench: Measuring, ref: ModelRef, name: str, asked: Mapping[str, Sequence[Example]]
) -> dict[str, Any]:
    """Loss, answers and their form, and what else the model knows."""
    model = bench.models.open(ref)
    written = bench.size.written * TOKENS[name]
    found: dict[str, Any] = {side: answered(model, rows, written) for side, rows in asked.items()}
    for side, rows in asked.items():
        told = found[side]["answers"]
        found[side]["language"] = [
            script(said) == script(row.targets[0]) == SCRIPTS[name]
            for row, said in zip(rows, told, strict=True)
            if script(row.targets[0]) == SCRIPTS[name]
        ]
    for form, some in probes(name).items():
        prompts = [chat(TASK, _request(probe.text)) for probe in some]
        said = model.generate(prompts, Decoding(written))
        found[form] = [probe.keeps(one.text.strip()) for probe, one in zip(some, said, strict=True)]
    knows = general(model)
    found["general"] = {"right": list(knows.right), "nats": knows.nats_per_token}
    return found


def answered(model: LanguageModel, rows: Sequence[Example], written: int) -> dict[str, Any]:
    """Nats and tokens of the references, the answers, which of them ended, and ROUGE-L."""
    prompts = [chat(TASK, row.input) for row in rows]
    wanted = [[row.targets[0]] for row in rows]
    scores = model.logprobs(prompts, wanted)
    said = model.generate(prompts, Decoding(written))
    metric = metric_of(TASK)
    return {
        "nats": [-float(score.logprobs[0]) for score in scores],
        "tokens": model.count([one for (one,) in wanted]),
        "answers": [one.text.strip() for one in said],
        "ended": [one.finished for one in said],
        "rouge_l": [
            metric.statistics(row, Prediction(one.text.strip()))[0]
            for row, one in zip(rows, said, strict=True)
        ],
    }


def judged(bench: Measuring, name: str, asked: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
    """Whether the base may judge; how often it then prefers the tuned model's answers."""
    judge = Judge(bench.models.open(bench.base))
    pairs = read_pairs(bench.data / "autoj_pairs" / "test.jsonl")
    short = [p for p in pairs if len(p.prompt + p.first + p.second) < 2000][: bench.size.pairs]
    agreement = admit(judge, short)
    cells = [_read(bench.folder / f"{name}-{which}.json") for which in (TUNED, BASE)]
    found: dict[str, Any] = {"agreement": agreement.model_dump()}
    if agreement.admitted:
        for side, rows in asked.items():
            tuned, base = (cell[side]["answers"] for cell in cells)
            told = [
                Comparison(row.input.text, *both)
                for row, *both in zip(rows, tuned, base, strict=True)
            ]
            found[side] = judge.preferences(told)
    return found


def _request(text: str) -> Input:
    return Input((("instruction", text),))


# ------------------------------------------------------------------ three ways on five tasks


def table(bench: Measuring) -> None:
    """Prompts, a LoRA for each task, and one instruction tuning, on three tasks seen, two not."""
    names = (*SEEN_TASKS, *UNSEEN_TASKS)
    test = {n: labelled(bench.data, n, "test", bench.size.rows) for n in names}
    train = {n: labelled(bench.data, n, "train", bench.size.rows) for n in names}
    plan = repr([[row.id for row in part] for part in (*test.values(), *train.values())])

    for cell, kept in (("table-prompt", False), ("table-prompt-kept", True)):
        bench.cell(cell, plan, partial(prompted, bench, test, train, kept))
    ways: dict[str, tuple[str, Sequence[Example]]] = {
        f"lora-{n}": ("lora", train[n]) for n in SEEN_TASKS
    }
    ways["instruct"] = (TUNED, mixed([train[n] for n in SEEN_TASKS]))
    for name, (kind, rows) in ways.items():
        method = bench.method(kind, format="chat", epochs=2 * bench.size.epochs)

        def tuned(name: str = name, method: Method = method, rows: Any = rows) -> dict[str, Any]:
            ref, took = bench.trained(f"table-{name}", method, EXACT, rows)
            model = bench.models.open(ref)
            points = {n: exact(model, test[n], ()) for n in names}
            return {"points": points, "training": took}

        bench.cell(f"table-{name}", plan + spec_hash(method), tuned)


def prompted(
    bench: Measuring,
    test: Mapping[str, Sequence[Example]],
    train: Mapping[str, Sequence[Example]],
    kept: bool,
) -> dict[str, Any]:
    """Without and with examples in the prompt; `kept`: the answer cannot leave the labels."""
    model, start, points = bench.models.open(bench.base), time.perf_counter(), {}
    for name, rows in test.items():
        labels = sorted({row.label for row in (*rows, *train[name])})
        grammar = Grammar("choices", json.dumps(labels)) if kept else None
        for k in (0, SHOWN):
            points[f"{name}:{k}"] = exact(model, rows, train[name][:k], grammar)
    return {"points": points, "seconds": time.perf_counter() - start}


def exact(
    model: LanguageModel,
    rows: Sequence[Example],
    demos: Sequence[Example],
    grammar: Grammar | None = None,
) -> list[float]:
    """1 for each answer that is the label, case and outer marks aside."""
    prompts = [chat(EXACT, row.input, demos) for row in rows]
    said, metric = model.generate(prompts, Decoding(8, grammar=grammar)), metric_of(EXACT)
    return [
        metric.statistics(row, Prediction(one.text.strip()))[0]
        for row, one in zip(rows, said, strict=True)
    ]


# ------------------------------------------------------------------ the page


def _read(file: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return body


def page(folder: Path) -> str:
    """What the cells that are there say, as Markdown; says what is missing."""
    cells = {file.stem: _read(file) for file in sorted(folder.glob("*.json"))}
    lines = []
    for name, data in FOLDERS.items():
        lines += [f"## {name.title()}: `{data}`", "", *_of_language(cells, name), ""]
    lines += ["## Three ways, five tasks", "", *_of_table(cells), ""]
    lines += ["## How the learning went", "", f"![loss over steps]({CURVES})", "", READ_CURVES]
    return "\n".join(lines)


def curves(folder: Path) -> str:
    """A drawing of each instruction tuning that is there."""
    known = [_losses(f) for f in sorted(folder.glob(f"*-{TUNED}.json"))]
    return charts.standalone(charts.learning(known, [Series("", "could", ())] * len(known), "loss"))


def _losses(file: Path) -> Losses:
    curve = _read(file)["training"]["curve"]
    train = tuple((i + 1, float(loss)) for i, loss in enumerate(curve["train"]))
    validation = tuple((int(step), float(loss)) for step, loss in curve["validation"])
    return Losses(file.stem, "could", train, validation)


def _of_language(cells: Mapping[str, dict[str, Any]], name: str) -> list[str]:
    base, tuned = (cells.get(f"{name}-{which}") for which in (BASE, TUNED))
    if base is None or tuned is None:
        return ["Not measured."]
    lines = [line("", "base", TUNED), line("---", "--:", "--:")]
    for side in ("seen", "unseen"):
        lines += [
            line(f"nats a token, {side} kinds", *(f"{_loss(c[side]):.3f}" for c in (base, tuned))),
            line(f"ROUGE-L, {side} kinds", *(_mean(c[side]["rouge_l"]) for c in (base, tuned))),
            line(f"ends by itself, {side}", *(_share(c[side]["ended"]) for c in (base, tuned))),
            line(f"in its language, {side}", *(_share(c[side]["language"]) for c in (base, tuned))),
        ]
    for form in ("json", "list"):
        lines.append(line(f"{form} when asked", *(_share(c[form]) for c in (base, tuned))))
    right = [_share(cell["general"]["right"]) for cell in (base, tuned)]
    nats = [f"{cell['general']['nats']:.3f}" for cell in (base, tuned)]
    lines += [line("general questions", *right), line("general texts, nats a token", *nats), ""]
    took = tuned["training"]
    lines.append(f"{took['rows']} rows, {_spent(took)}, {took['parameters']:,} parameters.")
    return [*lines, *(_won(base, tuned, side) for side in ("seen", "unseen")),
            _verdict(cells.get(f"{name}-judged"))]  # fmt: skip


def _spent(took: Mapping[str, Any]) -> str:
    """The seconds of the last start, and which of the steps it was for."""
    seconds, steps = f"{took['seconds']:.0f} s", len(took["curve"]["train"])
    timed = took.get("timed_steps", steps)
    return seconds if timed == steps else f"{seconds} (the last {timed} of {steps} steps)"


def _won(base: Mapping[str, Any], tuned: Mapping[str, Any], side: str) -> str:
    """How often the tuned model's answer is more like the reference: no judge is needed."""
    pairs = zip(tuned[side]["rouge_l"], base[side]["rouge_l"], strict=True)
    won = wins(a - b for a, b in pairs)
    share, low, high = share_of(won, [str(i) for i in range(len(won))])
    return (
        f"On {side} kinds the tuned answer has the higher ROUGE-L in {100 * share:.0f} % of "
        f"{len(won)} ({100 * low:.0f} - {100 * high:.0f}; ties count half)."
    )


def _verdict(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "Judge: not asked."
    if not cell["agreement"]["admitted"]:
        return f"No admissible judge: the base {cell['agreement']['reason']}."
    told = []
    for side in ("seen", "unseen"):
        won = wins(cell[side])
        share, low, high = share_of(won, [str(i) for i in range(len(won))])
        told.append(f"{side} {100 * share:.0f} % ({100 * low:.0f} - {100 * high:.0f})")
    return f"The admitted judge prefers the tuned answer: {', '.join(told)}."


def _of_table(cells: Mapping[str, dict[str, Any]]) -> list[str]:
    names = (*SEEN_TASKS, *UNSEEN_TASKS)
    lines = [
        line(
            "",
            *SEEN_TASKS,
            *(f"{n} (unseen)" for n in UNSEEN_TASKS),
            "rows",
            "s to train",
            "trained",
        ),
        line("---", *["--:"] * (len(names) + 3)),
    ]
    for cell, kept in (("table-prompt", ""), ("table-prompt-kept", ", kept to the labels")):
        for k, way in ((0, "zero-shot prompt"), (SHOWN, f"prompt with {SHOWN} examples")):
            if cell in cells:
                points = [_share(cells[cell]["points"][f"{n}:{k}"]) for n in names]
                lines.append(line(way + kept, *points, f"{k} a task", "0", "0"))
    ways = {f"lora on {n}": f"table-lora-{n}" for n in SEEN_TASKS}
    for way, name in (ways | {"instruct on all three": "table-instruct"}).items():
        if name in cells:
            points, took = (
                [_share(cells[name]["points"][n]) for n in names],
                cells[name]["training"],
            )
            seen = (str(took["rows"]), f"{took['seconds']:.0f}", f"{took['parameters']:,}")
            lines.append(line(way, *points, *seen))
    return lines if len(lines) > 2 else ["Not measured."]


def _loss(side: Mapping[str, Any]) -> float:
    return float(sum(side["nats"]) / sum(side["tokens"]))


def _share(points: Sequence[float]) -> str:
    if not points:
        return "-"
    share, low, high = share_of([float(p) for p in points], [str(i) for i in range(len(points))])
    return f"{100 * share:.0f} % ({100 * low:.0f} - {100 * high:.0f})"


def _mean(points: Sequence[float]) -> str:
    error = float(np.std(points, ddof=1) / len(points) ** 0.5) if len(points) > 1 else 0.0
    return f"{float(np.mean(points)):.3f} ± {1.96 * error:.3f}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=(*FOLDERS, "table", "page"))
    parser.add_argument("--model", help="a folder or name; the embedded model without it")
    parser.add_argument("--folder", type=Path, default=RUNS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--tiny", action="store_true", help="a handful of rows")
    given = parser.parse_args(words)
    if given.what == "page":
        if not given.page.exists():
            write_atomic(given.page, f"# Instruction tuning, measured\n\n{mark(SCRIPT)}\n{END}\n")
        write(SCRIPT, page(given.folder), given.page)
        write_atomic(given.page.parent / CURVES, curves(given.folder))
        return 0
    size = TINY if given.tiny else Size()
    base = resolve(given.model, "lm")
    bench = Measuring(open_models(), base, data_folder(), given.folder, size)
    if given.what == "table":
        table(bench)
    else:
        language(bench, given.what)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
