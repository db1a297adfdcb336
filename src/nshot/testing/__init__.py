"""The contracts as functions: any method, predictor, engine or export goes through them."""

from __future__ import annotations

from nshot.testing.contracts import ContractBroken, check_adapt, check_predictor, check_value
from nshot.testing.engine import check_engine
from nshot.testing.export import check_export

__all__ = [
    "ContractBroken",
    "check_adapt",
    "check_engine",
    "check_export",
    "check_predictor",
    "check_value",
]
