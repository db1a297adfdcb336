"""A job: a piece of work as plain data, with one name made of all that its result depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

from nshot.core import machine
from nshot.core.serial import from_data
from nshot.core.types import ModelRef, digest
from nshot.methods.contract import Method
from nshot.methods.spec import parts, spec, spec_hash
from nshot.models.embedded.packages import EMBEDDED

Body: TypeAlias = dict[str, Any]
"""What a job results in, as JSON."""
COMPUTE = ("nshot", "torch", "transformers", "peft")
"""The packages that make a result: another version of one is another job."""


@dataclass(frozen=True)
class Cut:
    """One fold of repeated cross-validation: of `folds`, number `index` is answered."""

    folds: int
    index: int


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Args:
        kind: which of `nshot.bench.jobs.KINDS` does it.
        spec: the method, or what else that kind is told.
        shots: rows per label to learn from; None: all.
        draw: number of the draw, or of the repeat of the folds; the seed of the job.
        cut: shots are drawn from the rows outside it, and the rows inside are answered.
        base, encoder: the models it needs, and no others.
        rows: of the labelled rows only a sample of so many; None: as `shots` says.
        start, stop: of the test rows in `nshot.bench.setting.in_order`; None: to the last.
        source: name of the job whose predictor answers, where another job has adapted it.
        version: of the code behind `spec`: a method's versions, or the kind's own.
        calibration: how the predictor's scores become probabilities, as its search found.
    """

    kind: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    shots: int | None = None
    draw: int = 0
    cut: Cut | None = None
    base: ModelRef | None = None
    encoder: ModelRef | None = None
    version: str = ""
    rows: int | None = None
    start: int = 0
    stop: int | None = None
    source: str = ""
    calibration: Mapping[str, Any] | None = None

    @staticmethod
    def of(
        kind: str,
        method: Method,
        shots: int | None,
        draw: int,
        cut: Cut | None = None,
        base: ModelRef | None = None,
        encoder: ModelRef | None = None,
    ) -> Job:
        """A job of a method, on those of the models that it, or a method in it, needs."""
        inside = parts(method)
        return Job(
            kind,
            spec(method),
            shots,
            draw,
            cut,
            base if any(part.needs for part in inside) else None,
            encoder if any(part.needs_encoder for part in inside) else None,
            spec_hash(method),
        )

    @staticmethod
    def read(body: Mapping[str, Any]) -> Job:
        """From ``asdict(job)``."""
        return from_data(Job, body)

    def name(self, context: str) -> str:
        """Its id in the store. `context` stands for rows, machine and packages."""
        base = EMBEDDED.get(self.base.name) if self.base else None
        made = [str(base.conversion)] if base and base.conversion > 1 else []
        return digest("job", json.dumps(asdict(self), sort_keys=True), context, *made)


def context(fingerprint: str, identity: Mapping[str, Any]) -> str:
    """What all jobs of a run depend on: its rows, and `identity` of what computes."""
    return digest(fingerprint, json.dumps(identity, sort_keys=True))


def identity() -> dict[str, Any]:
    """What must be equal for the same bytes to come out: device, dtype, threads, packages."""
    versions = {package: _version(package) for package in COMPUTE}
    return {**machine.identity(), "versions": versions}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
