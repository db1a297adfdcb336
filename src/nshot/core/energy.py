"""What computing takes: seconds of the processor, and joules where the machine counts them.

Linux shows the counters of processors that have them (RAPL: Running Average Power Limit) under
``/sys/class/powercap``, often to root alone; https://docs.kernel.org/power/powercap/powercap.html.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json

SPENT = "energy.json"
POWERCAP = Path("/sys/class/powercap")
_PACKAGE = re.compile(r"intel-rapl:\d+")
"""A whole processor; what is inside one (``intel-rapl:0:0``) is counted in it already."""


@dataclass(frozen=True)
class Spent:
    """Seconds of the processor of this process and of its children, and joules of the machine.

    `joules` are those of all processors, whatever else ran on them; None where nobody counts them.
    """

    processor_seconds: float
    joules: float | None = None

    def __add__(self, other: Spent) -> Spent:
        """Both; joules are known where both are."""
        known = self.joules is not None and other.joules is not None
        joules = (self.joules or 0.0) + (other.joules or 0.0) if known else None
        return Spent(self.processor_seconds + other.processor_seconds, joules)

    @property
    def kwh(self) -> float | None:
        """Kilowatt hours."""
        return None if self.joules is None else self.joules / 3.6e6


class Meter:
    """Counts from now on. `tick` it more often than the counters wrap, which takes minutes."""

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._powercap = powercap
        self._begun = _processor_seconds()
        self._last = _counters(powercap)
        self._joules = 0.0

    def tick(self) -> None:
        """Add what the counters have counted since."""
        now = _counters(self._powercap)
        for name, (value, limit) in now.items():
            before = self._last.get(name, (value, limit))[0]
            self._joules += (value - before if value >= before else value - before + limit) / 1e6
        self._last = now

    def spent(self) -> Spent:
        """Since the beginning; of children those that have ended."""
        self.tick()
        return Spent(_processor_seconds() - self._begun, self._joules if self._last else None)


def _processor_seconds() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(one) for one in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _counters(powercap: Path) -> Mapping[str, tuple[int, int]]:
    """Microjoules of each processor and where its counter wraps; {} where none can be read."""
    try:
        return {
            place.name: (_number(place / "energy_uj"), _number(place / "max_energy_range_uj"))
            for place in sorted(powercap.iterdir())
            if _PACKAGE.fullmatch(place.name)
        }
    except (OSError, ValueError):
        return {}


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def add_spent(root: Path, spent: Spent) -> None:
    """Add to what the run has taken so far, in all its sittings."""
    before = spent_of(root)
    whole = spent if before is None else before + spent
    write_atomic(root / SPENT, dumps(whole) + "\n")


def spent_of(root: Path) -> Spent | None:
    """What the run has taken; None where nobody counted."""
    path = root / SPENT
    return from_data(Spent, read_json(path), str(path)) if path.is_file() else None
