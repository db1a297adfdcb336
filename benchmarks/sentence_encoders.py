"""A linear head, with the settings it begins with, on each embedded encoder and on counted n-grams.

    python benchmarks/sentence_encoders.py [--shots 8,32] [--draws 3] [--rows 300] [--write]

Reviews, intents and comments in English and Korean at n rows of each label, and the project's own
support tickets, some of them Korean, with all their rows. The methods are nshot's `linear_probe`
and `tfidf_lr`; a text is encoded once. Timed is the reading of the test rows.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.bench.workbench import Workbench
from nshot.core import machine
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.data import load
from nshot.data.language import language
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.base import Encoder, Models
from nshot.models.embedded.packages import E5, ENCODER
from table import ROOT, data_folder, line, read, write

TASKS = {
    "nsmc": "NSMC, Korean film reviews",
    "korean_hate": "Korean comments: hate",
    "sst2": "SST-2, English film reviews",
    "banking77": "ten BANKING77 intents",
}
COUNTED = "counted n-grams"
SIDES = (COUNTED, ENCODER.name, E5.name)


@dataclass
class Rows:
    """A task with what may be learned from, and what is asked."""

    task: Task
    train: list[Example]
    test: list[Example]


class Remembering(Encoder):
    """An encoder that reads a text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self._known = encoder, dict[str, NDArray[np.float32]]()

    @property
    def ref(self) -> ModelRef:
        return self._encoder.ref

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count(texts)


@dataclass
class OneEncoder(Models):
    """Models of which there is one, an encoder that remembers."""

    known: Encoder

    def encoder(self, ref: ModelRef) -> Encoder:
        return self.known


@dataclass
class Side:
    """What is compared: a method on an encoder, or on none; `seconds` to read 300 rows, by task."""

    name: str
    models: Models
    seconds: dict[str, float] = field(default_factory=dict)

    def right(self, rows: Rows, shots: Sequence[Example]) -> NDArray[np.float64]:
        """1 for each test row that is answered rightly."""
        method = TABLE["tfidf_lr" if self.name == COUNTED else "linear_probe"]()
        with tempfile.TemporaryDirectory() as folder:
            bench = Workbench(self.models, encoder=ModelRef("hf", self.name), folder=Path(folder))
            predictor = method.adapt(rows.task, Shots(tuple(shots)), bench)
            predictions = predictor.predict([row.input for row in rows.test])
        pairs = zip(predictions, rows.test, strict=True)
        return np.array([one.answer == row.label for one, row in pairs], float)


def sides() -> list[Side]:
    """Counted n-grams and the embedded encoders."""
    models = open_models()
    made = [Side(COUNTED, models)]
    for name in SIDES[1:]:
        encoder = models.encoder(ModelRef("hf", name))
        encoder.encode(["the first call is slower"])
        made.append(Side(name, OneEncoder(Remembering(encoder))))
    return made


def rows_of(data: Path, name: str, most: int) -> Rows:
    """A public set, of BANKING77 the ten intents of all boards, with at most `most` test rows."""
    test = "dev" if name == "korean_hate" else "test"
    parts = {part: read(data / name / f"{part}.jsonl") for part in ("train", test)}
    labels = sorted({str(row["label"]) for row in parts[test]})
    kept = sorted(random.Random(0).sample(labels, 10)) if name == "banking77" else labels
    train, asked = (
        [
            Example(f"{part}{i}", Input((("text", row["text"]),)), (str(row["label"]),))
            for i, row in enumerate(rows)
            if str(row["label"]) in kept
        ]
        for part, rows in parts.items()
    )
    task = Task(name, "classify", tuple(map(Label, kept)))
    return Rows(task, train, random.Random(0).sample(asked, min(most, len(asked))))


def drawn(rows: Rows, shots: int, draw: int) -> list[Example]:
    """`shots` rows of each label."""
    shuffled = random.Random(f"{rows.task.name}:{draw}").sample(rows.train, len(rows.train))
    of = {name: [e for e in shuffled if e.label == name] for name in rows.task.label_names}
    return [example for some in of.values() for example in some[:shots]]


def time_reading(side: Side, rows: Rows) -> None:
    """Let an encoder read the test rows for the first time."""
    if side.name != COUNTED:
        start = time.process_time()
        side.models.encoder(ModelRef("hf", side.name)).encode([r.input.text for r in rows.test])
        side.seconds[rows.task.name] = (time.process_time() - start) * 300 / len(rows.test)


def public(
    data: Path, most: int, sizes: Sequence[int], draws: int, all_sides: list[Side]
) -> list[str]:
    """A line for each public set and size."""
    lines = []
    for name, title in TASKS.items():
        rows = rows_of(data, name, most)
        for side in all_sides:
            time_reading(side, rows)
        for size in sizes:
            shots = [drawn(rows, size, draw) for draw in range(draws)]
            scores = [
                [float(side.right(rows, some).mean()) for some in shots] for side in all_sides
            ]
            lines.append(line(title, str(size), *map(spread, scores)))
    return lines


def tickets(all_sides: list[Side]) -> list[str]:
    """The project's own rows, and those of them that are Korean."""
    loaded = load(ROOT / "examples" / "support-tickets")
    rows = Rows(loaded.task, list(loaded.train), list(loaded.test or ()))
    korean = np.array([not language([row.input.text]).english for row in rows.test])
    right = [side.right(rows, rows.train) for side in all_sides]
    each = len(rows.train) // len(rows.task.labels)
    kinds: dict[str, Callable[[NDArray[np.float64]], float]] = {
        f"support tickets, all {len(rows.train)} rows": lambda one: float(one.mean()),
        f"the {korean.sum()} Korean ones of {len(korean)} test rows": lambda one: float(
            one[korean].mean()
        ),
    }
    return [
        line(title, str(each), *(f"{100 * of(one):.1f}" for one in right))
        for title, of in kinds.items()
    ]


def spread(scores: Sequence[float]) -> str:
    """Mean, lowest and highest, in percent."""
    low, mean, high = (100 * f(scores) for f in (min, statistics.mean, max))
    return f"{mean:.1f} ({low:.1f} - {high:.1f})"


def table(lines: Sequence[str], all_sides: Sequence[Side], rows: int, draws: int) -> str:
    """The page's block."""
    head = [
        line("accuracy, %", "rows a label", *SIDES),
        "|--|--:|" + "--:|" * len(SIDES),
    ]
    times = [
        f"{side.name} {min(side.seconds.values()):.1f} to {max(side.seconds.values()):.1f}"
        for side in all_sides
        if side.seconds
    ]
    how = (
        f"At most {rows} test rows, means of {draws} draw(s), lowest to highest in brackets; one "
        f"fit where all rows are learned from. Seconds of the processor for 300 rows: "
        f"{', '.join(times)}; float32 on {machine.device()}, {torch.get_num_threads()} thread(s)."
    )
    return "\n".join([*head, *lines, "", how])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", default="8,32", help="per label, several with commas")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--rows", type=int, default=300, help="test rows of each task, at most")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    torch.set_num_threads(machine.threads())
    sizes = [int(size) for size in arguments.shots.split(",")]
    compared = sides()
    lines = public(data_folder(), arguments.rows, sizes, arguments.draws, compared)
    text = table([*lines, *tickets(compared)], compared, arguments.rows, arguments.draws)
    print(text)
    if arguments.write:
        write("sentence_encoders.py", text)


if __name__ == "__main__":
    main()
