"""What a field of a request says for itself: from it come its flag, its key and its help."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError, core_schema


class Flag(NamedTuple):
    """Metadata of a request's field; the name, the type and the default are the field's own.

    Args:
        help: half a sentence, for ``--help`` and docs/cli.md.
        metavar: what stands for the value; "" lists the values there are to choose from.
        name: the words on the command line where they are not the field's name with dashes;
            one without a dash is a place in the line.
        several: how a list is typed: as ``A,B``, or by giving the flag again.
    """

    help: str
    metavar: str = ""
    name: str = ""
    several: Literal["", ",", "again"] = ""


ENCODING = (
    "what the file is written in where that is not UTF-8, such as cp949 (default: told from its"
    " content)"
)
"""The help of ``--encoding``, wherever files of rows are read."""


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _listed(value: Any) -> Any:
    """A name alone is one name, not its letters; nothing is none."""
    if value is None:
        return ()
    return (_text(value),) if isinstance(value, (str, Path)) else value


def _pinned(value: Any) -> Any:
    """``full.top_layers=4`` and the like -> {"full": {"top_layers": 4}}; values read as YAML."""
    if isinstance(value, Mapping) or value is None:
        return value or {}
    if isinstance(value, str | int | float):
        raise ValueError(f"{value!r}: not settings by method, as in lora: {{rank: 16}}")
    import yaml

    pins: dict[str, dict[str, Any]] = {}
    wrong = []
    for pair in value:
        name, equals, text = str(pair).partition("=")
        method, dot, setting = name.partition(".")
        try:
            read = yaml.safe_load(text)
        except yaml.YAMLError:
            equals = ""
        if equals and dot and setting:
            pins.setdefault(method, {})[setting] = read
        else:
            wrong.append(f"'{pair}'")
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: not METHOD.NAME=VALUE, as in lora.rank=16")
    return pins


def _by_name(value: Any) -> Any:
    """``prod=answers.csv`` and the like -> {"prod": "answers.csv"}."""
    if isinstance(value, Mapping) or value is None:
        return {str(name): _text(place) for name, place in (value or {}).items()}
    pairs = [str(pair).partition("=") for pair in value]
    if wrong := [f"'{name}{equals}{place}'" for name, equals, place in pairs
                 if not (name.strip() and place.strip())]:  # fmt: skip
        raise ValueError(f"{', '.join(wrong)}: not NAME=FILE, as in today=answers.csv")
    names = [name.strip() for name, _, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"'{twice[0]}' names two files: give each a name of its own")
    return {name: place.strip() for name, (_, _, place) in zip(names, pairs, strict=True)}


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("float_type")
    return value


def no_truth_values(schema: Any) -> Any:
    """Pydantic's schema of a type, whose numbers are never True or False."""
    if isinstance(schema, dict):
        if schema.get("type") in ("int", "float"):
            return core_schema.no_info_before_validator_function(_no_truth, schema)
        return {name: no_truth_values(part) for name, part in schema.items()}
    return [no_truth_values(part) for part in schema] if isinstance(schema, list) else schema


Whole: TypeAlias = Annotated[int, BeforeValidator(_no_truth)]
"""A whole number; True is none."""
Number: TypeAlias = Annotated[float, BeforeValidator(_no_truth)]
"""A number; True is none."""
Place: TypeAlias = Annotated[str, BeforeValidator(_text)]
"""A path as it was typed, or a name that may be one."""
Names: TypeAlias = Annotated[tuple[Place, ...], BeforeValidator(_listed)]
"""Names; one alone may stand for a list of it."""
Places: TypeAlias = Annotated[Mapping[str, Place], BeforeValidator(_by_name)]
"""Files by name, or texts ``NAME=FILE``."""
Settings: TypeAlias = Annotated[Mapping[str, Mapping[str, Any]], BeforeValidator(_pinned)]
"""Settings by method, or texts ``METHOD.NAME=VALUE``."""
