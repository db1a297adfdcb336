"""Columns for the tests of the decision: coins, exact counts, any small board."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from nshot.board.decide import Column


def column(name: str, points: Any, cost: float = 1.0, **more: Any) -> Column:
    return Column(name, np.atleast_2d(np.asarray(points, dtype=np.float64)), cost, **more)


def coins(name: str, p: float, n: int, draws: int = 1, seed: int = 0, **more: Any) -> Column:
    points = np.random.default_rng([seed, *name.encode()]).random((draws, n)) < p
    return Column(name, points.astype(np.float64), **({"cost": 1.0} | more))


def exactly(name: str, right: int, n: int, **more: Any) -> Column:
    """`right` of `n` correct, the first ones."""
    points = (np.arange(n) < right).astype(np.float64)[None]
    return Column(name, points, **({"cost": 1.0} | more))


@st.composite
def boards(draw: st.DrawFn) -> list[Column]:
    """Any small board: unequal draws and rows, unfinished, extreme and identical columns."""
    n = draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = []
    for m in range(draw(st.integers(1, 5))):
        p = draw(st.sampled_from([0.0, 0.3, 0.8, 0.97, 1.0]))
        points = (rng.random((draw(st.integers(1, 4)), n)) < p).astype(np.float64)
        if draw(st.booleans()):
            points = points * 0.5 + 0.25
        columns.append(
            Column(
                f"m{m}",
                points[:, : n if m == 0 else draw(st.integers(1, n))],
                cost=draw(st.sampled_from([0.0, 1.0, 2.5])),
                deterministic=draw(st.booleans()),
                fast=draw(st.booleans()),
                searched=draw(st.booleans()),
                folds=draw(st.sampled_from([0, 0, 0, 3, 5])),
            )
        )
    if draw(st.booleans()):
        columns.append(replace(columns[0], name="twin"))
    return columns


few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
