"""Writes docs/leaderboard.md from the board's models: ``python docs/make_leaderboard.py``.

What stands after the marker in leaderboard.md is written by hand, and kept.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Union, get_args, get_origin

from nshot.board.schema import SCHEMA, Board, Details, Part, Points

PAGE = Path(__file__).parent / "leaderboard.md"
MARKER = "<!-- by hand from here -->"
HEAD = f"""\
# leaderboard.json

What `nshot compare` measured, in one JSON object, schema {SCHEMA}, made by `python
docs/make_leaderboard.py` from the models in `nshot.board.schema`: every key is an attribute of
`nshot.compare(...).board`, or of `Board.read(folder)`. Scores are fractions (0.81, not 81), times
are seconds, sizes are bytes. `null` is "not measured", never zero; no number is NaN or infinite.
New keys may be added under schema {SCHEMA}; a reader skips those it does not know.
"""
TITLES: tuple[tuple[str, type[Part]], ...] = (
    ("leaderboard.json", Board),
    ("points.json", Points),
    ("details.json", Details),
)
NAMES = {"TaskSummary": "task", "Row": "rows", "Advice": "advice", "Wish": "wish"}


def page(kept: str) -> str:
    """The whole page, with the part that was written by hand."""
    done: set[type[Part]] = set()
    parts = [HEAD]
    for title, model in TITLES:
        if model is not Board:
            parts.append(f"# {title}\n\n{_sentence(model)}\n")
        parts += [_table(one, top=one is model) for one in _reached(model) if one not in done]
        done |= set(_reached(model))
    return "\n".join(parts) + "\n" + MARKER + kept


def _sentence(model: type[Part]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


def _table(model: type[Part], top: bool) -> str:
    lines = (
        [] if top else [f"## {NAMES.get(model.__name__, model.__name__)}", "", _sentence(model), ""]
    )
    lines += ["| key | is |", "|---|---|"]
    for name, field in model.model_fields.items():
        linked = [_link(part) for part in _parts(field.annotation)]
        more = f" ({', '.join(linked)})" if linked else ""
        lines.append(f"| `{field.alias or name}` | {field.description}{more} |")
    return "\n".join([*lines, ""])


def _link(model: type[Part]) -> str:
    name = NAMES.get(model.__name__, model.__name__)
    return f"[{name}](#{name.lower()})"


def _parts(annotation: object) -> list[type[Part]]:
    """The models in a field's type."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    if get_origin(annotation) in (None, Union, types.UnionType) or get_args(annotation):
        return [part for one in get_args(annotation) for part in _parts(one)]
    return []


def _reached(model: type[Part]) -> list[type[Part]]:
    """A model and those it is made of, in reading order."""
    seen: list[type[Part]] = []

    def visit(one: type[Part]) -> None:
        if one not in seen:
            seen.append(one)
            for field in one.model_fields.values():
                for part in _parts(field.annotation):
                    visit(part)

    visit(model)
    return seen


def kept_part() -> str:
    """What stands after the marker now."""
    return PAGE.read_text(encoding="utf-8").partition(MARKER)[2] if PAGE.exists() else "\n"


if __name__ == "__main__":
    PAGE.write_text(page(kept_part()), encoding="utf-8")
