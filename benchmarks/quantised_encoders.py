"""The embedded sentence encoders in float32 and as GGUF files of 8 and 4 bits a weight.

    python benchmarks/quantised_encoders.py OUT [--rows N] [--only ENCODER] [--write]

A logistic regression on the vectors of 100 reviews of SST-2 answers N others. Rows a second are of
reading those N, on this machine; the difference to float32 is paired, on the same rows.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from nshot.core import machine
from nshot.core.files import folder_bytes
from nshot.core.serial import read_json
from nshot.models import open_models
from nshot.models.catalog import locate, resolve
from nshot.use.gguf import write_vectors
from quantised import PAGE, films, paired, share
from table import ROOT, line, write

ENCODERS = ("all-minilm-l6-v2", "multilingual-e5-small")
FORMS = ("float32", "Q8_0", "Q4_0")


def measure(name: str, out: Path, rows: int) -> None:
    """All forms of one encoder, into a file."""
    train, test = films("train", 100), films("test", rows)
    known = np.zeros(0)
    results = []
    for form in FORMS:
        place = out / f"{name}-{form}"
        if form != "float32" and not place.exists():
            write_vectors(name, form, place)  # type: ignore[arg-type]
        ref = resolve(name if form == "float32" else str(place), "encoder")
        encoder = open_models().encoder(ref)
        learned = encoder.encode([one.input.text for one in train])
        start = time.perf_counter()
        vectors = encoder.encode([one.input.text for one in test])
        seconds = time.perf_counter() - start
        known = vectors if form == "float32" else known
        head = LogisticRegression(C=10, max_iter=1000).fit(learned, [one.label for one in train])
        answers = head.predict(vectors)
        results.append(
            {
                "form": form,
                "bytes": folder_bytes(locate(ref) if form == "float32" else place),
                "cosine": float((vectors * known).sum(axis=1).min()),
                "points": [float(a == e.label) for a, e in zip(answers, test, strict=True)],
                "rate": len(test) / seconds,
            }
        )
    (out / f"{name}.json").write_text(json.dumps(results), encoding="utf-8")


def table(out: Path) -> str:
    """A line for each form of each encoder."""
    head = ("encoder", "form", "on disk", "lowest cosine", "SST-2", "less float32", "rows a second")
    rows, count = [line(*head), line("---", "---", *["--:"] * 5)], 0
    for name in ENCODERS:
        if not (out / f"{name}.json").exists():
            continue
        for one in (results := read_json(out / f"{name}.json")):
            before, count = results[0]["points"], len(one["points"])
            whole = one["form"] == "float32"
            rows.append(
                line(
                    name,
                    one["form"],
                    f"{one['bytes'] / 1e6:,.0f} MB",
                    "" if whole else f"{one['cosine']:.4f}",
                    share(one["points"]),
                    "" if whole else paired(one["points"], before),
                    f"{one['rate']:,.1f}",
                )
            )
    where = f"{machine.threads()} thread of {machine.device()}, beside other work on the machine"
    return "\n".join([*rows, "", f"{count} test rows, a head on 100 labelled ones; {where}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--only", choices=ENCODERS)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ENCODERS if arguments.only is None else (arguments.only,):
        if not (arguments.out / f"{name}.json").exists():
            measure(name, arguments.out, arguments.rows)
    text = table(arguments.out)
    print(text)
    if arguments.write:
        write("quantised_encoders.py", text, PAGE)


if __name__ == "__main__":
    main()
