"""The decision on boards whose truth is known: every claim of docs/decision.md, on fewer boards."""

from __future__ import annotations

from typing import Any

import pytest

from decision import CLAIMS, Claim, claims
from decision_cells import Sources, Store
from table import data_folder


def sources() -> Sources:
    """Real answers where there are data sets; made-up ones else."""
    folder = data_folder()
    return Sources(folder if folder.is_dir() else None, sizes=(60, 200, 1000))


@pytest.fixture(scope="module")
def store() -> Store:
    return Store(sources())


def params() -> list[Any]:
    return [
        pytest.param(claim, id=claim.what, marks=[pytest.mark.data] if claim.real else [])
        for claim in CLAIMS
        if claim.quick
    ]


@pytest.mark.parametrize("claim", params())
def test_a_claim_holds(claim: Claim, store: Store) -> None:
    """Controls are claims too: a rule without one of its parts must be seen to fail."""
    seen, holds = claim.on(store)
    assert holds, f"{claim.what}: {claim.bound}, seen {seen}"


@pytest.mark.full
@pytest.mark.data
def test_every_claim_holds_on_many_boards() -> None:
    text, fine = claims(Store(sources(), share=0.4))
    assert fine, text
