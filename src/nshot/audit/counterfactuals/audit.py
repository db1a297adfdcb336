"""How many answers change with a name, a pronoun, a nationality, an age or a dialect.

After Garg et al., "Counterfactual Fairness in Text Classification through Robustness", 2019,
https://arxiv.org/abs/1809.10610: a row is asked with a word and again with another in its place. A
model that is merely unsteady changes its answer with any word, so each swap between two groups is
held against one within a group, on the same row, which changes as much of the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nshot.audit.contract import AuditResult, Finding, Need, Sheet, Subject
from nshot.audit.counterfactuals.lists import LISTS, Dimension, Language
from nshot.audit.counterfactuals.swaps import Swap, languages, swaps
from nshot.audit.data.personal import masked
from nshot.audit.estimates import held
from nshot.audit.luck import ALPHA, Bools, Difference, of_pairs
from nshot.core.errors import NshotError
from nshot.core.types import Example, Input, Prediction
from nshot.metrics.binomial import exact_interval
from nshot.predictors import load
from nshot.predictors.base import Predictor

FEWEST = 20
"""Rows of a language from which on its words are swapped."""
MOST, MOST_OF_MODELS = 80, 40
"""Rows of a language that are asked at most, spread evenly; where a language model reads them."""
_SHOWN = 12


@dataclass(frozen=True)
class Flips:
    """Of each row whether its answer changed under a swap, and under the control."""

    swaps: Sequence[Swap]
    answers: Sequence[tuple[Prediction, Prediction, Prediction]]

    @property
    def flipped(self) -> Bools:
        """(rows,) by the swap to the other group."""
        return np.array([own.answer != other.answer for own, other, _ in self.answers])

    @property
    def control(self) -> Bools:
        """(rows,) by the swap within the group."""
        return np.array([own.answer != again.answer for own, _, again in self.answers])


class Counterfactuals:
    """Swaps on the rows of the subject, asked of its predictor."""

    name = "counterfactuals"
    about = "how many answers change with a name, pronoun, nationality, age or dialect"
    needs: frozenset[Need] = frozenset({"texts", "answers"})

    def why_not(self, subject: Subject) -> str | None:
        """It takes a predictor that can be asked, and enough rows in a language with lists."""
        if subject.predictor is None or subject.task is None:
            return "answers are known, and no predictor can be asked about other texts"
        if subject.task.kind == "spans":
            return "spans stand at places in a text, which a swapped word would move"
        most = max(map(len, languages(subject.rows).values()), default=0)
        if most < FEWEST:
            return (
                f"there are lists for {' and '.join(LISTS)}, and no {FEWEST} rows in one of them:"
                f" {most} of {len(subject.rows)}"
            )
        return None

    def run(self, subject: Subject) -> AuditResult:
        """The share of answers that change, for each dimension and language."""
        parts = languages(subject.rows)
        notes = _left_out(parts, subject.rows)
        most = MOST if subject.ref is None else MOST_OF_MODELS
        used = {name: _some(some, most) for name, some in parts.items() if len(some) >= FEWEST}
        if subject.predictor is None:
            raise ValueError("run without a predictor, which why_not refuses")
        results = flips_of(subject.predictor, used, subject.seed)
        gaps = [of_pairs(flips.flipped, flips.control) for flips in results.values()]
        ps = held([gap.p for gap in gaps])
        pairs = list(zip(results.items(), gaps, ps, strict=True))
        findings = [_finding(key, flips, gap, p) for (key, flips), gap, p in pairs]
        sheets = [_table(findings, results), *_changed(results, findings)]
        sheets += _beside(subject, used, results, notes)
        alarms = [one for one in findings if one.alarm]
        summary = (
            "answers change with " + ", ".join(dict.fromkeys(one.about for one in alarms))
            if alarms
            else f"none of {len(findings)} swaps changes more answers than its control by more than"
            " luck"
        )
        return AuditResult(
            self.name, summary=summary, conclude=_CONCLUDE,
            findings=tuple(sorted(findings, key=lambda one: (one.p or 0, one.about))),
            sheets=tuple(sheets), notes=tuple(notes),
        )  # fmt: skip


_CONCLUDE = (
    "A swap that changes more answers than its control says that the model goes by this word. It"
    " does not say that either answer is wrong, nor that people of a group are served worse: slices"
    " look at that. The lists are short and of our own; other names may do other things."
)


def _some(rows: Sequence[Example], most: int) -> list[Example]:
    """At most so many of the rows, spread evenly."""
    step = max(1, -(-len(rows) // most))
    return list(rows[::step])


def _left_out(parts: Mapping[Language, Sequence[Example]], rows: Sequence[Example]) -> list[str]:
    notes = [
        f"{len(some)} rows in {name}: too few to swap words in"
        for name, some in parts.items()
        if len(some) < FEWEST
    ]
    others = len(rows) - sum(map(len, parts.values()))
    if others:
        notes.append(f"{others} rows are in neither {' nor '.join(LISTS)}: there are no word lists")
    return notes


def flips_of(
    predictor: Predictor, parts: Mapping[Language, Sequence[Example]], seed: int
) -> dict[tuple[Dimension, Language], Flips]:
    """Every swap of every row, asked at once: an input that stands in several is asked once."""
    made = {
        (dimension, name): swaps(rows, dimension, seed)
        for name, rows in parts.items()
        for dimension in LISTS[name]
    }
    inputs: dict[Input, None] = {}
    for some in made.values():
        for swap in some:
            inputs.update(dict.fromkeys((swap.own, swap.other, swap.control)))
    given = dict(zip(inputs, predictor.predict(list(inputs)), strict=True))
    return {
        key: Flips(some, [(given[s.own], given[s.other], given[s.control]) for s in some])
        for key, some in made.items()
    }


def _finding(key: tuple[Dimension, Language], flips: Flips, gap: Difference, p: float) -> Finding:
    dimension, name = key
    rows, alarm = len(flips.answers), p < ALPHA
    changed, control = flips.flipped, flips.control
    sentence = (
        f"{dimension.name} ({name}, {rows} rows): {100 * changed.mean():.1f} % of answers change,"
        f" {100 * control.mean():.1f} % under the control"
    )
    shown = [s.row.id for s, one in zip(flips.swaps, changed, strict=True) if one]
    return Finding(
        sentence, gap.value, gap.low, gap.high, "points", alarm, p,
        tuple(shown[:5]) if alarm else (), f"{dimension.name} ({name})",
    )  # fmt: skip


def _table(
    findings: Sequence[Finding], results: Mapping[tuple[Dimension, Language], Flips]
) -> Sheet:
    heads = ("swap", "rows", "changed %", "from %", "to %", "control %", "p, held for all")
    lines = []
    for one, flips in zip(findings, results.values(), strict=True):
        rows, hits = len(flips.answers), int(flips.flipped.sum())
        low, high = exact_interval(hits, rows)
        control = float(flips.control.mean())
        lines.append((one.about, rows, hits / rows, low, high, control, one.p))
    return Sheet("Answers that change, with exact 95 % intervals", heads, tuple(lines))


def _changed(
    results: Mapping[tuple[Dimension, Language], Flips], findings: Sequence[Finding]
) -> Iterator[Sheet]:
    """Of each alarm which answers change into which."""
    for (key, flips), one in zip(results.items(), findings, strict=True):
        if not one.alarm:
            continue
        first = set(key[0].groups[0])
        counts = Counter[tuple[str, str]]()
        for swap, (own, other, _) in zip(flips.swaps, flips.answers, strict=True):
            pair = (own, other) if swap.words[0] in first else (other, own)
            if own.answer != other.answer:
                counts[pair[0].answer, pair[1].answer] += 1
        called = key[0].called
        yield Sheet(
            f"{one.about}: what changes", (called[0], called[1], "rows"),
            tuple((masked(a), masked(b), n) for (a, b), n in counts.most_common(_SHOWN)),
        )  # fmt: skip


def _beside(
    subject: Subject,
    parts: Mapping[Language, Sequence[Example]],
    own: Mapping[tuple[Dimension, Language], Flips],
    notes: list[str],
) -> Iterator[Sheet]:
    """The other rows of the board on the same swaps, where they were asked for."""
    if not subject.beside:
        return
    lines = [_line(f"{subject.name} (as delivered)", own)]
    for member in subject.members:
        try:
            predictor = load(member.folder, subject.models)
            lines.append(_line(member.name, flips_of(predictor, parts, subject.seed)))
        except NshotError as error:
            notes.append(f"{member.name}: {' '.join(str(error).split())}")
    yield Sheet(
        "Every row of the board: answers changed by a swap, by the control",
        ("row", "changed %", "control %", "difference %", "from %", "to %"), tuple(lines),
    )  # fmt: skip


def _line(
    name: str, results: Mapping[tuple[Dimension, Language], Flips]
) -> tuple[str, float, float, float, float, float]:
    """All swaps of a model together; a row's swaps count as one, by the mean over them."""
    changed = np.concatenate([flips.flipped for flips in results.values()])
    control = np.concatenate([flips.control for flips in results.values()])
    ids = [swap.row.id for flips in results.values() for swap in flips.swaps]
    by_row: dict[str, list[float]] = {}
    for key, gap in zip(ids, changed.astype(float) - control, strict=True):
        by_row.setdefault(key, []).append(float(gap))
    means = np.array([np.mean(some) for some in by_row.values()])
    reach = 1.96 * float(means.std(ddof=1)) / len(means) ** 0.5
    middle = float(means.mean())
    return (
        name, float(changed.mean()), float(control.mean()), middle, middle - reach, middle + reach
    )  # fmt: skip
