"""Every error nshot raises on purpose. What was found, what was expected, what to type.

NshotError                  exit 1
  InputError                exit 2: the user's input or request; carries every fault at once
    ModelNotFound           no such model here, or no hub to ask
    EndpointRefused         an endpoint will not answer: the key, the model, or one prompt
    Locked                  another run holds the output folder
  RunFailed                 exit 3: something broke while running; the partial board is kept
    WorkerLost              the worker process died (killed, out of memory)
    DiskFull                a disk had no room for a file; nothing of it is left there
    DidNotLearn             training left the model no better than it started
    Diverged                the loss stopped being a number
    EndpointFailed          an endpoint did not answer, however often it was asked
      MoneyEnds             the next request might cost more than a run may still spend
  CannotAdapt               exit 1: a method cannot work here; its row says why
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class NshotError(Exception):
    """Base of all errors nshot raises on purpose."""

    exit_code = 1


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: where, what was found, what was expected, what to do."""

    found: str
    expected: str = ""
    do: str = ""
    where: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.found}" if self.where else self.found]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.do:
            lines.append(f"  try:      {self.do}")
        return "\n".join(lines)


class InputError(NshotError):
    """The user's input has faults: all of them, in one message."""

    exit_code = 2

    def __init__(self, faults: Sequence[Fault] | Fault | str) -> None:
        if isinstance(faults, str):
            faults = [Fault(faults)]
        elif isinstance(faults, Fault):
            faults = [faults]
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ModelNotFound(InputError):
    """A model that is not at hand and cannot be fetched."""


class EndpointRefused(InputError):
    """What an endpoint will not answer; `of_one_prompt` where it is the prompt's fault alone.

    `status` is that of its answer over HTTP, 0 where there was none.
    """

    def __init__(
        self,
        faults: Sequence[Fault] | Fault | str,
        of_one_prompt: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(faults)
        self.of_one_prompt = of_one_prompt
        self.status = status


class Locked(InputError):
    """Another process is writing to the same output folder."""


class RunFailed(NshotError):
    """Something broke while running; what was finished is kept."""

    exit_code = 3


class WorkerLost(RunFailed):
    """The worker process died under a job."""


class DiskFull(RunFailed):
    """A disk that had no room for a file; what stood in its place stands there still."""


class DidNotLearn(RunFailed):
    """A trained method that is no better on its own training data than before training."""


class Diverged(RunFailed):
    """A loss that is not a finite number."""


class EndpointFailed(RunFailed):
    """An endpoint that did not answer, however often it was asked."""


class MoneyEnds(EndpointFailed):
    """The next request might cost more than is left of what a run may spend."""


class CannotAdapt(NshotError):
    """A method that cannot work on this task, model or machine; the row carries the sentence."""


def collected(faults: list[Fault], make: Callable[[], T]) -> T | None:
    """What `make` gives, or None with its faults put to the others."""
    try:
        return make()
    except InputError as error:
        faults += error.faults
        return None


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known name, or the list of known names."""
    names = sorted(known)
    if not names:
        return "leave it out: there are none"
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"one of: {', '.join(names)}"


def in_words(error: OSError) -> str:
    """What the system says and of which file; of an error that a library made, its own words."""
    if error.strerror is None:
        return str(error) or type(error).__name__
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
