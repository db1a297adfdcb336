"""``nshot.compare``: what the command does, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.run import Result, carry_out
from nshot.board.events import Subscriber, ignore
from nshot.board.schema import Preference
from nshot.core.errors import Fault, InputError
from nshot.core.serial import from_data
from nshot.methods.contract import Method


def compare(
    task: str | Path,
    *,
    test: str | Path | None = None,
    unlabelled: str | Path | None = None,
    text: str | Sequence[str] = (),
    label: str | None = None,
    group: str | None = None,
    kind: Literal["classify", "score", "multilabel", "number", "spans", "generate"] | None = None,
    pictures: str | Path | None = None,
    positive: str | None = None,
    encoding: str | None = None,
    model: str | Path | Sequence[str | Path] = (),
    encoder: str | Path | Sequence[str | Path] = (),
    metric: str | None = None,
    also: str | Sequence[str] = (),
    methods: str | Method | Sequence[str | Method] | None = None,
    adapters: Sequence[str | Path] = (),
    answers: Mapping[str, str | Path] | None = None,
    shots: int | Sequence[int | None] | None = None,
    seeds: int | None = None,
    test_limit: int | None = None,
    more_test: str | Path | Sequence[str | Path] = (),
    thorough: bool = False,
    refit_on_all: bool = False,
    minutes: float | None = None,
    money: float | None = None,
    prices: str | Path | None = None,
    workers: int | None = None,
    prefer: Preference = "balanced",
    give_up: float | None = None,
    margin: float | None = None,
    judge: str | Path | None = None,
    judge_pairs: str | Path | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    audit: bool = False,
    out: str | Path | None = None,
    on: Subscriber = ignore,
) -> Result:
    """What ``nshot compare`` does, from Python: the board, its folder and the pick.

    `Request` says what each argument is. `methods` are names, and methods of your own, whose
    classes stand in a module that other processes can import. `shots` are rows per label (None
    among them: all rows); `answers` are files of what other systems answered, by the name that each
    has on the board; `settings` pins settings by method; `on` hears the run's events. Raises
    `InputError` with every fault of the request before anything is written.
    """
    arguments = dict(locals())
    del arguments["on"]
    several = [methods] if isinstance(methods, str | Method) else methods or ()
    if classes := [method for method in several if isinstance(method, type)]:
        name = classes[0].__name__
        raise InputError(Fault(f"methods holds the class {name}", "a method", f"{name}()"))
    own = tuple(method for method in several if isinstance(method, Method))
    if own:
        arguments["methods"] = [name for name in several if isinstance(name, str)]
    faults: list[Fault] = []
    request = from_data(Request, arguments, faults=faults)
    return carry_out(prepare(request, own=own, faults=faults), on, "nshot.compare(...)")
