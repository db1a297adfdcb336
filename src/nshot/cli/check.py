"""``nshot check``: look at a task's data, or verify a delivered folder."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.cli import flags
from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.bench.request import Request
    from nshot.core.types import Example, Split, Task

ABOUT = "look at a task's data, or verify a delivered folder"


def add(parser: argparse.ArgumentParser) -> None:
    """Where the data is, and its columns."""
    from nshot.bench.request import Request
    from nshot.core.fields import Flag

    changes = {
        "task": Flag("a task, or a folder with check.jsonl", "TASK|DIR", "task"),
        "test": Flag("test rows", "FILE"),
    }
    flags.add(
        parser,
        Request,
        ("task", "text", "label", "group", "kind", "pictures", "positive", "encoding", "test"),
        changes,
    )
    parser.add_argument(
        "--audit", action="store_true",
        help="look at what the rows bring with them: balance, rows that mention a group and their"
        " labels, near-duplicates, doubtful labels, personal data (docs/responsible.md)",
    )  # fmt: skip
    parser.add_argument(
        "--slice", metavar="COLUMN", dest="slices", action="append", default=[],
        help="with --audit: a further column whose values are groups; repeatable",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print how the task is understood, or whether the folder answers as it did."""
    folder = Path(arguments.task)
    if any((folder / name).exists() for name in ("check.jsonl", "winner", "nshot.yaml")):
        return _delivered(folder)
    from nshot.bench.prepare import usual_long_notes
    from nshot.bench.request import Request
    from nshot.bench.task_rows import checked_rows
    from nshot.data.same import shown

    request = flags.read(Request, arguments)
    if arguments.slices and not arguments.audit:
        raise InputError(Fault("--slice without --audit", do="--audit --slice COLUMN"))
    task, rows = checked_rows(request)
    for note in (*rows.notes, *usual_long_notes(task, rows)):
        print(f"note: {note}")
    print(f"task {task.name}: {task.kind}, metric {task.metric}")
    print(f"{len(rows.train)} rows to learn from, {len(rows.test)} to test on ({rows.mode})")
    counts = [_label_counts(task, part) for part in (rows.train, rows.test)]
    for label in task.label_names:
        print(f"  {label:30} {counts[0][label]:6} {counts[1][label]:6}")
    for example in rows.train[:3]:
        print(f"  e.g. {shown(example, 90)} -> {' / '.join(example.targets)[:60] or 'none'}")
    if arguments.audit:
        _audit(request, task, rows, arguments.slices)
    return 0


def _audit(request: Request, task: Task, rows: Split, slices: Sequence[str]) -> None:
    """What the rows bring with them, printed whole: findings, then the tables."""
    from nshot.audit.carrying_out import carry_out
    from nshot.audit.table import audits
    from nshot.audit.words import tables, terminal
    from nshot.bench.audited import subject_of_rows

    subject = subject_of_rows(request, task, rows, slices)
    report = carry_out(subject, audits(["data"]))
    for note in subject.notes:
        print(f"note: {note}")
    print(f"\n{terminal(report.results)}\n\n{tables(report.results)}")


def _label_counts(task: Task, rows: Sequence[Example]) -> Counter[str]:
    """How many rows have each label; of spans how many spans."""
    from nshot.core.spans import spans_of

    if task.kind == "spans":
        return Counter(span.label for row in rows for span in spans_of(row.targets[0]))
    return Counter(label for row in rows for label in row.targets if task.has_strata)


def _delivered(folder: Path) -> int:
    """Does this copy still give the answers it was delivered with?

    What asks a model on another machine may have drifted: exit code 1 where that is seen.
    """
    from nshot.use.ready import ready

    model = ready(folder)
    if model.is_elsewhere:
        drift = model.drift()
        print("\n".join(drift.lines))
        return 1 if drift.is_seen else 0
    wrong = model.check()
    for line in wrong:
        print(line)
    print(f"{model.checks - len(wrong)} of {model.checks} answers as delivered")
    return 3 if wrong else 0
