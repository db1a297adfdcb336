"""What is kept of a run: SQLite for results, folders for predictors. A result is whole or absent.

DIR/
  nshot.yaml  lock             the request; who is writing
  data/                        task and rows in canonical form
  store.sqlite                 results by job id (JSON)
  jobs/<id>/                   predictors that may be delivered, or that other jobs build on
  vectors/                     of texts, by encoder: encoded once a run
  scratch/<id>/                checkpoints of a job that is not finished
  logs/<id>.log                what a job printed
  leaderboard.json details.json disagreements.jsonl answers.jsonl report.html winner/
  audit/                       what `nshot audit` measured
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, Locked
from nshot.core.files import hold
from nshot.core.serial import from_data
from nshot.core.types import Measurement

FORMAT = 1


class Store:
    """Results by job id, in one run folder. Opening a new folder makes it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._path = self.root / "store.sqlite"
        with self._open() as db:
            db.execute("pragma journal_mode=wal")
            db.execute(
                "create table if not exists results (id text primary key, kind text not null,"
                " state text not null, body text not null, written real not null)"
            )
            db.execute("create table if not exists meta (key text primary key, value text)")
            db.execute("insert or ignore into meta values ('format', ?)", (str(FORMAT),))
            version = db.execute("select value from meta where key = 'format'").fetchone()[0]
        if int(version) > FORMAT:
            raise Locked(
                Fault(
                    f"{self.root} was written by a newer nshot (format {version})", do="--out NEW"
                )
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            yield db

    def get(self, job: str) -> tuple[str, dict[str, Any]] | None:
        """(state, body) of a finished job: state is ``ok`` or ``failed``."""
        with self._open() as db:
            row = db.execute("select state, body from results where id = ?", (job,)).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def measurement(self, job: str) -> Measurement:
        """Of a finished job that measures. Raises `KeyError` where there is none."""
        stored = self.get(job)
        if stored is None:
            raise KeyError(job)
        return from_data(Measurement, stored[1])

    def put(self, job: str, kind: str, state: str, body: Mapping[str, Any]) -> None:
        """Keep a result; the last thing a job does."""
        with self._open() as db:
            db.execute(
                "insert or replace into results values (?, ?, ?, ?, ?)",
                (job, kind, state, json.dumps(body, ensure_ascii=False), time.time()),
            )

    def jobs(self) -> list[tuple[str, str, str]]:
        """(id, kind, state) of every finished job, in order of finishing."""
        with self._open() as db:
            return db.execute("select id, kind, state from results order by written, id").fetchall()

    def predictor_folder(self, job: str) -> Path:
        """Where the predictor of a nested job is kept."""
        return self.root / "jobs" / job

    def scratch(self, job: str) -> Path:
        """A job's own folder while it runs; it survives a kill."""
        folder = self.root / "scratch" / job
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, job: str) -> Path:
        """Where a job's output goes."""
        folder = self.root / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{job}.log"


@contextmanager
def locked(root: Path) -> Iterator[int]:
    """Hold the run folder; yields the lock's descriptor, for the worker to share.

    Raises `Locked` where another run holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not hold(descriptor):
            raise Locked(_in_use(root, os.pread(descriptor, 32, 0).decode().strip() or "?"))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _in_use(root: Path, holder: str) -> Fault:
    return Fault(
        f"{root} is in use by process {holder}",
        expected="one run at a time in a folder",
        do="wait for it, or give another --out",
    )


def sweep(root: Path) -> None:
    """Remove what a killed run left half-written: names that nothing reads."""
    for pattern in (".*.tmp", ".*.old", ".report.html.*"):
        for path in list(root.rglob(pattern)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
