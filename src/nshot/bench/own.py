"""Methods that nshot does not bring: where a worker finds them, and the table with them in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module

from nshot.core.errors import Fault, InputError
from nshot.methods import TABLE, loader
from nshot.methods.contract import Method
from nshot.methods.spec import parts
from nshot.methods.table import Table


def extended(places: Mapping[str, str]) -> Table:
    """The table of all methods and of these: name -> ``module:Class``."""
    return Table({**TABLE.load, **{name: loader(place) for name, place in places.items()}})


def places_of(methods: Iterable[Method]) -> dict[str, str]:
    """Name -> ``module:Class`` of those methods, and of methods in them, that TABLE has not.

    Raises `InputError` with each that another process could not import, or whose name is taken.
    """
    places: dict[str, str] = {}
    faults: list[Fault] = []
    for cls in dict.fromkeys(type(part) for method in methods for part in parts(method)):
        if cls.name in TABLE and TABLE[cls.name] is cls:
            continue
        if fault := _fault(cls, places):
            faults.append(fault)
        places[cls.name] = f"{cls.__module__}:{cls.__qualname__}"
    if faults:
        raise InputError(faults)
    return places


def _fault(cls: type[Method], others: Mapping[str, str]) -> Fault | None:
    place = f"{cls.__module__}.{cls.__qualname__}"
    if cls.name in TABLE or cls.name in others:
        problem = f"{place} is named '{cls.name}', as another method is"
        return Fault(problem, "a name of its own", f"name = 'my_{cls.name}'")
    if cls.__module__ == "__main__":
        problem = f"method '{cls.name}' is defined in the script that runs"
        expected = "a module, which worker processes can import"
        return Fault(
            problem, expected, f"move {cls.__qualname__} to a file of its own and import it"
        )
    if getattr(import_module(cls.__module__), cls.__qualname__, None) is not cls:
        problem = f"{place} cannot be imported by that name"
        return Fault(problem, "a class at the top of its module")
    return None
