"""The embedded language model as torch keeps it and as GGUF files of 16, 8, 5 and 4 bits a weight.

    python benchmarks/quantised.py OUT [--rows N] [--only FORM] [--write]

Each form is opened in a process of its own and measured through its own runtime: bytes on disk,
peak memory, perplexity, the score of few-shot prompts on SST-2 with its paired difference to
float32, how long 32 tokens take to read and 8 to write, one text at a time and 32 side by side.
Every part is kept in OUT as soon as it is there, answers some rows at a time: what was ended in the
middle goes on where it was, and more rows are added to those that are there.
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
from nshot.core.files import folder_bytes, write_atomic
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
TOGETHER = 10
"""Rows whose answers are kept at once."""
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


class Parts:
    """What was measured of a form, part by part: each is kept as soon as it is there."""

    def __init__(self, form: str, out: Path) -> None:
        self._form, self._out = form, out
        self._path = out / "parts" / f"{short(form)}.json"
        self._known: dict[str, Any] = read_json(self._path) if self._path.exists() else {}

    def of(self, part: str, make: Callable[[], Any]) -> Any:
        """A part; `make` is called where it was not measured before."""
        if part not in self._known:
            self._keep({part: make()})
        return self._known[part]

    def answers(self, asked: Sequence[Example], right: Callable[[Sequence[Example]], Any]) -> Any:
        """1 for each row that is answered rightly, else 0, some rows at a time; and the peak."""
        missing = [one for one in asked if one.id not in self._known.get("points", {})]
        for start in range(0, len(missing), TOGETHER):
            some = missing[start : start + TOGETHER]
            points = {one.id: point for one, point in zip(some, right(some), strict=True)}
            peak = max(peak_bytes(), self._known.get("peak", 0))
            self._keep({"points": {**self._known.get("points", {}), **points}, "peak": peak})
            print(f"{self._form}: {start + len(some)} of {len(missing)} rows", flush=True)
        return [self._known["points"][one.id] for one in asked], self._known["peak"]

    def _keep(self, more: dict[str, Any]) -> None:
        self._known |= more
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(self._known))


def measure(form: str, out: Path, rows: int) -> dict[str, Any]:
    """One form, opened here; what is kept of it already is not measured again."""
    name = None if form == TORCH else str(out / form / FILE)
    models, ref = open_models(), resolve(name, "lm")
    lm, parts = models.open(ref), Parts(form, out)
    asked = films("test", rows)
    predictor = Prompted(TASK, models, ref, "plain", tuple(films("train", 4)))
    calibrated: list[Prompted] = []

    def right(some: Sequence[Example]) -> list[float]:
        if not calibrated:
            calibrated.append(predictor.calibrate("content_free", [asked[0].input]))
        answers = calibrated[0].predict([one.input for one in some])
        return [float(a.answer == e.label) for a, e in zip(answers, some, strict=True)]

    points, peak = parts.answers(asked, right)
    some = [tokens[:READ] for tokens in texts()]
    many = [tuple((np.array(some[k % 4]) + k).tolist()) for k in range(32)]
    prompts, how = [one.input.text for one in films("test", 32)], Decoding(WRITTEN)

    def read_texts(some: Sequence[Tokens], times: int) -> tuple[int, list[float]]:
        return READ * len(some), timed(lambda: lm.next_logits(list(some)), times)

    def write_texts(some: Sequence[str], times: int) -> tuple[int, list[float]]:
        lengths: list[int] = []

        def work() -> None:
            lengths[:] = [sum(one.tokens_out for one in lm.generate(list(some), how))]

        seconds = timed(work, times)
        return lengths[0], seconds

    speeds = {
        "read_1": parts.of("read_1", lambda: read_texts(some[:1], 20)),
        "read_32": parts.of("read_32", lambda: read_texts(many, 2)),
        "write_1": parts.of("write_1", lambda: write_texts(prompts[:1], 10)),
        "write_32": parts.of("write_32", lambda: write_texts(prompts, 2)),
    }
    return {
        "form": form,
        "bytes": folder_bytes(locate(ref)) if form == TORCH else Path(str(name)).stat().st_size,
        "peak": peak,
        "points": points,
        "perplexity": parts.of("perplexity", lambda: perplexity(lm)),
        "tokens": {what: tokens for what, (tokens, _) in speeds.items()},
        "times": {what: seconds for what, (_, seconds) in speeds.items()},
        "threads": machine.threads(),
    }


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
    """Measure a form in a process of its own, unless that was done with as many rows."""
    if not is_measured(out, form, rows):
        command = [sys.executable, __file__, str(out), "--rows", str(rows), "--measure", form]
        subprocess.run(command, check=True)


def short(form: str) -> str:
    return form.split(",")[0]


def result(out: Path, form: str) -> Path:
    return out / f"{short(form)}.json"


def is_measured(out: Path, form: str, rows: int) -> bool:
    """Whether a form was measured whole, on as many rows."""
    path = result(out, form)
    return path.exists() and len(read_json(path)["points"]) == len(films("test", rows))


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


def table(out: Path, rows: int) -> str:
    """A line for each form that was measured on so many rows."""
    results = [read_json(result(out, form)) for form in FORMS if is_measured(out, form, rows)]
    before = next((one["points"] for one in results if one["form"] == TORCH), None)
    head = ("form", "on disk", "peak memory", "perplexity", "SST-2", "less float32",
            "reads 32 tokens", "reads 32 texts of 32", "writes 8 tokens",
            "writes 32 texts of 8")  # fmt: skip
    lines = [line(*head), line("---", *["--:"] * 9)]
    lines += [
        line(
            one["form"],
            f"{one['bytes'] / 1e6:,.0f} MB",
            f"{one['peak'] / 1e6:,.0f} MB",
            f"{one['perplexity']:.2f}",
            share(one["points"]),
            "" if one["form"] == TORCH or before is None else paired(one["points"], before),
            *(speed(one, what) for what in ("read_1", "read_32", "write_1", "write_32")),
        )
        for one in results
    ]
    threads, n = results[0]["threads"], len(results[0]["points"])
    note = (
        f"{n} test rows of SST-2, prompts with four examples, calibrated on empty inputs;"
        " perplexity on"
        f" {WINDOWS * (WINDOW - 1):,} tokens of DialogSum; {threads} thread of"
        f" {machine.device()}, beside other work on the machine. Speeds are tokens a second, and"
        " of a call the median and the 95th percentile."
    )
    return "\n".join([*lines, "", note])


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
        write_atomic(result(arguments.out, arguments.measure), json.dumps(one))
        return
    write_files(arguments.out)
    for form in FORMS if arguments.only is None else (arguments.only,):
        run(form, arguments.out, arguments.rows)
    text = table(arguments.out, arguments.rows)
    print(text)
    if arguments.write:
        write("quantised.py", text, PAGE)


if __name__ == "__main__":
    main()
