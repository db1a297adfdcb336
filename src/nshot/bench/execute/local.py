"""Worker processes of this machine, spoken to in JSON lines.

Parent to worker: ``{"ask": "hello"}`` or ``{"ask": "job", "job": {...}}``. Worker to parent: any
number of ``{"event": "progress", ...}``, then one ``done`` with a body or one ``failed``. A line
without its end, from a worker that was killed while it wrote, is no line.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from nshot.bench.execute.base import Hello, OnProgress, Outcome, Take
from nshot.bench.jobs.job import Job
from nshot.bench.store import sweep
from nshot.core import machine
from nshot.core.errors import RunFailed

Heard: TypeAlias = queue.Queue[tuple["Process", dict[str, Any] | None]]
"""(who says it, what); None: it has ended."""


class Process:
    """The parent's end of one worker. What it says goes into `heard`; None when it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        heard: Heard,
        root: Path,
        lock: int | None = None,
        threads: int | None = None,
    ) -> None:
        (root / "logs").mkdir(parents=True, exist_ok=True)
        with (root / "logs" / "worker.log").open("a") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env={
                    **machine.environment(threads),
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # methods of one's own
                },
                pass_fds=[lock] if lock is not None else [],
            )
        self._heard = heard
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Has it not ended?"""
        return self._process.poll() is None

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            if line.endswith("\n"):
                self._heard.put((self, json.loads(line)))
        self._heard.put((self, None))

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a line; to a process that has ended nothing, which `heard` will tell."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()

    def epitaph(self) -> str:
        """Of what it died."""
        code = self._process.wait()
        if code < 0:
            hint = ": perhaps out of memory" if -code == signal.SIGKILL else ""
            return f"the worker process was killed by {signal.Signals(-code).name}{hint}"
        return f"the worker process ended with exit code {code}; see logs/worker.log"

    def stop(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


@dataclass(frozen=True)
class _Running:
    """`again`: a worker has died of it before."""

    job: Job
    start: float
    again: bool = False


class LocalProcesses:
    """`workers` processes on the folder `root`, each with `threads` threads (None: all cores).

    `fingerprint` is that of the data, where it is not of the rows in ``data/``; `lock` is the
    descriptor of the folder's lock, which they hold too. They are started when there is something
    to do, and end with this process. A job whose worker dies is given to another one, once.
    """

    def __init__(
        self,
        root: Path,
        workers: int = 1,
        threads: int | None = None,
        lock: int | None = None,
        fingerprint: str = "",
    ) -> None:
        self._root, self._lock, self._threads = root, lock, threads
        self._command = [sys.executable, "-m", "nshot.bench.execute.worker", str(root), fingerprint]
        self._heard: Heard = queue.Queue()
        self._slots: list[Process | None] = [None] * workers
        self._running: dict[Process, _Running] = {}
        self._lost: list[_Running] = []

    @property
    def pids(self) -> list[int]:
        """Of the processes that were started."""
        return [process.pid for process in self._slots if process is not None]

    def hello(self) -> Hello:
        """See `Executor`: the first worker says it for all."""
        process = self._at(0)
        process.say({"ask": "hello"})
        while True:
            speaker, event = self._heard.get()
            if speaker is process and event is None:
                raise RunFailed(process.epitaph())
            if speaker is process and event is not None:
                if event["event"] == "failed":
                    raise RunFailed(event["reason"])
                return Hello(**event["body"])

    def run(self, take: Take, on_progress: OnProgress) -> Iterator[Outcome]:
        """See `Executor`."""
        while True:
            self._feed(take)
            if not self._running:
                return
            process, event = self._heard.get()
            running = self._running.get(process)
            if running is None:
                continue
            if event is not None and event["event"] == "progress":
                on_progress(running.job, event["done"], event["total"], event["what"])
                continue
            del self._running[process]
            if event is None and not running.again:
                process.stop()  # its output has ended, and it may not have: it is given nothing
                self._lost.append(replace(running, again=True))
            else:
                yield _outcome(process, running, event)

    def _feed(self, take: Take) -> None:
        """Give each worker that waits a job, as long as there are any."""
        for slot in range(len(self._slots)):
            current = self._slots[slot]
            if current is not None and current in self._running:
                continue
            running = self._lost.pop() if self._lost else None
            if running is None and (job := take()) is not None:
                running = _Running(job, time.monotonic())
            if running is None:
                return
            process = self._at(slot)
            self._running[process] = running
            process.say({"ask": "job", "job": asdict(running.job)})

    def _at(self, slot: int) -> Process:
        """The worker of a slot, a fresh one where none lives."""
        process = self._slots[slot]
        if process is None or not process.alive:
            process = Process(self._command, self._heard, self._root, self._lock, self._threads)
            self._slots[slot] = process
        return process

    def stop(self) -> None:
        """See `Executor`."""
        for process in self._slots:
            if process is not None:
                process.stop()
        self._slots = [None] * len(self._slots)
        self._running.clear()
        sweep(self._root)  # what those left that were killed while they wrote


def _outcome(process: Process, running: _Running, event: dict[str, Any] | None) -> Outcome:
    seconds = time.monotonic() - running.start
    if event is None:
        return Outcome(running.job, "broken", {}, f"twice: {process.epitaph()}", seconds)
    if event["event"] == "done":
        return Outcome(running.job, "ok", event["body"], seconds=seconds)
    state = "failed" if event["final"] else "broken"
    return Outcome(running.job, state, {}, event["reason"], seconds)  # type: ignore[arg-type]
