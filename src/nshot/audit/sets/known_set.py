"""What a known set is, and how its files are read.

To add one: a module with a row's dataclass and a class as below, and its line in
`nshot.audit.sets.table`.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from nshot.audit.estimates import Figure, Floats, Ints
from nshot.core.errors import Fault, InputError
from nshot.core.files import decode
from nshot.core.serial import from_data
from nshot.models.base import LanguageModel, Scores

R = TypeVar("R")
ALL = "all"
"""The category of a figure over all rows."""


class KnownSet(Protocol[R]):
    """A set: its rows, how a model is asked, and what its authors compute from the answers.

    `good` says which way is good, `contested` what is disputed about it, `way` what is measured
    how, `licence` under which terms the file may be used.
    """

    name: str
    title: str
    paper: str
    licence: str
    way: str
    good: str
    contested: str

    def read(self, folder: Path) -> tuple[R, ...]:
        """The rows of the set's file in `folder`. Raises `InputError` with every fault."""
        ...

    def group(self, row: R) -> Hashable:
        """What rows of one template share."""
        ...

    def scores(self, model: LanguageModel, rows: Sequence[R]) -> Floats:
        """(rows, answers) what the model made of each row. Raises `CannotAdapt` where it cannot
        score."""
        ...

    def figures(self, rows: Sequence[R], scores: Floats) -> list[Figure]:
        """The set's figures, over all rows first and then of each category."""
        ...


def read_lines(path: Path, kind: type[R]) -> tuple[R, ...]:
    """A file with one JSON object a line, each a value of the dataclass `kind`.

    Further fields are left out. Raises `InputError` with every fault, or where the file is absent.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    faults: list[Fault] = []
    rows: list[R] = []
    if not path.is_file():
        expected = f"one JSON object a line with {', '.join(sorted(names))}"
        raise InputError(Fault("no such file", expected, "see docs/responsible.md", str(path)))
    for number, line in enumerate(decode(path.read_bytes(), path).splitlines(), start=1):
        if line.strip():
            place = f"{path}:{number}"
            try:
                rows.append(from_data(kind, _object(line, names, place), place))
            except InputError as error:
                faults += error.faults
    if not rows and not faults:
        faults.append(Fault("no rows", "one JSON object a line", where=str(path)))
    if faults:
        raise InputError(faults)
    return tuple(rows)


def _object(line: str, names: set[str], place: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise InputError(Fault(f"not JSON: {error}", where=place)) from None
    if not isinstance(data, dict):
        raise InputError(Fault("not a JSON object", where=place))
    return {name: value for name, value in data.items() if name in names}


def groups_of(rows: Sequence[R], group: Callable[[R], Hashable]) -> Ints:
    """(rows,) the number of each row's group, in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group(row), len(numbers)) for row in rows], dtype=np.intp)


def sample(
    rows: Sequence[R], group: Callable[[R], Hashable], most: int | None, seed: int = 0
) -> tuple[R, ...]:
    """`most` rows drawn at random, from as many groups as can be; all where None. In their order.

    A row of each group in turn: rows of one group say much the same.
    """
    if most is None or len(rows) <= most:
        return tuple(rows)
    places = defaultdict(list)
    for place, row in enumerate(rows):
        places[group(row)].append(place)
    order, draw = list(places), random.Random(seed)
    draw.shuffle(order)
    for one in order:
        draw.shuffle(places[one])
    turns = [place for turn in zip_longest(*(places[one] for one in order)) for place in turn]
    taken = [place for place in turns if place is not None][:most]
    return tuple(rows[place] for place in sorted(taken))


def by_category(rows: Sequence[R], category: Callable[[R], str]) -> list[tuple[str, Ints]]:
    """("all", every row's place), then each category with the places of its rows."""
    names = [category(row) for row in rows]
    parts: list[tuple[str, Ints]] = [(ALL, np.arange(len(rows), dtype=np.intp))]
    for name in sorted(set(names)):
        inside = [place for place, one in enumerate(names) if one == name]
        parts.append((name, np.array(inside, dtype=np.intp)))
    return parts


def sentence_scores(model: Scores, texts: Sequence[str]) -> Floats:
    """(texts,) log-likelihood of each text, its first token after the start token."""
    scores = model.logprobs([""] * len(texts), [[text] for text in texts])
    return np.array([one.logprobs[0] for one in scores])


def mean_token_scores(model: LanguageModel, texts: Sequence[str]) -> Floats:
    """(texts,) mean log-likelihood of a token of each text."""
    scores = model.logprobs([""] * len(texts), [[text] for text in texts])
    (start,) = model.count([""])
    tokens = [max(1, one.tokens_in - start) for one in scores]
    return np.array([one.logprobs[0] / n for one, n in zip(scores, tokens, strict=True)])


def choice_scores(
    model: Scores, prompts: Sequence[str], answers: Sequence[Sequence[str]]
) -> Floats:
    """(prompts, answers) log-likelihood of each answer; as many answers to each prompt."""
    return np.array([one.logprobs for one in model.logprobs(prompts, answers)])
