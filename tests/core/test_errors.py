"""The tree of errors that the module's first lines draw is the one that is raised."""

from __future__ import annotations

import re

from nshot.core import errors


def drawn() -> dict[str, str]:
    """Each error's base, and the exit code where one is said, as the docstring draws them."""
    tree: dict[str, str] = {}
    above = {-1: "Exception"}
    for indent, name in re.findall(r"^( *)([A-Z]\w+)  +\S", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 2
        above[depth] = name
        tree[name] = above[depth - 1]
    return tree


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    raised = {
        name: value.__base__.__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert drawn() == raised


def test_the_exit_codes_in_the_docstring_are_those_of_the_classes() -> None:
    named = re.findall(r"^ *([A-Z]\w+)  +exit (\d)", errors.__doc__ or "", re.MULTILINE)
    assert {name: getattr(errors, name).exit_code for name, _ in named} == {
        name: int(code) for name, code in named
    }
    assert len(named) == 4


def test_an_error_of_a_library_is_said_in_its_own_words() -> None:
    assert (
        errors.in_words(OSError("no config.json in this folder")) == "no config.json in this folder"
    )
    assert errors.in_words(OSError()) == "OSError"
    assert errors.in_words(OSError(28, "No space left on device")) == "No space left on device"
    assert errors.in_words(FileNotFoundError(2, "No such file", "a.csv")) == "No such file: a.csv"
