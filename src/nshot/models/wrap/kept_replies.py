"""Models elsewhere whose answers are kept on disk, as they come: nothing is paid twice.

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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from nshot.core.errors import MoneyEnds
from nshot.core.serial import from_data, to_data
from nshot.core.types import ModelRef, digest
from nshot.models.base import Completion, Reply, TypedRequest
from nshot.models.openai.service import guess
from nshot.models.wrap.around import AroundModel
from nshot.models.wrap.purse import Purse

T = TypeVar("T")
U = TypeVar("U")
VERSION = "1"
"""Raised when the same request is sent otherwise."""
_TABLES = """
create table if not exists replies (key text primary key, reply text);
create table if not exists texts (key text primary key, reply text);
create table if not exists bill (key text primary key, asker text, model text, guess real,
    tokens_in integer, tokens_out integer, cached integer default 0);
create table if not exists held (process integer primary key, money real);
"""
_CACHED = "alter table bill add column cached integer default 0"
"""For a folder of before it was counted what a service had in its cache."""
PART = 64
"""Requests that a purse pays for at once, at most."""
MOST_TOKENS, MOST_WRITTEN = 4.0, 64
"""Tokens of one that we guess, where none was billed yet: one a byte; and tokens written."""
_AT_ONCE = 500
"""Keys of one query: SQLite takes at least 999 variables."""


class Bill(NamedTuple):
    """What was billed: requests, the tokens that we guess they have, those that were counted, and
    of those read how many the service had in its cache."""

    requests: int = 0
    guess: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0

    def and_also(self, other: Bill) -> Bill:
        """Both together."""
        return Bill(
            self.requests + other.requests,
            self.guess + other.guess,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cached + other.cached,
        )

    def cost(self, model: str, purse: Purse) -> float:
        """What that comes to."""
        return purse.cost(model, self.tokens_in, self.tokens_out, self.cached)


class Ask(NamedTuple):
    """A request that is to be paid: the tokens that we guess it has, and those that it may write at
    most; None where nobody says."""

    guess: float
    most: int | None = None


class Replies:
    """Replies by the name of their request, in one file, which is made when one is put."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def get(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Those that are there."""
        return {key: from_data(Reply, one, str(self._path)) for key, one in self._get(keys)}

    def texts(self, keys: Sequence[str]) -> dict[str, Completion]:
        """Of written answers those that are there."""
        texts = self._get(keys, "texts")
        return {key: from_data(Completion, one, str(self._path)) for key, one in texts}

    def _get(self, keys: Sequence[str], table: str = "replies") -> list[tuple[str, Any]]:
        if self._db is None and not self._path.exists():
            return []
        rows: list[tuple[str, Any]] = []
        with self._lock:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                places = ",".join("?" * len(some))
                query = f"select key, reply from {table} where key in ({places})"
                rows += [(key, json.loads(text)) for key, text in self._open().execute(query, some)]
        return rows

    def put(
        self,
        key: str,
        reply: Reply | Completion,
        asker: str = "",
        model: str = "",
        tokens: float = 0.0,
    ) -> None:
        """Keep one, and what it cost. When this returns a kill does not lose it.

        `tokens` are those that we guess the request has.
        """
        table = "replies" if isinstance(reply, Reply) else "texts"
        served = reply.served if isinstance(reply, Completion) else None
        row = (key, json.dumps(to_data(reply)))
        billed = (key, asker, model, tokens, reply.tokens_in, reply.tokens_out)
        with self._lock, self._open() as db:
            db.execute(f"insert or replace into {table} values (?, ?)", row)
            db.execute(
                "insert or ignore into bill values (?, ?, ?, ?, ?, ?, ?)",
                (*billed, served.cached if served else 0),
            )

    def bills(self) -> dict[tuple[str, str], Bill]:
        """By (asker, model)."""
        if self._db is None and not self._path.exists():
            return {}
        query = (
            "select asker, model, count(*), sum(guess), sum(tokens_in), sum(tokens_out),"
            " sum(cached) from bill group by asker, model"
        )
        with self._lock:
            rows = self._open().execute(query).fetchall()
        return {(asker, model): Bill(*counts) for asker, model, *counts in rows}

    def hold(self, asks: Sequence[Ask], model: str, purse: Purse) -> int:
        """How many of the next requests to a model the purse pays for.

        Their money is held for this process until `release`. A request is taken to have as many
        tokens for those that we guess as the dearest of this model so far, and to write as many as
        it may, or else as the longest answer so far. Raises `MoneyEnds` for none.
        """
        limit = purse.money or 0.0
        with self._lock, self._open() as db:
            db.execute("begin immediate")
            bills = db.execute(
                "select model, sum(tokens_in), sum(tokens_out), sum(cached) from bill"
                " group by model"
            ).fetchall()
            most, written = db.execute(
                "select max(tokens_in / max(guess, 1)), max(tokens_out) from bill where model = ?",
                (model,),
            ).fetchone()
            (held,) = db.execute("select coalesce(sum(money), 0) from held").fetchone()
            ratio = MOST_TOKENS if most is None else most
            longest = MOST_WRITTEN if written is None else written
            spent = sum(purse.cost(*bill) for bill in bills)
            left = limit - spent - held
            count, money, kept = 0, 0.0, 0.0
            for ask in asks[: PART if most is not None else 1]:
                out = longest if ask.most is None else ask.most
                money += purse.cost(model, ratio * ask.guess, out)
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
            if "cached" not in {name for _, name, *_ in db.execute("pragma table_info(bill)")}:
                db.execute(_CACHED)
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
        yield from ((i, self._priced(known[key])) for i, key in enumerate(keys) if key in known)
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
            yield from ((i, self._priced(reply)) for i in places[fresh[number]])

    def _priced(self, reply: Reply) -> Reply:
        """With what it costs; 0 without a price."""
        purse = self.purse or Purse()
        money = purse.cost(self.facts.ref.name, reply.tokens_in, reply.tokens_out)
        return replace(reply, money=money)

    def _paid(
        self, requests: Sequence[TypedRequest], guesses: Sequence[float], again: int
    ) -> Iterator[tuple[int, Reply]]:
        def ask(part: Sequence[TypedRequest]) -> Iterator[tuple[int, Reply]]:
            return self.model.replies(part, again)

        asks = [Ask(guess) for guess in guesses]
        yield from paid(self.kept, self.purse, self.facts.ref.name, requests, asks, ask)


def paid(
    kept: Replies,
    purse: Purse | None,
    model: str,
    requests: Sequence[T],
    asks: Sequence[Ask],
    ask: Callable[[Sequence[T]], Iterator[tuple[int, U]]],
) -> Iterator[tuple[int, U]]:
    """What `ask` gives of all requests: with a limit a part after the other, so that what is under
    way is never more than is left."""
    if purse is None or purse.money is None:
        yield from ask(requests)
        return
    start = 0
    while start < len(requests):
        count = kept.hold(asks[start:], model, purse)
        try:
            for number, answer in ask(requests[start : start + count]):
                yield start + number, answer
        finally:
            kept.release()
        start += count


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
