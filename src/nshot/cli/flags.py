"""From the fields of a request to flags, and from what was typed back to a request."""

from __future__ import annotations

import argparse
import csv
import types
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

if TYPE_CHECKING:
    from nshot.core.errors import Fault
    from nshot.core.fields import Flag
    from nshot.core.serial import Loc

T = TypeVar("T")


def add(
    parser: argparse.ArgumentParser,
    request: type,
    only: Collection[str] = (),
    changes: Mapping[str, Flag] | None = None,
    required: Collection[str] = (),
) -> None:
    """Give a parser the flags of a request: of all its fields, or of `only` some.

    `changes` are fields of which this verb says something else; fields in `required`, and those
    without a default, must be given. What is not typed is not in the namespace.
    """
    for name, field in _fields(request).items():
        if only and name not in only:
            continue
        flag = (changes or {}).get(name) or _flag(field)
        words = _words(name, flag)
        options: dict[str, Any] = {"help": flag.help + _default(field)}
        if words.startswith("-"):
            needed = field.is_required() or name in required
            options |= {"dest": name, "default": argparse.SUPPRESS, "required": needed}
        if field.annotation is bool:
            options["action"] = "store_true"
        else:
            options["metavar"] = flag.metavar or "|".join(_choices(field.annotation))
        if flag.several == "again":
            options["action"] = "append"
        parser.add_argument(*words.split(", "), **options)


def read(
    request: type[T],
    typed: argparse.Namespace,
    faults: list[Fault] | None = None,
    **fixed: Any,
) -> T:
    """The request that was typed, with the values of `fixed` fields.

    Raises `InputError` with every value of a wrong type, or puts them to `faults`.
    """
    from nshot.core.serial import from_data

    data = given(request, typed) | fixed
    named = {name: _words(name, _flag(field)) for name, field in _fields(request).items()}

    def called(loc: Loc) -> str:
        return named.get(str(loc[0]), str(loc[0]))

    return from_data(request, data, name=called, faults=faults)


def given(request: type, typed: argparse.Namespace) -> dict[str, Any]:
    """The values that were typed, by field; a list typed as ``A,B`` in its parts, of
    which one in quotes may hold a comma."""
    values = {}
    for name, field in _fields(request).items():
        if not hasattr(typed, name):
            continue
        values[name] = getattr(typed, name)
        if _flag(field).several == ",":
            parts = next(csv.reader([values[name]], skipinitialspace=True), [])
            values[name] = [part.strip() for part in parts if part.strip()]
    return values


def _fields(request: Any) -> Mapping[str, Any]:
    """The fields of a pydantic dataclass that have a flag."""
    every = request.__pydantic_fields__
    return {name: field for name, field in every.items() if _flags(field)}


def _flags(field: Any) -> list[Flag]:
    from nshot.core.fields import Flag

    return [one for one in field.metadata if isinstance(one, Flag)]


def _flag(field: Any) -> Flag:
    return _flags(field)[0]


def _words(name: str, flag: Flag) -> str:
    return flag.name or "--" + name.replace("_", "-")


def _choices(annotation: Any) -> list[str]:
    """The values of a Literal, which may be optional."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for one in get_args(annotation) for choice in _choices(one)]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else []


def _default(field: Any) -> str:
    """`` (default 3)``, where the default is a number or a word."""
    value = field.default
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    shown = isinstance(value, (str, int, float)) and not isinstance(value, bool) and value
    return f" (default {value})" if shown else ""
