"""A subject looked at by several audits: one that cannot run is told of, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nshot.audit.contract import Audit, AuditResult, Subject, lacks
from nshot.audit.words import markdown
from nshot.core.errors import NshotError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json, to_data

FOLDER = "audit"
"""In the folder of a run: its audit."""
FILE, PAGE = "audit.json", "audit.md"


@dataclass(frozen=True)
class AuditReport:
    """What audits measured of a subject; `winner` is the job that made it, "" without a run."""

    subject: str
    results: tuple[AuditResult, ...]
    notes: tuple[str, ...] = ()
    winner: str = ""
    schema: int = 1


def _silent(name: str) -> None:
    """Tells nobody."""


def carry_out(
    subject: Subject, audits: Sequence[Audit], winner: str = "", on: Callable[[str], None] = _silent
) -> AuditReport:
    """Let each audit look at the subject, in order; `on` hears the name of the one that begins.

    An audit that lacks something, or that raises one of nshot's errors, has that as its reason.
    """
    results = []
    for audit in audits:
        on(audit.name)
        results.append(_looked(audit, subject))
    return AuditReport(subject.name, tuple(results), subject.notes, winner)


def _looked(audit: Audit, subject: Subject) -> AuditResult:
    try:
        reason = lacks(subject, audit.needs) or audit.why_not(subject)
        if reason is not None:
            return AuditResult(audit.name, reason)
        return replace(audit.run(subject), audit=audit.name)
    except NshotError as error:
        return AuditResult(audit.name, " ".join(str(error).split()))


def write(report: AuditReport, folder: Path) -> None:
    """Write audit.json and audit.md into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FILE, dumps(to_data(report), indent=1) + "\n")
    write_atomic(folder / PAGE, markdown(report.subject, report.results, report.notes))


def read(folder: Path) -> AuditReport:
    """The report that `write` wrote. Raises `InputError` for one that is absent or broken."""
    path = folder / FILE
    return from_data(AuditReport, read_json(path, "nshot audit RUN"), str(path))
