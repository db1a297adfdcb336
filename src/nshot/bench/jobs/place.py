"""Where jobs are done: the data, the models and the store of one process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path

from nshot.bench.jobs import kind_of
from nshot.bench.jobs.job import Body, Job, context, identity
from nshot.bench.purses import REPLIES, read_purse
from nshot.bench.setting import Setting, cut_rows
from nshot.bench.store import Store
from nshot.bench.workbench import Shelf, Workbench, no_progress
from nshot.core import machine
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged
from nshot.core.types import Example, Image, Shots, Trains
from nshot.data import draw, sample
from nshot.methods.contract import Method
from nshot.methods.table import Table
from nshot.models.base import Completion, Models
from nshot.models.wrap.kept_answers import KeptAnswers
from nshot.models.wrap.kept_vectors import KeptVectors
from nshot.predictors.base import Predictor

_LIBRARIES: dict[Trains, tuple[str, ...]] = {
    "nothing": (),
    "head": ("sklearn.feature_extraction.text", "scipy.optimize"),
    "adapter": ("torch", "transformers", "peft"),
    "weights": ("torch", "transformers"),
}
"""What methods import late, by what they train: a worker's first job of a kind must not be charged
seconds for it."""
FINDINGS = (CannotAdapt, DidNotLearn, Diverged)
"""Failures that are results: what cannot learn here will not tomorrow."""


class Workplace:
    """What the jobs of a process share; `progress` hears (done, total, what) of the one running.

    `fingerprint` is that of the data; "": of the rows that the run has written.
    """

    def __init__(
        self,
        root: Path,
        progress: Callable[[int, int, str], None] = no_progress,
        fingerprint: str = "",
    ) -> None:
        self.store = Store(root)
        self.progress = progress
        self.shelf = Shelf()
        self.identity = identity()
        rows = fingerprint or self.setting.split.fingerprint
        self.context = context(rows, self.identity)

    @cached_property
    def setting(self) -> Setting:
        """Task and rows, as the run has written them."""
        return Setting.read(self.store.root)

    @cached_property
    def engines(self) -> Models:
        """All models of this process, asked anew each time."""
        from nshot.models import open_models

        return open_models()

    @cached_property
    def models(self) -> Models:
        """All models of this process; the vectors of texts, what typed questions were
        answered and what endpoints wrote, are kept in the run's folder."""
        context = json.dumps(self.identity, sort_keys=True)
        return KeptVectors(self._paid, self.store.root / "vectors", context)

    @cached_property
    def _paid(self) -> KeptAnswers:
        return KeptAnswers(self.engines, self.store.root / REPLIES, read_purse(self.store.root))

    @property
    def heard(self) -> list[Completion]:
        """What language models wrote since the job began, or this was emptied."""
        return self._paid.heard

    @cached_property
    def table(self) -> Table:
        """The methods that a job may name."""
        return self.setting.table

    def load(self, folder: Path) -> Predictor:
        """A saved predictor on this process's models."""
        from nshot.predictors import load

        return load(folder, self.models)

    def run(self, job: Job) -> Body:
        """Do a job and keep its result, a finding too; returns the body.

        Raises what the job raises. Its scratch folder stays only where it may be taken up again.
        """
        name = job.name(self.context)
        self._paid.askers[-1] = self._asker(job)
        self.heard.clear()
        try:
            body = kind_of(job.kind)(job, self)
        except FINDINGS as error:
            self.store.put(name, job.kind, "failed", {"reason": str(error)})
            self.clear(name)
            raise
        self.store.put(name, job.kind, "ok", body)
        self.clear(name)
        return body

    def _asker(self, job: Job) -> str:
        """Who is billed for what a job asks: nobody in a folder without a purse (an alignment)."""
        billed = self._paid.purse is not None and "method" in job.spec
        return self.table.build(job.spec).called if billed else ""

    def clear(self, name: str) -> None:
        """Remove a job's scratch folder."""
        shutil.rmtree(self.store.root / "scratch" / name, ignore_errors=True)

    def bench(
        self,
        job: Job,
        name: str,
        account: set[str] | None = None,
        models: Models | None = None,
    ) -> Workbench:
        """The workbench of a job; `account` and `models` where several share them."""
        return Workbench(
            models or self.models,
            job.base,
            job.encoder,
            self.store.scratch(name),
            job.draw,
            self.shelf,
            set() if account is None else account,
            self.progress,
            self.store,
            self.context,
        )

    def method(self, job: Job) -> Method:
        """The method of a job, its models and libraries loaded: that is the same for all, so nobody
        pays.

        An encoder of texts is loaded when a text is asked that the run has not encoded.
        """
        method = self.table.build(job.spec)
        for name in _LIBRARIES[method.trains]:
            import_module(name)
        if method.needs and job.base is not None:
            self.models.open(method.stands_on(job.base)).count(["warm"])
        if method.needs_encoder and job.encoder is not None and self.setting.task.pictures:
            first = pictures_of(self.setting.split.train[:1])
            self.models.pictures(job.encoder).encode(first)
        machine.seed_everything(job.draw)
        return method

    def shots(self, job: Job) -> tuple[Shots, tuple[Example, ...]]:
        """What the job may learn from, and what it must answer."""
        rows, answered = cut_rows(self.setting, job.cut, job.draw)
        return self.drawn(rows, job), answered

    def drawn(self, rows: Sequence[Example], job: Job) -> Shots:
        """The job's draw from `rows`."""
        split = self.setting.split
        names = self.setting.task.drawn_labels
        if job.rows is not None:
            rows = sample(rows, job.rows, job.draw, names)
        shots = draw(rows, job.shots, job.draw, names)
        return replace(
            shots,
            unlabelled=(*shots.unlabelled, *split.unlabelled),
            preferences=split.preferences,
            background=split.background,
        )


def pictures_of(examples: Sequence[Example]) -> list[Image]:
    """All pictures of the examples' inputs."""
    return [image for example in examples for image in example.input.images]
