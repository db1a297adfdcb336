"""Several delivered folders as one: a base they share is loaded once, each row has its own folder.

A base with many adapters costs the memory of one model and a little for each adapter. What the
folders ask of one base is asked in one batch, each row under its own folder's adapter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias, overload

from nshot.core.errors import Fault, InputError, collected, nearest
from nshot.core.files import unique_ends
from nshot.core.types import Input, Prediction, Task
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.wrap.together import Together
from nshot.use.answers import Answers
from nshot.use.ready import Asked, Ready, ready

Place: TypeAlias = str | Path
Places: TypeAlias = list[str] | list[Path] | tuple[Place, ...] | Mapping[str, Place]


class Many:
    """Delivered folders by name; each input says under which name it is to be answered.

    `together` are the models of all the folders; without it each folder is asked by itself.
    """

    def __init__(self, folders: Mapping[str, Ready], together: Together | None = None) -> None:
        self._folders = dict(folders)
        self._together = together

    @property
    def tasks(self) -> dict[str, Task]:
        """What each folder answers, by name."""
        return {name: one.task for name, one in self._folders.items()}

    @property
    def abstain_below(self) -> dict[str, float]:
        """Under which probability each folder holds answers back, by name; 0: it answers all."""
        return {name: one.abstain_below for name, one in self._folders.items()}

    @property
    def holds_back(self) -> dict[str, bool]:
        """Of each folder whether an answer may be held back."""
        return {name: one.holds_back for name, one in self._folders.items()}

    def predict(self, inputs: Sequence[Asked], under: Sequence[str]) -> list[Prediction]:
        """One prediction per text, mapping or `Input`, in order; ``under[i]`` names its folder.

        The answers are those that each folder gives its rows by itself, scores up to 1e-4. Raises
        `InputError` with every unknown name and every input that its task cannot read.
        """
        parsed = self._inputs(inputs, under)
        rows = {name: [i for i, one in enumerate(under) if one == name] for name in self._folders}
        works = [
            partial(folder.predict, [parsed[i] for i in rows[name]])
            for name, folder in self._folders.items()
            if rows[name]
        ]
        if self._together is not None and len(works) > 1:
            predictions = self._together.all_of(works)
        else:
            predictions = [work() for work in works]
        places = (i for mine in rows.values() for i in mine)
        answers = dict(zip(places, (one for some in predictions for one in some), strict=True))
        return [answers[i] for i in range(len(parsed))]

    def _inputs(self, values: Sequence[Asked], under: Sequence[str]) -> list[Input]:
        if len(values) != len(under):
            raise InputError(Fault(f"{len(under)} names for {len(values)} inputs", "one for each"))
        faults = _unknown(under, self._folders)
        inputs = []
        for i, (one, name) in enumerate(zip(values, under, strict=True)):
            try:
                if name in self._folders:
                    inputs.append(self._folders[name].input(one))
            except InputError as error:
                faults += [Fault(f.found, f.expected, f.do, f"input {i}") for f in error.faults]
        if faults:
            raise InputError(faults)
        return inputs


@overload
def load(
    folder: Place,
    models: Models | None = None,
    abstain_below: float | None = None,
    at_precision: float | None = None,
    cache: bool = False,
) -> Ready: ...
@overload
def load(
    folder: Places,
    models: Models | None = None,
    abstain_below: float | None = None,
    at_precision: float | None = None,
) -> Many: ...
def load(
    folder: Place | Places,
    models: Models | None = None,
    abstain_below: float | None = None,
    at_precision: float | None = None,
    cache: bool = False,
) -> Ready | Many:
    """Load a delivered folder, or the winner of a run folder; several, by name, as `Many`.

    Folders in a list are named by the last part of their paths, with as many parts before it as
    tell them apart; a mapping gives the names. Answers less probable than `abstain_below` are held
    back; None: than each folder keeps, if it keeps a threshold. With `at_precision` the positive
    label of two is answered from the probability on at which each folder's validation rows had that
    precision. With `cache` the answers of the folder are kept on disk, as `nshot predict --cache`
    keeps them. Raises `InputError` with the faults of all folders.
    """
    if isinstance(folder, str | Path):
        return ready(folder, models, abstain_below, at_precision, Answers() if cache else None)
    if cache:
        raise InputError(Fault("cache with several folders", "one folder"))
    places = folder if isinstance(folder, Mapping) else unique_names([Path(one) for one in folder])
    if not places:
        raise InputError(Fault("no folder", expected="one or more to load"))
    shared = Together(models or open_models())
    faults: list[Fault] = []
    folders = {
        name: collected(faults, partial(ready, place, shared, abstain_below, at_precision))
        for name, place in places.items()
    }
    if faults:
        raise InputError(faults)
    return Many({name: one for name, one in folders.items() if one}, shared)


def unique_names(folders: Sequence[Path]) -> dict[str, Path]:
    """Each folder by the shortest end of its path that no other has.

    Raises `InputError` with those that are named twice.
    """
    parts = [Path(os.path.abspath(folder)).parts for folder in folders]
    if twice := {str(folders[i]) for i, one in enumerate(parts) if one in parts[:i]}:
        raise InputError([Fault("named twice", where=folder) for folder in sorted(twice)])
    return dict(zip(unique_ends(parts), folders, strict=True))


def _unknown(under: Sequence[str], known: Mapping[str, Ready]) -> list[Fault]:
    """A fault for each name that no folder has, with all inputs that bear it."""
    rows: dict[str, list[str]] = {}
    for i, name in enumerate(under):
        if name not in known:
            rows.setdefault(name, []).append(str(i))
    one_of = f"one of: {', '.join(known)}"
    return [
        Fault(f"unknown name '{name}'", one_of, nearest(name, known), f"inputs {', '.join(where)}")
        for name, where in rows.items()
    ]
