"""What was asked and answered, a line each, on disk before it is used: nothing is paid twice."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nshot.core.errors import EndpointRefused, Fault, InputError, Locked
from nshot.core.files import hold
from nshot.models.base import Completion

Answer: TypeAlias = Completion | EndpointRefused
"""An answer, or why the endpoint will not answer this prompt."""


@dataclass
class Used:
    """What was used: requests and their tokens, whoever paid for them and when."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, answer: Completion) -> None:
        """One more."""
        self.requests += 1
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out

    def since(self, earlier: Used) -> Used:
        """What came after `earlier`."""
        return Used(
            self.requests - earlier.requests,
            self.tokens_in - earlier.tokens_in,
            self.tokens_out - earlier.tokens_out,
        )


class Ledger:
    """Answers by the name of their request. One process holds it at a time.

    Of a request that is asked again the last answer counts. Lines are appended and synced. A last
    line that a kill cut short is taken off when the file is opened; any other line that no ledger
    has is a fault.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Answer] = {}
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

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Answer | None:
        """The answer to a request, None where it was never answered."""
        return self._known.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer. When this returns it is on disk."""
        if isinstance(answer, EndpointRefused):
            line: dict[str, Any] = {"key": key, "refused": answer.faults[0].found}
        else:
            line = {"key": key, **asdict(answer)}
        self._append((json.dumps(line) + "\n").encode())
        self._known[key] = answer

    @property
    def used(self) -> Used:
        """All completions together."""
        used = Used()
        for answer in self._known.values():
            if isinstance(answer, Completion):
                used.add(answer)
        return used

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
        if not hold(self._file):
            problem = f"{self.path} is in use by another process"
            raise Locked(Fault(problem, do="wait for it, or give another -o"))

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


def _entry(line: bytes) -> tuple[str, Answer] | None:
    try:
        body: dict[str, Any] = json.loads(line)
        if "refused" in body:
            return str(body["key"]), EndpointRefused(str(body["refused"]), of_one_prompt=True)
        answer = Completion(body["text"], body["tokens_in"], body["tokens_out"], body["finished"])
        return str(body["key"]), answer
    except (ValueError, LookupError, TypeError):
        return None
