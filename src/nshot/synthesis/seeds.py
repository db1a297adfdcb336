"""Seed tasks: what a person wrote, for a model to go on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nshot.data.faults import Faults, Place
from nshot.data.table import Row, Table
from nshot.data.tables import read_table


@dataclass(frozen=True)
class SeedTask:
    """A task with one instance. `input` is "" where the instruction says it all."""

    instruction: str
    input: str
    output: str
    classification: bool


def read_seeds(path: Path, encoding: str | None = None) -> list[SeedTask]:
    """The tasks of a file: Self-Instruct's seeds (`instances`), or Alpaca's three columns.

    A row without `is_classification` is taken for no classification. Raises `InputError` with
    every fault of the file.
    """
    faults = Faults()
    table = read_table(path, faults, encoding)
    seeds = [] if table is None else _seeds(table, faults)
    if faults:
        raise faults.error()
    return seeds


def _seeds(table: Table, faults: Faults) -> list[SeedTask]:
    seeds = []
    for row, place in zip(table.rows, table.places, strict=True):
        instance = _instance(row)
        texts = [row.get("instruction"), instance.get("input", ""), instance.get("output")]
        if (missing := _missing(texts)) is not None:
            _refuse(table, place, missing, faults)
            continue
        instruction, input, output = (str(text or "").strip() for text in texts)
        classification = row.get("is_classification") in (True, "true", "True", 1)
        seeds.append(SeedTask(instruction, input, output, classification))
    return seeds


def _instance(row: Row) -> Row:
    """The first instance of a seed; a row of Alpaca's is its own."""
    instances = row.get("instances")
    if instances is None:
        return row
    first = instances[0] if isinstance(instances, list) and instances else {}
    return first if isinstance(first, dict) else {}


def _missing(texts: list[object]) -> str | None:
    """Which of instruction, input and output is no text; an empty input is one."""
    for name, text, may_be_empty in zip(
        ("instruction", "input", "output"), texts, (False, True, False), strict=True
    ):
        if text is None and may_be_empty:
            continue
        if not isinstance(text, str) or not (text.strip() or may_be_empty):
            return name
    return None


def _refuse(table: Table, place: Place, missing: str, faults: Faults) -> None:
    expected = "instruction, input, output; or instruction and instances with input and output"
    faults.at(table.path, table.unit, place, f"no text '{missing}'", expected)
