"""The cells of a board as rows with intervals and differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from claims_cells import RANKS, UNTRAINED, VARIANTS_OF, Record, chosen
from nshot.board.contest import Contest, estimate
from nshot.board.decide import Column
from nshot.board.score import CONFIDENCE, intervals
from nshot.report.numbers import say
from texts import bleu, bleu_counts, coverage, rouge_l

Floats = NDArray[np.float64]
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_RESAMPLES = 2000
MEASURES = ("BLEU", "ROUGE-L", "slot coverage")


@dataclass(frozen=True)
class Row:
    """A variant on a board: its cells with the chosen rate by draw, and the first draw's by rate.

    `failed` are the reasons of cells that came to nothing.
    """

    variant: str
    draws: tuple[Record, ...]
    tried: tuple[Record, ...]
    failed: tuple[str, ...] = ()

    @property
    def first(self) -> Record:
        """The first draw, at the chosen rate."""
        return self.draws[0]

    @property
    def points(self) -> Floats:
        """(draws, test rows)."""
        return np.array([record.points for record in self.draws])

    @property
    def score(self) -> float:
        """Mean over draws and rows."""
        return float(self.points.mean())

    @property
    def gap(self) -> float | None:
        """Train minus test, mean over the draws."""
        gaps = [record.train - record.score for record in self.draws if record.train is not None]
        return float(np.mean(gaps)) if gaps else None


def row(variant: str, records: Sequence[Record]) -> Row | None:
    """The row of a variant from a board's cells; None where nothing of it was measured."""
    own = [record for record in records if record.cell.variant == variant]
    fine = [record for record in own if not record.failed]
    tried = sorted((r for r in fine if r.cell.draw == 0), key=lambda r: r.cell.rate or 0.0)
    if not tried:
        return None
    rate = chosen(tried)
    draws = sorted((r for r in fine if r.cell.rate == rate), key=lambda r: r.cell.draw)
    failed = tuple(f"{r.cell.name}: {r.failed}" for r in own if r.failed)
    return Row(variant, tuple(draws), tuple(tried), failed)


@dataclass(frozen=True)
class Labelled:
    """A board of labels."""

    name: str
    records: tuple[Record, ...]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The board's rows by variant."""
        found = {variant: row(variant, self.records) for variant in VARIANTS_OF[self.name]}
        return {variant: one for variant, one in found.items() if one is not None}

    @cached_property
    def numbers(self) -> Contest:
        """All rows with their draws."""
        return estimate(
            [
                Column(name, one.points, 0.0, deterministic=name == UNTRAINED)
                for name, one in self.rows.items()
            ],
            question=2,
        )

    @cached_property
    def ranks(self) -> Contest:
        """LoRA's ranks on the first draw: nothing is said of other draws."""
        of_rank = {f"lora-rank{rank}": row(f"lora-rank{rank}", self.records) for rank in RANKS}
        columns = {name: one.first for name, one in of_rank.items() if one is not None}
        if "lora" in self.rows:
            columns["lora"] = self.rows["lora"].first
        return estimate(
            [
                Column(name, np.array([one.points]), 0.0, deterministic=True)
                for name, one in columns.items()
            ]
        )

    def interval(self, variant: str) -> tuple[float, float]:
        """The 95 % interval of a row's score."""
        low, high = intervals(self.numbers)[self.numbers.names.index(variant)]
        return float(low), float(high)


def difference(numbers: Contest, a: str, b: str) -> tuple[float, float, float]:
    """Score of a minus score of b, with its 95 % interval."""
    i, j = numbers.names.index(a), numbers.names.index(b)
    gap, half = float(numbers.p[i] - numbers.p[j]), _Z * float(numbers.se[i, j])
    return gap, gap - half, gap + half


@dataclass(frozen=True)
class Written:
    """A board of texts: each measure with intervals from resampled test rows."""

    records: tuple[Record, ...]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The board's rows by variant."""
        found = {variant: row(variant, self.records) for variant in VARIANTS_OF["e2e"]}
        return {variant: one for variant, one in found.items() if one is not None}

    @cached_property
    def samples(self) -> dict[str, Floats]:
        """(measures, resamples + 1) by variant; the first column is that of all rows as they are.

        The same rows are drawn for every variant.
        """
        rows = len(next(iter(self.rows.values())).first.answers)
        drawn = np.random.default_rng(0).integers(rows, size=(_RESAMPLES, rows))
        taken = np.concatenate([np.arange(rows)[None], drawn])
        return {name: _resampled(one.first, taken) for name, one in self.rows.items()}

    def figure(self, variant: str, measure: str) -> tuple[float, float, float]:
        """A measure of a variant with its 95 % interval."""
        return _with_interval(self.samples[variant][MEASURES.index(measure)])

    def difference(self, a: str, b: str, measure: str) -> tuple[float, float, float]:
        """A measure of a minus that of b, with its 95 % interval."""
        i = MEASURES.index(measure)
        return _with_interval(self.samples[a][i] - self.samples[b][i])

    @cached_property
    def people(self) -> float:
        """Slot coverage of the first references: what people mention in these very words."""
        record = next(iter(self.rows.values())).first
        pairs = zip(record.inputs, record.expected, strict=True)
        return float(np.mean([coverage(given, texts[0]) for given, texts in pairs]))


def _resampled(record: Record, taken: NDArray[np.int64]) -> Floats:
    told = list(zip(record.inputs, record.answers, record.expected, strict=True))
    counts = np.array([bleu_counts(said, references) for _, said, references in told])
    means = np.array([[rouge_l(said, refs), coverage(given, said)] for given, said, refs in told])
    return np.array(
        [
            [bleu(counts[rows].sum(axis=0)) for rows in taken],
            *(means[taken].mean(axis=1).T),
        ]
    )


def _with_interval(sample: Floats) -> tuple[float, float, float]:
    low, high = np.quantile(sample[1:], [0.025, 0.975])
    return float(sample[0]), float(low), float(high)


def in_points(found: tuple[float, float, float]) -> str:
    """A difference in points, ``−3.0 (−8.1 to +2.1)``, bold where its interval leaves out zero."""
    gap, low, high = (say(value, "points") for value in found)
    text = f"{gap} ({low} to {high})"
    return f"**{text}**" if found[1] > 0 or found[2] < 0 else text
