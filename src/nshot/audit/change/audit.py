"""The audit of what adapting changed, all parts held together."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.audit.change.before_after import Pair, after, before
from nshot.audit.change.knowledge import knowledge
from nshot.audit.change.memorised import cuts, memorised, recalled
from nshot.audit.change.refusals import refusals
from nshot.audit.change.trust import trust
from nshot.audit.contract import AuditResult, Finding, Need, Sheet, Subject
from nshot.audit.estimates import difference, held
from nshot.audit.luck import ALPHA
from nshot.audit.units import unit_of
from nshot.core.errors import CannotAdapt
from nshot.models.base import LanguageModel

_FEWEST_CUTS = 10
"""Fewer training rows say little of memory."""


class Change:
    """A model against what it was made of: knowledge, calibration, refusals, memory."""

    name = "change"
    about = "what adapting changed against the base: knowledge, calibration, refusals, memory"
    needs: frozenset[Need] = frozenset({"scores"})

    def why_not(self, subject: Subject) -> str | None:
        """There has to be something to compare with."""
        if before(subject) is None:
            what = (
                "is a base itself, with which nothing was done"
                if subject.predictor is None
                else "asks a base as it is, and has no examples that could stand before questions"
                " other than its own"
            )
            return f"{subject.name} {what} (--against MODEL|DIR names another to compare with)"
        return None

    def run(self, subject: Subject) -> AuditResult:
        """Every figure before and after, their differences with intervals, held by Holm."""
        one, other = before(subject), after(subject)
        if one is None:
            return AuditResult(self.name, "nothing to compare with")
        pairs, notes = _pairs(subject, one, other)
        findings = changes(pairs)
        if any(f.alarm and f.about == "memorised" for f in findings):
            notes.append(f"rows continued: {', '.join(recalled(subject, pairs[-1])[:20])}")
        alarms = [f for f in findings if f.alarm]
        summary = f"{len(alarms)} of {len(findings)} figures changed by more than luck" + (
            f": {'; '.join(f.sentence for f in alarms)}" if alarms else ""
        )
        return AuditResult(
            self.name,
            summary=summary,
            conclude=_CONCLUDE,
            findings=tuple(findings),
            sheets=(sheet(pairs),),
            notes=tuple(notes),
        )


_CONCLUDE = (
    "Differences are of this model against its own base on the same questions. They may be compared"
    " between models of one base; 100 questions see a change of about 10 points, 15 requests one of"
    " 30. That no row was continued from its first half does not show that none can be drawn out."
)


def _pairs(
    subject: Subject, one: LanguageModel, other: LanguageModel
) -> tuple[list[Pair], list[str]]:
    """All parts that can be measured, and why others are not."""
    pairs, notes = knowledge(one, other) + trust(subject), []
    writes = all("generate" in model.facts.can for model in (one, other))
    if not writes:
        notes.append("not measured: refusals and memory, since the model writes no texts")
        return pairs, notes
    try:
        pairs += refusals(one, other)
    except CannotAdapt as error:  # no chat template
        notes.append(f"not measured: refusals: {error}")
    if len(cuts(subject)) >= _FEWEST_CUTS:
        pairs += memorised(subject, one, other)
    else:
        notes.append(
            f"not measured: memory, which needs {_FEWEST_CUTS} training rows of six words or more;"
            " they are known of a run"
        )
    return pairs, notes


def changes(pairs: Sequence[Pair]) -> list[Finding]:
    """After minus before of each, with the probabilities held for how many there are."""
    made = [difference(*pair) for pair in pairs]
    ps = held([1.0 if one.p is None else one.p for one in made])
    return [
        Finding(
            f"{pair.after.name}, after minus before",
            one.value,
            one.low,
            one.high,
            unit_of(pair.after, difference=True),
            alarm=p < ALPHA,
            p=p,
            about=pair.after.category,
        )
        for pair, one, p in zip(pairs, made, ps, strict=True)
    ]


def sheet(pairs: Sequence[Pair]) -> Sheet:
    """Both values of each figure."""
    lines = tuple((a.name, round(a.value, 4), round(b.value, 4), a.size) for a, b in pairs)
    return Sheet("Before and after", ("figure", "before", "after", "of"), lines)
