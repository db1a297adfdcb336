"""Reading texts with a sentence encoder: all lengths in one pass, beside the ways it is done.

    python benchmarks/packed.py [--write]

The first rows of SST-2 and NSMC are encoded by nshot as it is, by batches of one length (as nshot
did before), and by sentence-transformers itself, which pads; in turns, in one process. Said are
the medians of three, and whether a text has the bytes that it has when it is read alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.core import machine
from nshot.models.catalog import resolve
from nshot.models.hf.encoder import BATCH, SentenceEncoder
from table import data_folder, line, read, write

ENCODERS = {"all-minilm-l6-v2": "sst2", "multilingual-e5-small": "nsmc"}
"""And whose rows each reads."""
COUNTS, TIMES, ALONE = (1, 30, 100), 3, 20
HEAD = ("encoder", "rows", "one pass, rows a second", "one length at a time", "padded",
        "against one length", "against padded", "bytes as alone: one pass", "one length",
        "padded")  # fmt: skip


def measured(ways: Sequence[Callable[[], object]]) -> list[float]:
    """Median seconds of each way, asked in turns."""
    seconds: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for _ in range(TIMES):
        for way, one in zip(ways, seconds, strict=True):
            begin = time.perf_counter()
            way()
            one.append(time.perf_counter() - begin)
    return [statistics.median(one) for one in seconds]


def as_alone(encode: Callable[[Sequence[str]], NDArray[np.float32]], texts: Sequence[str]) -> str:
    """``20 of 20``: texts whose vector is the same bytes alone."""
    together = encode(texts)
    some = range(0, len(texts), max(1, len(texts) // ALONE))
    same = [encode([texts[i]])[0].tobytes() == together[i].tobytes() for i in some]
    return f"{sum(same)} of {len(same)}"


def cells(name: str, count: int) -> str:
    """A line of the table."""
    encoder = SentenceEncoder(resolve(name, "encoder"))
    texts = [row["text"] for row in read(data_folder() / ENCODERS[name] / "test.jsonl")[:count]]

    def padded(some: Sequence[str]) -> NDArray[np.float32]:
        made = encoder._model.encode(
            list(some), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(made)

    ways = (encoder.encode, encoder._by_length, padded)
    packed, lengths, pads = measured([lambda way=way: way(texts) for way in ways])  # type: ignore[misc]
    return line(
        name, f"{count:,}", *(f"{count / one:,.0f}" for one in (packed, lengths, pads)),
        f"{lengths / packed:.2f}x", f"{pads / packed:.2f}x",
        *(as_alone(way, texts) for way in ways),
    )  # fmt: skip


def main() -> None:
    """Print the table, or put it on the page of benchmarks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true")
    typed = parser.parse_args()
    made = [cells(name, count) for name in ENCODERS for count in COUNTS]
    text = "\n".join([line(*HEAD), line("---", *["--:"] * (len(HEAD) - 1)), *made])
    text += f"\n\n{machine.threads()} thread of {machine.device()}; medians of {TIMES}."
    if typed.write:
        write("packed.py", text)
    print(text)


if __name__ == "__main__":
    main()
