"""Forms in which a delivered folder leaves nshot, each with a runtime of its own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from nshot.core.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    from nshot.use.export.base import Export

EXPORTS: Mapping[str, str] = {
    "json-ngrams": "nshot.use.export.ngrams:JsonNgrams",
    "merged": "nshot.use.export.to_merged:Merged",
    "peft": "nshot.use.export.to_peft:PeftAdapter",
    "onnx": "nshot.use.export.onnx:Onnx",
    "standalone": "nshot.use.export.standalone:Standalone",
}
"""Form -> module and class: a closed table."""


def export_of(form: str) -> Export:
    """The export of that form; `InputError` for an unknown one."""
    if form not in EXPORTS:
        raise InputError(
            Fault(
                f"unknown form '{form}'",
                expected=f"one of: {', '.join(EXPORTS)}",
                do=nearest(form, EXPORTS),
            )
        )
    return export_at(EXPORTS[form])


def export_at(place: str) -> Export:
    """The export of a class that is named as in `EXPORTS`."""
    module, name = place.split(":")
    export: Export = getattr(import_module(module), name)()
    return export
