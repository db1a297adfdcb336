"""``nshot methods``: the methods there are."""

from __future__ import annotations

import argparse

ABOUT = "the methods, cheapest first, with their settings"


def add(parser: argparse.ArgumentParser) -> None:
    """No flags."""


def run(arguments: argparse.Namespace) -> int:
    """Print each with its settings and what the search tries of them."""
    from nshot.core.errors import Fault, InputError
    from nshot.core.types import Kind
    from nshot.methods import PICTURES, STANDARD, TABLE

    marks: dict[Kind, str] = {
        "classify": "*",
        "score": "#",
        "multilabel": "&",
        "number": "%",
        "spans": "=",
        "generate": "+",
        "rank": "^",
    }
    faults: list[Fault] = []
    for name in TABLE:
        try:
            method = TABLE[name]
        except InputError as error:
            faults += error.faults
            continue
        star = "".join(mark for kind, mark in marks.items() if name in STANDARD[kind])
        star += "°" * (name in PICTURES)
        print(f"{name:18} {method.rung:9} {method.about} {star}".rstrip())
        settings = []
        for setting, info in method.model_fields.items():
            values = method.space.get(setting)
            note = f" (tried: {', '.join(map(str, values))})" if values else ""
            default = "(needed)" if info.is_required() else info.default
            settings.append(f"{setting}={default}{note}")
        if settings:
            print(f"{'':28} {'; '.join(settings)}")
    meaning = (
        "* to choose labels, # levels in order, & several labels, % numbers, = spans, "
        "+ to write answers, ^ to rank answers, ° on pictures"
    )
    print(f"\ncompared where --methods is not given: {meaning}")
    if faults:
        raise InputError(faults)
    return 0
