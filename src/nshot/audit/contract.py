"""What an audit is: it looks at a subject, and says what it measured or why it could not.

To add one: a class with `name`, `about`, `needs`, `why_not` and `run`, and its line in
`nshot.audit.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from nshot.core.types import Example, ModelRef, Prediction, Task

if TYPE_CHECKING:
    from nshot.models.base import LanguageModel, Models
    from nshot.predictors.base import Predictor

Need: TypeAlias = Literal["rows", "texts", "answers", "scores"]
"""Labelled rows; texts, labelled or not; a predictor that answers them; a language model that
scores answers."""
Unit: TypeAlias = Literal["share", "points", "count", "number"]
"""What a figure is: a share of rows, a difference of two shares, how many, any other
number."""


@dataclass(frozen=True)
class Finding:
    """One figure with what it says.

    `value` from `low` to `high` (95 %) in `unit`; shares and scores are fractions. `alarm`: more
    than luck at 5 % over all questions that this audit asks. `p` is the probability of so much by
    luck alone, held for these. `rows` are ids of rows to look at.
    """

    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: Unit = "share"
    alarm: bool = False
    p: float | None = None
    rows: tuple[str, ...] = ()
    about: str = ""
    """What it is of: a slice, a swap, a category of a set."""


Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class Sheet:
    """A table under the findings; numbers are fractions where a heading ends in ``%``."""

    title: str
    heads: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class AuditResult:
    """What an audit measured; or in `reason` why it did not.

    `summary` is what a reader should take away, `conclude` what may be concluded from it and what
    not.
    """

    audit: str
    reason: str = ""
    summary: str = ""
    conclude: str = ""
    findings: tuple[Finding, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The findings that are more than luck."""
        return tuple(one for one in self.findings if one.alarm)


@dataclass(frozen=True)
class Member:
    """A measured row of a board with the folder that answered."""

    name: str
    folder: Path


@dataclass(frozen=True)
class Subject:
    """What is audited: rows, what answers them, a language model; each may be absent.

    `rows` are those that the predictor did not learn from, `learned` those that it did.
    `predictions` are answers to `rows` that are known already, by id: of folds, each by a model
    that did not learn from the row. `columns` holds further columns of the data, each cell by the
    row's id, and `slices` the names of those that were asked for. `ref` is the language model with
    what was put on it, `against` what it is compared with in place of its own base, `sets` the
    folder of known sets. `members` are the measured rows of its board, which audits look at too
    where they are to stand `beside` it. `measured` is the pick's row of the
    board, as JSON.
    """

    name: str
    models: Models
    task: Task | None = None
    predictor: Predictor | None = None
    folder: Path | None = None
    ref: ModelRef | None = None
    rows: tuple[Example, ...] = ()
    learned: tuple[Example, ...] = ()
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)
    against: ModelRef | None = None
    sets: Path | None = None
    beside: bool = False
    notes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def labelled(self) -> tuple[Example, ...]:
        """The rows whose answer is known."""
        return tuple(row for row in self.rows if row.targets or row.grades)

    @property
    def model(self) -> LanguageModel:
        """The language model, with what was put on it. Raises `CannotAdapt` without one."""
        from nshot.core.errors import CannotAdapt

        if self.ref is None:
            raise CannotAdapt(f"{self.name} stands on no language model")
        return self.models.open(self.ref)

    def answers(self, rows: Sequence[Example]) -> list[Prediction]:
        """Of each row its answer: the one that is known, or the predictor's."""
        absent = [row for row in rows if row.id not in self.predictions]
        new: Mapping[str, Prediction] = {}
        if absent and self.predictor is not None:
            given = self.predictor.predict([row.input for row in absent])
            new = {row.id: one for row, one in zip(absent, given, strict=True)}
        known = {**self.predictions, **new}
        return [known[row.id] for row in rows]


class Audit(Protocol):
    """Looks at a subject. It changes nothing, and gives the same result for the same subject."""

    @property
    def name(self) -> str:
        """By which ``--only`` calls it."""
        ...

    @property
    def about(self) -> str:
        """Half a sentence: what it measures."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """What a subject must have."""
        ...

    def why_not(self, subject: Subject) -> str | None:
        """One sentence why it cannot look at this subject, beyond its `needs`; None: it can."""
        ...

    def run(self, subject: Subject) -> AuditResult:
        """What it measures."""
        ...


def lacks(subject: Subject, needs: frozenset[Need]) -> str | None:
    """What a subject does not have of what an audit needs, as one sentence; None: it has all."""
    has = {
        "rows": bool(subject.labelled),
        "texts": any(row.input.text for row in subject.rows),
        "answers": subject.predictor is not None or bool(subject.predictions),
        "scores": subject.ref is not None,
    }
    for need in sorted(needs):
        if not has[need]:
            return f"{subject.name} has {_ABSENT[need]}"
    if "scores" in needs and "score" not in subject.model.facts.can:
        return f"{subject.model.facts.ref.name} gives no log-probabilities of texts"
    return None


_ABSENT: Mapping[Need, str] = {
    "rows": "no labelled rows that it did not learn from (--data FILE gives some)",
    "texts": "no texts to ask about (--data FILE gives some)",
    "answers": "nothing that answers the rows",
    "scores": "no language model that speaks for it",
}
