"""What may be spent on models that decide, and what their tokens cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Purse:
    """`money` for a run, None: as much as it takes; prices are of a million tokens."""

    price_in: float
    price_out: float
    money: float | None = None

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """Of so many tokens, in the currency of the prices."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6
