"""Levels in order on a sentence encoder's vectors: the proportional-odds model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat

from nshot.core.types import Kind, Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, targets
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.ordinal_head import OrdinalHead


class Ordinal(OnFeatures):
    """McCullagh, "Regression Models for Ordinal Data", JRSS B 42(2), 1980.

    https://doi.org/10.1111/j.2517-6161.1980.tb01109.x, equation 2.1: logit P(level <= k | x) =
    threshold k - w x. One weight a feature whatever the number of levels, so that a rare level
    learns from its neighbours. The answer is the level nearest to the expected one.

    Args:
        C: inverse of the L2 penalty on w; the vectors have unit length.
    """

    name: ClassVar = "ordinal"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"score"})
    trains: ClassVar = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"C": (10.0, 1.0, 100.0)}
    about: ClassVar = "one line through the encoder's vectors, cut into levels"

    C: PositiveFloat = 10.0

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and fit line and thresholds."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        known, levels = np.unique(targets(task, shots.labelled), return_inverse=True)
        weights, thresholds = proportional_odds(vectors.astype(np.float64), levels, self.C)
        bench.trained(weights.size + thresholds.size)
        return OrdinalHead(task, encoder_of(bench), weights, thresholds, known)


def proportional_odds(
    features: Floats, levels: NDArray[np.intp], C: float
) -> tuple[Floats, Floats]:
    """Weights (width,) and rising thresholds (levels - 1,) of (rows, width) features.

    Minimises the sum of the rows' negative log-likelihoods plus half the squared weights over `C`;
    each of the levels 0 to the highest has a row. The thresholds' distances are fitted by their
    logarithms, which keeps them rising.
    """
    from scipy.optimize import minimize

    count, mean = int(levels.max()) + 1, features.mean(axis=0)
    if count == 1:
        return np.zeros(features.shape[1]), np.zeros(0)
    centred = features - mean
    reached = np.cumsum(np.bincount(levels))[:-1] / len(levels)
    first = np.log(reached / (1 - reached))
    start = np.concatenate([np.zeros(features.shape[1]), first[:1], np.log(np.diff(first))])
    options = {"maxiter": 2000, "maxfun": 4000, "gtol": 1e-8 * len(levels), "ftol": 1e-12}
    fit = minimize(_loss, start, (centred, levels, C), "L-BFGS-B", jac=True, options=options)
    weights = fit.x[: features.shape[1]]
    return weights, _thresholds(fit.x[features.shape[1] :]) + mean @ weights


def _thresholds(free: Floats) -> Floats:
    return np.cumsum(np.concatenate([free[:1], np.exp(free[1:])]))


def _loss(
    values: Floats, features: Floats, levels: NDArray[np.intp], C: float
) -> tuple[float, Floats]:
    """The loss, and its gradient by weights, first threshold and logarithms of distances."""
    width = features.shape[1]
    weights, free = values[:width], values[width:]
    thresholds = _thresholds(free)
    places = features @ weights
    upper = np.append(thresholds, np.inf)[levels] - places
    lower = np.insert(thresholds, 0, -np.inf)[levels] - places
    with np.errstate(divide="ignore"):
        inside = np.log(-np.expm1(lower - upper))
    loss = np.logaddexp(0, -upper).sum() + np.logaddexp(0, lower).sum() - inside.sum()
    # d log(s(u) - s(l)) / du = s(-u) + e / (1 - e) with e = exp(l - u), and the same downwards.
    apart = np.exp(lower - upper)
    apart = apart / (1 - apart)
    by_upper = np.where(np.isinf(upper), 0, _sigmoid(-upper) + apart)
    by_lower = np.where(np.isinf(lower), 0, -_sigmoid(lower) - apart)
    gradient = np.empty_like(values)
    gradient[:width] = features.T @ (by_upper + by_lower) + weights / C
    count = len(thresholds)
    by_threshold = -np.bincount(levels, by_upper, count + 1)[:count]
    by_threshold -= np.bincount(levels, by_lower, count + 1)[1:]
    later = np.cumsum(by_threshold[::-1])[::-1]
    gradient[width:] = np.concatenate([later[:1], later[1:] * np.exp(free[1:])])
    return float(loss + weights @ weights / (2 * C)), gradient


def _sigmoid(values: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -values))
