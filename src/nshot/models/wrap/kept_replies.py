"""Models whose answers to typed questions are kept on disk, as they come: nothing is paid twice.

An answer is found again for the same model at the same address and the same request, to the byte.
Refusals of the model are kept, failures are not. One SQLite file in WAL mode: several processes
read and write it at once, and a killed one loses only what was under way.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nshot.core.serial import from_data, to_data
from nshot.core.types import ModelRef, digest
from nshot.models.base import (
    LanguageModel,
    Reply,
    TypedRequest,
)
from nshot.models.wrap.around import Around, AroundModel

VERSION = "1"
"""Raised when the same request is sent otherwise."""
_AT_ONCE = 500
"""Keys of one query: SQLite takes at least 999 variables."""


class Replies:
    """Replies by the name of their request, in one file, which is made when one is put."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def get(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Those that are there."""
        if self._db is None and not self._path.exists():
            return {}
        kept: dict[str, Reply] = {}
        with self._lock:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                query = f"select key, reply from replies where key in ({','.join('?' * len(some))})"
                for key, text in self._open().execute(query, some):
                    kept[key] = from_data(Reply, json.loads(text), str(self._path))
        return kept

    def put(self, key: str, reply: Reply) -> None:
        """Keep one. When this returns a kill does not lose it."""
        row = (key, json.dumps(to_data(reply)))
        with self._lock, self._open() as db:
            db.execute("insert or replace into replies values (?, ?)", row)

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=normal")
            db.execute("create table if not exists replies (key text primary key, reply text)")
            self._db = db
        return self._db


@dataclass(frozen=True)
class KeptModel(AroundModel):
    """A model that is asked each request once."""

    kept: Replies

    def replies(
        self, requests: Sequence[TypedRequest], again: int = 0
    ) -> Iterator[tuple[int, Reply]]:
        """(index, reply), those that are kept first; the others are kept as they come."""
        keys = [_key(self.facts.ref, request, again) for request in requests]
        known = self.kept.get(list(dict.fromkeys(keys)))
        yield from ((i, known[key]) for i, key in enumerate(keys) if key in known)
        places: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            if key not in known:
                places.setdefault(key, []).append(i)
        fresh = list(places)
        missing = [requests[places[key][0]] for key in fresh]
        for number, reply in self.model.replies(missing, again):
            self.kept.put(fresh[number], reply)
            yield from ((i, reply) for i in places[fresh[number]])


@dataclass(frozen=True)
class KeptReplies(Around):
    """`Models` whose models that decide are asked each request once, by whatever process."""

    path: Path
    _files: list[Replies] = field(default_factory=list)

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model; one that decides with what it has answered."""
        model = self.models.open(ref)
        if "decide" not in model.facts.can:
            return model
        if not self._files:
            self._files.append(Replies(self.path))
        return KeptModel(model, self._files[0])


def _key(ref: ModelRef, request: TypedRequest, again: int) -> str:
    """The name of a request. In ASCII: SQLite takes no lone surrogate."""
    body = json.dumps(
        [request.text, [[q.kind, q.instruction, q.options] for q in request.questions]]
    )
    return digest(VERSION, ref.engine, ref.name, body, str(again)) + digest(body)
