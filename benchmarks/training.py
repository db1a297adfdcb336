"""LoRA training against TRL 1.16's SFTTrainer: same model, rows, adapter and optimiser steps.

    make bench, or: .bench/venv/bin/python benchmarks/training.py [--epochs 2] [--repeats 3]
                    [--write]

64 BANKING77 messages of ten intents, LoRA rank 8 on queries and values, batches of 8, AdamW, a rate
that falls linearly from 5e-4. The peer runs in the two settings that are fastest here: without
gradient checkpointing, rows at random or grouped by length; the better one is the peer. Timed is
the training alone: neither the loading nor the tokenising, which the peer also does. All take turns
in one process. The loss is computed by one piece of code for all, on the same rows and tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch

from nshot import machine
from nshot.models import open_models
from nshot.models.base import Trainable
from nshot.models.catalog import resolve
from nshot.training.forward import Whole
from nshot.training.loop import train
from nshot.training.rows import Row, Schedule
from nshot.training.sft import AnswerTokens, supervised

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table of benchmarks/training.py -->", "<!-- end of table -->"
Took: TypeAlias = tuple[float, float]
ROWS, BATCH, RATE, GOAL = 64, 8, 5e-4, 1.8
OURS = "nshot"
PEERS = {"TRL, rows at random": "random", "TRL, rows grouped by length": "group_by_length"}


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
    lines = (data / "banking77" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
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


def adapted(lent: Trainable, seed: int) -> Any:
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


def ours(module: Any, lent: Trainable, given: list[Pair], epochs: int, seed: int) -> Took:
    """nshot's loop."""
    rows = encoded(given, lent.tokenizer)
    schedule = Schedule(RATE, epochs=epochs, batch_size=BATCH, warmup=0.0, seed=seed)
    start = clocks()
    train(module, rows, AnswerTokens(), schedule, device=lent.device)
    return since(start)


def peer(order: str) -> Callable[[Any, Trainable, list[Pair], int, int], Took]:
    """TRL with the rows of a batch chosen by `order`."""

    def run(module: Any, lent: Trainable, given: list[Pair], epochs: int, seed: int) -> Took:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        with tempfile.TemporaryDirectory() as folder:
            config = SFTConfig(
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
            rows = Dataset.from_list([vars(pair) for pair in given])
            trainer = SFTTrainer(
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
    with models.train(ref) as lent:
        rows = encoded(given, lent.tokenizer)
        before = loss(lent.module, rows, lent.device)
    for repeat in range(repeats):
        for name, program in programs.items():
            with models.train(ref) as lent:
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


def write(text: str) -> None:
    """Put the table between its marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="LoRA training against TRL.")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    data = Path(os.environ.get("NSHOT_DATA") or ROOT.parent / "shared" / "data")
    torch.set_num_threads(machine.threads())
    results, before, tokens = measure(pairs(data), given.epochs, given.repeats)
    text = table(results, before, tokens, given.epochs)
    print(text)
    if given.write:
        write(text)


if __name__ == "__main__":
    main()
