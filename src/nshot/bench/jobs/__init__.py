"""What a worker can be asked to do: one module a kind, in a closed table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from nshot.core.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    from nshot.bench.jobs.job import Body, Job
    from nshot.bench.jobs.place import Workplace

    JobKind: TypeAlias = Callable[[Job, Workplace], Body]

KINDS: Mapping[str, str] = {
    "short_trial": "nshot.bench.jobs.trial",
    **{kind: f"nshot.bench.jobs.{kind}" for kind in (
        "rates",
        "trial",
        "search",
        "measure",
        "answer",
        "deliver",
        "judge",
        "episodes",
        "data",
        "align",
    )},
}  # fmt: skip
"""Kind -> module, whose function `do` is called with the job and the place where it is done."""


def kind_of(name: str) -> JobKind:
    """What does a job of a kind; `InputError` for a kind that is not in the table."""
    if name not in KINDS:
        raise InputError(Fault(f"unknown kind of job '{name}'", do=nearest(name, KINDS)))
    do: JobKind = import_module(KINDS[name]).do
    return do
