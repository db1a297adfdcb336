"""How far a file of answers is: what lies beside it until it is whole, and what stays beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

from nshot.core.errors import Fault, InputError, Locked
from nshot.core.files import hold, write_atomic
from nshot.core.serial import dumps, from_data, to_data


@dataclass(frozen=True)
class State:
    """How far the answers are.

    `about`: which folders, versions and options answer. `rows` of the inputs are done, `digest`
    names the content of those that were answered. `sizes`: bytes of each file that count. `cells`
    are the columns of the inputs, `columns` those of the answers' table (None: not known yet).
    `moves` (name, new name) and `leftovers` are what is left to do once all is written.
    """

    about: dict[str, Any]
    rows: int = 0
    digest: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    answers: int = 0
    abstained: int = 0
    failures: int = 0
    moves: tuple[tuple[str, str], ...] = ()
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beside:
    """The names of what lies beside a file of answers."""

    output: Path

    def _named(self, name: str) -> Path:
        return self.output.with_name(name)

    @property
    def pieces(self) -> Path:
        """The answers until all are there."""
        return self._named(f"{self.output.name}.partial")

    @property
    def progress(self) -> Path:
        """How many are there: a `State`."""
        return self._named(f"{self.output.name}.progress")

    @property
    def failures(self) -> Path:
        """The rows without an answer, a line each."""
        return self._named(f"{self.output.stem}.failed.jsonl")

    @property
    def failure_pieces(self) -> Path:
        """The same until all are there."""
        return self._named(f"{self.failures.name}.partial")

    @property
    def keys(self) -> Path:
        """32 bytes for the input of each answer, in order."""
        return self._named(f".{self.output.name}.keys")

    @property
    def key_pieces(self) -> Path:
        """The same until all are there."""
        return self._named(f"{self.keys.name}.partial")

    @property
    def record(self) -> Path:
        """A `State` of the whole file, kept where it is asked for again."""
        return self._named(f".{self.output.name}.record")

    def state(self, path: Path) -> State | None:
        """What such a file holds; None where it is not there. Raises `InputError`."""
        if not path.is_file():
            return None
        try:
            return from_data(State, json.loads(path.read_text(encoding="utf-8")), str(path))
        except ValueError as error:
            do = self.cure
            raise InputError(Fault(f"not JSON: {error}", do=do, where=str(path))) from None

    def keep(self, state: State) -> None:
        """Note how far the answers are."""
        write_atomic(self.progress, dumps(to_data(state)))

    @property
    def cure(self) -> str:
        """What to type to begin anew."""
        return f"rm {quote(str(self.progress))} and type the command again: it begins anew"

    def clear(self) -> None:
        """Leave nothing of what was begun."""
        for path in (self.pieces, self.failure_pieces, self.key_pieces, self.progress):
            path.unlink(missing_ok=True)

    def finish(self, state: State) -> None:
        """Give all files their names. Done again after a kill, it ends the same."""
        for old, new in state.moves:
            if self._named(old).exists():
                os.replace(self._named(old), self._named(new))
        for name in state.leftovers:
            self._named(name).unlink(missing_ok=True)
        self.progress.unlink(missing_ok=True)

    def close(self, state: State, whole: Path, keyed: bool) -> None:
        """All answers are there, in `whole`: they get their names, all files or none."""
        moves = [(whole, self.output)]
        leftovers = [self.pieces] if whole != self.pieces else []
        stay = bool(state.failures) or keyed
        for pieces, path, kept in (
            (self.failure_pieces, self.failures, bool(state.failures)),
            (self.key_pieces, self.keys, keyed),
        ):
            if kept:
                moves.append((pieces, path))
            else:
                leftovers += [pieces, path]
        if stay:
            draft = self._named(f"{self.record.name}.partial")
            write_atomic(draft, dumps(to_data(state)))
            moves.append((draft, self.record))
        else:
            leftovers.append(self.record)
        done = replace(
            state,
            moves=tuple((old.name, new.name) for old, new in moves),
            leftovers=tuple(path.name for path in leftovers),
        )
        self.keep(done)
        self.finish(done)

    @contextmanager
    def held(self) -> Iterator[None]:
        """No other process writes these answers meanwhile. Raises `Locked` where one does."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        lock = self._named(f".{self.output.name}.lock")
        while True:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if not hold(descriptor):
                    problem = "another process writes these answers"
                    raise Locked(Fault(problem, "one at a time", where=str(self.output)))
                if not lock.exists() or not os.path.samestat(os.fstat(descriptor), lock.stat()):
                    continue  # it ended, and took its lock's file away
                try:
                    yield
                finally:
                    lock.unlink(missing_ok=True)
                return
            finally:
                os.close(descriptor)


class Growing:
    """A file that is appended to, cut back to the `size` that counts when it is opened again."""

    def __init__(self, path: Path, size: int, cure: str) -> None:
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._file = os.fdopen(descriptor, "r+b")
        if os.fstat(descriptor).st_size < size:
            self._file.close()
            problem = f"it is shorter than the {size:,} bytes that were written"
            raise InputError(Fault(problem, "the file as it was", cure, str(path)))
        self._file.truncate(size)
        self._file.seek(size)
        self.size = size

    def append(self, content: bytes) -> None:
        """Write behind what is there."""
        self._file.write(content)
        self.size += len(content)

    def sync(self) -> None:
        """All that was appended is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def sizes_of(state: State | None) -> Mapping[str, int]:
    """Bytes of each file that count; none before the first."""
    return {} if state is None else state.sizes
