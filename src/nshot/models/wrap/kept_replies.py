"""Models whose answers to typed questions are kept on disk, as they come: nothing is paid twice.

An answer is found again for the same model at the same address and the same request, to the byte.
Refusals of the model are kept, failures are not. Beside them stands the bill, by who asked first;
with a purse nothing is asked that might cost more than is left in it. One SQLite file in WAL mode:
several processes read and write it at once, and a killed one loses only what was under way.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nshot.core.errors import MoneyEnds
from nshot.core.serial import from_data, to_data
from nshot.core.types import ModelRef, digest
from nshot.models.base import (
    LanguageModel,
    Reply,
    TypedRequest,
)
from nshot.models.openai.service import guess
from nshot.models.wrap.around import Around, AroundModel
from nshot.models.wrap.purse import Purse

VERSION = "1"
"""Raised when the same request is sent otherwise."""
_TABLES = """
create table if not exists replies (key text primary key, reply text);
create table if not exists bill (key text primary key, asker text, model text, guess real,
    tokens_in integer, tokens_out integer);
create table if not exists held (process integer primary key, money real);
"""
PART = 64
"""Requests that a purse pays for at once, at most."""
MOST_TOKENS, MOST_WRITTEN = 4.0, 64
"""Tokens of one that we guess, where none was billed yet: one a byte; and tokens written."""
_AT_ONCE = 500
"""Keys of one query: SQLite takes at least 999 variables."""


class Bill(NamedTuple):
    """What was billed: requests, the tokens that we guess they have, those that were counted."""

    requests: int = 0
    guess: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


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

    def put(
        self, key: str, reply: Reply, asker: str = "", model: str = "", tokens: float = 0.0
    ) -> None:
        """Keep one, and what it cost. When this returns a kill does not lose it.

        `tokens` are those that we guess the request has.
        """
        row = (key, json.dumps(to_data(reply)))
        billed = (key, asker, model, tokens, reply.tokens_in, reply.tokens_out)
        with self._lock, self._open() as db:
            db.execute("insert or replace into replies values (?, ?)", row)
            db.execute("insert or ignore into bill values (?, ?, ?, ?, ?, ?)", billed)

    def bills(self) -> dict[tuple[str, str], Bill]:
        """By (asker, model)."""
        if self._db is None and not self._path.exists():
            return {}
        query = (
            "select asker, model, count(*), sum(guess), sum(tokens_in), sum(tokens_out) from bill"
            " group by asker, model"
        )
        with self._lock:
            rows = self._open().execute(query).fetchall()
        return {(asker, model): Bill(*counts) for asker, model, *counts in rows}

    def hold(self, guesses: Sequence[float], purse: Purse) -> int:
        """How many of the next requests, of so many tokens as we guess, the purse pays for.

        Their money is held for this process until `release`. A request is taken to have as many
        tokens for those that we guess as the dearest so far. Raises `MoneyEnds` for none.
        """
        limit = purse.money or 0.0
        with self._lock, self._open() as db:
            db.execute("begin immediate")
            spent_in, spent_out, most, written = db.execute(
                "select coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0),"
                " max(tokens_in / max(guess, 1)), max(tokens_out) from bill"
            ).fetchone()
            (held,) = db.execute("select coalesce(sum(money), 0) from held").fetchone()
            ratio = MOST_TOKENS if most is None else most
            out = MOST_WRITTEN if written is None else written
            spent = purse.cost(spent_in, spent_out)
            left = limit - spent - held
            count, money, kept = 0, 0.0, 0.0
            for guess in guesses[: PART if most is not None else 1]:
                money += purse.cost(ratio * guess, out)
                if money > left:
                    break
                count += 1
                kept = money
            if count:
                db.execute("insert or replace into held values (?, ?)", (os.getpid(), kept))
                return count
        raise MoneyEnds(
            f"the money ends: {spent:.4g} of {limit:.4g} were spent, and the next request may"
            f" cost {money:.2g}; the same command with more --money goes on"
        )

    def release(self) -> None:
        """What this process holds is paid, or was not needed."""
        with self._lock, self._open() as db:
            db.execute("delete from held where process = ?", (os.getpid(),))

    def sweep(self) -> None:
        """Release what processes hold that were killed: no process asks now."""
        if self._path.exists():
            with self._lock, self._open() as db:
                db.execute("delete from held")

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=normal")
            db.executescript(_TABLES)
            self._db = db
        return self._db


@dataclass(frozen=True)
class KeptModel(AroundModel):
    """A model that is asked each request once, as far as the purse pays; `asker` is billed."""

    kept: Replies
    purse: Purse | None = None
    asker: str = ""

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
        guesses = [tokens_of(request) for request in missing]
        for number, reply in self._paid(missing, guesses, again):
            name = self.facts.ref.name
            self.kept.put(fresh[number], reply, self.asker, name, guesses[number])
            yield from ((i, reply) for i in places[fresh[number]])

    def _paid(
        self, requests: Sequence[TypedRequest], guesses: Sequence[float], again: int
    ) -> Iterator[tuple[int, Reply]]:
        """A part after the other, so that what is under way is never more than is left."""
        if self.purse is None or self.purse.money is None:
            yield from self.model.replies(requests, again)
            return
        start = 0
        while start < len(requests):
            count = self.kept.hold(guesses[start:], self.purse)
            try:
                for number, reply in self.model.replies(requests[start : start + count], again):
                    yield start + number, reply
            finally:
                self.kept.release()
            start += count


@dataclass(frozen=True)
class KeptReplies(Around):
    """`Models` whose models that decide are asked each request once, by whatever process."""

    path: Path
    purse: Purse | None = None
    askers: list[str] = field(default_factory=lambda: [""])
    """Who asks now, last."""
    _files: list[Replies] = field(default_factory=list)

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model; one that decides with what it has answered."""
        model = self.models.open(ref)
        if "decide" not in model.facts.can:
            return model
        if not self._files:
            self._files.append(Replies(self.path))
        return KeptModel(model, self._files[0], self.purse, self.askers[-1])


def tokens_of(request: TypedRequest) -> float:
    """Tokens that we guess a request has: of its text, and of what is asked."""
    text = "".join(
        "".join([q.kind, q.instruction, *(part for option in q.options for part in option)])
        for q in request.questions
    )
    return float(guess(request.text) + guess(text))


def _key(ref: ModelRef, request: TypedRequest, again: int) -> str:
    """The name of a request. In ASCII: SQLite takes no lone surrogate."""
    body = json.dumps(
        [request.text, [[q.kind, q.instruction, q.options] for q in request.questions]]
    )
    return digest(VERSION, ref.engine, ref.name, body, str(again)) + digest(body)
