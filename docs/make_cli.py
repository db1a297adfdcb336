"""Writes docs/cli.md from the parsers: ``python docs/make_cli.py``.

What stands after the marker in cli.md is written by hand, and kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nshot.cli.parser import parser as whole_parser

PAGE = Path(__file__).parent / "cli.md"
MARKER = "<!-- by hand from here -->"
HEAD = """\
# Command line

The tables are made from the parsers by `python docs/make_cli.py`. Every verb says the same with
`--help`.
"""


def page(kept: str) -> str:
    """The whole page, with the part that was written by hand."""
    return "\n".join([HEAD, *_verbs("", whole_parser())]) + "\n" + MARKER + kept


def _verbs(before: str, parser: argparse.ArgumentParser) -> list[str]:
    """A part for each verb; a verb that has verbs of its own gives way to them."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        return [_verb(before.strip(), parser)]
    (verbs,) = groups
    return [
        part for name, verb in verbs.choices.items() for part in _verbs(f"{before} {name}", verb)
    ]


def _verb(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.dest != "help"]
    places = [str(action.metavar) for action in actions if not action.option_strings]
    lines = [f"## nshot {' '.join([name, *places])}", "", f"{_sentence(parser.description or '')}"]
    if actions:
        lines += ["", "| | |", "|---|---|", *(_line(action) for action in actions)]
    return "\n".join([*lines, ""])


def _line(action: argparse.Action) -> str:
    words = ", ".join(action.option_strings) or str(action.metavar)
    if action.option_strings and action.nargs != 0:
        words += " " + (str(action.metavar) if action.metavar else "|".join(action.choices or ()))
    needed = " (required)" if action.required and action.option_strings else ""
    return f"| `{_cell(words)}` | {_cell(action.help or '')}{needed} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def kept_part() -> str:
    """What stands after the marker now."""
    return PAGE.read_text(encoding="utf-8").partition(MARKER)[2] if PAGE.exists() else "\n"


if __name__ == "__main__":
    PAGE.write_text(page(kept_part()), encoding="utf-8")
