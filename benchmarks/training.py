"""The training loop against TRL's, and the step of every parameter-efficient method against LoRA's.

    make bench, or: .bench/venv/bin/python benchmarks/training.py [--only peer|methods]
                    [--epochs 2] [--repeats 3] [--steps 6] [--write]

The peer is TRL 1.16's SFTTrainer: same model, rows, adapter and optimiser steps. 64 BANKING77
messages of ten intents, LoRA rank 8 on queries and values, batches of 8, AdamW, a rate that falls
linearly from 5e-4. It runs in the two settings that are fastest here: without gradient
checkpointing, rows at random or grouped by length; the better one is the peer. Timed is the
training alone: neither the loading nor the tokenising, which the peer also does. All take turns in
one process. The loss is computed by one piece of code for all, on the same rows and tokens.

The methods take turns in one process as well, each through its own `adapt`, on one batch of 4 rows
of about 64 tokens. A step is the time between two of the loop's reports, so all that the product
does in a step is in it; on a CPU it is the processor's time, which other work does not stretch.
What PEFT's own step takes of each was measured before nshot was written (`PLAIN`): that relation is
the goal, with 10 % to spare. Needs no peer: any Python with nshot will do.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import torch

import peers
from nshot.core import machine
from nshot.core.errors import DidNotLearn, NshotError
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.models import open_models
from nshot.models.base import LanguageModel, Lent, Models
from nshot.models.catalog import resolve
from nshot.training.data.answers import supervised
from nshot.training.forward import Whole, reader
from nshot.training.loop import optimise
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.rows import Row, Schedule
from table import data_folder, line, read, write
from workbench import Shelf, Workbench

Took: TypeAlias = tuple[float, float]
ROWS, BATCH, RATE, GOAL = 64, 8, 5e-4, 1.8
OURS = "nshot"
PEERS = {"TRL, rows at random": "random", "TRL, rows grouped by length": "group_by_length"}
BATCH_OF_METHODS, LENGTH, SPARE = 4, 64, 1.1
_AROUND = 10
"""Tokens of a field's name and an answer."""
REFERENCE = "lora, queries and values"
PLAIN: Mapping[str, tuple[Mapping[str, Any], float | None]] = {
    REFERENCE: ({"method": "lora", "targets": "attention"}, 1.0),
    "lora, every linear layer": ({"method": "lora"}, 1.21),
    "lora, DoRA": ({"method": "lora", "targets": "attention", "use_dora": True}, 1.08),
    "qlora, queries and values": ({"method": "qlora", "targets": "attention"}, 1.11),
    "ia3": ({"method": "ia3"}, 1.04),
    "bitfit": ({"method": "bitfit"}, 0.97),
    "llama_adapter, 20 layers": ({"method": "llama_adapter", "layers": 20}, 0.93),
    "bottleneck": ({"method": "bottleneck"}, 1.02),
    "prefix, 10 positions": ({"method": "prefix", "init": "random", "length": 10}, 0.93),
    "prefix, solved examples": ({"method": "prefix"}, None),
    "prompt_tuning, 8 positions": ({"method": "prompt_tuning", "length": 8}, 1.17),
    "p_tuning, 8 positions": ({"method": "p_tuning", "length": 8}, 1.12),
    "lora_head, queries and values": ({"method": "lora_head", "targets": "attention"}, 0.76),
    "lora_head, every linear layer": ({"method": "lora_head"}, None),
    "full, last 4 blocks": ({"method": "full", "top_layers": 4}, None),
    "full": ({"method": "full"}, None),
}
"""What is timed, and PEFT's own step relative to that of LoRA of rank 8 on queries and values."""


@dataclass(frozen=True)
class Pair:
    """One example as text: what is asked, and what is to be said."""

    prompt: str
    completion: str


@dataclass
class Result:
    """What one program did: its seconds and CPU seconds of each repeat, and the loss at the end."""

    seconds: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def pairs(data: Path) -> list[Pair]:
    """`ROWS` messages, the intents in turn."""
    rows = read(data / "banking77" / "train.jsonl")
    ten = random.Random(0).sample(sorted({row["label"] for row in rows}), 10)
    shuffled = random.Random(0).sample(rows, len(rows))
    of_intent = [iter([row for row in shuffled if row["label"] == intent]) for intent in ten]
    taken = [next(of_intent[i % 10]) for i in range(ROWS)]
    return [
        Pair(f"Query: {row['text']}\nIntent:", f" {row['label'].replace('_', ' ')}")
        for row in taken
    ]


def encoded(given: list[Pair], tokenizer: Any) -> list[Row]:
    """The pairs as rows. Ends in the end token, as the peer's do."""
    end = tokenizer.eos_token_id
    rows = []
    for i, pair in enumerate(given):
        prompt = tuple(tokenizer(pair.prompt)["input_ids"])
        whole = tuple(tokenizer(pair.prompt + pair.completion)["input_ids"])
        rows.append(supervised(f"row{i}", prompt, (*whole[len(prompt) :], end)))
    return rows


def adapted(lent: Lent, seed: int) -> Any:
    """The lent module with a fresh adapter: the same one for every program."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]
    )
    return get_peft_model(lent.module, config)


def clocks() -> tuple[float, float]:
    """Seconds of the wall, and of the processor in this process."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> Took:
    """Both clocks since `start`."""
    seconds, work = clocks()
    return seconds - start[0], work - start[1]


def ours(module: Any, lent: Lent, given: list[Pair], epochs: int, seed: int) -> Took:
    """nshot's loop."""
    rows = encoded(given, lent.tokenizer)
    schedule = Schedule(RATE, epochs=epochs, batch_size=BATCH, warmup=0.0, seed=seed)
    start = clocks()
    read = partial(reader, module, rows, None, lent.device)
    optimise(module, read, rows, AnswerTokens(), schedule, device=lent.device)
    return since(start)


def peer(order: str) -> Callable[[Any, Lent, list[Pair], int, int], Took]:
    """TRL with the rows of a batch chosen by `order`."""

    def run(module: Any, lent: Lent, given: list[Pair], epochs: int, seed: int) -> Took:
        package = peers.trl()
        with tempfile.TemporaryDirectory() as folder:
            config = package.SFTConfig(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=epochs,
                learning_rate=RATE,
                lr_scheduler_type="linear",
                train_sampling_strategy=order,
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=lent.device == "cpu",
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                seed=seed,
            )
            rows = package.Dataset.from_list([vars(pair) for pair in given])
            trainer = package.SFTTrainer(
                model=module, args=config, train_dataset=rows, processing_class=lent.tokenizer
            )
            start = clocks()
            done = trainer.train()
            took = since(start)
            if done.global_step != epochs * ROWS // BATCH:
                raise RuntimeError(f"the peer took {done.global_step} steps")
            return took

    return run


@torch.no_grad()
def loss(module: Any, rows: list[Row], device: str) -> float:
    """Mean nats of the completions' tokens, all rows."""
    objective, model = AnswerTokens(), Whole(module.eval(), device)
    parts = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
    total = sum(objective.total(model, part).item() for part in parts)
    return total / objective.weight(rows)


def measure(given: list[Pair], epochs: int, repeats: int) -> tuple[dict[str, Result], float, int]:
    """Every program, in turn; the loss before training; the tokens of one pass over the rows."""
    models, ref = open_models(), resolve(None, "lm")
    programs = {OURS: ours} | {name: peer(order) for name, order in PEERS.items()}
    results = {name: Result() for name in programs}
    with models.lend(ref) as lent:
        rows = encoded(given, lent.tokenizer)
        before = loss(lent.module, rows, lent.device)
    for repeat in range(repeats):
        for name, program in programs.items():
            with models.lend(ref) as lent:
                module = adapted(lent, repeat)
                seconds, work = program(module, lent, given, epochs, repeat)
                results[name].seconds.append(seconds)
                results[name].work.append(work)
                results[name].losses.append(loss(module, rows, lent.device))
                print(f"{name}, {repeat}: {seconds:.1f} s, {work:.1f} CPU s", flush=True)
    return results, before, sum(len(row.tokens) + 1 for row in rows)


def table(results: dict[str, Result], before: float, tokens: int, epochs: int) -> str:
    def rate(name: str, clock: str) -> float:
        return tokens * epochs / statistics.median(getattr(results[name], clock))

    best = max(PEERS, key=lambda name: rate(name, "seconds"))
    lines = [
        "| loop | tokens a second | a CPU second | nshot is as fast | by CPU time | final loss |",
        "|--|--:|--:|--:|--:|--:|",
    ]
    for name, result in results.items():
        by_wall, by_work = (rate(OURS, c) / rate(name, c) for c in ("seconds", "work"))
        ratio = f"**{by_wall:.2f}x** (goal {GOAL}x)" if name == best else f"{by_wall:.2f}x"
        spread = f"{min(result.losses):.3f} to {max(result.losses):.3f}"
        lines.append(
            f"| {name} | {rate(name, 'seconds'):.0f} | {rate(name, 'work'):.0f} "
            f"| {ratio} | {by_work:.2f}x | {spread} |"
        )
    repeats = len(results[OURS].seconds)
    how = (
        f"SmolLM2-135M-Instruct, {machine.dtype()} on {machine.device()}, "
        f"{machine.threads()} thread(s); {tokens} tokens an epoch, {epochs} epochs, "
        f"{epochs * ROWS // BATCH} steps each; medians of {repeats} repeats, which differ in their "
        f"seed; the loss began at {before:.3f}."
    )
    return "\n".join([*lines, "", how])


# ------------------------------------------------------------------------ a step of every method


def one_batch(data: Path, model: LanguageModel) -> tuple[Task, Shots]:
    """Messages of two intents, joined until they are about `LENGTH` tokens long."""
    rows = read(data / "banking77" / "train.jsonl")
    names = sorted({row["label"] for row in rows})[:2]
    task = Task("two intents", "classify", tuple(map(Label, names)))
    texts = {name: iter([r["text"] for r in rows if r["label"] == name]) for name in names}
    shots = [
        Example(f"row{i}", Input((("text", _joined(texts[names[i % 2]], model)),)), (names[i % 2],))
        for i in range(BATCH_OF_METHODS)
    ]
    return task, Shots(tuple(shots))


def _joined(texts: Iterator[str], model: LanguageModel) -> str:
    """Messages up to `LENGTH` tokens, with room for the field's name and the answer."""
    words: list[str] = []
    while model.count([" ".join(words)])[0] <= LENGTH - _AROUND:
        words += next(texts).split()
    while model.count([" ".join(words)])[0] > LENGTH - _AROUND:
        words.pop()
    return " ".join(words)


def step_seconds(method: Method, task: Task, shots: Shots, bench: Workbench) -> float:
    """Median of the steps' seconds by the bench's clock, the first step left out.

    Whether so few steps learn anything does not matter here.
    """
    with suppress(DidNotLearn):
        method.adapt(task, shots, bench)
    return statistics.median(after - before for before, after in pairwise(bench.ended))


def measure_methods(
    data: Path, steps: int, repeats: int, models: Models, base: ModelRef
) -> dict[str, list[float] | str]:
    """Seconds a step of each repeat, the methods taking turns; a sentence where one cannot."""
    shelf = Shelf()
    clock = time.process_time if machine.device() == "cpu" else time.perf_counter
    task, shots = one_batch(data, models.open(base))
    found: dict[str, list[float] | str] = {}
    for repeat in range(repeats):
        for name, (spec, _) in PLAIN.items():
            took = found.setdefault(name, [])
            if isinstance(took, str):
                continue
            settings = {"epochs": steps, "batch_size": BATCH_OF_METHODS}
            try:
                method = TABLE.build({**spec, **settings})
                models.open(method.stands_on(base)).count(["warm"])
                with tempfile.TemporaryDirectory() as folder:
                    bench = Workbench(models, base, Path(folder), clock=clock, shelf=shelf)
                    took.append(step_seconds(method, task, shots, bench))
                print(f"{name}, {repeat}: {took[-1]:.2f} s a step", flush=True)
            except NshotError as error:
                found[name] = str(error).splitlines()[0]
                print(f"{name}: {found[name]}", flush=True)
    return found


def methods_table(found: Mapping[str, list[float] | str], steps: int) -> str:
    """Every method's step relative to the reference's of the same repeat."""
    of_reference = found[REFERENCE]
    if isinstance(of_reference, str):
        raise SystemExit(f"{REFERENCE}: {of_reference}")
    lines = [
        line("method", "a step, ms", "relative to LoRA r8 q,v", "PEFT's own", "goal", ""),
        "|--|--:|--:|--:|--:|--|",
    ]
    for name, took in found.items():
        if isinstance(took, str):
            lines.append(line(name, "", "", "", "", took))
            continue
        plain = PLAIN[name][1]
        ratio = statistics.median(own / ref for own, ref in zip(took, of_reference, strict=True))
        lines.append(
            line(
                name,
                f"{1000 * statistics.median(took):.0f}",
                f"{ratio:.2f}",
                "–" if plain is None else f"{plain:.2f}",
                "–" if plain is None else f"{plain * SPARE:.2f}",
                "" if plain is None else "holds" if ratio <= plain * SPARE else "**missed**",
            )
        )
    whose = "the processor's" if machine.device() == "cpu" else "wall"
    how = (
        f"SmolLM2-135M-Instruct, {machine.dtype()} on {machine.device()}, {machine.threads()} "
        f"thread(s), {whose} time; one batch of {BATCH_OF_METHODS} rows of about {LENGTH} tokens; "
        f"medians of {steps - 1} steps and of {len(of_reference)} repeats, in which the methods "
        "take turns. Settings are the defaults where none are said."
    )
    return "\n".join([*lines, "", how])


def compare_with_peer(epochs: int, repeats: int) -> str:
    """The table of nshot's loop against TRL's."""
    results, before, tokens = measure(pairs(data_folder()), epochs, repeats)
    return table(results, before, tokens, epochs)


def compare_methods(steps: int, repeats: int) -> str:
    """The table of the methods' steps."""
    found = measure_methods(data_folder(), steps, repeats, open_models(), resolve(None, "lm"))
    return methods_table(found, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description="Training against TRL, and method by method.")
    parser.add_argument("--only", choices=("peer", "methods"), help="one of the two tables")
    parser.add_argument("--epochs", type=int, default=2, help="of the comparison with the peer")
    parser.add_argument("--steps", type=int, default=6, help="of each method in each repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    if given.steps < 2:
        parser.error("--steps: at least 2, for the first one is not timed")
    torch.set_num_threads(machine.threads())
    if given.only != "methods":
        show("training.py", compare_with_peer(given.epochs, given.repeats), given.write)
    if given.only != "peer":
        show("training.py, methods", compare_methods(given.steps, given.repeats), given.write)


def show(mark: str, text: str, kept: bool) -> None:
    """Print a table, and put it into the docs if it is to be kept."""
    print(text)
    if kept:
        write(mark, text)


if __name__ == "__main__":
    main()
