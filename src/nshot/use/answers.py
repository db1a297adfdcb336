"""Answers kept on disk by what was asked of which folder: the same question is computed once.

One SQLite file in WAL mode: several processes read and write it at once, and a killed one loses
only what it had not put. An answer is found again where the folder's files, the packages that
compute, the device and the input are the same to the byte; nothing is taken for similar.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.files import content_hash
from nshot.core.types import Input, Prediction
from nshot.models.embedded.conversion import cache_folder

BLOCK = 256
"""Inputs that are answered before their answers are put: what a kill can lose."""
_AT_ONCE = 500
"""Keys of one query: SQLite takes at least 999 variables."""
_DAY = 86_400


class Statistics(NamedTuple):
    """What an answers' file holds: `folders` by name with their answers, `bytes` on disk."""

    answers: int
    folders: Mapping[str, int]
    bytes: int
    oldest: float | None
    """When the oldest answer was put, in seconds since 1970."""


class Answers:
    """The answers in one file, which is made where it is not there.

    Safe for threads. Raises `InputError` for a file that is something else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.execute(
                "create table if not exists answers (key blob primary key, folder text not null,"
                " answer text not null, written real not null) without rowid"
            )
        except sqlite3.DatabaseError as error:
            raise InputError(
                Fault(
                    f"not a file of kept answers: {error}",
                    do="delete it, or name another file",
                    where=str(self.path),
                )
            ) from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Prediction]:
        """The answers that are there, by key."""
        kept: dict[bytes, Prediction] = {}
        with self._lock:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"select key, answer from answers where key in ({marks})"
                kept |= {key: _read(text) for key, text in self._db.execute(query, some)}
        return kept

    def put(self, folder: str, answers: Iterable[tuple[bytes, Prediction]]) -> None:
        """Keep answers of a folder, all or none of them."""
        now = time.time()
        rows = [(key, folder, _written(prediction), now) for key, prediction in answers]
        with self._lock, self._db:
            self._db.executemany("insert or replace into answers values (?, ?, ?, ?)", rows)

    def statistics(self) -> Statistics:
        """How much is there."""
        with self._lock:
            counts = dict(
                self._db.execute(
                    "select folder, count(*) from answers group by folder order by folder"
                )
            )
            (oldest,) = self._db.execute("select min(written) from answers").fetchone()
        return Statistics(sum(counts.values()), counts, self._bytes(), oldest)

    def prune(self, days: float = 0.0, folder: str | None = None) -> int:
        """Delete the answers older than `days`, of all folders or of one; how many they were."""
        before, chosen = time.time() - days * _DAY, "" if folder is None else " and folder = ?"
        values = (before,) if folder is None else (before, folder)
        with self._lock:
            with self._db:
                query = f"delete from answers where written <= ?{chosen}"
                count = self._db.execute(query, values).rowcount
            self._db.execute("vacuum")
            self._db.execute("pragma wal_checkpoint(truncate)")
        return count

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def _bytes(self) -> int:
        beside = (self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm"))
        return sum(path.stat().st_size for path in beside if path.exists())


def listed_as(folder: Path) -> str:
    """The name under which a folder's answers are counted."""
    return str(folder.resolve())


def default_path() -> Path:
    """``answers.sqlite`` in nshot's cache (``$NSHOT_CACHE``)."""
    return cache_folder() / "answers.sqlite"


def fingerprint(folder: Path) -> str:
    """Of everything that an answer of a folder depends on besides the input.

    Its files, the versions of the packages that compute, device and number type.
    """
    about = machine.describe()
    whole = [content_hash(folder), about["versions"], about["device"], about["dtype"]]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def key_of(fingerprint: str, question: Input) -> bytes:
    """The key of an input: pictures by their content, wherever their files lie."""
    parts = [
        fingerprint,
        question.fields,
        [
            (turn.role, turn.text, [image.sha256 for image in turn.images])
            for turn in question.turns
        ],
        [image.sha256 for image in question.images],
        question.answers,
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).digest()


@dataclass
class Cached:
    """Computes an answer only where none is kept.

    `compute` is a predictor's `predict`. `name` is what its answers are listed under; `hits` and
    `misses` count inputs.
    """

    compute: Callable[[Sequence[Input]], list[Prediction]]
    answers: Answers
    fingerprint: str
    name: str
    hits: int = 0
    misses: int = 0

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order; what was computed is put after each `BLOCK`."""
        keys = [key_of(self.fingerprint, one) for one in inputs]
        known = self.answers.get(keys)
        missing = {key: one for key, one in zip(keys, inputs, strict=True) if key not in known}
        left = list(missing.items())
        for start in range(0, len(left), BLOCK):
            block = left[start : start + BLOCK]
            predictions = self.compute([one for _, one in block])
            new = [(key, one) for (key, _), one in zip(block, predictions, strict=True)]
            self.answers.put(self.name, new)
            known |= new
        self.hits, self.misses = self.hits + len(inputs) - len(missing), self.misses + len(missing)
        return [known[key] for key in keys]


def _written(p: Prediction) -> str:
    """In ASCII: SQLite takes no lone surrogate."""
    return json.dumps([p.answer, p.scores, p.tokens_in, p.tokens_out])


def _read(text: str) -> Prediction:
    answer, scores, tokens_in, tokens_out = json.loads(text)
    return Prediction(answer, tuple(scores), tokens_in, tokens_out)
