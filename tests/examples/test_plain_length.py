"""A plain script is short, at most 40 lines of code or as many as stand here, and without nshot."""

from __future__ import annotations

import ast

import pytest
from plain_scripts import PLAIN

LONGER = {
    "kto": 42, "prefix": 43, "pattern_tuning": 45, "qat": 46, "bottleneck": 48, "fewer_layers": 49,
    "grpo": 49, "token_head": 56, "ppo": 61,
}  # fmt: skip


def code(text: str) -> int:
    """Lines that are not empty, no comment alone, no import and no docstring."""
    aside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            aside |= set(range(node.lineno, (node.end_lineno or 0) + 1))
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node) is not None:
            aside |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(map(str.strip, text.splitlines()), 1)
    return sum(bool(line) and line[0] != "#" and number not in aside for number, line in lines)


@pytest.mark.parametrize("path", sorted(PLAIN.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_is_read_at_a_glance(path):
    assert code(path.read_text(encoding="utf-8")) <= LONGER.get(path.stem, 40)


@pytest.mark.parametrize("path", sorted(PLAIN.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_imports_nothing_of_nshot(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or ".").partition(".")[0])
    assert names
    assert not names & {"nshot", ""}


def test_only_code_counts():
    text = '"""Doc.\n\nMore."""\n\nimport sys\n\n# why\nx = 1  # how\n\n\n'
    text += 'def f():\n    """Doc."""\n'
    assert code(text + "    return x\n") == 3
