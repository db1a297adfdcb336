"""``nshot audit``: what a delivered folder or a language model does besides its task."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.cli import output

if TYPE_CHECKING:
    from nshot.audit.carrying_out import AuditReport
    from nshot.audit.contract import Audit, Subject

ABOUT = "what a delivered folder or a language model does besides its task"


def add(parser: argparse.ArgumentParser) -> None:
    """The subject, the audits, the rows, and where the page goes."""
    from nshot.audit.table import AUDITS
    from nshot.core.fields import ENCODING

    parser.add_argument(
        "subject", metavar="RUN|DIR|MODEL",
        help="a run folder, a delivered folder, or a language model as --model takes it",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="NAME", action="append", default=[],
        help=f"one audit: {', '.join(AUDITS)}; repeatable (default: all that fit)",
    )  # fmt: skip
    parser.add_argument(
        "--data", metavar="FILE",
        help="rows to look at, which the model did not learn from (default: the run's test rows)",
    )  # fmt: skip
    parser.add_argument(
        "--slice", metavar="COLUMN", dest="slices", action="append", default=[],
        help="a further column of the rows' file to look at slice by slice; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--sets", metavar="FOLDER",
        help="known sets of biases, each in a folder of its name (docs/responsible.md)",
    )  # fmt: skip
    parser.add_argument(
        "--against", metavar="DIR|MODEL",
        help="what the model is compared with (default: the base that it was made of)",
    )  # fmt: skip
    parser.add_argument(
        "--beside", action="store_true",
        help="ask the other rows of the run's board too, side by side, where an audit can",
    )  # fmt: skip
    parser.add_argument("--encoding", metavar="NAME", help=ENCODING)
    parser.add_argument(
        "--out", metavar="FOLDER",
        help="where audit.json and audit.md go (default: audit/ in RUN, else audits/NAME)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print what was measured, and where it lies. 0 with alarms too: they are findings."""
    from nshot.audit.carrying_out import PAGE
    from nshot.audit.table import audits
    from nshot.audit.words import terminal

    chosen = audits(arguments.only)
    report, folder = _report(arguments, chosen)
    output.note(report.notes)
    print(terminal(report.results))
    print(f"\naudit: {output.short(folder / PAGE)}")
    return 0


def _report(arguments: argparse.Namespace, audits: tuple[Audit, ...]) -> tuple[AuditReport, Path]:
    from nshot.audit.carrying_out import FOLDER, carry_out, write
    from nshot.bench.audited import audit_run, is_run

    root = Path(arguments.subject)
    subject = _subject(arguments)
    if is_run(root) and not arguments.data:
        out = Path(arguments.out) if arguments.out else None
        return audit_run(root, subject, audits, _tell, out), out or root / FOLDER
    of_data = root / f"{FOLDER}-{Path(arguments.data or '').stem}"
    folder = Path(arguments.out or (of_data if is_run(root) else f"audits/{_plain(subject.name)}"))
    report = carry_out(subject, audits, on=_tell)
    write(report, folder)
    return report, folder


def _subject(arguments: argparse.Namespace) -> Subject:
    """What was named: a run, a folder that answers, or else a language model."""
    from dataclasses import replace

    from nshot.audit.subject import of_folder, of_model, reference, with_data
    from nshot.bench.audited import is_run, subject_of
    from nshot.core.files import RECORD
    from nshot.models import open_models
    from nshot.use.ready import delivered

    root, models = Path(arguments.subject), open_models()
    if is_run(root):
        subject = subject_of(root, models)
    elif (place := delivered(root) if root.is_dir() else root) and (place / RECORD).is_file():
        subject = of_folder(place, models)
    else:
        subject = of_model(arguments.subject, models)
    subject = replace(
        subject,
        sets=Path(arguments.sets) if arguments.sets else None,
        against=reference(arguments.against) if arguments.against else None,
        slices=tuple(arguments.slices),
        beside=arguments.beside,
    )
    if arguments.data:
        subject = with_data(subject, Path(arguments.data), arguments.encoding)
    return subject


def _plain(name: str) -> str:
    """A model's name as the name of a folder."""
    return "".join(sign if sign.isalnum() or sign in "-._" else "-" for sign in name)


def _tell(name: str) -> None:
    sys.stderr.write(f"audit: {name}\n")
