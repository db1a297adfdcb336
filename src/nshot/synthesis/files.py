"""`nshot data generate` and `nshot data translate`: from file to file, through a ledger.

Beside OUT.jsonl stand OUT.ledger.jsonl (every answer, as it came) and OUT.report.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nshot.board.events import Message, Started, Subscriber
from nshot.core.errors import EndpointFailed, Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps
from nshot.data.faults import Faults
from nshot.data.tables import Table, read_table
from nshot.models import open_models
from nshot.models.base import LanguageModel
from nshot.models.catalog import resolve
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.endpoint import Limits
from nshot.synthesis.diversity import diversity
from nshot.synthesis.generator import FREE, Generator, Prices
from nshot.synthesis.languages import language
from nshot.synthesis.ledger import Ledger
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
from nshot.synthesis.seeds import SeedTask, read_seeds
from nshot.synthesis.self_instruct import Made, SelfInstruct
from nshot.synthesis.translation import Row, Translated, translate

CHUNK = 50
"""Rows that are translated together; what is written when a command ends early is whole chunks."""


@dataclass(frozen=True)
class Done:
    """What a command has made; `stopped` says why it is not all."""

    rows: int
    out: Path
    stopped: str
    generator: Generator
    prices: Prices

    def lines(self) -> list[str]:
        """What was made and what it took, now and in all."""
        now, used = self.generator.fresh, self.generator.used
        money = self.prices.of(now.tokens_in, now.tokens_out)
        cost = f", cost {money:.4f}" if self.prices != FREE else ""
        return [
            f"{self.rows} rows in {self.out}, of which {beside(self.out, REPORT)} tells",
            f"{used.requests} answers, {now.requests} of them asked for now:"
            f" {now.tokens_in} tokens read, {now.tokens_out} written{cost}",
        ]


def generate_file(request: Generation, on: Subscriber) -> tuple[Made, Done]:
    """Make tasks after those of a file, and write them in Alpaca's format.

    Raises `InputError` with every fault of the request. What an endpoint that gives up, or a
    Ctrl-C, leaves is written too.
    """
    faults, out = request.faults(), request.out
    tasks = _collected(lambda: read_seeds(request.seeds), faults)
    if faults or tasks is None:
        raise InputError(faults)
    with _generator(request, on) as generator:
        bootstrap = SelfInstruct(tasks, generator, request.seed, request.temperature)
        settings = {
            "seed": request.seed,
            "temperature": request.temperature,
            "target": request.target,
        }

        def save() -> int:
            head = _head(generator, request, request.seeds, settings)
            return write_made(bootstrap.made, tasks, out, head)

        with _saved_if_interrupted(save, bootstrap.made, out, on):
            bootstrap.run(request.target)
        rows = save()
    return bootstrap.made, Done(rows, out, bootstrap.made.stopped, generator, prices(request))


class Stoppable(Protocol):
    """What is made, with a place for why it is not all."""

    stopped: str


@contextmanager
def _saved_if_interrupted(
    save: Callable[[], object], made: Stoppable, out: Path, on: Subscriber
) -> Iterator[None]:
    """Go on with what there is when an endpoint gives up; save it when the user interrupts."""
    try:
        yield
    except EndpointFailed as failure:
        made.stopped = str(failure)
    except KeyboardInterrupt:
        made.stopped = "interrupted"
        save()
        kept = beside(out, LEDGER)
        on(Message(f"every answer is kept in {kept}: the same command goes on from there"))
        raise


def write_made(made: Made, seeds: list[SeedTask], out: Path, head: Mapping[str, Any]) -> int:
    """Write tasks as Alpaca rows, and where they came from beside them; how many rows."""
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
    report = {
        **head,
        "stopped": made.stopped or None,
        "seeds": len(seeds),
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
    write_rows(out, rows)
    write_atomic(beside(out, REPORT), dumps(report, indent=1))
    return len(rows)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as JSON lines, all or none."""
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def prices(request: Asking) -> Prices:
    """What tokens cost."""
    return Prices(request.price_in, request.price_out)


@contextmanager
def _generator(request: Asking, on: Subscriber) -> Iterator[Generator]:
    """The model, behind the ledger that stands beside the rows."""
    model = _opened(request, on)
    with Ledger(beside(request.out, LEDGER)) as ledger:
        yield Generator(model, ledger, on)


def _opened(request: Asking, on: Subscriber) -> LanguageModel:
    ref = resolve(request.model, "lm")
    if ref.engine == "openai":
        limits = Limits(concurrency=request.concurrency, per_minute=request.rpm)
        return RemoteLanguageModel(ref, limits, lambda text: on(Message(text)))
    return open_models().open(ref)


def _head(
    generator: Generator, request: Asking, source: Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What was asked of which model, and what it took: all that a report begins with."""
    used = generator.used
    return {
        "format": 1,
        "from": {"file": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()},
        "model": generator.model.facts.ref.form,
        "settings": dict(settings),
        "used": {
            **asdict(used),
            "money": round(prices(request).of(used.tokens_in, used.tokens_out), 6),
            "price_in": request.price_in,
            "price_out": request.price_out,
        },
    }


def _collected(read: Callable[[], list[Any]], faults: list[Fault]) -> list[Any] | None:
    """What `read` gives; its faults are put with the others."""
    try:
        return read()
    except InputError as error:
        faults += error.faults
        return None


def translate_file(request: Translation, on: Subscriber) -> tuple[Translated, Done]:
    """Translate the rows of a file; those that came out broken go to OUT.dropped.jsonl.

    Raises `InputError` with every fault of the request. What an endpoint that gives up, or a
    Ctrl-C, leaves is written too.
    """
    faults, out, to, outputs = request.faults(), request.out, request.to, request.outputs
    rows = _collected(lambda: read_rows(request.rows, outputs != "regenerate"), faults)
    into = _collected(lambda: [language(to)], faults)
    if faults or rows is None or into is None:
        raise InputError(faults)
    done = Sofar()
    with _generator(request, on) as generator:
        settings = {
            "to": to,
            "outputs": outputs,
            "system": request.system,
            "batch": request.batch,
        }
        by, answer = (make(generator, into[0], request.batch) for make in (translator, writer))

        def save() -> int:
            head = _head(generator, request, request.rows, settings)
            return _write_translated(done, len(rows), out, head)

        with _saved_if_interrupted(save, done, out, on):
            for start in range(0, len(rows), CHUNK):
                on(Started("translating", start, len(rows)))
                part = rows[start : start + CHUNK]
                some = translate(part, by, to, outputs, answer, request.system)
                done.translated.rows += some.rows
                done.translated.dropped += some.dropped
        count = save()
    return done.translated, Done(count, out, done.stopped, generator, prices(request))


@dataclass
class Sofar:
    """What has been translated, and why that is not all."""

    translated: Translated = field(default_factory=Translated)
    stopped: str = ""


def _write_translated(done: Sofar, rows: int, out: Path, head: Mapping[str, Any]) -> int:
    made = done.translated
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
        **head,
        "stopped": done.stopped or None,
        "rows": rows,
        "translated": len(made.rows),
        "dropped": len(dropped),
        "reasons": dict(made.reasons.most_common()),
    }
    write_rows(out, made.rows)
    write_rows(beside(out, DROPPED), dropped)
    write_atomic(beside(out, REPORT), dumps(report, indent=1))
    return len(made.rows)


def read_rows(path: Path, with_output: bool) -> list[Row]:
    """The rows of a file that hold an instruction. Raises `InputError` with every fault."""
    faults = Faults()
    table = read_table(path, faults) or Table(path, ())
    needed = ("instruction", "output") if with_output else ("instruction",)
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
