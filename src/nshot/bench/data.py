"""`nshot data generate` and `nshot data translate` carried out: a job in a worker.

What a worker has asked is in the ledger, whatever becomes of it: when it is interrupted, or dies,
the rows are made of that.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from nshot.bench.execute.base import Outcome
from nshot.bench.execute.local import LocalProcesses
from nshot.bench.jobs.data import job_of
from nshot.bench.jobs.job import Job
from nshot.bench.workbench import no_progress
from nshot.board.events import Message, Progress, Started, Subscriber
from nshot.core.errors import Fault, InputError
from nshot.core.serial import from_data
from nshot.models.catalog import needs_conversion, resolve
from nshot.synthesis.files import Done, faults_of, make
from nshot.synthesis.ledger import Ledger, Used
from nshot.synthesis.requests import LEDGER, REPORT, Generation, Translation, beside


@dataclass(frozen=True)
class Made:
    """What a command has made, and what of it was asked for now."""

    request: Generation | Translation
    done: Done
    fresh: Used

    def lines(self) -> list[str]:
        """What was made and what it took, now and in all."""
        request, now, out = self.request, self.fresh, self.request.out
        priced = request.price_in or request.price_out
        cost = f", cost {request.money(now.tokens_in, now.tokens_out):.4f}" if priced else ""
        return [
            *self.done.lines,
            f"{self.done.rows} rows in {out}, of which {beside(out, REPORT)} tells",
            f"{self.done.used.requests} answers, {now.requests} of them asked for now:"
            f" {now.tokens_in} tokens read, {now.tokens_out} written{cost}",
        ]


def carry_out(request: Generation | Translation, on: Subscriber) -> Made:
    """Make what is asked for, and write it.

    Raises `InputError` with every fault of the request, and for what an endpoint refuses. What a
    Ctrl-C leaves is written before `KeyboardInterrupt` goes on.
    """
    if faults := faults_of(request):
        raise InputError(faults)
    ref = resolve(request.model, "lm")
    if needs_conversion(ref):
        on(Message(f"{ref.name} is converted, once on this machine: about a minute"))
    path = beside(request.out, LEDGER)
    before = _used(path)
    try:
        outcome = _outcome(job_of(request, ref), on)
    except KeyboardInterrupt:
        make(request, ref, None, no_progress, "interrupted")
        on(Message(f"every answer is kept in {path}: the same command goes on from there"))
        raise
    if faults := from_data(list[Fault], outcome.body.get("faults", [])):
        raise InputError(faults)
    if outcome.state == "ok":
        done = from_data(Done, outcome.body["done"])
    else:
        done = make(request, ref, None, no_progress, outcome.reason)
    return Made(request, done, _used(path).since(before))


def _used(path: Path) -> Used:
    with Ledger(path) as ledger:
        return ledger.used


def _outcome(job: Job, on: Subscriber) -> Outcome:
    """Do the job in a worker; what the worker printed is told where it broke."""
    jobs, shown = [job], ""

    def take() -> Job | None:
        return jobs.pop() if jobs else None

    def progress(job: Job, done: int, total: int, what: str) -> None:
        nonlocal shown
        if not total:
            on(Message(what))
        elif what != shown:
            shown = what
            on(Started(what, done, total))
        else:
            on(Progress(what, done, total, what))

    with tempfile.TemporaryDirectory(prefix="nshot-") as folder:
        executor = LocalProcesses(Path(folder), fingerprint="none")
        try:
            (outcome,) = executor.run(take, progress)
            return outcome
        finally:
            executor.stop()
