"""``nshot episodes``: train methods on background classes and measure them on new ones."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nshot.cli import flags, output
from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.methods.fewshot.episodic import Episodic

ABOUT = "train methods on background classes and measure them on new ones, as papers do"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of a request for episodes."""
    from nshot.bench.episodes_request import EpisodesRequest

    flags.add(parser, EpisodesRequest)


def run(arguments: argparse.Namespace) -> int:
    """Train, measure, and print the table."""
    from nshot.bench.episodes import Request, carry_out, prepare
    from nshot.bench.episodes_request import EpisodesRequest
    from nshot.data.episodes import EpisodeShape
    from nshot.report import episodes

    request = flags.read(EpisodesRequest, arguments)
    faults = request.faults()
    methods = _methods(request.methods, request.settings, faults)
    if faults:
        raise InputError(faults)
    prepared = prepare(
        Request(
            data=request.data,
            shapes=tuple(
                EpisodeShape(w, s, request.queries) for w in request.way for s in request.shot
            ),
            methods=methods,
            out=request.out,
            episodes=request.episodes,
            minutes=request.train_minutes,
            seed=request.seed,
            background=request.background,
            rotations=request.rotations,
            side=request.side,
            across=request.across,
        )
    )
    output.note(prepared.cut.notes)
    with output.display() as shown:
        result = carry_out(prepared, shown, output.command())
    print(episodes.table(result))
    print("\n% of queries, ± half of the 95 % interval over episodes (untrained)")
    if drawing := episodes.write(result, prepared.request.out):
        print(f"how the learning went: {output.short(drawing)}")
    print(f"all figures: {output.short(prepared.request.out / 'episodes.json')}")
    return 0 if any(row["status"] == "ok" for row in result["methods"]) else 3


def _methods(
    names: Sequence[str], settings: Mapping[str, Mapping[str, Any]], faults: list[Fault]
) -> tuple[Episodic, ...]:
    """The methods, each of which must take part in episodes; what is wrong goes into `faults`."""
    from nshot.methods import TABLE
    from nshot.methods.fewshot.episodic import Episodic

    built: list[Episodic] = []
    for name in names:
        try:
            method = TABLE.build({"method": name, **settings.get(name, {})})
        except InputError as error:
            faults += error.faults
            continue
        if isinstance(method, Episodic):
            built.append(method)
        else:
            known = ", ".join(n for n in TABLE if issubclass(TABLE[n], Episodic))
            faults.append(Fault(f"{name} takes no part in episodes", do=f"one of: {known}"))
    for name in settings.keys() - set(names):
        faults.append(Fault(f"--set {name}: not among the methods", ", ".join(names)))
    if not names:
        faults.append(Fault("no methods", do="--methods prototypical"))
    return tuple(built)
