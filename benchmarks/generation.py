"""Generation against `transformers`: the same model, prompts and tokens, in one process.

    python benchmarks/generation.py [--prompts 64] [--tokens 32] [--repeats 3] [--write]

Every prompt begins with the same demonstrations. The peer is `generate` on prompts sorted by
length and padded on the left, in batches of 8, 16 and 32 rows: each repeat runs all of them and
nshot in turn, and nshot is compared with the batch whose median is the least. The texts are greedy
on both sides; on how many rows they are the same for every batch of the peer is counted.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nshot.core import machine
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.catalog import resolve
from scoring import timed
from table import data_folder, line, read, write

SHOTS = 4
PEER_BATCHES = (8, 16, 32)
GOAL = 1.5


@dataclass(frozen=True)
class Result:
    """Seconds of each repeat, and the number of rows on which the texts are the same."""

    ours: list[float]
    peer: dict[int, list[float]]
    equal: dict[int, int]
    rows: int
    prefix: int
    written: float

    @property
    def best(self) -> int:
        """The peer's batch with the least median."""
        return min(self.peer, key=lambda size: statistics.median(self.peer[size]))

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer at its best."""
        return statistics.median(self.peer[self.best]) / statistics.median(self.ours)


def prompts(count: int) -> list[str]:
    """Descriptions of restaurants to be written out, behind the same `SHOTS` demonstrations."""
    rows = read(data_folder() / "e2e_nlg" / "test.jsonl")
    rows = random.Random(0).sample(rows, SHOTS + count)
    shown = "".join(f"{asked(row)} {said(row)}\n\n" for row in rows[:SHOTS])
    return [shown + asked(row) for row in rows[SHOTS:]]


def peer_on(module: Any, tokenizer: Any, tokens: int) -> Callable[[Sequence[str], int], list[str]]:
    """`transformers`' own batched greedy search."""
    tokenizer.padding_side = "left"

    def generate(asked: Sequence[str], size: int) -> list[str]:
        order = sorted(range(len(asked)), key=lambda i: len(tokenizer(asked[i])["input_ids"]))
        texts = [""] * len(asked)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            given = tokenizer([asked[i] for i in batch], return_tensors="pt", padding=True)
            out = module.generate(
                **given.to(module.device), max_new_tokens=tokens, do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )[:, given["input_ids"].shape[1] :]  # fmt: skip
            for i, text in zip(
                batch, tokenizer.batch_decode(out, skip_special_tokens=True), strict=True
            ):
                texts[i] = text
        return texts

    return generate


def asked(row: dict[str, Any]) -> str:
    return f"Data: {row['input']}\nDescription:"


def said(row: dict[str, Any]) -> str:
    return str(row.get("output") or row["references"][0])


def compare(lm: Any, peer: Callable[[Sequence[str], int], list[str]], given: Any) -> Result:
    """Ours and the peer's three batches, in turn."""
    texts = prompts(given.prompts)
    how = Decoding(max_tokens=given.tokens)
    lm.generate(texts[:2], how)
    peer(texts[:2], 2)
    ours: list[float] = []
    theirs: dict[int, list[float]] = {min(size, given.prompts): [] for size in PEER_BATCHES}
    equal: dict[int, int] = {}
    for _ in range(given.repeats):
        told, seconds = timed(lambda: lm.generate(texts, how))
        ours.append(seconds)
        for size, times in theirs.items():
            answered, seconds = timed(lambda size=size: peer(texts, size))
            times.append(seconds)
            equal[size] = sum(a.text == b for a, b in zip(told, answered, strict=True))
    (shown,) = lm.count([texts[0][: texts[0].rindex("\n\n")]])
    written = statistics.mean(one.tokens_out for one in told)
    return Result(ours, theirs, equal, len(texts), shown, written)


def table(result: Result, given: Any, threads: int) -> str:
    head = [
        "| engine | rows at once | seconds | nshot is as fast | equal texts |",
        "|---|--:|--:|--:|--:|",
    ]
    ours = statistics.median(result.ours)
    rows = [line("nshot", "up to 32", f"{ours:.1f}", "1.00x", "")]
    for size, times in result.peer.items():
        median = statistics.median(times)
        ratio = f"{median / ours:.2f}x"
        best = size == result.best
        rows.append(
            line(
                "transformers' generate",
                str(size),
                f"{median:.1f}",
                f"**{ratio}** (goal {GOAL}x)" if best else ratio,
                f"{result.equal[size]} of {result.rows}",
            )
        )
    how = (
        f"SmolLM2-135M-Instruct, {machine.dtype()} on {machine.device()}, {threads} thread(s); "
        f"{result.rows} prompts, {SHOTS} demonstrations of {result.prefix} tokens before each, "
        f"at most {given.tokens} new tokens (mean {result.written:.0f}); medians of "
        f"{given.repeats} repeats."
    )
    return "\n".join([*head, *rows, "", how])


def main() -> None:
    parser = argparse.ArgumentParser(description="Generation against transformers.")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=32, help="new tokens, at most")
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
    result = compare(lm, peer_on(module, tokenizer, given.tokens), given)
    text = table(result, given, threads)
    print(text)
    print(f"{result.ratio:.2f}x as fast as transformers at its best, goal {GOAL}x")
    if given.write:
        write("generation.py", text)


if __name__ == "__main__":
    main()
