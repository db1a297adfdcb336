"""Forecast seconds against the minutes that were granted."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nshot.core.durations import duration


@dataclass(frozen=True)
class Forecast:
    """Seconds that a method's whole work at one size is thought to take."""

    search: float
    build: float
    use: float
    repeats: int

    @property
    def total(self) -> float:
        """Search once, then every draw."""
        return self.search + self.repeats * (self.build + self.use)


class Budget:
    """What is left of the minutes, and how far forecasts were off for each method so far."""

    def __init__(self, minutes: float | None) -> None:
        self._end = None if minutes is None else time.monotonic() + 60 * minutes
        self._minutes = minutes
        self._off: dict[str, float] = {}

    def learn(self, name: str, forecast: float, actual: float) -> None:
        """Correct later forecasts of this method by what it took."""
        self._off[name] = actual / max(forecast, 1e-3)

    def refusal(self, name: str, forecast: float) -> str | None:
        """The reason not to start, or None."""
        if self._end is None:
            return None
        seconds = forecast * self._off.get(name, 1.0)
        left = self._end - time.monotonic()
        if seconds <= left:
            return None
        return (
            f"forecast {duration(seconds)}, and {duration(max(left, 0))} were left of"
            f" {duration(60 * (self._minutes or 0))}"
        )
