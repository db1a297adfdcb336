"""What a model behind an endpoint costs: from a table of the user's, or from the vendor's own.

The user's table is YAML, and wins::

    currency: USD
    models:
      my-model: {input: 0.40, output: 1.60}

A model is named as in ``--model``: ``MODEL``, or ``MODEL@ADDRESS`` where the address matters. What
comes with nshot is in ``known_prices.yaml``, each price with its date and where it was announced,
and holds at the vendor's own address alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from nshot.core.errors import Fault, InputError
from nshot.core.fields import Number
from nshot.core.serial import read_yaml
from nshot.core.types import ModelRef
from nshot.models.openai.endpoint import model_and_address

KNOWN = Path(__file__).with_name("known_prices.yaml")
"""The prices that come with nshot."""
_Day: TypeAlias = datetime.date | str
_Amount: TypeAlias = Annotated[Number, Field(ge=0, allow_inf_nan=False)]
_Share: TypeAlias = Annotated[Number, Field(ge=0, le=1, allow_inf_nan=False)]
_EXPECTED = "models: {my-model: {input: 0.40, output: 1.60}}"


@dataclass(frozen=True)
class Price:
    """Of a million tokens read and written; `cached_input` of those that the service had in its
    cache, `batch` the share of it that a batch file costs; where it comes from."""

    input: float
    output: float
    cached_input: float | None = None
    batch: float | None = None
    date: str = ""
    source: str = ""
    comes_with_nshot: bool = False

    def of(self, tokens_in: float, tokens_out: float, cached: float = 0.0) -> float:
        """What so many tokens cost, of those read `cached` from the service's cache."""
        again = self.input if self.cached_input is None else self.cached_input
        read = (tokens_in - cached) * self.input + cached * again
        return (read + tokens_out * self.output) / 1e6

    @property
    def in_batch_files(self) -> Price:
        """That of tokens in batch files; the full one where their share is not known."""
        share = 1.0 if self.batch is None else self.batch
        again = None if self.cached_input is None else share * self.cached_input
        return replace(
            self, input=share * self.input, output=share * self.output, cached_input=again
        )

    @property
    def origin(self) -> str:
        """Half a sentence: whose price this is, and of when."""
        of = f" of {self.date}" if self.date else ""
        if self.comes_with_nshot:
            return f"the price{of} that comes with nshot ({self.source}): it may have changed"
        return f"your price{of}"


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class _Line:
    """A model of a table, as it is written."""

    input: _Amount
    output: _Amount
    cached_input: _Amount | None = None
    batch: _Share | None = None
    date: _Day = ""
    source: str = ""


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class _Table:
    """A table, as it is written. `date` and `source` stand for lines without their own."""

    models: Mapping[str, _Line] = Field(default_factory=dict)
    currency: str = ""
    hour: _Amount | None = None
    date: _Day = ""
    source: str = ""
    host: str = ""


@dataclass(frozen=True)
class Prices:
    """A table: prices by model, or by model and address; all in one `currency`.

    `hour`: what an hour of the machine costs on which own models answer. `host`: the only one
    at which they hold, "" for any.
    """

    models: Mapping[str, Price]
    currency: str = ""
    hour: float | None = None
    host: str = ""

    def of(self, ref: ModelRef) -> Price | None:
        """The price of a model behind an endpoint; None where the table has none."""
        name, address = model_and_address(ref)
        if self.host and urlsplit(address).hostname != self.host:
            return None
        return self.models.get(f"{name}@{address}", self.models.get(name))


NONE = Prices({})
Known: TypeAlias = tuple[Price, str]
"""A price and its currency."""


def read_prices(path: Path) -> Prices:
    """The table in a file. Raises `InputError` with every fault, each with its line."""
    content = read_yaml(path, _EXPECTED)
    table, faults = content.read(_Table, content.data)
    if not table.models and table.hour is None and not faults:
        faults.append(Fault("a table without a price", _EXPECTED, where=content.where()))
    if faults:
        raise InputError(faults)
    lines = {
        name: Price(
            line.input, line.output, line.cached_input, line.batch,
            str(line.date or table.date), line.source or table.source, path == KNOWN,
        )
        for name, line in table.models.items()
    }  # fmt: skip
    return Prices(lines, table.currency, table.hour, table.host)


@cache
def known_prices() -> Prices:
    """Those that come with nshot."""
    return read_prices(KNOWN)


def price_of(ref: ModelRef, own: Prices = NONE) -> Known | None:
    """The price of a model: the user's, else the vendor's as far as nshot knows it, else None."""
    for table in (own, known_prices()):
        if (price := table.of(ref)) is not None:
            return price, table.currency
    return None
