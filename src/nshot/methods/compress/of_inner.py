"""What a method is by the one that it holds, and that answers in its place."""

from __future__ import annotations

from typing import Any


class OfInner:
    """`name` of the method in `field`, where a value is looked at; of the class itself `default`.

    What answers is the inner one: it decides what is trained and whether rows are answered at once.
    """

    def __init__(self, field: str, name: str, default: Any) -> None:
        self._field, self._name, self._default = field, name, default

    def __get__(self, method: Any, cls: type[Any]) -> Any:
        return (
            self._default if method is None else getattr(getattr(method, self._field), self._name)
        )
