"""The contracts as functions that any method or predictor, ours or yours, can be run through."""

from __future__ import annotations

from nshot.testing.contracts import ContractBroken, check_adapt, check_predictor, check_value

__all__ = ["ContractBroken", "check_adapt", "check_predictor", "check_value"]
