"""Looking up kept answers: ``python benchmarks/answers.py [--rows 10000000] [--write]``.

A file of so many answers is filled in the order of the keys (else the filling alone takes a quarter
of an hour), then some more are put, and all is read in random order: in blocks of 256, as `nshot
predict --cache` asks, and one by one. Half of the keys are there. With ``--peers`` diskcache and
LiteLLM's disk cache, which stands on it, hold the same answers at a size that they fill in minutes;
they run in an environment that has them (`pip install --no-deps diskcache 'litellm<1.90'` and what
LiteLLM imports: 1.110 has no disk cache any more).
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nshot.core import machine
from nshot.core.types import Prediction
from nshot.use.answers import BLOCK, Answers
from table import line, write

LOOKUPS, GOAL, GOAL_P99 = 100_000, 50_000, 0.001
PUT, SINGLE = 20_000, 25_000
SCORES = tuple(-float(i) for i in range(8))
HEADER = line("what", "answers", "put, a second", "looked up in blocks, a second",
              "one: median, us", "one: 99th percentile, us", "MB")  # fmt: skip


def key(number: int) -> bytes:
    """As spread as a real one."""
    return hashlib.sha256(number.to_bytes(8, "little")).digest()


def prediction(number: int) -> Prediction:
    """An answer with eight scores."""
    return Prediction(f"label {number % 8}", SCORES)


class Store(NamedTuple):
    """What keeps answers: put some, and get those of some keys that are there."""

    put: Callable[[Iterable[tuple[bytes, Prediction]]], None]
    get: Callable[[Sequence[bytes]], dict[bytes, object]]


def in_order(rows: int) -> Iterable[list[tuple[bytes, Prediction]]]:
    """Answers by the 256 first bytes of their keys, each part in the order of the keys."""
    parts: list[list[int]] = [[] for _ in range(256)]
    for number in range(rows):
        parts[key(number)[0]].append(number)
    for part in parts:
        yield sorted((key(number), prediction(number)) for number in part)
        part.clear()


class Row(NamedTuple):
    """One line of the table: per second, and seconds."""

    put: float
    blocks: float
    median: float
    late: float


def measured(store: Store, rows: int) -> Row:
    """Put `PUT` more, look `LOOKUPS` up in blocks, then `SINGLE` one by one."""
    rng = random.Random(0)
    new = [(key(n), prediction(n)) for n in range(rows, rows + PUT)]
    start = time.perf_counter()
    for at in range(0, PUT, BLOCK):
        store.put(new[at : at + BLOCK])
    put = PUT / (time.perf_counter() - start)
    keys = [key(rng.randrange(2 * rows)) for _ in range(LOOKUPS)]
    start = time.perf_counter()
    present = sum(len(store.get(keys[i : i + BLOCK])) for i in range(0, LOOKUPS, BLOCK))
    blocks = LOOKUPS / (time.perf_counter() - start)
    if not 0.45 < present / LOOKUPS < 0.6:
        raise AssertionError(f"{present} of {LOOKUPS} keys are there: half was expected")
    seconds = []
    for one in keys[:SINGLE]:
        begin = time.perf_counter()
        store.get([one])
        seconds.append(time.perf_counter() - begin)
    return Row(put, blocks, float(np.median(seconds)), float(np.quantile(seconds, 0.99)))


def ours(folder: Path, rows: int) -> str:
    """The file behind `nshot predict --cache`."""
    path = folder / "answers.sqlite"
    answers = Answers(path)
    for part in in_order(rows):
        answers.put("folder", part)
    answers.close()
    answers = Answers(path)  # what a fresh process opens
    row = measured(Store(lambda some: answers.put("folder", some), answers.get), rows)
    answers.close()
    goals = (row.blocks >= GOAL, row.late < GOAL_P99)
    return shown("nshot", rows, row, path.stat().st_size, goals)


def diskcache(folder: Path, rows: int) -> str:
    """diskcache 5: a row of SQLite an answer, by its own serialiser (pickle)."""
    import diskcache

    cache = diskcache.Cache(str(folder / "diskcache"))

    def put(some: Iterable[tuple[bytes, Prediction]]) -> None:
        with cache.transact():
            for one, answer in some:
                cache.set(one, [answer.answer, answer.scores])

    def get(keys: Sequence[bytes]) -> dict[bytes, object]:
        return {one: answer for one in keys if (answer := cache.get(one)) is not None}

    return peer("diskcache", Store(put, get), folder / "diskcache", rows)


def litellm(folder: Path, rows: int) -> str:
    """LiteLLM's disk cache: texts under texts, one at a time."""
    from litellm.caching.disk_cache import DiskCache

    cache = DiskCache(str(folder / "litellm"))

    def put(some: Iterable[tuple[bytes, Prediction]]) -> None:
        for one, answer in some:
            cache.set_cache(one.hex(), [answer.answer, list(answer.scores)])

    def get(keys: Sequence[bytes]) -> dict[bytes, object]:
        return {one: answer for one in keys if (answer := cache.get_cache(one.hex())) is not None}

    return peer("LiteLLM's disk cache", Store(put, get), folder / "litellm", rows)


def peer(name: str, store: Store, folder: Path, rows: int) -> str:
    """Fill it, and measure it."""
    for at in range(0, rows, BLOCK):
        store.put([(key(n), prediction(n)) for n in range(at, min(at + BLOCK, rows))])
    row = measured(store, rows)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return shown(name, rows, row, size)


def shown(
    name: str, rows: int, row: Row, size: int, goals: tuple[bool, bool] = (True, True)
) -> str:
    """A line of the table; a goal that was missed says so."""
    missed = ("" if goals[0] else f", missed ({GOAL:,})", "" if goals[1] else ", missed (1 ms)")
    return line(name, f"{rows:,}", f"{row.put:,.0f}", f"{row.blocks:,.0f}{missed[0]}",
                f"{1e6 * row.median:.0f}", f"{1e6 * row.late:.0f}{missed[1]}",
                f"{size / 1e6:,.0f}")  # fmt: skip


def main() -> None:
    """Measure, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peers", type=int, default=0, metavar="ROWS", help="and how they do")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    lines = [HEADER, "|---|--:|--:|--:|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        lines.append(ours(Path(folder), options.rows))
        if options.peers:
            some = Path(folder) / "some"
            some.mkdir()
            lines += [each(some, options.peers) for each in (ours, diskcache, litellm)]
    about = f"One process on {machine.device()}, half of the keys there, {LOOKUPS:,} lookups."
    text = "\n".join([*lines, "", about])
    print(text)
    if options.write:
        write("answers.py", text)


if __name__ == "__main__":
    main()
