"""One codec: typed values as JSON data and back, one line of JSON, and YAML that knows its lines.

Fields that are empty, and are so by default, are left out. Numbers that JSON does not know are
written as texts (``nan``, ``inf``, ``-inf``).
"""

from __future__ import annotations

import copy
import json
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, core_schema
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.files import decode

T = TypeVar("T")
Loc: TypeAlias = tuple[int | str, ...]
"""Where a value stands in data: keys and indices from the root."""


def to_data(value: Any) -> Any:
    """Dataclasses, NamedTuples, pydantic models and containers of them as JSON data."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if defaults := _defaults(type(value)):  # type: ignore[arg-type]  # types are hashable
        kept: dict[str, Any] = {}
        for name, default in defaults.items():
            one = getattr(value, name)
            if one or one != default:
                kept[name] = one if type(one) is str else to_data(one)
        return kept
    if isinstance(value, Mapping):
        return {str(name): to_data(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_data(one) for one in value]
    return str(value) if isinstance(value, Path) else value


@cache
def _defaults(kind: Any) -> Mapping[str, Any]:
    """The fields of a dataclass or NamedTuple with their defaults, MISSING where there is none."""
    if isinstance(kind, type) and is_dataclass(kind):
        return {
            f.name: f.default if f.default_factory is MISSING else f.default_factory()
            for f in fields(kind)
        }
    defaults = getattr(kind, "_field_defaults", {})
    return {name: defaults.get(name, MISSING) for name in getattr(kind, "_fields", ())}


@cache
def _validator(kind: Any) -> SchemaValidator:
    """Pydantic's, but for texts, which it would refuse for half a surrogate pair."""
    return SchemaValidator(_any_text(TypeAdapter(kind).core_schema))


def _any_text(schema: Any) -> Any:
    if isinstance(schema, dict):
        if schema.get("type") == "str" and schema.keys() <= {"type", "metadata"}:
            return core_schema.is_instance_schema(str)
        return {name: _any_text(part) for name, part in schema.items()}
    return [_any_text(part) for part in schema] if isinstance(schema, list) else schema


def _dotted(loc: Loc) -> str:
    return ".".join(map(str, loc)) or "this"


def from_data(
    kind: type[T],
    data: Any,
    where: str | Callable[[Loc], str] = "",
    name: Callable[[Loc], str] = _dotted,
    faults: list[Fault] | None = None,
) -> T:
    """The value of type `kind` that `to_data` made `data` of, or that a user wrote.

    `where` says where the data stands, or each place in it, and `name` what a value is called.
    Raises `InputError` with every fault. With `faults` they are put there, what is at fault is
    left out, so that the rest can be checked too, and it is raised only where nothing is left.
    """
    try:
        made: T = _validator(kind).validate_python(data)  # type: ignore[arg-type]
        return made
    except ValidationError as error:
        places = where if callable(where) else lambda loc: where
        these = [_fault(kind, dict(e), places, name) for e in error.errors()]
        locs = [e["loc"] for e in error.errors()]
    if faults is None:
        raise InputError(these)
    faults += these
    left = copy.deepcopy(data)
    for loc in locs:
        left = _without(left, loc)
    try:
        return from_data(kind, left)
    except InputError:
        raise InputError(faults) from None


def _fault(
    kind: Any, error: Mapping[str, Any], where: Callable[[Loc], str], called: Callable[[Loc], str]
) -> Fault:
    """One of pydantic's errors in a value of type `kind` as a fault."""
    loc, value = tuple(error["loc"]), error.get("input")
    name, last = called(loc), str(loc[-1]) if loc else ""
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            inside = f" in {'.'.join(map(str, loc[:-1]))}" if loc[:-1] else ""
            known = _at(kind, loc[:-1])
            parts = [part for part, kind in known.items() if last in _fields(kind)]
            do = f"{parts[0]}: {{{last}: ...}}" if parts else nearest(last, known)
            return Fault(f"unknown key '{last}'{inside}", do=do, where=where(loc))
        case "missing" | "missing_argument":
            return Fault(f"{name} is missing", where=where(loc[:-1]))
        case "literal_error" if isinstance(value, str):
            do = nearest(str(value), re.findall(r"'(.*?)'", str(error["ctx"]["expected"])))
            return Fault(f"unknown {name} '{value}'", do=do, where=where(loc))
        case "is_instance_of" | "string_type" | "literal_error":
            return Fault(f"{name} is not a text", "one plain value", where=where(loc))
        case "model_type" | "dict_type" | "mapping_type" | "dataclass_type":
            expected = "lines of the form `key: value`"
            return Fault(f"{name} is not a mapping", expected, where=where(loc))
        case "tuple_type" | "list_type":
            return Fault(f"{name} is not a list", f"{last}: [first, second]", where=where(loc))
        case "value_error":
            return Fault(f"{name}: {error['ctx']['error']}", where=where(loc))
        case "int_parsing" | "int_type" | "int_from_float":
            return Fault(f"{name}: {value!r}", "a whole number", where=where(loc))
        case "float_parsing" | "float_type":
            return Fault(f"{name}: {value!r}", "a number", where=where(loc))
    expected = str(error["msg"]).removeprefix("Input should be ")
    return Fault(f"{name}: {value!r}", expected, where=where(loc))


def _at(kind: Any, loc: Loc) -> Mapping[str, Any]:
    """The fields of the model at a place in `kind`, with their types."""
    for part in loc:
        inner = typing.get_args(kind) if not hasattr(kind, "model_fields") else ()
        if isinstance(part, int) and inner:
            kind = inner[0]
        elif part in (known := _fields(kind)):
            kind = known[str(part)]
    return _fields(kind)


def _fields(kind: Any) -> Mapping[str, Any]:
    """The fields of a pydantic model or dataclass, or of the one in a union, with their types."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next(filter(None, map(_fields, typing.get_args(kind))), {})
    known = getattr(kind, "__pydantic_fields__", {})
    return {name: field.annotation for name, field in known.items()}


def dumps(value: Any, indent: int | None = None, canonical: bool = True) -> str:
    """Strict JSON, Unicode as it is: one canonical line (keys sorted, no spaces), or indented.

    A line that is not `canonical` keeps its keys in order, for people. Raises `ValueError` for a
    number that is not finite and stands in no typed value. Half a surrogate pair, which UTF-8
    cannot hold, is escaped.
    """
    line = json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=False,
        default=_typed,
        indent=indent,
        sort_keys=indent is None and canonical,
        separators=(",", ":") if indent is None and canonical else None,
    )
    if line.isascii() or not any("\ud800" <= char <= "\udfff" for char in line):
        return line
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in line)


def _typed(value: Any) -> Any:
    data = to_data(value)
    if data is value:
        raise TypeError(f"a {type(value).__name__} is no JSON")
    return data


def read_json(path: Path, do: str = "") -> Any:
    """What a file of JSON holds. Raises `InputError`, with `do`, where it is absent or broken."""
    try:
        return json.loads(decode(path.read_bytes(), path))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InputError(Fault(problem, "a file that nshot wrote", do, str(path))) from None
    except ValueError as error:
        raise InputError(Fault(f"not JSON: {error}", where=str(path))) from None


# ------------------------------------------------------------------------------------- YAML


@dataclass(frozen=True)
class Yaml:
    """A YAML file as plain nodes: nothing in it is executed."""

    path: Path
    root: Node
    faults: tuple[Fault, ...] = ()
    """Keys that stand twice or are no texts, and values that are no plain data."""

    def where(self, loc: Loc = ()) -> str:
        """``task.yaml, line 3``: where the value at `loc` stands, or else what it would be in."""
        node, line = self.root, self.root.start_mark.line
        for part in loc:
            inside = dict(_inside(node))
            if part not in inside:
                break
            key, node = inside[part]
            line = key.start_mark.line
        return f"{self.path}, line {line + 1}"

    def read(self, kind: type[T], data: Any, root: Loc = ()) -> tuple[T, list[Fault]]:
        """Data of this file, which stands at `root`, as a value of a type, and all its faults.

        See `from_data`. Raises `InputError` where without what is at fault there is no value.
        """
        faults = list(self.faults)
        return from_data(kind, data, lambda loc: self.where((*root, *loc)), faults=faults), faults

    @cached_property
    def texts(self) -> Any:
        """The data with every scalar as it is written: ``yes`` stays a text; nothing is None."""
        return _as_written(self.root)

    @cached_property
    def data(self) -> Any:
        """The data with numbers and truth values as YAML reads them."""
        try:
            return yaml.constructor.SafeConstructor().construct_document(self.root)
        except yaml.YAMLError as error:
            raise InputError(_yaml_fault(self.path, error)) from None


def _without(data: Any, loc: Loc) -> Any:
    """The data without what is at `loc`, or at as much of it as there is."""
    if not isinstance(data, (dict, list)) or not loc:
        return {}
    inside: Any = data
    key: Any = loc[0]
    for part in loc[1:]:
        below = inside[key] if key in _keys(inside) else None
        if part not in _keys(below):
            break
        inside, key = below, part
    if isinstance(inside, dict):
        inside.pop(key, None)
    elif key in _keys(inside):
        inside[key] = None
    return data


def _keys(data: Any) -> Collection[int | str]:
    return data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()


def read_yaml(path: Path, expected: str = "") -> Yaml:
    """Read a YAML file; `expected` says what stands in one that is not empty.

    Raises `InputError`: not readable, not YAML, empty, or a value that holds itself.
    """
    try:
        text = decode(path.read_bytes(), path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", where=str(path))) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(_yaml_fault(path, error)) from None
    if root is None:
        raise InputError(Fault("the file is empty", expected, where=str(path)))
    return Yaml(path, root, tuple(_node_faults(path, root, ())))


def _yaml_fault(path: Path, error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or "nested too deeply"
    return Fault(
        f"not YAML: {problem}", where=f"{path}, line {mark.line + 1}" if mark else str(path)
    )


_PLAIN = ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")


def _node_faults(path: Path, node: Node, above: tuple[Node, ...]) -> list[Fault]:
    """What no data may hold: itself, a tag that makes an object, a key twice or that is no text."""
    where = f"{path}, line {node.start_mark.line + 1}"
    if node in above:
        raise InputError(Fault("a value holds itself", where=where))
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _PLAIN:
        return [Fault(f"{node.tag} is no plain data", "texts, numbers, lists", where=where)]
    faults: list[Fault] = []
    if isinstance(node, MappingNode):
        names = set[str]()
        for key, _ in node.value:
            place = f"{path}, line {key.start_mark.line + 1}"
            if not isinstance(key, ScalarNode):
                faults.append(Fault("a key is not a text", "one plain value", where=place))
            elif key.value in names:
                faults.append(Fault(f"the key '{key.value}' stands twice", where=place))
            names.add(str(key.value))
    for _, (_, value) in _inside(node):
        faults += _node_faults(path, value, (*above, node))
    return faults


def _inside(node: Node) -> list[tuple[int | str, tuple[Node, Node]]]:
    """(name or index, (node of the key or the item, node of the value)) of all in a node."""
    if isinstance(node, MappingNode):
        return [(str(key.value).strip(), (key, value)) for key, value in node.value]
    items = node.value if isinstance(node, SequenceNode) else []
    return [(index, (item, item)) for index, item in enumerate(items)]


def _as_written(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        return str(node.value).strip() or None
    inside = {name: _as_written(value) for name, (_, value) in _inside(node)}
    return inside if isinstance(node, MappingNode) else list(inside.values())
