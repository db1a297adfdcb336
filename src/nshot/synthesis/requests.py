"""What is asked of a model that makes data; the flags of ``nshot data`` are these fields."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from nshot.core.errors import Fault
from nshot.core.fields import ENCODING, Flag

Outputs: TypeAlias = Literal["regenerate", "translate", "keep"]
LEDGER, REPORT, DROPPED = "ledger.jsonl", "report.json", "dropped.jsonl"
_PRICE = "what a million tokens {} cost: the report sums it"


def beside(out: Path, what: str) -> Path:
    """``made.jsonl`` -> ``made.ledger.jsonl``."""
    return out.with_name(f"{out.stem}.{what}")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Asking:
    """Where rows go, which model is asked, how fast, and what it costs."""

    out: Annotated[
        Path,
        Flag("rows to write; its ledger and report stand beside it", "OUT.jsonl", "-o, --output"),
    ]
    model: Annotated[str | None, Flag("the writer: see docs/models.md", "M")] = None
    encoding: Annotated[str | None, Flag(ENCODING, "NAME")] = None
    concurrency: Annotated[int, Flag("requests to an endpoint at once", "N")] = 4
    rpm: Annotated[float | None, Flag("requests a minute, at most", "N")] = None
    price_in: Annotated[float, Flag(_PRICE.format("read"), "P")] = 0.0
    price_out: Annotated[float, Flag(_PRICE.format("written"), "P")] = 0.0

    def money(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6

    def faults(self) -> list[Fault]:
        """Numbers that cannot be, and a file that may not be written over."""
        return [
            *_out_faults(self.out),
            *above_zero([("--concurrency", self.concurrency), ("--rpm", self.rpm)]),
            *not_below_zero([("--price-in", self.price_in), ("--price-out", self.price_out)]),
        ]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Generation(Asking):
    """New tasks after the pattern of a few."""

    seeds: Annotated[
        Path,
        Flag(
            "tasks of your own: instruction, input, output; or instruction, instances,"
            " is_classification",
            "SEEDS",
            "seeds",
        ),
    ]
    target: Annotated[int, Flag("how many new tasks to make", "N")]
    seed: Annotated[int, Flag("of all that is drawn", "N")] = 0
    temperature: Annotated[float, Flag("of new instructions", "T")] = 0.7

    def faults(self) -> list[Fault]:
        """As of all that are asked for, and its own numbers."""
        return [
            *super().faults(),
            *above_zero([("--target", self.target)]),
            *not_below_zero([("--temperature", self.temperature)]),
        ]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Translation(Asking):
    """Rows of instructions in another language."""

    rows: Annotated[Path, Flag("rows with instruction, input and output", "IN", "rows")]
    model: Annotated[str, Flag("the translator: see docs/models.md", "M")] = Field()
    to: Annotated[str, Flag("a language's code, as in ko", "LANG")]
    outputs: Annotated[
        Outputs,
        Flag(
            "have the outputs written anew from the translated instruction, translated, or left as"
            " they are"
        ),
    ] = "regenerate"
    system: Annotated[str, Flag("a system prompt for each row", "TEXT")] = ""
    batch: Annotated[int, Flag("texts in one request", "N")] = 1

    def faults(self) -> list[Fault]:
        """As of all that are asked for, and its own number."""
        return [*super().faults(), *above_zero([("--batch", self.batch)])]


def above_zero(numbers: Sequence[tuple[str, float | None]]) -> list[Fault]:
    """Numbers that are given and not above 0, or not finite."""
    return [
        Fault(f"{flag} {number}", expected="a number above 0")
        for flag, number in numbers
        if number is not None and not 0 < number < float("inf")
    ]


def not_below_zero(numbers: Sequence[tuple[str, float]]) -> list[Fault]:
    """Numbers below 0, or not finite."""
    return [
        Fault(f"{flag} {number}", expected="a number, 0 or more")
        for flag, number in numbers
        if not 0 <= number < float("inf")
    ]


def _out_faults(out: Path) -> list[Fault]:
    """Whether `out` may be written: nothing that nshot did not make is written over."""
    if out.is_dir():
        return [Fault(f"-o {out} is a folder", expected="a file to write")]
    if out.suffix != ".jsonl":
        return [Fault(f"-o {out}", expected="a file named .jsonl")]
    if out.exists() and not beside(out, LEDGER).exists():
        problem = f"{out} is there with no ledger beside it: nshot did not make it"
        return [Fault(problem, do="give another -o, or remove it")]
    return []
