"""The contracts as functions: any method, predictor or engine, ours or yours, goes through them."""

from __future__ import annotations

from nshot.testing.contracts import ContractBroken, check_adapt, check_predictor, check_value
from nshot.testing.engine import check_engine

__all__ = ["ContractBroken", "check_adapt", "check_engine", "check_predictor", "check_value"]
