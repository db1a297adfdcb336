"""What all jobs of a run share: written once into the run folder, read by every worker."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nshot.bench.jobs.job import Cut
from nshot.bench.own import extended
from nshot.core.files import write_atomic, write_folder
from nshot.core.serial import from_data, to_data
from nshot.core.types import (
    Check,
    Example,
    ModelRef,
    Split,
    Task,
    digest,
    group_of,
    stratified_folds,
)
from nshot.data.json_lines import read_rows, write_rows
from nshot.methods.table import Table
from nshot.predictors.replayed import Replayed

_PARTS = ("train", "test", "preferences", "background", "unlabelled")


@dataclass(frozen=True)
class Setting:
    """Task, rows and models; `methods` says where those methods are that nshot does not bring.

    `more` are test rows that came later, a tuple for each look at them. `judge` is a language
    model, or a reward model as the check that names it. `replays` are answers of other systems by
    the name of their folder in ``data/answers``; a reader of the setting has no need of them, for
    their methods name their folders.

    Each method that needs a language model stands on each of `bases`, and so with `encoders`.
    """

    task: Task
    split: Split
    bases: tuple[ModelRef, ...] = ()
    encoders: tuple[ModelRef, ...] = ()
    judge: ModelRef | Check | None = None
    methods: Mapping[str, str] = field(default_factory=dict)
    more: tuple[tuple[Example, ...], ...] = ()
    replays: Mapping[str, Replayed] = field(default_factory=dict)

    @property
    def base(self) -> ModelRef | None:
        """The first language model."""
        return next(iter(self.bases), None)

    @property
    def encoder(self) -> ModelRef | None:
        """The first encoder."""
        return next(iter(self.encoders), None)

    @property
    def table(self) -> Table:
        """The methods that a job of this run may name."""
        return extended(self.methods)

    @cached_property
    def test(self) -> tuple[Example, ...]:
        """The test rows in the order in which they are answered, later ones last."""
        return (*in_order(self.split.test), *(row for rows in self.more for row in in_order(rows)))

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """How many test rows there were at each look."""
        counts = [len(self.split.test)]
        for rows in self.more:
            counts.append(counts[-1] + len(rows))
        return tuple(counts)

    def write(self, root: Path) -> None:
        """Put all of it under ``root/data``."""
        folder = root / "data"
        folder.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            rows = [to_data(example) for example in getattr(self.split, part)]
            write_rows(folder / f"{part}.jsonl", rows)
        body = {
            "task": to_data(self.task),
            "mode": self.split.mode,
            "fingerprint": self.split.fingerprint,
            "notes": list(self.split.notes),
            "bases": to_data(self.bases),
            "encoders": to_data(self.encoders),
            "judge": to_data(self.judge),
            "methods": dict(self.methods),
            "looks": len(self.more),
        }
        for look, more in enumerate(self.more):
            write_rows(folder / f"more-{look}.jsonl", [to_data(row) for row in more])
        for name, replay in self.replays.items():
            write_folder(answers_folder(root, name), replay.save)
        write_atomic(folder / "setting.json", json.dumps(body, ensure_ascii=False, indent=1))

    @staticmethod
    def read(root: Path) -> Setting:
        """What `write` wrote."""
        folder = root / "data"
        body = json.loads((folder / "setting.json").read_text(encoding="utf-8"))
        rows = {
            part: tuple(from_data(Example, row) for row in read_rows(folder / f"{part}.jsonl"))
            for part in _PARTS
            if (folder / f"{part}.jsonl").exists()  # runs of before have no unlabelled rows
        }
        split = Split(
            mode=body["mode"],
            fingerprint=body["fingerprint"],
            notes=tuple(body["notes"]),
            **rows,
        )
        bases, encoders = (
            from_data(tuple[ModelRef, ...], body[role]) for role in ("bases", "encoders")
        )
        judge = _judge(body["judge"]) if body["judge"] else None
        task = from_data(Task, body["task"])
        more = tuple(
            tuple(from_data(Example, row) for row in read_rows(folder / f"more-{look}.jsonl"))
            for look in range(body["looks"])
        )
        return Setting(task, split, bases, encoders, judge, body["methods"], more)


def _judge(body: Mapping[str, object]) -> ModelRef | Check:
    """A judge as it was written."""
    return from_data(Check, body) if "kind" in body else from_data(ModelRef, body)


def answers_folder(root: Path, name: str) -> Path:
    """Where the answers of another system lie in the folder of a run."""
    return root / "data" / "answers" / name


def in_order(rows: Sequence[Example]) -> tuple[Example, ...]:
    """The rows shuffled by what they are, those of a group one after the other.

    A contender may answer only the first of them: a file that is sorted, by label say, must not
    decide which those are, nor must its name.
    """
    groups: dict[str, list[Example]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        groups.setdefault(group_of(row), []).append(row)
    names = sorted(groups)
    random.Random(f"order:{digest(*names)}").shuffle(names)
    return tuple(row for name in names for row in groups[name])


def cut_rows(
    setting: Setting, cut: Cut | None, repeat: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """(rows to draw from, rows to answer, in order)."""
    if cut is None:
        return setting.split.train, setting.test[: len(setting.split.test)]
    fold_of = stratified_folds(setting.split.train, cut.folds, repeat, setting.task.has_strata)
    inside = tuple(e for e in setting.split.train if fold_of[e.id] == cut.index)
    outside = tuple(e for e in setting.split.train if fold_of[e.id] != cut.index)
    return outside, inside
