"""The contract of an executor: jobs in, outcomes out, in whatever order they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from nshot.bench.jobs.job import Body, Job
from nshot.core.serial import from_data
from nshot.core.types import Measurement

State: TypeAlias = Literal["ok", "failed", "broken"]
"""``failed``: a finding (cannot adapt, did not learn), kept as a result is. ``broken``: it raised,
or its process died; nothing is kept, and the next run tries again."""
Take: TypeAlias = Callable[[], Job | None]
"""The next job that can be done now; None where there is none until another has ended."""
OnProgress: TypeAlias = Callable[[Job, int, int, str], None]
"""Hears (job, done, total, what)."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `seconds` went by for it in this run: 0 where the store had it."""

    job: Job
    state: State
    body: Body
    reason: str = ""
    seconds: float = 0.0

    @cached_property
    def measurement(self) -> Measurement:
        """The body of a job that measures."""
        return from_data(Measurement, self.body)


class Hello(NamedTuple):
    """What an executor computes with: `identity` stands in every job's name."""

    identity: dict[str, Any]
    machine: dict[str, Any]


class Executor(Protocol):
    """Carries out jobs, several at a time."""

    def hello(self) -> Hello:
        """What it computes with. Raises `RunFailed` where it cannot start."""
        ...

    def run(self, take: Take, on_progress: OnProgress) -> Iterator[Outcome]:
        """Ask `take` for a job whenever one can be begun; yield each outcome as it comes.

        `take` is asked again after each outcome; all is done when it has no job and none runs.
        A job that its worker dies of, twice, is ``broken``, with the cause; the others go on.
        """
        ...

    def stop(self) -> None:
        """End all that runs, now."""
        ...
