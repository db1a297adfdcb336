"""Whether a model on another machine still answers as it did when it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.files import RECORD
from nshot.core.serial import read_json
from nshot.core.types import Prediction
from nshot.metrics.binomial import exact_interval
from nshot.models.engines import ENDPOINTS

MOVES = 0.01
"""A probability that differs by no more is the same."""
ERROR = 0.05
"""How often a model that only scatters is taken for one that has drifted."""
_SHOWN = 5


@dataclass(frozen=True)
class Drift:
    """Of `rows` recorded answers `moved` are others now, or have other probabilities; `scattered`
    are others when the same is asked again at once. `changes` are some of the former, in words."""

    rows: int
    moved: int
    scattered: int
    changes: tuple[str, ...] = ()

    @property
    def is_seen(self) -> bool:
        """Does it differ from then more than from itself?

        One that does not scatter has drifted with the first answer that moved; else by Fisher's
        exact test, one-sided: a model that only scatters is taken for one that drifted at an error
        of `ERROR`.
        """
        from scipy.stats import fisher_exact

        if not self.scattered:
            return self.moved > 0
        table = [[self.moved, self.rows - self.moved],
                 [self.scattered, self.rows - self.scattered]]  # fmt: skip
        return bool(fisher_exact(table, alternative="greater").pvalue < ERROR)

    @property
    def lines(self) -> list[str]:
        """What is to be known, the sentence that decides last."""
        low, high = exact_interval(self.moved, self.rows)
        share = (
            f"{100 * self.moved / max(self.rows, 1):.0f} % ({100 * low:.0f} to {100 * high:.0f})"
        )
        scatter = f"; {self.scattered} scatter when asked again" if self.scattered else ""
        verdict = (
            "it has drifted: measure it again, nshot compare TASK --out ANOTHER"
            if self.is_seen
            else "no drift is seen"
        )
        kept = self.rows - self.moved
        return [
            *self.changes[:_SHOWN],
            f"{kept} of {self.rows} answers as delivered, {share} moved{scatter}: {verdict}",
        ]


def drift(
    then: Sequence[Prediction], now: Sequence[Prediction], again: Sequence[Prediction]
) -> Drift:
    """Recorded answers against those of now, and those against themselves `again`."""
    changes = [_change(a, b) for a, b in zip(then, now, strict=True)]
    scattered = sum(bool(_change(a, b)) for a, b in zip(now, again, strict=True))
    seen = tuple(change for change in changes if change)
    return Drift(len(changes), len(seen), scattered, seen)


def _change(one: Prediction, other: Prediction) -> str:
    """How two answers differ; "" where they do not."""
    if one.answer != other.answer:
        return f"was {one.answer!r}, is {other.answer!r}"
    if len(one.scores) != len(other.scores):
        return f"{one.answer!r} has lost its probabilities, or got some"
    if not one.scores:
        return ""
    by = float(np.abs(np.exp(one.scores) - np.exp(other.scores)).max())
    return f"{one.answer!r} as it was, a probability moved by {by:.2f}" if by > MOVES else ""


def asks_elsewhere(folder: Path) -> bool:
    """Does a predictor in the folder, or one inside it, stand on a model behind an address?"""
    return not engines_in(folder).isdisjoint(ENDPOINTS)


def engines_in(folder: Path) -> frozenset[str]:
    """Of the models that a predictor in the folder, and those inside it, stand on; "" for none."""
    records = [read_json(path) for path in sorted(folder.rglob(RECORD))]
    return frozenset(_engine(record.get("settings", {})) for record in records)


def _engine(settings: object) -> str:
    ref = settings.get("ref") if isinstance(settings, dict) else None
    return str(ref.get("engine", "")) if isinstance(ref, dict) else ""
