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
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.bench.store import Store, locked
from nshot.board.events import Finished, Progress, Started, Subscriber
from nshot.core import machine
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged, Fault, InputError
from nshot.core.files import write_atomic, write_folder
from nshot.core.types import digest
from nshot.data.collections import SIDE, Collection, Cut, load
from nshot.data.episodes import EpisodeShape, draw, fitting
from nshot.methods.contract import spec
from nshot.methods.fewshot import learning
from nshot.methods.fewshot.episodic import Episodic
from nshot.nets import answering, learners
from nshot.nets.learner import Learner, embed_all
from nshot.training.checkpoints import Checkpoints

RESULT = "episodes.json"
FORMAT = 1
GAIN = 0.10
"""What a trained learner must gain over its untrained self, in mean accuracy."""
_VALIDATION_SHARE, _VALIDATION_MOST, _VALIDATION_EPISODES = 0.05, 50, 40
_VALIDATION_SHAPE = EpisodeShape(5, 1, 5)
_VALIDATION_LEAST = 200
"""Background classes under which none is kept out to be watched."""


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Args:
        data: a file or folder; see `nshot.data.collections`.
        shapes: way, shot and queries of each measurement.
        methods: each measured on the same episodes.
        out: folder to write.
        episodes: of each shape.
        minutes: of training granted to each method whose `steps` are not set.
        seed: of weights, training and episodes.
        background, rotations, side: see `nshot.data.collections.load`.
        across: further data on whose classes, all of them new, the trained learners are measured,
            in the shapes for which they have classes and items enough.
    """

    data: Path
    shapes: tuple[EpisodeShape, ...]
    methods: tuple[Episodic, ...]
    out: Path
    episodes: int = 1000
    minutes: float | None = None
    seed: int = 0
    background: int | None = None
    rotations: bool = False
    side: int = SIDE
    across: tuple[Path, ...] = ()


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

    request: Request
    cut: Cut
    sets: tuple[Set, ...]


def prepare(request: Request) -> Prepared:
    """Read the data and draw the episodes. Raises `InputError` with every fault there is."""
    faults: list[Fault] = []
    cut = _kept(
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
    faults += _faults(request, cut)
    sets = [_kept(faults, lambda: _set(request.data, cut.evaluation, request.shapes, request))]
    sets += [_kept(faults, partial(_other, path, cut, request)) for path in request.across]
    if faults:
        raise InputError(faults)
    return Prepared(request, cut, tuple(one for one in sets if one is not None))


def _kept(faults: list[Fault], make: Callable[[], Any]) -> Any:
    """What `make` makes, or None and its faults with the others."""
    try:
        return make()
    except InputError as error:
        faults += error.faults
        return None


def _faults(request: Request, cut: Cut) -> list[Fault]:
    """What the request asks for and the data cannot give."""
    faults = []
    learns = [m.name for m in request.methods if m.phases(_shape(cut))]
    timeless = [m.name for m in request.methods if m.phases(_shape(cut)) and not m.steps]
    if learns and not len(cut.background.names):
        problem = f"no background classes to learn from, which {', '.join(learns)} need"
        do = "--background N learns from N of the classes and measures on the others"
        faults.append(Fault(problem, "split in the file, or --background", do, str(request.data)))
    if timeless and request.minutes is None:
        problem = f"{', '.join(timeless)} must be trained, and it is not said how long"
        faults.append(Fault(problem, do=f"--train-minutes 6, or --set {timeless[0]}.steps=[1000]"))
    for method in request.methods:
        phases = [phase.name for phase in method.phases(_shape(cut))]
        if method.steps and phases and len(method.steps) != len(phases):
            problem = f"{method.name}: {len(method.steps)} numbers of steps"
            faults.append(Fault(problem, f"one for each of its phases: {', '.join(phases)}"))
    return faults


def _shape(cut: Cut) -> tuple[int, ...]:
    return cut.evaluation.shape


def _other(path: Path, cut: Cut, request: Request) -> Set:
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
    path: Path, classes: Collection, shapes: tuple[EpisodeShape, ...], request: Request
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


def carry_out(prepared: Prepared, on: Subscriber, command: str) -> dict[str, Any]:
    """Train and measure every method; returns what ``episodes.json`` holds, and writes it.

    Raises `Locked` where another run writes to the same folder.
    """
    request = prepared.request
    with locked(request.out):
        run = _Run(prepared, Store(request.out), on)
        rows = []
        for i, method in enumerate(request.methods):
            on(Started(method.called, i, len(request.methods)))
            rows.append(run.row(method))
            on(Finished(method.called, _outcome(rows[-1])))
            write_atomic(request.out / RESULT, _json(_result(prepared, rows, command)))
    return _result(prepared, rows, command)


def _json(result: Mapping[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False, indent=1) + "\n"


def _outcome(row: Mapping[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['status']}: {row['reason']}"
    return ", ".join(f"{100 * score['mean']:.1f}" for score in row["scores"])


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
        "minutes": request.minutes,
        "seed": request.seed,
        "methods": list(rows),
        "machine": machine.describe(),
    }


@dataclass(frozen=True)
class _Run:
    """One request being carried out."""

    prepared: Prepared
    store: Store
    on: Subscriber

    def row(self, method: Episodic) -> dict[str, Any]:
        """All that is known of one method, or why nothing is."""
        row: dict[str, Any] = {"name": method.called, "status": "ok", "reason": "", "scores": []}
        row |= {"spec": spec(method), "untrained": [], "training": None}
        try:
            row["untrained"] = self._scores(method, None)
            row["scores"] = row["untrained"]
            if method.phases(_shape(self.prepared.cut)):
                method, job = self._trained(method)
                row["spec"], row["training"] = spec(method), self._result(job)
                row["scores"] = self._scores(method, job)
                own = len(self.prepared.sets[0].shapes)
                require_gain(row["untrained"][:own], row["scores"][:own])
        except CannotAdapt as error:
            row |= {"status": "skipped", "reason": str(error)}
        except (DidNotLearn, Diverged) as error:
            row |= {"status": "failed", "reason": str(error)}
        return row

    def _result(self, job: str) -> dict[str, Any]:
        """The body of a finished job."""
        result = self.store.get(job)
        return result[1] if result else {}

    def _trained(self, method: Episodic) -> tuple[Episodic, str]:
        """The method with its steps fixed, and the job whose folder holds what it learned."""
        method = method if method.steps else self._planned(method)
        job = digest("train", *self._known(method))
        if self.store.get(job) is None:
            self._train(method, job)
        state, body = self.store.get(job) or ("", {})
        if state == "failed":
            raise Diverged(body["reason"])
        source = self.store.predictor_folder(job)
        target = self.prepared.request.out / "learners" / method.called
        write_folder(target, lambda folder: _copied(source, folder))
        return method, job

    def _known(self, method: Episodic) -> tuple[str, ...]:
        """What a training depends on."""
        return (
            json.dumps(spec(method), sort_keys=True),
            json.dumps([method.version, self.prepared.request.seed, machine.identity()]),
            self.prepared.cut.background.fingerprint,
        )

    def _planned(self, method: Episodic) -> Episodic:
        """The method with as many steps as the minutes hold: measured once, then fixed."""
        request, cut = self.prepared.request, self.prepared.cut
        job = digest("steps", *self._known(method), str(request.minutes))
        if self.store.get(job) is None:
            seconds = 60 * (request.minutes or 0)
            steps = learning.planned(method, cut.background, seconds, request.seed)
            self.store.put(job, "steps", "ok", {"steps": steps})
        return method.model_copy(update={"steps": tuple(self._result(job)["steps"])})

    def _train(self, method: Episodic, job: str) -> None:
        """Train and keep the learner; a killed training is taken up where it was."""
        request = self.prepared.request
        known, validation = validation_split(self.prepared.cut.background, request.seed)
        learner = learning.fresh(method, known.shape, request.seed)
        checkpoints = Checkpoints(self.store.scratch(job), every=25)
        start = time.perf_counter()
        try:
            trace = learning.train(
                method,
                learner,
                known,
                method.steps,
                seed=request.seed,
                validation=validation,
                checkpoints=checkpoints,
                progress=lambda done, total: self.on(
                    Progress(method.called, done, total, "training")
                ),
            )
        except Diverged as error:
            self.store.put(job, "train", "failed", {"reason": str(error)})
            raise
        body = {
            "losses": list(trace.losses),
            "watched": [list(look) for look in trace.validation],
            "parameters": trace.parameters,
            "seconds": time.perf_counter() - start,
            "resumed": trace.resumed,
        }
        write_folder(
            self.store.predictor_folder(job), lambda folder: learners.save(learner, folder)
        )
        self.store.put(job, "train", "ok", body)
        shutil.rmtree(self.store.scratch(job), ignore_errors=True)

    def _scores(self, method: Episodic, trained: str | None) -> list[dict[str, Any]]:
        """Accuracy on every set and shape: of the job's learner, or of the untrained one."""
        request = self.prepared.request
        known = (trained,) if trained else ("untrained", *self._known(method))
        learner: Learner | None = None
        scores = []
        for one in self.prepared.sets:
            shapes = json.dumps([vars(shape) for shape in one.shapes])
            job = digest("scores", *known, one.fingerprint, shapes, str(request.episodes))
            if self.store.get(job) is None:
                learner = learner or self._learner(method, trained)
                self.store.put(job, "scores", "ok", {"scores": measured(learner, one)})
            scores += self._result(job)["scores"]
        return scores

    def _learner(self, method: Episodic, trained: str | None) -> Learner:
        if trained is not None:
            return learners.load(self.store.predictor_folder(trained))
        return learning.fresh(method, _shape(self.prepared.cut), self.prepared.request.seed)


def _copied(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)


def validation_split(
    background: Collection, seed: int
) -> tuple[Collection, learning.Validation | None]:
    """The classes to learn from, and episodes of others that are only watched.

    One class in twenty, at most `_VALIDATION_MOST`, is kept out with its turned copies; none where
    there are few.
    """
    origins = np.unique(background.origins).tolist()
    if len(origins) < _VALIDATION_LEAST:
        return background, None
    out = random.Random("watched").sample(
        origins, min(_VALIDATION_MOST, int(_VALIDATION_SHARE * len(origins)))
    )
    kept_out = np.isin(background.origins, out)
    validation = background.only(np.flatnonzero(kept_out).tolist())
    drawn = draw(validation.counts, _VALIDATION_SHAPE, 0, _VALIDATION_EPISODES, seed)
    used, numbered = np.unique(drawn, return_inverse=True)
    kept = background.only(np.flatnonzero(~kept_out).tolist())
    rows = numbered.reshape(drawn.shape)
    return kept, learning.Validation(validation.items[used], rows, _VALIDATION_SHAPE)


def measured(learner: Learner, one: Set) -> list[dict[str, Any]]:
    """The accuracy of a learner on a set, for each shape."""
    features = embed_all(learner, torch.from_numpy(one.items))
    scores = []
    for shape, drawn in zip(one.shapes, one.drawn, strict=True):
        start = time.perf_counter()
        right = answering.correct(answering.answer(learner, features, drawn, shape), shape)
        seconds = time.perf_counter() - start
        summary = answering.accuracy(right, shape)
        scores.append({"set": one.name, **vars(shape), **vars(summary), "seconds": seconds})
        scores[-1]["correct"] = right.tolist()
    return scores


def require_gain(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> None:
    """Raise `DidNotLearn` unless training gained `GAIN` in the mean over these scores.

    Where fewer than twice that is left to gain, half of what is left is asked for.
    """
    was, now = (float(np.mean([score["mean"] for score in scores])) for scores in (before, after))
    goal = min(GAIN, (1 - was) / 2)
    if now - was < goal:
        raise DidNotLearn(
            f"did not learn: {100 * was:.1f} % untrained, {100 * now:.1f} % trained, and"
            f" {100 * (was + goal):.1f} % were to be reached"
        )
