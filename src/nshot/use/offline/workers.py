"""Blocks of rows that several processes answer, given back in order.

Parent to worker, a line of JSON each: first a `Work`, then ``{"rows": [...]}`` again and again.
Worker to parent: ``{"answers": [...], "hits": 0, "misses": 9}``, or what was wrong with every row:
``{"faults": [...]}`` or ``{"reason": "..."}``. See `nshot.use.offline.worker`.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nshot.core import machine
from nshot.core.errors import Fault, InputError, RunFailed, WorkerLost
from nshot.core.serial import from_data, to_data
from nshot.data.blocks import Row
from nshot.use.answers import Cached
from nshot.use.offline.answering import Answering, Failure, Outcome, Tag

AHEAD = 2
"""Blocks that are read for each worker before the first of them is written."""


@dataclass(frozen=True)
class Work:
    """What a worker answers with: folders by name (of one the name is ""), and how."""

    folders: Mapping[str, str]
    abstain_below: float | None = None
    at_precision: float | None = None
    cache: bool = False


class Process:
    """The parent's end of one worker of `threads` threads."""

    def __init__(self, work: Work, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nshot.use.offline.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            env={
                **machine.environment(threads),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # engines of one's own
            },
        )
        self._first = to_data(work)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers. Raises `WorkerLost` where it ends before it has."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise WorkerLost("a worker without pipes")
        try:
            for one in ([self._first] if self._first is not None else []) + [message]:
                stdin.write(json.dumps(one) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise WorkerLost(self._epitaph()) from None
        self._first = None
        line = stdout.readline()
        if not line.endswith("\n"):  # a half one, of a process that was killed while it wrote
            raise WorkerLost(self._epitaph())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _epitaph(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"a worker process was killed by {signal.Signals(-code).name}"
        return f"a worker process ended with exit code {code}"

    def end(self) -> None:
        """Kill it: whoever waits for an answer gets `WorkerLost`."""
        self._process.kill()

    def stop(self) -> None:
        """End it now, and let go of its pipes."""
        self.end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not written yet goes with it
                if pipe is not None:
                    pipe.close()


class Workers(Answering):
    """Answers rows in `count` processes, which share this machine's threads.

    A block is answered as one process with as many threads would answer it. `keys` are those of
    the `Answering` it stands for; what its processes looked up is counted in `cached`. A block
    whose process dies is given to a new one, once: raises `RunFailed` when that dies too. Close it
    with `stop`.
    """

    def __init__(
        self, work: Work, count: int, keys: Sequence[str] = (), cached: Cached | None = None
    ) -> None:
        super().__init__(lambda rows, inputs: [], keys)
        self._work, self._count, self._cached = work, count, cached
        self._threads = max(1, machine.threads() // count)
        self._free: queue.SimpleQueue[Process | None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)
        self._living = set[Process]()
        self._lock, self._stopped = threading.Lock(), False
        self._pool = ThreadPoolExecutor(count)

    @property
    def pids(self) -> list[int]:
        """Of the processes that were started and not found dead."""
        return [one.pid for one in self._living]

    def outcomes(self, rows: Sequence[Row]) -> list[Outcome]:
        """The line of each row, or its failure, in order; one process answers."""
        able = [row for row in rows if row.input is not None]
        answers = iter(self._answers(able) if able else [])
        return [
            Failure(row, row.problem) if row.input is None else _outcome(row, next(answers))
            for row in rows
        ]

    def in_order(
        self, groups: Iterable[tuple[Tag, Sequence[Row]]]
    ) -> Iterator[tuple[Tag, list[Outcome]]]:
        """See `Answering.in_order`. An error comes when what was read before it is answered."""
        ahead: deque[tuple[Tag, Future[list[Outcome]]]] = deque()
        rest = iter(groups)
        ended: Exception | None = None
        while True:
            while ended is None and len(ahead) < AHEAD * self._count:
                try:
                    tag, rows = next(rest)
                except (StopIteration, InputError) as error:
                    ended = error
                else:
                    ahead.append((tag, self._pool.submit(self.outcomes, rows)))
            if not ahead:
                if isinstance(ended, InputError):
                    raise ended
                return
            tag, future = ahead.popleft()
            yield tag, future.result()

    def _answers(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        bare = [to_data(replace(row, cells={})) for row in rows]
        process = self._free.get()
        try:
            process = process or self._started()
            answer = process.ask({"rows": bare})
        except WorkerLost:
            process = self._started(process)
            try:
                answer = process.ask({"rows": bare})
            except WorkerLost as lost:
                raise RunFailed(_twice(rows, lost)) from None
        finally:
            self._free.put(process)
        return self._read(answer)

    def _started(self, dead: Process | None = None) -> Process:
        """A new process, in the place of one that has ended."""
        with self._lock:
            if dead is not None and not self._stopped:
                self._living.discard(dead)
                dead.stop()
            if self._stopped:
                raise RunFailed("the workers were ended")
            process = Process(self._work, self._threads)
            self._living.add(process)
            return process

    def _read(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        if "faults" in answer:
            raise InputError([from_data(Fault, one) for one in answer["faults"]])
        if "reason" in answer:
            raise RunFailed(answer["reason"])
        if self._cached is not None:
            self._cached.hits += answer["hits"]
            self._cached.misses += answer["misses"]
        return list(answer["answers"])

    def stop(self) -> None:
        """End all processes."""
        with self._lock:
            self._stopped = True
            for process in self._living:
                process.end()
        self._pool.shutdown(cancel_futures=True)
        for process in self._living:
            process.stop()


def _outcome(row: Row, answer: Mapping[str, Any]) -> Outcome:
    return Failure(row, answer["reason"]) if "reason" in answer else dict(answer["line"])


def _twice(rows: Sequence[Row], lost: WorkerLost) -> str:
    """What is said of rows that two processes have died of."""
    return (
        f"twice at the rows from {rows[0].where} to {rows[-1].where}: {lost}\n"
        "  try:      the command again with fewer --workers, if memory is short: it goes on"
    )
