"""The embedded sentence encoders in float32 and as GGUF files of 8 and 4 bits a weight.

    python benchmarks/quantised_encoders.py OUT [--rows N] [--only ENCODER [--form FORM]] [--write]

A logistic regression on the vectors of 100 reviews of SST-2 answers N others. Rows a second are of
reading those N, on this machine; the difference to float32 is paired, on the same rows. Vectors are
kept in OUT some rows at a time: what was ended in the middle goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from sklearn.linear_model import LogisticRegression

from nshot.core import machine
from nshot.core.files import folder_bytes, write_atomic
from nshot.core.serial import read_json
from nshot.core.types import ModelRef, digest
from nshot.models import open_models
from nshot.models.base import Encoder
from nshot.models.catalog import locate, resolve
from nshot.use.gguf import write_vectors
from quantised import PAGE, films, paired, share
from table import ROOT, line, write

ENCODERS = ("all-minilm-l6-v2", "multilingual-e5-small")
WHOLE = "float32"
FORMS = (WHOLE, "Q8_0", "Q4_0")
TOGETHER = 20
"""Texts that are read, and kept, at once."""


class Vectors:
    """The vectors of a form, some texts at a time: each piece is kept with the seconds it took."""

    def __init__(self, name: str, form: str, out: Path) -> None:
        self._place, self._folder = out / f"{name}-{form}", out / "vectors"
        self._name, self._form = name, form

    @cached_property
    def ref(self) -> ModelRef:
        """The form as it lies on disk; a GGUF file is written where there is none."""
        if self._form == WHOLE:
            return resolve(self._name, "encoder")
        if not self._place.exists():
            write_vectors(self._name, self._form, self._place)  # type: ignore[arg-type]
        return resolve(str(self._place), "encoder")

    @cached_property
    def _encoder(self) -> Encoder:
        encoder = open_models().encoder(self.ref)
        encoder.encode(["warm"])  # the first call is slower than the others
        return encoder

    def of(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], float]:
        """(texts, width), and the seconds that they took when they were made."""
        pieces = [texts[at : at + TOGETHER] for at in range(0, len(texts), TOGETHER)]
        made = [self._piece(piece) for piece in pieces]
        return np.concatenate([one["vectors"] for one in made]), sum(
            float(one["seconds"][0]) for one in made
        )

    def _piece(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        path = self._folder / f"{self._name}-{self._form}-{digest(*texts)[:16]}.safetensors"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            encoder = self._encoder
            start = time.perf_counter()
            vectors = encoder.encode(list(texts))
            seconds = np.array([time.perf_counter() - start])
            write_atomic(path, save({"vectors": vectors, "seconds": seconds}))
        kept: dict[str, NDArray[Any]] = load(path.read_bytes())
        return kept


def measure(name: str, form: str, out: Path, rows: int) -> None:
    """One form of one encoder, into a file, after the form in float32."""
    train, test = films("train", 100), films("test", rows)
    vectors, whole = Vectors(name, form, out), Vectors(name, WHOLE, out)
    learned, _ = vectors.of([one.input.text for one in train])
    ours, seconds = vectors.of([one.input.text for one in test])
    known, _ = whole.of([one.input.text for one in test])
    head = LogisticRegression(C=10, max_iter=1000).fit(learned, [one.label for one in train])
    answers = head.predict(ours)
    one = {
        "form": form,
        "bytes": folder_bytes(locate(vectors.ref) if form == WHOLE else out / f"{name}-{form}"),
        "cosine": float((ours * known).sum(axis=1).min()),
        "points": [float(a == e.label) for a, e in zip(answers, test, strict=True)],
        "rate": len(test) / seconds,
    }
    write_atomic(result(out, name, form), json.dumps(one))


def result(out: Path, name: str, form: str) -> Path:
    return out / f"{name}-{form}.json"


def measured(out: Path, name: str, form: str, rows: int) -> Any:
    """What was measured of a form on so many rows; None where nothing was."""
    path = result(out, name, form)
    one = read_json(path) if path.exists() else None
    return one if one and len(one["points"]) == len(films("test", rows)) else None


def table(out: Path, rows: int) -> str:
    """A line for each form of each encoder that was measured on so many rows."""
    head = ("encoder", "form", "on disk", "lowest cosine", "SST-2", "less float32", "rows a second")
    lines = [line(*head), line("---", "---", *["--:"] * 5)]
    for name in ENCODERS:
        results = [one for form in FORMS if (one := measured(out, name, form, rows))]
        for one in results:
            before, whole = results[0]["points"], one["form"] == WHOLE
            lines.append(
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
    count = len(films("test", rows))
    return "\n".join([*lines, "", f"{count} test rows, a head on 100 labelled ones; {where}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--only", choices=ENCODERS)
    parser.add_argument("--form", choices=FORMS, help="and this form of it alone")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ENCODERS if arguments.only is None else (arguments.only,):
        for form in FORMS if arguments.form is None else dict.fromkeys((WHOLE, arguments.form)):
            if measured(arguments.out, name, form, arguments.rows) is None:
                measure(name, form, arguments.out, arguments.rows)
    text = table(arguments.out, arguments.rows)
    print(text)
    if arguments.write:
        write("quantised_encoders.py", text, PAGE)


if __name__ == "__main__":
    main()
