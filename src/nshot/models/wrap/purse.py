"""What a run may spend on models behind endpoints, and what their tokens cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nshot.models.prices import Price


@dataclass(frozen=True)
class Purse:
    """`prices` by the name of a model (`ModelRef.name`), all in one `currency`, "" where nobody
    says; `money` for a run, None: as much as it takes; `hour`: of the machine of own models."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    money: float | None = None
    currency: str = ""
    hour: float | None = None

    def cost(self, model: str, tokens_in: float, tokens_out: float, cached: float = 0.0) -> float:
        """Of so many tokens, in the currency of the prices; 0 where the model has no price."""
        price = self.prices.get(model)
        return 0.0 if price is None else price.of(tokens_in, tokens_out, cached)
