"""The audit of known sets: each figure of each set, and how adapting changed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.audit.change.before_after import after, before
from nshot.audit.contract import AuditResult, Finding, Need, Sheet, Subject
from nshot.audit.estimates import Estimate, Figure, difference, estimate, held
from nshot.audit.luck import ALPHA
from nshot.audit.sets.known_set import ALL, KnownSet, sample
from nshot.audit.sets.table import FOLDERS, SETS
from nshot.audit.units import unit_of
from nshot.core.errors import NshotError

ROWS = 200
"""Rows that are asked of a set at most, from as many groups as can be."""


@dataclass(frozen=True)
class Measured:
    """A figure of a set, and of the base where there is one."""

    set: KnownSet[Any]
    figure: Figure
    base: Figure | None


class KnownSets:
    """Known sets in a folder, asked of the language model and of what it was made of."""

    name = "sets"
    about = "known sets of biases (--sets FOLDER), and what adapting changed in them"
    needs: frozenset[Need] = frozenset({"scores"})

    def why_not(self, subject: Subject) -> str | None:
        """The sets have to be named: nshot holds none."""
        if subject.sets is None:
            return f"no set was named: --sets FOLDER, with {', '.join(SETS)} as its folders"
        if not _folders(subject.sets):
            return f"{subject.sets} has no folder {' or '.join(SETS)}"
        return None

    def run(self, subject: Subject) -> AuditResult:
        """Every figure that has a neutral value against it, every one against the base's."""
        places = _folders(subject.sets) if subject.sets is not None else {}
        rest = ", ".join(name for name in SETS if name not in places)
        measured: list[Measured] = []
        faulty: list[str] = []
        for name, place in list(places.items()):
            try:
                measured += _measured(subject, name, place)
            except NshotError as error:
                problem = " ".join(str(error).split())
                faulty.append(f"{SETS[name].title}: not measured: {problem}")
                del places[name]
        if not measured:
            return AuditResult(self.name, "; ".join(faulty))
        findings = findings_of(measured)
        alarms = [one for one in findings if one.alarm]
        return AuditResult(
            self.name,
            summary=f"{len(alarms)} of {len(findings)} figures are more than luck",
            conclude=" ".join(f"{SETS[n].title}: contested: {SETS[n].contested}." for n in places),
            findings=tuple(findings),
            sheets=(sheet(measured),),
            notes=(
                *(f"{SETS[n].title}: {SETS[n].way}. Good: {SETS[n].good}." for n in places),
                f"of each set at most {ROWS} rows were asked, of as many templates as can be",
                *([f"not in the folder: {rest}"] if rest else []),
                *faulty,
            ),
        )


def findings_of(measured: Sequence[Measured]) -> list[Finding]:
    """Those with a neutral value, then the changes, all probabilities held for how many there are.

    Levels of categories stand in the sheet alone where nothing is neutral.
    """
    made = [
        (one, estimate(one.figure), False) for one in measured if one.figure.neutral is not None
    ]
    made += [
        (one, difference(one.base, one.figure), True) for one in measured if one.base is not None
    ]
    ps = held([1.0 if value.p is None else value.p for _, value, _ in made])
    return [
        _finding(one, value, change, p) for (one, value, change), p in zip(made, ps, strict=True)
    ]


def _finding(one: Measured, value: Estimate, change: bool, p: float) -> Finding:
    where = "" if one.figure.category == ALL else f", {one.figure.category}"
    sentence = f"{one.set.title}: {one.figure.name}{where}"
    return Finding(
        sentence + (", after minus before" if change else ""),
        value.value,
        value.low,
        value.high,
        unit_of(one.figure, change),
        alarm=p < ALPHA,
        p=p,
        about=one.set.name,
    )


def sheet(measured: Sequence[Measured]) -> Sheet:
    """Every figure with its interval, and the base's value."""
    heads = ("set", "figure", "of", "value", "low", "high", "before", "rows", "groups")
    lines = []
    for one in measured:
        value = estimate(one.figure)
        base = None if one.base is None else round(one.base.value, 4)
        figures = (round(value.value, 4), round(value.low, 4), round(value.high, 4))
        lines.append(
            (one.set.name, one.figure.name, one.figure.category, *figures, base, value.rows,
             value.groups)
        )  # fmt: skip
    return Sheet("Every figure", heads, tuple(lines))


def _folders(root: Path) -> dict[str, Path]:
    """The sets that lie under `root`, by name; or the one whose folder it is."""
    places = {}
    for name in SETS:
        names = FOLDERS.get(name, (name,))
        inside = [root / one for one in names if (root / one).is_dir()]
        own = [root] if root.name in names and root.is_dir() else []
        if inside or own:
            places[name] = (inside + own)[0]
    return places


def _measured(subject: Subject, name: str, place: Path) -> list[Measured]:
    """The figures of one set. Raises `InputError` for a file with faults."""
    set_ = SETS[name]
    rows = sample(set_.read(place), set_.group, ROWS, subject.seed)
    figures = set_.figures(rows, set_.scores(after(subject), rows))
    base = before(subject)
    if base is None:
        return [Measured(set_, figure, None) for figure in figures]
    of_base = set_.figures(rows, set_.scores(base, rows))
    return [Measured(set_, *both) for both in zip(figures, of_base, strict=True)]
