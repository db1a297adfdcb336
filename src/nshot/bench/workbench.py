"""The workbench: what a method is lent while it adapts. It needs no worker and no run.

>>> bench = Workbench(open_models(), base=resolve(None, "lm"), folder=Path("scratch"))
>>> predictor = method.adapt(task, shots, bench)
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nshot.bench.store import Store
from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.files import write_folder
from nshot.core.serial import to_data
from nshot.core.types import ModelRef, Shots, Task, digest
from nshot.methods.contract import NO_ROUNDS, Attempt, Method
from nshot.methods.spec import spec, spec_hash
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.base import Predictor

T = TypeVar("T")
SHELF_BYTES = 1 << 30
SHELF_ENTRIES = 256


class Shelf:
    """Values that several jobs of a process share. The least recently used go when it is full.

    What was made once is charged at the seconds it took then, though it be made again.
    """

    def __init__(self, most_bytes: int = SHELF_BYTES, most: int = SHELF_ENTRIES) -> None:
        self._most_bytes, self._most = most_bytes, most
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self.seconds: dict[str, float] = {}
        """What each value took when it was first made."""

    def get(self, key: str, make: Callable[[], T]) -> tuple[T, float]:
        """(the value, the seconds that went by making it: 0 where it stood here)."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0], 0.0
        start = machine.cold_clock()
        value = make()
        spent = machine.cold_clock() - start
        self.seconds.setdefault(key, spent)
        self._put(key, value)
        return value, spent

    def _put(self, key: str, value: Any) -> None:
        size = bytes_of(value)
        self._values[key] = value, size
        self._bytes += size
        while len(self._values) > 1 and (
            self._bytes > self._most_bytes or len(self._values) > self._most
        ):
            _, (_, gone) = self._values.popitem(last=False)
            self._bytes -= gone

    def __len__(self) -> int:
        return len(self._values)


def bytes_of(value: Any) -> int:
    """Bytes of the arrays and tensors in a value, in containers and dataclasses too."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(size := getattr(value, "nbytes", None), int):
        return size
    if isinstance(value, Mapping):
        return sum(map(bytes_of, value.values()))
    if isinstance(value, Sequence | set | frozenset):
        return sum(map(bytes_of, value))
    if dataclasses.is_dataclass(value):
        return sum(bytes_of(getattr(value, item.name)) for item in dataclasses.fields(value))
    return 0


def no_progress(done: int, total: int, what: str) -> None:
    """Hears no progress."""


@dataclass
class Workbench:
    """See `nshot.methods.contract.Workbench`; afterwards it says what a method reported.

    Args:
        models: opens models.
        base, encoder: the language model to adapt, the encoder to take features from.
        folder: for checkpoints, and for what a predictor needs to stay on disk.
        seed: of everything random.
        shelf: what is shared with other workbenches of this process.
        account: keys of what this job, or the search it belongs to, has paid for.
        on_progress: hears (done, total, what).
        store: keeps nested methods, so that each is adapted once; without one, none is lent.
        context: stands in the names of nested jobs for rows, machine and packages.
    """

    models: Models
    base: ModelRef | None = None
    encoder: ModelRef | None = None
    folder: Path = Path("scratch")
    seed: int = 0
    shelf: Shelf = field(default_factory=Shelf)
    account: set[str] = field(default_factory=set)
    on_progress: Callable[[int, int, str], None] = no_progress
    store: Store | None = None
    context: str = ""
    charged: float = field(default=0.0, init=False)
    """Seconds of work that was done for another job and is this one's as well."""
    money: float = field(default=0.0, init=False)
    """What was paid for answers that the job learns from."""
    notes: list[str] = field(default_factory=list, init=False)
    parameters: int = field(default=0, init=False)
    curve: dict[str, Any] = field(default_factory=dict, init=False)
    attempts: list[Attempt] = field(default_factory=list, init=False)

    def adapt(self, role: str, method: Method, task: Task, shots: Shots) -> Predictor:
        """Adapt a nested method, or load it: charged in full, spent once."""
        if self.store is None:
            raise CannotAdapt(f"{role}: this workbench has no store for nested methods")
        refs = [dataclasses.asdict(ref) if ref else None for ref in (self.base, self.encoder)]
        job = digest(
            "nested", spec_hash(method), _shots_digest(task, shots), json.dumps(refs),
            self.context, str(self.seed),
        )  # fmt: skip
        folder = self.store.predictor_folder(job)
        stored = self.store.get(job)
        if stored is None or not folder.exists():
            body = self._build(self.store, job, role, method, task, shots, folder)
        else:
            body = stored[1]
            self.charge(body["seconds"], body.get("money", 0.0))
        self.parameters = max(self.parameters, body["trained_params"])
        return load(folder, self.models)

    def _build(
        self,
        store: Store,
        job: str,
        role: str,
        method: Method,
        task: Task,
        shots: Shots,
        folder: Path,
    ) -> dict[str, Any]:
        inner = dataclasses.replace(self, folder=store.scratch(job), account=set())
        meter = machine.Meter()
        with meter.running():
            predictor = method.adapt(task, shots, inner)
        write_folder(folder, predictor.save)
        self.charge(inner.charged, inner.money)
        body = {
            "role": role,
            "spec": spec(method),
            "seconds": meter.seconds + inner.charged,
            "money": inner.money,
            "trained_params": inner.parameters,
            "notes": inner.notes,
        }
        store.put(job, "nested", "ok", body)
        shutil.rmtree(inner.folder, ignore_errors=True)
        return body

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """Made once in this process, charged as if cold to each job that asks."""
        value, spent = self.shelf.get(key, make)
        self.charged += (0.0 if key in self.account else self.shelf.seconds[key]) - spent
        self.account.add(key)
        return value

    def charge(self, seconds: float, money: float = 0.0) -> None:
        """Beside what the job itself takes."""
        self.charged += seconds
        self.money += money

    def note(self, sentence: str) -> None:
        """Kept once on the row."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def trained(self, parameters: int) -> None:
        """The most that any part of the job trained."""
        self.parameters = max(self.parameters, parameters)

    def learned(
        self,
        losses: Sequence[float],
        validation: Sequence[tuple[int, float]],
        rounds: Mapping[str, Sequence[float]] = NO_ROUNDS,
    ) -> None:
        """Kept with the measurement."""
        self.curve = {"train": list(losses), "validation": [list(look) for look in validation]}
        if rounds:
            self.curve["rounds"] = {name: list(values) for name, values in rounds.items()}

    def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Kept with the measurement."""
        self.attempts = list(attempts)

    def progress(self, done: int, total: int, what: str) -> None:
        """To who hears it."""
        self.on_progress(done, total, what)


def _shots_digest(task: Task, shots: Shots) -> str:
    rows = (shots.labelled, shots.unlabelled, shots.preferences, shots.background)
    parts = [to_data(task), *[[to_data(e) for e in part] for part in rows]]
    return digest(json.dumps(parts, ensure_ascii=False, sort_keys=True))
