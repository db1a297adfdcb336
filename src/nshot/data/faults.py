"""Faults of rows, gathered so that one message tells them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from nshot.core.errors import Fault, InputError

Place: TypeAlias = int | str
"""Where in a file or folder: a line (or row) number, or the name of a file."""

_SHOWN_PLACES = 8
_SHOWN_KINDS = 20


class Faults:
    """What is wrong with the rows read so far. The same fault in many rows is told once."""

    def __init__(self) -> None:
        self._single: list[Fault] = []
        self._placed: dict[tuple[Path, str, Fault], list[Place]] = {}

    def __bool__(self) -> bool:
        return bool(self._single or self._placed)

    def add(self, *faults: Fault) -> None:
        """Note faults of a whole file or task."""
        self._single += faults

    def at(
        self, path: Path, unit: str, place: Place, problem: str, expected: str = "", do: str = ""
    ) -> None:
        """Note a fault of one row; `unit` is what `place` counts: ``line``, ``row``, ``file``."""
        self._placed.setdefault((path, unit, Fault(problem, expected, do)), []).append(place)

    def join(self, other: Faults) -> None:
        """Note what `other` has noted."""
        self._single += other._single
        for fault, places in other._placed.items():
            self._placed.setdefault(fault, []).extend(places)

    def of_rows(self) -> list[tuple[Place, Fault]]:
        """The faults of single rows, each at its place, in the order of the places' noting."""
        return [
            (place, fault) for (_, _, fault), places in self._placed.items() for place in places
        ]

    @property
    def general(self) -> Sequence[Fault]:
        """The faults of a whole file or task."""
        return tuple(self._single)

    def error(self) -> InputError:
        """Everything noted, as one error to raise."""
        kinds: dict[tuple[Path, str], int] = {}
        faults = list(self._single)
        for (path, unit, fault), places in self._placed.items():
            alike = (path, fault.expected)
            kinds[alike] = kinds.get(alike, 0) + 1
            if kinds[alike] <= _SHOWN_KINDS:
                where = _where(path, unit, places)
                faults.append(Fault(fault.found, fault.expected, fault.do, where))
        faults += [
            Fault(f"{count - _SHOWN_KINDS} more faults like these", expected, where=str(path))
            for (path, expected), count in kinds.items()
            if count > _SHOWN_KINDS
        ]
        return InputError(faults)


def _where(path: Path, unit: str, places: Sequence[Place]) -> str:
    """``train.csv, lines 3, 9 and 14``."""
    shown = [str(place) for place in places[:_SHOWN_PLACES]]
    if rest := len(places) - len(shown):
        return f"{path}, {unit}s {', '.join(shown)} and {rest} more"
    if len(shown) == 1:
        return f"{path}, {unit} {shown[0]}"
    return f"{path}, {unit}s {', '.join(shown[:-1])} and {shown[-1]}"
