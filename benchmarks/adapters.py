"""Many LoRA folders on one base against as many whole models: memory, and time of a mixed batch.

    make bench, or: python benchmarks/adapters.py [--rows 64] [--repeats 3] [--write]

Each number of adapters is measured in a process of its own. A whole model is the base with one
adapter, opened by itself, so that nothing is shared; sixteen of them are not loaded but reckoned
from one and four. The adapters are random: what they answer does not matter here, what they weigh
and how long they take does not depend on it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nshot.core import machine
from nshot.core.types import Delta, Label, ModelRef, Task
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors.prompted import Prompted
from nshot.use.many import Many, load
from nshot.use.ready import ready
from table import line, write

COUNTS = (1, 4, 16)
WHOLE = (1, 4)
"""How many whole models are really loaded: four take 2.5 GB."""
RANK = 8
TASK = Task("films", "classify", (Label("positive"), Label("negative")))
TEXTS = (
    "a warm and funny film with a cast that enjoys itself",
    "two dull hours, and the best joke was in the trailer",
    "it looks lovely and has nothing to say",
    "the last scene alone is worth the ticket",
)


@dataclass(frozen=True)
class Taken:
    """What `count` adapters took: seconds to load and warm, seconds of a batch, bytes."""

    count: int
    load_seconds: float
    batch_seconds: float
    resident_bytes: int
    peak_bytes: int


def make(place: Path, count: int) -> None:
    """Folders `0`, `1`, ... with a random adapter of rank 8 on the query and value projections."""
    from peft import LoraConfig, get_peft_model

    models, ref = open_models(), resolve(None, "lm")
    config = LoraConfig(task_type="CAUSAL_LM", r=RANK, target_modules=["q_proj", "v_proj"])
    for seed in range(count):
        torch.manual_seed(seed)
        made = place / "adapters" / str(seed)
        with models.lend(ref) as lent:
            module = get_peft_model(lent.module, config)
            for name, parameter in module.named_parameters():
                if "lora_B" in name:
                    parameter.data.normal_(std=0.02)
            module.save_pretrained(made)
        tuned = ModelRef(ref.engine, ref.name, ref.revision, deltas=(Delta("peft", str(made)),))
        Prompted(TASK, models, tuned).save(place / str(seed))


def measure(place: Path, count: int, whole: bool, rows: int, repeats: int) -> Taken:
    """Load `count` folders on one base, or each on a base of its own, and ask them in turn."""
    folders = {str(i): place / str(i) for i in range(count)}
    asked = [f"{TEXTS[i % len(TEXTS)]}, seen {i} times" for i in range(rows)]
    under = [str(i % count) for i in range(rows)]
    meter, loading, batches = machine.Meter(), machine.Meter(), []
    with meter.running():
        with loading.running():
            many = apart(folders) if whole else load(folders)
            many.predict(asked[:count], under[:count])
        for _ in range(repeats):
            start = time.perf_counter()
            many.predict(asked, under)
            batches.append(time.perf_counter() - start)
        resident = machine.resident_bytes()
    batch = statistics.median(batches)
    return Taken(count, loading.seconds, batch, resident, meter.peak_bytes)


def apart(folders: Mapping[str, Path]) -> Many:
    """Each folder with a base of its own."""
    return Many({name: ready(folder, open_models()) for name, folder in folders.items()})


def alone(*words: str) -> dict[str, Any]:
    """This script in a process of its own; what it printed last, as JSON."""
    done = subprocess.run(
        [sys.executable, __file__, *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **machine.environment()},
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def reckoned(count: int, known: Mapping[int, Taken]) -> Taken:
    """As many whole models on the line through what one and four took."""
    few, more = (known[n] for n in WHOLE)

    def there(of: Callable[[Taken], float]) -> float:
        slope = (of(more) - of(few)) / (more.count - few.count)
        return of(few) + slope * (count - few.count)

    return Taken(
        count,
        there(lambda t: t.load_seconds),
        more.batch_seconds,
        round(there(lambda t: t.resident_bytes)),
        round(there(lambda t: t.peak_bytes)),
    )


def table(shared: Mapping[int, Taken], whole: Mapping[int, Taken], rows: int, repeats: int) -> str:
    head = [
        "| adapters | memory, one base | whole models | loaded in, one base | whole models "
        "| a mixed batch, one base | whole models |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    body = []
    for count, mine in shared.items():
        theirs = whole.get(count) or reckoned(count, whole)
        about = "" if count in whole else "about "
        pairs = (
            (memory(mine), memory(theirs)),
            (f"{mine.load_seconds:.1f} s", f"{theirs.load_seconds:.1f} s"),
            (f"{mine.batch_seconds:.1f} s", f"{theirs.batch_seconds:.1f} s"),
        )
        cells = [cell for ours, others in pairs for cell in (ours, about + others)]
        body.append(line(str(count), *cells))
    last = WHOLE[-1]
    change = (shared[last].batch_seconds - whole[last].batch_seconds) / last
    how = (
        f"SmolLM2-135M-Instruct, {machine.dtype()} on {machine.device()}, {machine.threads()} "
        f"thread(s); LoRA of rank {RANK}, {rows} rows of a classify task in turn, median of "
        f"{repeats}. Memory is what the process holds while it answers, and its peak, Python and "
        f"torch included. The last eight adapters stay mounted on the base; to change "
        f"it takes {change:.2f} s (the batch of {last}, less what whole models take)."
    )
    return "\n".join([*head, *body, "", how])


def memory(taken: Taken) -> str:
    """Resident and peak, in megabytes."""
    return f"{taken.resident_bytes / 1e6:,.0f}, peak {taken.peak_bytes / 1e6:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description="Many adapters on one base.")
    parser.add_argument("--rows", type=int, default=64, help="rows of the batch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    parser.add_argument("--make", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--measure", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(machine.threads())
    if given.make:
        make(Path(given.make), given.count)
        print("{}")
        return
    if given.measure:
        place = Path(given.measure)
        print(
            json.dumps(asdict(measure(place, given.count, given.whole, given.rows, given.repeats)))
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        alone("--make", folder, "--count", str(max(COUNTS)))
        size = ["--measure", folder, "--rows", str(given.rows), "--repeats", str(given.repeats)]
        shared = {n: Taken(**alone(*size, "--count", str(n))) for n in COUNTS}
        whole = {n: Taken(**alone(*size, "--count", str(n), "--whole")) for n in WHOLE}
    text = table(shared, whole, given.rows, given.repeats)
    print(text)
    if given.write:
        write("adapters.py", text)


if __name__ == "__main__":
    main()
