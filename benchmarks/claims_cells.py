"""What is measured of the claims, and how it is kept: a cell is one training, one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core.files import write_atomic
from nshot.methods import TABLE
from table import ROOT

FOLDER = ROOT / "runs" / "claims-peft"
UNTRAINED = "untrained"
RANKS = (1, 2, 4, 64)
EIGHT: Mapping[str, Mapping[str, Any]] = {
    "lora": {"method": "lora"},
    "qlora": {"method": "qlora"},
    "full": {"method": "full"},
    "prompt_tuning": {"method": "prompt_tuning"},
    "p_tuning": {"method": "p_tuning"},
    "prefix": {"method": "prefix"},
    "ia3": {"method": "ia3"},
    "full-top4": {"method": "full", "top_layers": 4},
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    **EIGHT,
    "bottleneck": {"method": "bottleneck"},
    **{f"lora-rank{rank}": {"method": "lora", "rank": rank} for rank in RANKS},
}
WRITERS = ("full", "lora", "prefix", "prompt_tuning", "bottleneck")
"""Prefix tuning's paper holds its method against full fine-tuning and bottleneck adapters."""
VARIANTS_OF: Mapping[str, Sequence[str]] = {
    "banking10": (UNTRAINED, *EIGHT),
    "sst2": (UNTRAINED, *EIGHT),
    "e2e": (UNTRAINED, *WRITERS),
}


@dataclass(frozen=True)
class Cell:
    """One training: what is trained, on which draw of which board, at which rate."""

    board: str
    variant: str
    rate: float | None
    draw: int

    @property
    def name(self) -> str:
        rate = "none" if self.rate is None else f"{self.rate:g}"
        return f"{self.board}.{self.variant}.{rate}.{self.draw}"


@dataclass(frozen=True)
class Record:
    """What a cell came to. `points` are the metric's, `answers` what was said, by test row.

    `plan` names all that the figures depend on. Seconds are as if nothing had been shared with
    another cell. `failed` holds the reason where there is nothing else.
    """

    cell: Cell
    plan: str
    spec: Mapping[str, Any]
    failed: str = ""
    points: tuple[float, ...] = ()
    answers: tuple[str, ...] = ()
    expected: tuple[tuple[str, ...], ...] = ()
    inputs: tuple[str, ...] = ()
    dev: tuple[float, float] | None = None
    train: float | None = None
    trained: int = 0
    of: int = 0
    tokens: int = 0
    build_seconds: float = 0.0
    build_work: float = 0.0
    peak_bytes: int = 0
    disk_bytes: int = 0
    test_seconds: float = 0.0
    general: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """Mean of the points."""
        return float(np.mean(self.points))


class Records:
    """The cells that are whole, one file of one line each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, cell: Cell) -> Record | None:
        """The cell's record, or None."""
        path = self.folder / "cells" / f"{cell.name}.json"
        return _record(path) if path.exists() else None

    def all(self) -> list[Record]:
        """Every record there is."""
        return [_record(path) for path in sorted((self.folder / "cells").glob("*.json"))]

    def put(self, record: Record) -> None:
        """Keep a record; whoever reads sees all of it or nothing."""
        line = json.dumps(asdict(record), ensure_ascii=False, sort_keys=True)
        write_atomic(self.folder / "cells" / f"{record.cell.name}.json", f"{line}\n")


def _record(path: Path) -> Record:
    kept = json.loads(path.read_text(encoding="utf-8"))
    for key in ("points", "answers", "inputs", "notes"):
        kept[key] = tuple(kept[key])
    kept["expected"] = tuple(map(tuple, kept["expected"]))
    kept["dev"] = None if kept["dev"] is None else tuple(kept["dev"])
    return Record(**{**kept, "cell": Cell(**kept["cell"])})


def rates(variant: str) -> tuple[float, ...]:
    """The learning rates that the variant's method would try, the default first."""
    found: tuple[float, ...] = TABLE[str(VARIANTS[variant]["method"])].space["learning_rate"]
    return found


def chosen(records: Sequence[Record]) -> float | None:
    """The rate of the best record by its further rows: score, then sureness of the right label."""
    fine = [record for record in records if not record.failed]
    return max(fine, key=lambda record: record.dev or (0.0, 0.0)).cell.rate if fine else None


def groups(only: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(board, variant) of what is to be measured, about the longest first."""
    for variant in (*VARIANTS, UNTRAINED):
        for board, variants in VARIANTS_OF.items():
            name = f"{board}.{variant}"
            if variant in variants and (not only or any(name.startswith(part) for part in only)):
                yield board, variant
