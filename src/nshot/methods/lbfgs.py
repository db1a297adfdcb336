"""L-BFGS for convex losses of logits that are linear in what is learned.

Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", 1980,
https://doi.org/10.1090/S0025-5718-1980-0572855-7: the direction is the gradient times a guess of
the inverse Hessian, made of the last steps and what they did to the gradient. Along a direction
the logits are a straight line: the search along it costs no product with the features.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating]
Residuals: TypeAlias = Callable[[Array], Array]
"""(rows, labels) logits -> derivative of the mean loss by each of them."""

MEMORY = 8
"""Steps remembered."""
MOST = 1000
"""Steps at most."""
_FLATTER = 0.5
"""A search along a direction ends where the slope is this much of the one it began with."""
_TRIES = 12


class Space(Protocol):
    """What is learned, as an array: how it makes logits, and its penalty, a quadratic form."""

    def zero(self) -> Array:
        """Where to begin."""
        ...

    def logits(self, values: Array) -> Array:
        """(rows, labels), linear in the values."""
        ...

    def gradient(self, values: Array, residuals: Array) -> Array:
        """Of loss and penalty together."""
        ...

    def dot(self, one: Array, other: Array) -> float:
        """The inner product in which `gradient` is the gradient."""
        ...

    def penalty(self, one: Array, other: Array) -> float:
        """The bilinear form whose half at (values, values) is the penalty."""
        ...

    def guess(self, gradient: Array) -> Array:
        """A first guess of the inverse Hessian, up to a factor, times the gradient."""
        ...


class _Step(NamedTuple):
    moved: Array
    turned: Array
    """By how much the gradient changed."""
    inverse: float


def minimise(space: Space, residuals: Residuals, gap: float) -> Array:
    """The values at which loss and penalty together are smallest, to within about `gap`.

    What another step is thought to gain is compared with `gap`.
    """
    values = space.zero()
    logits = space.logits(values)
    slopes = residuals(logits)
    gradient = space.gradient(values, slopes)
    memory: deque[_Step] = deque(maxlen=MEMORY)
    for _ in range(MOST):
        direction = _direction(space, gradient, memory)
        slope = space.dot(gradient, direction)
        if -slope / 2 <= gap:
            break
        line = space.logits(direction)
        far, slopes = _along(space, residuals, values, direction, logits, line, slope)
        moved = far * direction
        values, logits = values + moved, logits + far * line
        before, gradient = gradient, space.gradient(values, slopes)
        turned = gradient - before
        if (curvature := space.dot(moved, turned)) > 0:
            memory.append(_Step(moved, turned, 1 / curvature))
    return values


def _direction(space: Space, gradient: Array, memory: deque[_Step]) -> Array:
    """The two loops of algorithm 7.4 in Nocedal and Wright, "Numerical Optimization"."""
    direction, factors = gradient.copy(), []
    for step in reversed(memory):
        factor = step.inverse * space.dot(step.moved, direction)
        factors.append(factor)
        direction -= _as(factor, direction) * step.turned
    direction = space.guess(direction)
    if memory:
        last = memory[-1]
        size = last.inverse * space.dot(last.turned, space.guess(last.turned))
        direction *= _as(1 / size, direction)
    for step, factor in zip(memory, reversed(factors), strict=True):
        rest = factor - step.inverse * space.dot(step.turned, direction)
        direction += _as(rest, direction) * step.moved
    return np.negative(direction, out=direction)


def _along(
    space: Space,
    residuals: Residuals,
    values: Array,
    direction: Array,
    logits: Array,
    line: Array,
    slope: float,
) -> tuple[Any, Array]:
    """How far to go along a direction, and the residuals there: where it is flat enough.

    The loss is convex: a slope that still falls is before the end, one that rises behind it.
    """
    straight, bend = space.penalty(values, direction), space.penalty(direction, direction)
    far, low, high = 1.0, (0.0, slope), None
    for _ in range(_TRIES):
        step = _as(far, logits)
        slopes = residuals(logits + step * line)
        here = float(np.vdot(slopes, line)) + straight + far * bend
        if abs(here) <= _FLATTER * abs(slope):
            break
        if here < 0:
            low = far, here
        else:
            high = far, here
        far = 4 * far if high is None else _between(low, high)
    return step, slopes


def _between(low: tuple[float, float], high: tuple[float, float]) -> float:
    """Where a straight line of the slopes crosses zero, not too near to either end."""
    share = -low[1] / (high[1] - low[1])
    return low[0] + (high[0] - low[0]) * min(0.9, max(0.1, share))


def _as(number: float, like: Array) -> Any:
    """A number that leaves float32 what it is."""
    return like.dtype.type(number)
