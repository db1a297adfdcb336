"""Label scoring against lm-eval 0.4.13: the same model, rows and answers, in one process.

    make bench, or: .bench/venv/bin/python benchmarks/scoring.py [--rows 30] [--repeats 3] [--write]

The peer is timed on a few rows and nshot on ten times as many, since it shares what rows have in
common; both are seconds per row, medians of repeats that take turns. The peer has no such sharing
to gain from more rows: it computes each request by itself.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import peers
from nshot.core import machine
from nshot.models import open_models
from nshot.models.catalog import resolve
from table import data_folder, read, write

SHOTS = 16


@dataclass(frozen=True)
class Case:
    """One task: a prompt for each row, the answers (the same for all), and what must be reached."""

    name: str
    prompts: list[str]
    answers: list[str]
    goal: float


@dataclass(frozen=True)
class Result:
    case: Case
    peer: list[float]
    ours: list[float]
    difference: float

    @property
    def ratio(self) -> float:
        return statistics.median(self.peer) / statistics.median(self.ours)


def demonstrations(rows: list[dict[str, str]], labels: list[str]) -> list[dict[str, str]]:
    """`SHOTS` rows, the labels in turn."""
    shuffled = random.Random(0).sample(rows, len(rows))
    of_label = [iter([row for row in shuffled if row["label"] == label]) for label in labels]
    return [next(of_label[i % len(labels)]) for i in range(SHOTS)]


def case(folder: Path, labels: list[str], field: str, answer: str, goal: float, count: int) -> Case:
    def ours(split: str) -> list[dict[str, str]]:
        return [row for row in read(folder / f"{split}.jsonl") if row["label"] in labels]

    def asked(row: dict[str, str]) -> str:
        return f"{field}: {row['text']}\n{answer}:"

    shots = demonstrations(ours("train"), labels)
    start = "".join(f"{asked(row)} {words(row['label'])}\n\n" for row in shots)
    test = ours("test")
    test = random.Random(0).sample(test, min(count, len(test)))
    prompts = [start + asked(row) for row in test]
    return Case(folder.name, prompts, [f" {words(label)}" for label in labels], goal)


def words(label: str) -> str:
    return label.replace("_", " ")


def cases(data: Path, count: int) -> list[Case]:
    intents = sorted({row["label"] for row in read(data / "banking77" / "train.jsonl")})
    ten = random.Random(0).sample(intents, 10)
    return [
        case(data / "sst2", ["positive", "negative"], "Review", "Sentiment", 15, count),
        case(data / "banking77", ten, "Query", "Intent", 60, count),
    ]


def peer_on(module: Any, tokenizer: Any) -> Callable[[Case, int], Any]:
    """lm-eval's own model class, on the module that nshot has loaded."""
    package = peers.lm_eval()
    peer = package.HFLM(pretrained=module, tokenizer=tokenizer, batch_size=1)

    def score(case: Case, count: int) -> Any:
        requests = [
            package.Instance("loglikelihood", {}, (prompt, answer), 0)
            for prompt in case.prompts[:count]
            for answer in case.answers
        ]
        found = peer.loglikelihood(requests, disable_tqdm=True)
        return np.array([value for value, _ in found]).reshape(count, -1)

    return score


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def compare(
    lm: Any, peer: Callable[[Case, int], Any], case: Case, few: int, repeats: int
) -> Result:
    many = len(case.prompts)
    answers = [case.answers] * many
    lm.logprobs(case.prompts[:2], answers[:2])
    peer(case, 1)
    of_peer, of_ours = [], []
    difference = 0.0
    for _ in range(repeats):
        theirs, seconds = timed(lambda: peer(case, few))
        of_peer.append(seconds / few)
        mine, seconds = timed(lambda: lm.logprobs(case.prompts, answers))
        of_ours.append(seconds / many)
        found = np.array([scores.logprobs for scores in mine[:few]])
        difference = max(difference, float(np.abs(found - theirs).max()))
    return Result(case, of_peer, of_ours, difference)


def table(results: list[Result], few: int, threads: int) -> str:
    head = [
        "| task | answers | lm-eval 0.4.13, ms a row | nshot, ms a row | ratio | goal "
        "| largest difference, nats |",
        "|--|--:|--:|--:|--:|--:|--:|",
    ]
    body = [
        f"| {r.case.name}, {SHOTS} shots | {len(r.case.answers)} "
        f"| {1000 * statistics.median(r.peer):.0f} | {1000 * statistics.median(r.ours):.1f} "
        f"| **{r.ratio:.1f}x** | {r.case.goal:.0f}x | {r.difference:.1e} |"
        for r in results
    ]
    many, repeats = len(results[0].case.prompts), len(results[0].peer)
    how = (
        f"SmolLM2-135M-Instruct, {machine.dtype()} on {machine.device()}, {threads} thread(s); "
        f"medians of {repeats}; lm-eval on {few} rows, nshot on {many}."
    )
    return "\n".join([*head, *body, "", how])


def main() -> None:
    parser = argparse.ArgumentParser(description="Label scoring against lm-eval.")
    parser.add_argument("--rows", type=int, default=30, help="rows of the peer")
    parser.add_argument("--ours", type=int, default=300, help="rows of nshot")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    threads = machine.threads()
    torch.set_num_threads(threads)
    ref = resolve(None, "lm")
    models = open_models()
    lm = models.open(ref)
    with models.lend(ref) as lent:
        module, tokenizer = lent.module, lent.tokenizer
    peer = peer_on(module, tokenizer)
    results = [
        compare(lm, peer, case, given.rows, given.repeats)
        for case in cases(data_folder(), given.ours)
    ]
    text = table(results, given.rows, threads)
    print(text)
    if given.write:
        write("scoring.py", text)


if __name__ == "__main__":
    main()
