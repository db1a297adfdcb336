"""What the rows of a task bring with them, before any model has seen them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nshot.audit.contract import AuditResult, Finding, Need, Sheet, Subject
from nshot.audit.data.copies import MOST, near_copies
from nshot.audit.data.label_errors import out_of_fold, suspects
from nshot.audit.data.mentions import groups_in
from nshot.audit.data.personal import beginning, masked, personal
from nshot.audit.estimates import held
from nshot.audit.luck import ALPHA, Bools, Difference, of_shares
from nshot.audit.slices.cutting import FEWEST, by_column
from nshot.core.types import Example, Task
from nshot.metrics.binomial import exact_interval

_RARE, _UNEVEN = 10, 10
"""A label of fewer rows is rare; a commonest label of so many times the rarest is uneven."""
_LABELS = 20
"""Labels, the commonest, of which shares are compared."""
_LABEL_ROWS = 60
"""Rows from which on wrong labels are looked for."""
_SHOWN = 15
_WIDTH = 60


class DataAudit:
    """Balance, groups and their labels, near-duplicates, doubtful labels, personal data."""

    name = "data"
    about = "labels, rows that mention a group, near-duplicates, doubtful labels, personal data"
    needs: frozenset[Need] = frozenset()

    def why_not(self, subject: Subject) -> str | None:
        """It takes texts."""
        rows = (*subject.learned, *subject.rows)
        if any(row.input.text for row in rows):
            return None
        return "rows without texts" if rows else f"{subject.name} has no rows (--data FILE)"

    def run(self, subject: Subject) -> AuditResult:
        """All parts that fit the task."""
        fresh = () if subject.rows == subject.learned else subject.rows  # of folds: the same rows
        rows = (*subject.learned, *fresh)
        notes = _absent(subject)
        parts = [_balance(subject.task, rows), _groups(subject, rows, notes)]
        parts += [_copies(rows, len(subject.learned), notes)]
        parts += [_labels(subject.task, rows, notes), _personal(rows)]
        findings = [one for part in parts for one in part.findings]
        alarms = sum(one.alarm for one in findings)
        words = ", ".join(part.words for part in parts if part.words)
        return AuditResult(
            self.name,
            summary=f"{len(rows)} rows: {words or 'nothing to tell'}"
            + (f"; {alarms} alarms" if alarms else ""),
            conclude=_CONCLUDE,
            findings=tuple(findings),
            sheets=tuple(sheet for part in parts for sheet in part.sheets),
            notes=tuple(notes),
        )


_CONCLUDE = (
    "A group whose rows have other labels than the rest may be so in the world, or only in these"
    " rows: a model learns it either way. Doubtful labels are those that a plain model doubts, hard"
    " rows among them: read before changing. The lists of words are short; a row that names a group"
    " otherwise is not seen. Nothing here says that rows may be used: ask who made them."
)


@dataclass(frozen=True)
class _Part:
    """What one look has brought."""

    findings: tuple[Finding, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    words: str = ""


def _absent(subject: Subject) -> list[str]:
    there_are = ", ".join(subject.columns) or "none beside the task's own"
    return [
        f"no column '{name}' in the rows' file: there are {there_are}"
        for name in subject.slices
        if name not in subject.columns
    ]


# --------------------------------------------------------------------------------- the labels


def _balance(task: Task | None, rows: Sequence[Example]) -> _Part:
    """How many rows each label has."""
    if task is None or not task.has_strata:
        return _Part()
    counts = Counter(dict.fromkeys(task.label_names, 0))
    counts.update(label for row in rows for label in row.targets)
    common, most = counts.most_common(1)[0]
    rare, least = counts.most_common()[-1]
    findings = []
    if least < _RARE:
        sentence = f"label '{rare}' has {least} rows: too few to be learned or measured well"
        findings.append(Finding(sentence, about="balance"))
    if most > _UNEVEN * max(least, 1):
        sentence = f"'{common}' has {most} rows, '{rare}' {least}: accuracy hides how rare ones do"
        findings.append(Finding(sentence, about="balance"))
    lines = tuple((name, many, many / max(len(rows), 1)) for name, many in counts.most_common())
    sheet = Sheet("Rows of each label", ("label", "rows", "share %"), lines)
    return _Part(tuple(findings), (sheet,), f"labels of {least} to {most} rows")


def _groups(subject: Subject, rows: Sequence[Example], notes: list[str]) -> _Part:
    """The labels of rows that mention a group, and of the values of columns that were named."""
    task = subject.task
    parts = _mentions(rows)
    for name in subject.slices:
        cells: Mapping[str, str] = subject.columns.get(name, {})
        for one in by_column(name, [cells.get(row.id, "") for row in rows], is_named=True):
            parts[one.words] = one.inside
    known = {name: inside for name, inside in parts.items() if inside.any()}
    lines = tuple((name, int(inside.sum())) for name, inside in known.items())
    counted = Sheet("Rows that mention a group", ("group", "rows"), lines)
    words = f"{len(known)} groups of people or values in them"
    if task is None or not task.has_labels:
        return _Part((), (counted,) if lines else (), words if lines else "")
    given = np.array([row.label if row.targets else "" for row in rows], dtype=object)
    findings, table = _shares(task, given, known, notes)
    return _Part(tuple(findings), (table,) if lines else (), words if lines else "")


def _mentions(rows: Sequence[Example]) -> dict[str, Bools]:
    parts: dict[str, Bools] = {}
    for place, row in enumerate(rows):
        for group in groups_in(row.input.text):
            inside = parts.setdefault(f"mentions {group}", np.zeros(len(rows), dtype=bool))
            inside[place] = True
    return parts


def _shares(
    task: Task, given: np.ndarray, groups: Mapping[str, Bools], notes: list[str]
) -> tuple[list[Finding], Sheet]:
    """Of each group and label the share against the rest, Fisher's test by both sides, held."""
    labels = [name for name, _ in Counter(given).most_common(_LABELS) if name]
    keys, gaps = [], list[Difference]()
    for name, inside in groups.items():
        many = int(inside.sum())
        if min(many, len(given) - many) < FEWEST:
            rows = "row" if many == 1 else "rows"
            notes.append(f"{name}: {many} {rows}, too few to compare their labels")
            continue
        for label in labels:
            hits = np.asarray(given == label, dtype=bool)
            keys.append((name, many, label))
            gaps.append(of_shares(int(hits[inside].sum()), many, int(hits[~inside].sum()),
                                  len(given) - many, sides=2))  # fmt: skip
    ps = held([gap.p for gap in gaps])
    findings, lines = [], []
    for (name, many, label), gap, p in zip(keys, gaps, ps, strict=True):
        inside = groups[name]
        own = float((given[inside] == label).mean())
        rest = float((given[~inside] == label).mean())
        lines.append((name, many, label, own, rest, gap.value, gap.low, gap.high, p))
        if p < ALPHA:
            sentence = (
                f"{name} ({many} rows): {100 * own:.0f} % have the label '{label}', of the rest"
                f" {100 * rest:.0f} %"
            )
            findings.append(Finding(sentence, gap.value, gap.low, gap.high, "points", True, p,
                                    about=name))  # fmt: skip
    heads = ("rows that", "rows", "label", "share %", "rest %", "difference %", "from %", "to %",
             "p, held for all")  # fmt: skip
    lines.sort(key=lambda line: (line[-1], line[0], line[2]))
    return sorted(findings, key=lambda one: one.p or 0), Sheet(
        "Labels of rows that mention a group, against the rest", heads, tuple(lines)
    )


# ------------------------------------------------------------------------------- copies, errors


def _copies(rows: Sequence[Example], learned: int, notes: list[str]) -> _Part:
    """Pairs that are nearly the same; those that stand on both sides, or have two labels."""
    pairs = near_copies([row.input.text for row in rows])
    if len(rows) > MOST:
        notes.append(f"near-duplicates are looked for among the first {MOST} rows")
    if not pairs:
        return _Part(words="no near-duplicates")
    across = sum(i < learned <= j for i, j, _ in pairs)
    differ = [(i, j) for i, j, _ in pairs if rows[i].targets != rows[j].targets]
    findings = [Finding("pairs of rows that are nearly the same", len(pairs), unit="count",
                        about="near-duplicates")]  # fmt: skip
    if across:
        findings.append(
            Finding("of them with one row to learn from and one to test on: the score is too high"
                    " by these", across, unit="count", alarm=True, about="near-duplicates")
        )  # fmt: skip
    if differ:
        ids = tuple(rows[i].id for i, _ in differ[:5])
        findings.append(Finding("of them with two different labels", len(differ), unit="count",
                                rows=ids, about="near-duplicates"))  # fmt: skip
    lines = tuple(
        (
            rows[i].id,
            rows[j].id,
            like,
            beginning(rows[i].input.text, _WIDTH),
            beginning(" / ".join(rows[i].targets), _WIDTH),
            beginning(" / ".join(rows[j].targets), _WIDTH),
        )
        for i, j, like in pairs[:_SHOWN]
    )
    heads = ("row", "row that is like it", "alike %", "text", "label", "its label")
    return _Part(tuple(findings), (Sheet("Near-duplicates", heads, lines),),
                 f"{len(pairs)} near-duplicates")  # fmt: skip


def _labels(task: Task | None, rows: Sequence[Example], notes: list[str]) -> _Part:
    """Labels that a plain model doubts, out of fold."""
    if task is None or not task.has_labels:
        return _Part()
    labelled = [row for row in rows if row.targets and row.input.text]
    if len(labelled) < _LABEL_ROWS:
        notes.append(f"{len(labelled)} labelled rows: too few to doubt labels by")
        return _Part()
    names = list(task.label_names)
    probabilities = out_of_fold(labelled, names)
    given = np.array([names.index(row.label) for row in labelled])
    doubted = suspects(probabilities, given)
    right = int((probabilities.argmax(axis=1) == given).sum())
    low, high = exact_interval(len(doubted), len(labelled))
    sentence = (
        f"{len(doubted)} labels are doubted by a plain model that is right for"
        f" {100 * right / len(labelled):.0f} % of the rows it has not seen"
    )
    ids = tuple(labelled[one.place].id for one in doubted[:5])
    finding = Finding(sentence, len(doubted) / len(labelled), low, high, rows=ids,
                      about="doubtful labels")  # fmt: skip
    lines = tuple(
        (row.id, beginning(row.input.text, _WIDTH), row.label, names[one.label], one.margin)
        for one in doubted[:_SHOWN]
        for row in (labelled[one.place],)
    )  # fmt: skip
    heads = ("row", "text", "label", "likelier", "margin %")
    sheets = (Sheet("Doubtful labels, the most doubted first", heads, lines),) if lines else ()
    return _Part((finding,), sheets, f"{len(doubted)} doubtful labels")


# ------------------------------------------------------------------------------- personal data


def _personal(rows: Sequence[Example]) -> _Part:
    """Rows with personal data: named, and never printed whole."""
    of_kind: dict[str, list[str]] = {}
    lines = list(_pieces(rows, of_kind))
    findings = tuple(
        Finding(f"rows with a {kind}", len(ids), unit="count", alarm=True, rows=tuple(ids[:5]),
                about="personal data")
        for kind, ids in sorted(of_kind.items())
    )  # fmt: skip
    if not findings:
        return _Part(words="no personal data seen")
    sheet = Sheet("Personal data, masked", ("row", "what", "text"), tuple(lines[:_SHOWN]))
    return _Part(findings, (sheet,), f"personal data in {len({line[0] for line in lines})} rows")


def _pieces(
    rows: Sequence[Example], of_kind: dict[str, list[str]]
) -> Iterator[tuple[str, str, str]]:
    """(row, kind, masked text) of each, the answers looked at too; ids by kind go to `of_kind`."""
    for row in rows:
        for text in (row.input.text, *row.targets):
            for kind in dict.fromkeys(one.kind for one in personal(text)):
                ids = of_kind.setdefault(kind, [])
                if row.id not in ids[-1:]:
                    ids.append(row.id)
                yield row.id, kind, masked(text)[:_WIDTH]
