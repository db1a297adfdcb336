"""Methods by name, and from data: the closed table that makes a method of a specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, ValidationInfo

from nshot.core.errors import Fault, InputError, nearest
from nshot.methods.contract import Method


@dataclass(frozen=True)
class Table:
    """Name -> class, cheapest first. Loads a method's module when it is first asked for."""

    load: Mapping[str, Callable[[], type[Method]]] = field(default_factory=dict)

    def __iter__(self) -> Any:
        return iter(self.load)

    def __getitem__(self, name: str) -> type[Method]:
        """The class of a method; `InputError` with the nearest name for an unknown one."""
        if name not in self.load:
            raise InputError(Fault(f"unknown method '{name}'", do=nearest(name, self.load)))
        return self.load[name]()

    @property
    def ready(self) -> list[str]:
        """The methods that can be adapted as they are: no setting of theirs must be given."""
        return [
            name
            for name in self.load
            if not any(field.is_required() for field in self[name].model_fields.values())
        ]

    def build(self, spec: Mapping[str, Any]) -> Method:
        """A method from ``{"method": NAME, **settings}``; all wrong settings in one error."""
        settings = dict(spec)
        cls = self[str(settings.pop("method"))]
        try:
            return cls.model_validate(settings, context={"table": self})
        except ValidationError as error:
            raise InputError([_fault(cls, e) for e in error.errors()]) from None


def _fault(cls: type[Method], error: Any) -> Fault:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return Fault(f"{cls.name}: unknown setting '{key}'", do=nearest(key, cls.model_fields))
    if error["type"] == "missing":
        is_method = any(
            isinstance(one, BeforeValidator) and one.func is _resolve
            for one in cls.model_fields[key].metadata
        )
        value = '{"method": "tfidf_lr"}' if is_method else "VALUE"
        do = f"--set '{cls.name}.{key}={value}'"
        return Fault(f"{cls.name}: no {key}", "a value: it has no default", do)
    expected = str(error["msg"]).removeprefix("Input should be ").partition(", unable to parse")[0]
    return Fault(f"{cls.name}: {key} = {error.get('input')!r}", expected)


def _resolve(value: Any, info: ValidationInfo) -> Any:
    """A nested method written as data becomes a value, through the closed table in the context."""
    if isinstance(value, Mapping) and "method" in value and info.context:
        return info.context["table"].build(value)
    return value


Nested: TypeAlias = Annotated[SerializeAsAny[Method], BeforeValidator(_resolve)]
"""Annotation of a field that holds another method."""
