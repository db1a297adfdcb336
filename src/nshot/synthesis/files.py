"""`nshot data generate` and `nshot data translate`: from file to file, through a ledger.

Beside OUT.jsonl stand OUT.ledger.jsonl (every answer, as it came) and OUT.report.json. What is made
depends on the request, its file and the ledger alone: without a model the same rows are made anew,
as far as the answers go.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from nshot.core.errors import EndpointFailed, Fault, collected
from nshot.core.files import write_atomic
from nshot.core.serial import dumps
from nshot.core.types import ModelRef
from nshot.data.faults import Faults
from nshot.data.json_lines import write_rows
from nshot.data.table import Table
from nshot.data.tables import read_table
from nshot.models.base import LanguageModel
from nshot.synthesis.diversity import diversity
from nshot.synthesis.generator import Generator, OnProgress, Unanswered
from nshot.synthesis.languages import language
from nshot.synthesis.ledger import Ledger, Used
from nshot.synthesis.many_texts import translator, writer
from nshot.synthesis.requests import (
    DROPPED,
    LEDGER,
    REPORT,
    Asking,
    Generation,
    Translation,
    beside,
)
from nshot.synthesis.seeds import read_seeds
from nshot.synthesis.self_instruct import SelfInstruct
from nshot.synthesis.translation import Row, Translated, translate

CHUNK = 50
"""Rows that are translated together; what is written when a command ends early is whole chunks."""


@dataclass(frozen=True)
class Done:
    """What is written: how many rows, in a few lines, and why it is not all ("" where it is)."""

    rows: int
    lines: tuple[str, ...]
    stopped: str
    used: Used


R = TypeVar("R", bound=Asking)


class _Making(ABC, Generic[R]):
    """What a request makes of its file. `write` writes as much as `run` has made."""

    def __init__(self, request: R, generator: Generator) -> None:
        self.request, self.generator = request, generator

    @abstractmethod
    def run(self) -> None:
        """Make all of it."""

    @abstractmethod
    def write(self, stopped: str) -> Done:
        """Write what there is, with a report that says why it is not all."""

    def done(
        self, rows: Sequence[Mapping[str, Any]], report: Mapping[str, Any], *lines: str
    ) -> Done:
        """Write rows and report."""
        write_rows(self.request.out, rows)
        write_atomic(beside(self.request.out, REPORT), dumps(report, indent=1))
        return Done(len(rows), lines, report["stopped"] or "", self.generator.used)

    def head(self, source: Path, stopped: str, *settings: str) -> dict[str, Any]:
        """What was asked of which model, and what it took: all that a report begins with."""
        used = self.generator.used
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        return {
            "format": 1,
            "from": {"file": source.name, "sha256": digest},
            "model": self.generator.ref.form,
            "settings": {name: getattr(self.request, name) for name in settings},
            "used": {
                **asdict(used),
                "money": round(self.request.money(used.tokens_in, used.tokens_out), 6),
                "price_in": self.request.price_in,
                "price_out": self.request.price_out,
            },
            "stopped": stopped or None,
        }


class _Generating(_Making[Generation]):
    """New tasks, in Alpaca's format."""

    def __init__(self, request: Generation, generator: Generator) -> None:
        super().__init__(request, generator)
        self.seeds = read_seeds(request.seeds, request.encoding)
        self.bootstrap = SelfInstruct(self.seeds, generator, request.seed, request.temperature)

    def run(self) -> None:
        """Make tasks until there are enough, or nothing new comes."""
        self.bootstrap.run(self.request.target)

    def write(self, stopped: str) -> Done:
        """The rows, and where they came from beside them."""
        made = self.bootstrap.made
        rows: list[dict[str, str]] = []
        origins: list[dict[str, Any]] = []
        for task in made.tasks:
            for input, output in task.instances:
                rows.append({"instruction": task.instruction, "input": input, "output": output})
                origins.append(
                    {
                        "row": len(rows),
                        "round": task.round,
                        "request": task.request,
                        "classification": task.classification,
                        "nearest_seed": task.nearest_seed.index + 1,
                        "rouge_l": round(task.nearest_seed.score, 4),
                    }
                )
        stopped = stopped or made.stopped
        report = {
            **self.head(self.request.seeds, stopped, "seed", "temperature", "target"),
            "seeds": len(self.seeds),
            "tasks": len(made.tasks),
            "rows": len(rows),
            "rounds": made.rounds,
            "instructions": {
                "proposed": made.proposed,
                "thrown_away": dict(made.rejected.most_common()),
                "not_needed": made.spare,
            },
            "instances": {
                "proposed": made.instances,
                "thrown_away": dict(made.rejected_instances.most_common()),
            },
            "diversity": diversity(made.tasks),
            "origins": origins,
        }
        target, proposed = self.request.target, made.proposed
        line = f"{len(made.tasks)} new tasks of {target} wanted, {proposed} proposed"
        return self.done(rows, report, line)


class _Translating(_Making[Translation]):
    """Rows in another language; those that came out broken go to OUT.dropped.jsonl."""

    def __init__(self, request: Translation, generator: Generator) -> None:
        super().__init__(request, generator)
        self.rows = rows_of(request)
        self.made = Translated()

    def run(self) -> None:
        """Translate chunk by chunk."""
        request, to = self.request, language(self.request.to)
        by, answer = (make(self.generator, to, request.batch) for make in (translator, writer))
        for start in range(0, len(self.rows), CHUNK):
            part = self.rows[start : start + CHUNK]
            end = start + len(part)
            self.generator.begin(f"rows {start + 1} to {end}", start, len(self.rows))
            some = translate(part, by, request.to, request.outputs, answer, request.system)
            self.made.rows += some.rows
            self.made.dropped += some.dropped

    def write(self, stopped: str) -> Done:
        """The rows, and those that were dropped with every reason."""
        made = self.made
        dropped = [
            {
                **row,
                "dropped": [
                    {"field": one.field, "reasons": [str(r) for r in one.reasons], "said": one.text}
                    for one in broken
                ],
            }
            for row, broken in made.dropped
        ]
        report = {
            **self.head(self.request.rows, stopped, "to", "outputs", "system", "batch"),
            "rows": len(self.rows),
            "translated": len(made.rows),
            "dropped": len(dropped),
            "reasons": dict(made.reasons.most_common()),
        }
        write_rows(beside(self.request.out, DROPPED), dropped)
        reasons = [f"  {count:6} {reason}" for reason, count in made.reasons.most_common()]
        return self.done(made.rows, report, f"{len(dropped)} rows dropped", *reasons)


def make(
    request: Generation | Translation,
    ref: ModelRef,
    model: LanguageModel | None,
    on: OnProgress,
    stopped: str = "",
) -> Done:
    """Make what is asked for, with `model`, which `ref` names, and write it.

    An endpoint that gives up leaves what was made until then. Without a model all is taken from the
    ledger, and where that ends, `stopped` says why. Raises `InputError` as `faults_of` tells, and
    for what an endpoint refuses.
    """
    with Ledger(beside(request.out, LEDGER)) as ledger:
        making = _making(request, Generator(ref, model, ledger, on))
        try:
            making.run()
            stopped = ""
        except EndpointFailed as failure:
            stopped = str(failure)
        except Unanswered:
            pass
        return making.write(stopped)


def _making(request: Generation | Translation, generator: Generator) -> _Making[Any]:
    if isinstance(request, Generation):
        return _Generating(request, generator)
    return _Translating(request, generator)


def faults_of(request: Generation | Translation) -> list[Fault]:
    """Everything that is wrong with a request and its file."""
    faults = request.faults()
    if isinstance(request, Generation):
        collected(faults, lambda: read_seeds(request.seeds, request.encoding))
    else:
        collected(faults, lambda: rows_of(request))
        collected(faults, lambda: language(request.to))
    return faults


def rows_of(request: Translation) -> list[Row]:
    """The rows of a file that hold an instruction. Raises `InputError` with every fault."""
    path, faults = request.rows, Faults()
    table = read_table(path, faults, request.encoding) or Table(path, ())
    needed = ("instruction",) if request.outputs == "regenerate" else ("instruction", "output")
    for row, place in zip(table.rows, table.places, strict=True):
        for name in needed:
            if not isinstance(row.get(name), str) or not row[name].strip():
                expected = "instruction, input (or none) and output in every row"
                faults.at(path, table.unit, place, f"no text '{name}'", expected)
        if not isinstance(row.get("input") or "", str):
            faults.at(path, table.unit, place, "'input' is no text", "a text, or nothing")
    if faults:
        raise faults.error()
    return list(table.rows)
