"""Train a method on background classes and measure it on new ones, episode by episode."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nshot.bench.episodes import Prepared, Set, prepare
from nshot.bench.episodes_request import EpisodesRequest
from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.bench.store import Store
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged
from nshot.core.files import write_folder
from nshot.core.serial import from_data
from nshot.core.types import digest
from nshot.data.collections import Collection
from nshot.data.episodes import EpisodeShape, draw
from nshot.methods.fewshot import learning
from nshot.methods.fewshot.episodic import Episodic
from nshot.methods.spec import spec
from nshot.nets import answering, learners
from nshot.nets.learner import Learner, embed_all
from nshot.training.checkpoints import Checkpoints

GAIN = 0.10
"""What a trained learner must gain over its untrained self, in mean accuracy."""
_VALIDATION_SHARE, _VALIDATION_MOST, _VALIDATION_EPISODES = 0.05, 50, 40
_VALIDATION_SHAPE = EpisodeShape(5, 1, 5)
_VALIDATION_LEAST = 200
"""Background classes under which none is kept out for validation."""


def do(job: Job, place: Workplace) -> Body:
    """The row of ``episodes.json`` of the job's method."""
    prepared = prepare(from_data(EpisodesRequest, job.spec["request"]))
    return _Run(prepared, place).row(prepared.methods[0])


@dataclass(frozen=True)
class _Run:
    """One method of a request. What it has done is kept step by step: a kill loses one."""

    prepared: Prepared
    place: Workplace

    @property
    def store(self) -> Store:
        """What is kept."""
        return self.place.store

    def row(self, method: Episodic) -> dict[str, Any]:
        """All that is known of one method, or why nothing is."""
        row: dict[str, Any] = {"name": method.called, "status": "ok", "reason": "", "scores": []}
        row |= {"spec": spec(method), "untrained": [], "training": None}
        try:
            row["untrained"] = self._scores(method, None)
            row["scores"] = row["untrained"]
            if method.phases(self.prepared.shape):
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
        target = self.store.root / "learners" / method.called
        write_folder(target, lambda folder: shutil.copytree(source, folder, dirs_exist_ok=True))
        return method, job

    def _known(self, method: Episodic) -> tuple[str, ...]:
        """What a training depends on."""
        return (
            json.dumps(spec(method), sort_keys=True),
            json.dumps([method.version, self.prepared.request.seed, self.place.identity]),
            self.prepared.cut.background.fingerprint,
        )

    def _planned(self, method: Episodic) -> Episodic:
        """The method with as many steps as the minutes hold: measured once, then fixed."""
        request, cut = self.prepared.request, self.prepared.cut
        job = digest("steps", *self._known(method), str(request.train_minutes))
        if self.store.get(job) is None:
            seconds = 60 * (request.train_minutes or 0)
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
                progress=lambda done, total: self.place.progress(done, total, "training"),
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
        return learning.fresh(method, self.prepared.shape, self.prepared.request.seed)


def validation_split(
    background: Collection, seed: int
) -> tuple[Collection, learning.Validation | None]:
    """The classes to learn from, and episodes of others for validation.

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
