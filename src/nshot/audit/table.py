"""The audits there are: a closed table, in the order in which they run and are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from nshot.audit.contract import Audit
from nshot.core.errors import Fault, InputError, nearest

AUDITS: Mapping[str, str] = {
    "data": "nshot.audit.data.audit:DataAudit",
    "slices": "nshot.audit.slices.audit:Slices",
    "counterfactuals": "nshot.audit.counterfactuals.audit:Counterfactuals",
    "calibration": "nshot.audit.calibration:Restated",
    "change": "nshot.audit.change.audit:Change",
    "sets": "nshot.audit.sets.audit:KnownSets",
}
"""Name -> module and class."""


def audits(names: Sequence[str] = ()) -> tuple[Audit, ...]:
    """The audits of these names, or all, in the order of the table.

    Raises `InputError` with every unknown name.
    """
    unknown = [name for name in names if name not in AUDITS]
    if unknown:
        raise InputError(
            [Fault(f"unknown audit '{name}'", do=nearest(name, AUDITS)) for name in unknown]
        )
    return tuple(_made(place) for name, place in AUDITS.items() if not names or name in names)


def _made(place: str) -> Audit:
    module, _, name = place.partition(":")
    made: Audit = getattr(import_module(module), name)()
    return made
