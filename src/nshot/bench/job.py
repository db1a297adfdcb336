"""What a run and its worker say to each other: jobs as data, and the parent's end of the pipe."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nshot.core import machine
from nshot.core.errors import WorkerLost
from nshot.core.files import write_atomic
from nshot.core.types import (
    Delta,
    Example,
    Form,
    ModelRef,
    Split,
    Task,
    digest,
    stratified_folds,
)
from nshot.data.rows import (
    example_from_json,
    example_to_json,
    read_rows,
    task_from_json,
    task_to_json,
    write_rows,
)
from nshot.methods import TABLE
from nshot.methods.contract import Method, parts, spec_hash

Context: TypeAlias = Callable[[Method], str]
_PARTS = ("train", "test", "preferences", "background")


@dataclass(frozen=True)
class Cut:
    """One fold of repeated cross-validation: of `folds`, number `index` is answered."""

    folds: int
    index: int


@dataclass(frozen=True)
class Job:
    """What is to be done, as plain data; `name` is the hash of all that its result depends on.

    `shots` per label (None: all). With a `cut` the shots are drawn from the rows outside it and
    the rows inside are answered. `draw` numbers the draw, or the repeat of the folds.
    """

    do: Literal["search", "measure", "deploy"]
    spec: Mapping[str, Any]
    shots: int | None
    draw: int
    cut: Cut | None = None
    form: Form = "trained"

    @staticmethod
    def read(body: Mapping[str, Any]) -> Job:
        """From ``asdict(job)``."""
        cut = Cut(**body["cut"]) if body["cut"] else None
        return Job(**{**body, "cut": cut})

    @property
    def method(self) -> Method:
        """The method with its settings."""
        return TABLE.build(self.spec)

    def name(self, context: Context) -> str:
        """The job's id in the store; `context` stands for data, models and machine."""
        method = self.method
        return digest(json.dumps(asdict(self), sort_keys=True), spec_hash(method), context(method))


@dataclass(frozen=True)
class Setting:
    """What all jobs of a run share: written once into the run folder, read by every worker."""

    task: Task
    split: Split
    base: ModelRef | None
    encoder: ModelRef | None
    judge: ModelRef | None = None

    def context(self, identity: Mapping[str, Any]) -> Context:
        """The part of a job's hash that is not the job itself: rows, machine, and those models
        that its method, or a method in it, asks for."""

        def of(method: Method) -> str:
            inside = parts(method)
            base = self.base if any(part.needs for part in inside) else None
            encoder = self.encoder if any(part.needs_encoder for part in inside) else None
            refs = [asdict(ref) if ref else None for ref in (base, encoder)]
            return digest(self.split.fingerprint, json.dumps([refs, identity], sort_keys=True))

        return of

    def write(self, root: Path) -> None:
        """Put task, rows and models under ``root/data``."""
        folder = root / "data"
        folder.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            rows = [example_to_json(example) for example in getattr(self.split, part)]
            write_rows(folder / f"{part}.jsonl", rows)
        body = {
            "task": task_to_json(self.task),
            "mode": self.split.mode,
            "fingerprint": self.split.fingerprint,
            "notes": list(self.split.notes),
            "base": asdict(self.base) if self.base else None,
            "encoder": asdict(self.encoder) if self.encoder else None,
            "judge": asdict(self.judge) if self.judge else None,
        }
        write_atomic(folder / "setting.json", json.dumps(body, ensure_ascii=False, indent=1))

    @staticmethod
    def read(root: Path) -> Setting:
        """What `write` wrote."""
        folder = root / "data"
        body = json.loads((folder / "setting.json").read_text(encoding="utf-8"))
        rows = {
            part: tuple(example_from_json(row) for row in read_rows(folder / f"{part}.jsonl"))
            for part in _PARTS
        }
        split = Split(
            mode=body["mode"],
            fingerprint=body["fingerprint"],
            notes=tuple(body["notes"]),
            **rows,
        )
        models = [_ref(body.get(role)) for role in ("base", "encoder", "judge")]
        return Setting(task_from_json(body["task"]), split, *models)


def _ref(body: Mapping[str, Any] | None) -> ModelRef | None:
    if body is None:
        return None
    deltas = tuple(Delta(**delta) for delta in body["deltas"])
    return ModelRef(**{**body, "deltas": deltas})


def cut_rows(
    setting: Setting, cut: Cut | None, repeat: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """(rows to draw from, rows to answer)."""
    if cut is None:
        return setting.split.train, setting.split.test
    fold_of = stratified_folds(
        setting.split.train, cut.folds, repeat, setting.task.kind == "classify"
    )
    inside = tuple(e for e in setting.split.train if fold_of[e.id] == cut.index)
    outside = tuple(e for e in setting.split.train if fold_of[e.id] != cut.index)
    return outside, inside


class WorkerProcess:
    """The parent's end: starts the process, asks, and says when it died."""

    def __init__(self, root: Path, lock: int | None = None) -> None:
        self._root = root
        self._lock = lock
        self._process: subprocess.Popen[str] | None = None

    def ask(
        self,
        request: Mapping[str, Any],
        on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> dict[str, Any]:
        """Send one request and wait for its end. Raises `WorkerLost` when the process dies."""
        process = self._process or self._start()
        try:
            process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            for line in process.stdout:  # type: ignore[union-attr]
                event = json.loads(line)
                if event["event"] != "progress":
                    return event  # type: ignore[no-any-return]
                on_progress(event["done"], event["total"], event["what"])
        except BrokenPipeError:
            pass
        raise WorkerLost(self._epitaph())

    def _start(self) -> subprocess.Popen[str]:
        (self._root / "logs").mkdir(parents=True, exist_ok=True)
        with (self._root / "logs" / "worker.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nshot.bench.worker", str(self._root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=machine.environment(),
                pass_fds=[self._lock] if self._lock is not None else [],
            )
        return self._process

    def _epitaph(self) -> str:
        process, self._process = self._process, None
        code = process.wait() if process else None
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = ": perhaps out of memory" if -code == signal.SIGKILL else ""
            return f"the worker process was killed by {name}{hint}"
        return f"the worker process ended with exit code {code}; see logs/worker.log"

    def stop(self) -> None:
        """End the process now."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
