"""``nshot episodes``: train each method on background classes, measure it on new ones.

DIR/
  store.sqlite  lock           what was found, by the digest of all it depends on; who is writing
  scratch/<id>/                the checkpoint of a training that is not finished
  jobs/<id>/                   trained learners
  learners/<method>/           the same, by name: `nshot compare --encoder` reads them
  episodes.json                everything that was measured

Killed and started again, the same command goes on where it was and ends with the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.bench.episodes_request import EpisodesRequest
from nshot.bench.execute.base import Outcome
from nshot.bench.execute.local import LocalProcesses
from nshot.bench.forecast import Budget
from nshot.bench.jobs.job import Job, context
from nshot.bench.plan import Known, Piece, Single, Work
from nshot.bench.schedule import Schedule
from nshot.bench.store import Store, locked, sweep
from nshot.board.events import Subscriber
from nshot.core import machine
from nshot.core.errors import Fault, InputError, collected
from nshot.core.files import write_atomic
from nshot.core.serial import to_data
from nshot.core.types import digest
from nshot.data.collections import Collection, Cut, load
from nshot.data.episodes import EpisodeShape, draw, fitting
from nshot.methods import TABLE
from nshot.methods.fewshot.episodic import Episodic
from nshot.methods.spec import spec, spec_hash

RESULT = "episodes.json"
FORMAT = 1


@dataclass(frozen=True)
class Set:
    """Classes on which is measured, and which of their items each shape's episodes hold.

    `drawn` numbers rows of `items`, which are those that occur in any episode.
    """

    name: str
    shapes: tuple[EpisodeShape, ...]
    items: NDArray[Any]
    drawn: tuple[NDArray[np.int64], ...]
    classes: int
    fingerprint: str


@dataclass(frozen=True)
class Prepared:
    """A request whose files were read and found right."""

    request: EpisodesRequest
    methods: tuple[Episodic, ...]
    cut: Cut
    sets: tuple[Set, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an item."""
        return self.cut.evaluation.shape

    @property
    def fingerprint(self) -> str:
        """Of all data that a row depends on: what is learned from, and every set."""
        sets = (one.fingerprint for one in self.sets)
        return digest(self.cut.background.fingerprint, self.cut.evaluation.fingerprint, *sets)


def prepare(request: EpisodesRequest) -> Prepared:
    """Read the data and draw the episodes. Raises `InputError` with every fault there is."""
    faults = request.faults()
    methods = _methods(request, faults)
    if faults:
        raise InputError(faults)
    cut = collected(
        faults,
        lambda: load(
            request.data,
            background=request.background,
            rotations=request.rotations,
            side=request.side,
        ),
    )
    if cut is None:
        raise InputError(faults)
    faults += _faults(request, methods, cut)
    sets = [collected(faults, lambda: _set(request.data, cut.evaluation, request.shapes, request))]
    sets += [collected(faults, partial(_other, path, cut, request)) for path in request.across]
    if faults:
        raise InputError(faults)
    return Prepared(request, methods, cut, tuple(one for one in sets if one is not None))


def _methods(request: EpisodesRequest, faults: list[Fault]) -> tuple[Episodic, ...]:
    """The methods, each of which must take part in episodes; what is wrong goes into `faults`."""
    names, settings = request.methods, request.settings
    built: list[Episodic] = []
    for name in names:
        spec = {"method": name, **settings.get(name, {})}
        method = collected(faults, partial(TABLE.build, spec))
        if isinstance(method, Episodic):
            built.append(method)
        elif method:
            known = ", ".join(n for n in TABLE if issubclass(TABLE[n], Episodic))
            faults.append(Fault(f"{name} takes no part in episodes", do=f"one of: {known}"))
    unused = settings.keys() - set(names)
    faults += [Fault(f"--set {n}: not among the methods", ", ".join(names)) for n in unused]
    if not names:
        faults.append(Fault("no methods", do="--methods prototypical"))
    return tuple(built)


def _faults(request: EpisodesRequest, methods: Sequence[Episodic], cut: Cut) -> list[Fault]:
    """What the request asks for and the data cannot give."""
    faults = []
    learns = [m.name for m in methods if m.phases(_shape(cut))]
    timeless = [m.name for m in methods if m.phases(_shape(cut)) and not m.steps]
    if learns and not len(cut.background.names):
        problem = f"no background classes to learn from, which {', '.join(learns)} need"
        do = "--background N learns from N of the classes and measures on the others"
        faults.append(Fault(problem, "split in the file, or --background", do, str(request.data)))
    if timeless and request.train_minutes is None:
        problem = f"{', '.join(timeless)} must be trained, and it is not said how long"
        faults.append(Fault(problem, do=f"--train-minutes 6, or --set {timeless[0]}.steps=[1000]"))
    for method in methods:
        phases = [phase.name for phase in method.phases(_shape(cut))]
        if method.steps and phases and len(method.steps) != len(phases):
            problem = f"{method.name}: {len(method.steps)} numbers of steps"
            faults.append(Fault(problem, f"one for each of its phases: {', '.join(phases)}"))
    return faults


def _shape(cut: Cut) -> tuple[int, ...]:
    return cut.evaluation.shape


def _other(path: Path, cut: Cut, request: EpisodesRequest) -> Set:
    """All classes of other data, at the size that the learners know."""
    loaded = load(path, side=_shape(cut)[-1])
    classes, known = _joined(loaded), _shape(cut)
    if len(classes.shape) != len(known) or (len(known) == 1 and classes.shape != known):
        shapes = [" x ".join(map(str, shape)) for shape in (classes.shape, known)]
        raise InputError(
            Fault(f"items of {shapes[0]}", f"like the data's: {shapes[1]}", where=str(path))
        )
    fit = tuple(shape for shape in request.shapes if _fits(classes, shape))
    return _set(path, classes.at(known), fit or request.shapes, request)


def _fits(classes: Collection, shape: EpisodeShape) -> bool:
    return int((classes.counts >= shape.shot + shape.queries).sum()) >= shape.way


def _joined(cut: Cut) -> Collection:
    """Both parts as one: what was cut there is all new here."""
    one, other = cut.background, cut.evaluation
    if not len(one.names):
        return other
    return Collection(
        np.concatenate([one.items, other.items]),
        np.concatenate([one.counts, other.counts]),
        (*one.names, *other.names),
        np.arange(len(one.names) + len(other.names)),
    )


def _set(
    path: Path, classes: Collection, shapes: tuple[EpisodeShape, ...], request: EpisodesRequest
) -> Set:
    try:
        for shape in shapes:
            fitting(classes.counts, shape)
    except InputError as error:
        raise InputError([replace(fault, where=str(path)) for fault in error.faults]) from None
    drawn = [draw(classes.counts, s, 0, request.episodes, request.seed) for s in shapes]
    used = np.unique(np.concatenate([rows.ravel() for rows in drawn]))
    numbered = tuple(np.searchsorted(used, rows) for rows in drawn)
    name, count = path.stem if path.is_file() else path.name, len(classes.names)
    return Set(name, shapes, classes.items[used], numbered, count, classes.fingerprint)


# ------------------------------------------------------------------ the run


@dataclass(frozen=True)
class _Method(Single):
    """One method; where it went well its accuracies are said, else why it has none."""

    def outcome(self, work: Work) -> str:
        """See `nshot.bench.plan.Piece`."""
        row = work.done[0].body
        if row["status"] != "ok":
            return f"{row['status']}: {row['reason']}"
        return ", ".join(f"{100 * score['mean']:.1f}" for score in row["scores"])


@dataclass(frozen=True)
class _Methods:
    """The plan: each method is a piece, and waits for no other."""

    pieces: Sequence[Single]

    def next(self, known: Known) -> Iterator[Piece]:
        """See `nshot.bench.plan.Plan`."""
        for piece in self.pieces:
            if piece.title not in known.states:
                yield piece


def carry_out(prepared: Prepared, on: Subscriber, command: str, workers: int = 1) -> dict[str, Any]:
    """Train and measure every method; returns what ``episodes.json`` holds, and writes it.

    Raises `Locked` where another run writes to the same folder.
    """
    request, fingerprint = prepared.request, prepared.fingerprint
    with locked(request.out) as lock:
        sweep(request.out)
        executor = LocalProcesses(request.out, workers, lock=lock, fingerprint=fingerprint)
        try:
            known = Known(context(fingerprint, executor.hello().identity))
            methods = prepared.methods
            pieces = [
                _piece(request, method, (i, len(methods))) for i, method in enumerate(methods)
            ]

            def write() -> dict[str, Any]:
                result = _result(prepared, rows(), command)
                text = json.dumps(result, ensure_ascii=False, indent=1) + "\n"
                write_atomic(request.out / RESULT, text)
                return result

            def rows() -> list[dict[str, Any]]:
                ended = [(m, known.of(p.job)) for m, p in zip(methods, pieces, strict=True)]
                return [_row(method, outcome) for method, outcome in ended if outcome]

            store, budget = Store(request.out), Budget(None)
            Schedule(known, store, executor, on, budget, lambda piece: write()).do(_Methods(pieces))
            return write()
        finally:
            executor.stop()


def _piece(request: EpisodesRequest, method: Episodic, place: tuple[int, int]) -> Single:
    """Train and measure one method: all but the folder to write stands in the job."""
    settings = {name: own for name, own in request.settings.items() if name == method.name}
    alone = replace(request, methods=(method.name,), settings=settings, out=Path())
    job = Job(
        "episodes", {"method": spec(method), "request": to_data(alone)}, version=spec_hash(method)
    )
    return _Method(method.called, job, place, optional=True)


def _row(method: Episodic, outcome: Outcome) -> dict[str, Any]:
    """The row of a method; of a worker that died what it died of."""
    if outcome.state == "ok":
        return outcome.body
    row: dict[str, Any] = {"name": method.called, "status": "failed", "reason": outcome.reason}
    return row | {"scores": [], "untrained": [], "training": None, "spec": spec(method)}


def _result(prepared: Prepared, rows: Sequence[Mapping[str, Any]], command: str) -> dict[str, Any]:
    request, cut = prepared.request, prepared.cut
    return {
        "format": FORMAT,
        "command": command,
        "data": {
            "name": prepared.sets[0].name,
            "background_classes": len(cut.background.names),
            "evaluation_classes": len(cut.evaluation.names),
            "background_items": len(cut.background.items),
            "evaluation_items": len(cut.evaluation.items),
            "item": list(_shape(cut)),
            "fingerprint": cut.evaluation.fingerprint,
            "notes": list(cut.notes),
        },
        "sets": [
            {"name": one.name, "classes": one.classes, "shapes": [vars(s) for s in one.shapes]}
            for one in prepared.sets
        ],
        "episodes": request.episodes,
        "minutes": request.train_minutes,
        "seed": request.seed,
        "methods": list(rows),
        "machine": machine.describe(),
    }
