"""What a comparison would take, before it is begun."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nshot.bench.ladder import Ladder
from nshot.bench.prepare import Prepared
from nshot.bench.purses import all_requests, forecasts
from nshot.bench.run import opened
from nshot.bench.search import trials
from nshot.board.events import Subscriber


def plan(prepared: Prepared, on: Subscriber) -> list[dict[str, Any]]:
    """The forecast table: what each contender would take, or why it would not run.

    Measures this machine's rates in a temporary folder; nothing stays.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(replace(prepared, out=Path(folder) / "plan"), on, "") as run,
    ):
        run.rate()
        return _rows(run.ladder, forecasts(run.ladder, prepared.out, all_requests(run.ladder)))


def _rows(ladder: Ladder, money: Mapping[str, float]) -> list[dict[str, Any]]:
    """Of each contender its forecast at the largest size, and of all sizes together."""
    prepared, seconds = ladder.prepared, ladder.forecasts
    rows = []
    for contender in ladder.contenders:
        one = seconds.of(contender, prepared.largest)
        rows.append({
            "name": contender.name,
            "rung": contender.method.rung,
            "why_not": seconds.why_not(contender, prepared.largest),
            "candidates": trials(contender.method, prepared.task.kind),
            "search": one.search,
            "build": one.build,
            "use": one.use,
            "money": money.get(contender.name, 0.0),
            "all_money": money[""],
            "total": sum(seconds.of(contender, size).total for size in prepared.sizes),
        })  # fmt: skip
    return rows
