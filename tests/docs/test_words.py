"""Names are nouns of the field: the participles that stood for values went, and stay away."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "nshot"
GONE = frozenset({"found", "said", "asked", "told", "wanted", "parted", "lacking", "told_apart",
                  "there", "watched"})  # fmt: skip
"""What they stood for says the glossary: rows, faults, matches, missing, answers, validation."""
OF_A_FAULT = ("core/errors.py", "found")
"""`Fault(found, expected, do, where)`: the one field that keeps such a name."""


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a module gives: variables, parameters, fields, functions, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).rpartition(".")[2], node.lineno
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name, node.lineno


def uses(file: Path) -> list[str]:
    place = file.relative_to(SOURCE).as_posix()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [
        f"{place}:{line}: {name}"
        for name, line in names(tree)
        if name.lstrip("_") in GONE and (place, name) != OF_A_FAULT
    ]


FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted({file.relative_to(SOURCE).parts[0] for file in FILES})


@pytest.mark.parametrize("room", ROOMS)
def test_words_that_went_stay_away(room: str) -> None:
    inside = [file for file in FILES if file.relative_to(SOURCE).parts[0] == room]
    assert not [use for file in inside for use in uses(file)]
