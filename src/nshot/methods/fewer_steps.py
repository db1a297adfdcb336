"""A method that trains, with as many steps as take so many seconds."""

from __future__ import annotations

from nshot.methods.contract import Brief, Method

LEAST = 4
"""Steps under which a training says nothing."""
WORTH = 0.5
"""Where it would be more than this share of the steps, all of them are taken."""


def with_fewer_steps(method: Method, brief: Brief, seconds: float, steps: int) -> Method | None:
    """The method with `max_steps` so low that building is forecast at `seconds`.

    `steps`: those that it would take on `brief.labelled` rows. At least `LEAST` are taken; None
    where it would be about as many as without.
    """

    def forecast(count: int) -> float:
        return method.model_copy(update={"max_steps": count}).forecast(brief).seconds

    first = forecast(1)
    each = (forecast(steps) - first) / max(steps - 1, 1)
    count = max(LEAST, 1 + int((seconds - first) / each)) if each > 0 else steps
    return None if count > WORTH * steps else method.model_copy(update={"max_steps": count})
