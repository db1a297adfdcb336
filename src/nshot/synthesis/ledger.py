"""What was asked and answered, a line each, on disk before it is used: nothing is paid twice."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from nshot.core.errors import Fault, InputError, Locked
from nshot.models.base import Completion


class Ledger:
    """Completions by the name of their request. One process holds it at a time.

    Lines are appended and synced. A last line that a kill cut short is taken off when the file is
    opened; any other line that no ledger has is a fault.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Completion] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._lock()
            self._read()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Completion | None:
        """The answer to a request, None where it was never answered."""
        return self._known.get(key)

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer. When this returns it is on disk."""
        line = {
            "key": key,
            "text": answer.text,
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
            "finished": answer.finished,
        }
        self._append((json.dumps(line) + "\n").encode())
        self._known[key] = answer

    def close(self) -> None:
        """Let another process have it. A ledger without a line is taken away."""
        if not os.fstat(self._file).st_size:
            self.path.unlink(missing_ok=True)
        os.close(self._file)

    def _append(self, raw: bytes) -> None:
        while raw:
            raw = raw[os.write(self._file, raw) :]
        os.fsync(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = f"{self.path} is in use by another process"
            raise Locked(Fault(problem, do="wait for it, or give another -o")) from None

    def _read(self) -> None:
        *lines, last = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if (entry := _entry(line)) is None:
                raise InputError(
                    Fault(
                        "not a line of a ledger",
                        expected="the file as nshot wrote it",
                        do="take the line out, or give another -o",
                        where=f"{self.path}, line {number}",
                    )
                )
            self._known[entry[0]] = entry[1]
        self._mend(last)

    def _mend(self, last: bytes) -> None:
        """A last line without its end: kept if it is whole, else taken off."""
        if not last:
            return
        if (entry := _entry(last)) is not None:
            self._known[entry[0]] = entry[1]
            self._append(b"\n")
        else:
            os.ftruncate(self._file, os.fstat(self._file).st_size - len(last))


def _entry(line: bytes) -> tuple[str, Completion] | None:
    try:
        body: dict[str, Any] = json.loads(line)
        answer = Completion(body["text"], body["tokens_in"], body["tokens_out"], body["finished"])
        return str(body["key"]), answer
    except (ValueError, LookupError, TypeError):
        return None
