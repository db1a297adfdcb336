"""A method as data, and the name of its specification."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError

from nshot.core.types import digest
from nshot.methods.contract import Method


def spec(method: Method) -> dict[str, Any]:
    """The method as plain JSON data: its name and every setting, nested methods alike."""
    try:
        return method.model_dump(mode="json")
    except PydanticSerializationError as error:
        # pydantic wraps a Ctrl-C that falls into a serializer, and of a nested one keeps the name.
        if ": KeyboardInterrupt:" in str(error):
            raise KeyboardInterrupt from error
        raise


def spec_hash(method: Method) -> str:
    """Name of the spec, with the versions of all methods in it."""
    return digest(json.dumps(spec(method), sort_keys=True), json.dumps(_versions(method)))


def _versions(method: Method) -> list[Any]:
    return [[method.name, method.version], *map(_versions, _nested(method))]


def _nested(method: Method) -> list[Method]:
    values = [getattr(method, name) for name in type(method).model_fields]
    return [value for value in values if isinstance(value, Method)]


def parts(method: Method) -> list[Method]:
    """The method and all methods in it."""
    return [method, *[part for inner in _nested(method) for part in parts(inner)]]
