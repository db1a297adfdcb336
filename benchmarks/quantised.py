"""The embedded language model as torch keeps it and as GGUF files of 16, 8, 5 and 4 bits a weight.

    python benchmarks/quantised.py OUT [--rows N] [--only FORM] [--write]

Each form is opened in a process of its own and measured through its own runtime: bytes on disk,
peak memory, perplexity, the score of few-shot prompts on SST-2 with its paired difference to
float32, how long 32 tokens take to read and 8 to write, one text at a time and 32 side by side.
What OUT holds already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core import machine
from nshot.core.files import folder_bytes
from nshot.core.serial import read_json
from nshot.core.types import Example, Input, Label, Task
from nshot.models import open_models
from nshot.models.base import Decoding, LanguageModel, Tokens
from nshot.models.catalog import locate, resolve
from nshot.models.llamacpp.llamacpp_engine import FILE
from nshot.models.llamacpp.write_gguf import BITS, write_gguf
from nshot.predictors.prompted import Prompted
from table import ROOT, data_folder, line, read, write

PAGE = ROOT / "docs" / "results" / "compression.md"
TORCH = "float32, torch"
FORMS = (TORCH, *BITS)
WINDOWS, WINDOW = 4, 256
READ, WRITTEN = 32, 8
TASK = Task(
    "films", "classify", (Label("positive"), Label("negative")),
    field_names=(("text", "Review"),), answer_name="Sentiment",
)  # fmt: skip


def films(part: str, count: int) -> list[Example]:
    """The first rows of SST-2, as many of each label."""
    rows = read(data_folder() / "sst2" / f"{part}.jsonl")
    some: list[Example] = []
    for label in ("positive", "negative"):
        of_label = [row for row in rows if row["label"] == label][: count // 2]
        some += [
            Example(f"{label}{i}", Input((("text", row["text"]),)), (label,))
            for i, row in enumerate(of_label)
        ]
    return some


def texts() -> list[Tokens]:
    """English that no film review is: dialogues, in windows of tokens."""
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(locate(resolve(None, "lm")))
    rows = read(data_folder() / "dialogsum" / "test.jsonl")
    ids = words("\n\n".join(row["input"] for row in rows[:60]), add_special_tokens=False).input_ids
    return [tuple(ids[k * WINDOW : (k + 1) * WINDOW]) for k in range(WINDOWS)]


def peak_bytes() -> int:
    """Of this process: what `getrusage` says begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return 1024 * int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[0])


def perplexity(lm: LanguageModel) -> float:
    """Of the windows, each read by itself."""
    lost, count = 0.0, 0
    for tokens in texts():
        logits = lm.next_logits([tokens], [range(len(tokens) - 1)]).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        lost -= float(logs[np.arange(len(logs)), tokens[1:]].sum())
        count += len(logs)
    return math.exp(lost / count)


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Seconds of each of so many calls."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def measure(form: str, out: Path, rows: int) -> dict[str, Any]:
    """One form, opened here."""
    name = None if form == TORCH else str(out / form / FILE)
    models, ref = open_models(), resolve(name, "lm")
    lm = models.open(ref)
    shots = films("train", 4)
    asked = films("test", rows)
    predictor = Prompted(TASK, models, ref, "plain", tuple(shots))
    predictor = predictor.calibrate("content_free", [asked[0].input])
    start = time.perf_counter()
    answers = predictor.predict([one.input for one in asked])
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    some = [tokens[:READ] for tokens in texts()]
    many = [tuple((np.array(some[k % 4]) + k).tolist()) for k in range(32)]
    prompts = [one.input.text for one in asked[:32]]
    how = Decoding(WRITTEN)
    lengths: list[int] = []

    def write_texts(some: Sequence[str]) -> None:
        lengths[:] = [sum(one.tokens_out for one in lm.generate(list(some), how))]

    times = {
        "read_1": timed(lambda: lm.next_logits(some[:1]), 20),
        "read_32": timed(lambda: lm.next_logits(many), 2),
        "write_1": timed(lambda: write_texts(prompts[:1]), 10),
    }
    one_text = lengths[0]
    times["write_32"] = timed(lambda: write_texts(prompts), 2)
    return {
        "form": form,
        "bytes": folder_bytes(locate(ref)) if form == TORCH else Path(str(name)).stat().st_size,
        "peak": peak,
        "points": [float(a.answer == e.label) for a, e in zip(answers, asked, strict=True)],
        "seconds": seconds,
        "perplexity": perplexity(lm),
        "tokens": {"read_1": READ, "read_32": 32 * READ, "write_1": one_text,
                   "write_32": lengths[0]},
        "times": times,
        "threads": machine.threads(),
    }  # fmt: skip


def write_files(out: Path) -> None:
    """The GGUF files that are not there yet, from the model as torch has it."""
    from nshot.models.hf.merged import merged

    missing = [bits for bits in BITS if not (out / bits / FILE).exists()]
    if missing:
        ref = resolve(None, "lm")
        module, tokenizer = merged(ref)
        for bits in missing:
            write_gguf(module, tokenizer, bits, out / bits / FILE, ref.name)


def run(form: str, out: Path, rows: int) -> None:
    """Measure a form in a process of its own, unless that was done."""
    if not result(out, form).exists():
        command = [sys.executable, __file__, str(out), "--rows", str(rows), "--measure", form]
        subprocess.run(command, check=True)


def result(out: Path, form: str) -> Path:
    return out / f"{form.split(',')[0]}.json"


def share(points: Sequence[float]) -> str:
    """``84.0 % (79.9 to 88.2)``."""
    p, n = float(np.mean(points)), len(points)
    width = 1.96 * math.sqrt(p * (1 - p) / n)
    return f"{100 * p:.1f} % ({100 * (p - width):.1f} to {100 * (p + width):.1f})"


def paired(points: Sequence[float], before: Sequence[float]) -> str:
    """``-0.7 (-2.1 to +0.7)``, in points, on the same rows."""
    gap = np.array(points) - np.array(before)
    width = 1.96 * float(gap.std(ddof=1)) / math.sqrt(len(gap))
    low, mid, high = (100 * (float(gap.mean()) + k * width) for k in (-1, 0, 1))
    return f"{mid:+.1f} ({low:+.1f} to {high:+.1f})"


def speed(one: dict[str, Any], what: str) -> str:
    """``212 a second; 151 ms, p95 163``: tokens, and a call."""
    seconds = np.array(one["times"][what])
    rate = one["tokens"][what] / float(np.median(seconds))
    middle, late = (1000 * float(np.quantile(seconds, q)) for q in (0.5, 0.95))
    return f"{rate:,.0f} a second; {middle:,.0f} ms, p95 {late:,.0f}"


def table(out: Path) -> str:
    """A line for each form."""
    results = [read_json(result(out, form)) for form in FORMS if result(out, form).exists()]
    before = results[0]["points"]
    head = ("form", "on disk", "peak memory", "perplexity", "SST-2", "less float32",
            "reads 32 tokens", "reads 32 texts of 32", "writes 8 tokens",
            "writes 32 texts of 8")  # fmt: skip
    rows = [line(*head), line("---", *["--:"] * 9)]
    rows += [
        line(
            one["form"],
            f"{one['bytes'] / 1e6:,.0f} MB",
            f"{one['peak'] / 1e6:,.0f} MB",
            f"{one['perplexity']:.2f}",
            share(one["points"]),
            "" if one["form"] == TORCH else paired(one["points"], before),
            *(speed(one, what) for what in ("read_1", "read_32", "write_1", "write_32")),
        )
        for one in results
    ]
    threads, n = results[0]["threads"], len(before)
    note = (
        f"{n} test rows of SST-2, prompts with four examples, calibrated on empty inputs;"
        " perplexity on"
        f" {WINDOWS * (WINDOW - 1):,} tokens of DialogSum; {threads} thread of"
        f" {machine.device()}, beside other work on the machine. Speeds are tokens a second, and"
        " of a call the median and the 95th percentile."
    )
    return "\n".join([*rows, "", note])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--only", choices=FORMS)
    parser.add_argument("--measure", choices=FORMS, help="in this process; used by itself")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    if arguments.measure:
        one = measure(arguments.measure, arguments.out, arguments.rows)
        result(arguments.out, arguments.measure).write_text(json.dumps(one))
        return
    write_files(arguments.out)
    for form in FORMS if arguments.only is None else (arguments.only,):
        run(form, arguments.out, arguments.rows)
    text = table(arguments.out)
    print(text)
    if arguments.write:
        write("quantised.py", text, PAGE)


if __name__ == "__main__":
    main()
