"""Multinomial logistic regression with an L2 penalty, on dense features or counted terms.

What does not depend on labels and penalty is made once for features (`Design`), so that a search
over the penalty, or several heads on the same rows, repeat none of it. The answers are those of
scikit-learn's `LogisticRegression` at a tight tolerance: its default stops, with weak penalties,
where probabilities are still off by tenths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.methods.features import ABSENT
from nshot.methods.lbfgs import Array, minimise
from nshot.models.base import Floats

SPECTRUM = 1024
"""Rows or columns up to which the whole spectrum of the features is found."""
SMALL = 2e7
"""Multiplications of a product of features and weights up to which all is done in float64."""
GAP, SMALL_GAP = 1e-6, 1e-10
"""Nats a row, about, that the fit may be from the best one, for many rows and for few."""
_LEADING = 48
"""Directions whose sizes are known where the whole spectrum would take too long."""
_EPSILON = 1e-12

Matrix: TypeAlias = Any
"""(rows, width): an array or a CSR matrix."""


def logistic(
    design: Design, targets: NDArray[np.int64], count: int, C: float
) -> tuple[Floats, Floats]:
    """Multinomial logistic regression with an L2 penalty of 1 / `C`: (width, count), (count,).

    The sum of the rows' losses plus half the squared weights over `C` is minimised; for two labels
    the weights are those of the difference, as scikit-learn has it. A label that no row has is left
    out of the fit and all but excluded from the answers.
    """
    return logistic_of_shares(design, np.eye(count)[targets], C)


def logistic_of_shares(design: Design, shares: Floats, C: float) -> tuple[Floats, Floats]:
    """The same where a row is of several labels by `shares` (rows, labels), each row's sum 1.

    A row's loss is its cross-entropy with its shares, the probabilities that a teacher gives
    (Hinton et al. 2015, https://arxiv.org/abs/1503.02531, at temperature 1).
    """
    count = shares.shape[1]
    weights, bias = np.zeros((design.width, count)), np.full(count, ABSENT)
    present = np.flatnonzero(shares.any(axis=0))
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    labels = len(present)
    each, offsets = design.fit(shares[:, present], C / 2 if labels == 2 else C)
    if labels == 2:
        each = np.stack([np.zeros(design.width), each[:, 1] - each[:, 0]], axis=1)
        offsets = np.array([0.0, offsets[1] - offsets[0]])
    weights[:, present], bias[present] = each, offsets
    return weights, bias


def independent(design: Design, applies: Floats, C: float) -> tuple[Floats, Floats]:
    """A logistic regression for each column of `applies` (rows, labels), 0 and 1, of its own.

    (width, labels) weights and (labels,) biases that minimise the sum of the rows' losses plus half
    the squared weights over `C`. A label that no row has, or every row, is answered so always.
    """
    weights = np.zeros((design.width, applies.shape[1]))
    bias = np.where(applies.any(axis=0), -ABSENT, ABSENT)
    mixed = applies.any(axis=0) & ~applies.all(axis=0)
    if mixed.any():
        weights[:, mixed], bias[mixed] = design.fit_each(applies[:, mixed], C)
    return weights, bias


@dataclass(frozen=True)
class Design:
    """Features of rows, made ready for fits: centred, and with their directions' sizes known.

    `features` (rows, width); `mean` (width,).
    """

    features: Matrix
    mean: Floats
    space: _Directions | _Rows

    @classmethod
    def of(cls, features: Matrix) -> Design:
        """Prepare the features; float64 where there are few."""
        mean = np.asarray(features.mean(axis=0), dtype=np.float64).ravel()
        if min(features.shape) <= SPECTRUM:
            return cls(features, mean, _Directions.of(features, mean))
        return cls(features, mean, _Rows.of(features))

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.features.shape[1])

    def fit(self, shares: Floats, C: float) -> tuple[Floats, Floats]:
        """Weights (width, labels) and bias (labels,); every one of the labels has a share."""
        labels = shares.shape[1]
        curvature = (1 - 1 / labels) / labels  # of a softmax that knows nothing yet
        return self._minimised(labels, C, curvature, lambda dtype: _softmax(shares, dtype))

    def fit_each(self, applies: Floats, C: float) -> tuple[Floats, Floats]:
        """The same of `applies` (rows, labels), each label against its absence."""
        labels = applies.shape[1]
        return self._minimised(labels, C, 0.25, lambda dtype: _sigmoids(applies, dtype))

    def _minimised(
        self, labels: int, C: float, curvature: float, residuals: Callable[[np.dtype[Any]], Any]
    ) -> tuple[Floats, Floats]:
        rows = self.features.shape[0]
        small = rows * min(self.features.shape) * labels <= SMALL
        dtype = np.dtype(np.float64 if small else np.float32)
        space = self.space.scaled(labels, 1 / (C * rows), curvature, dtype)
        values = minimise(space, residuals(dtype), SMALL_GAP if small else GAP)
        weights, bias = space.weights(values)
        return weights, bias - self.mean @ weights


def _softmax(shares: Floats, dtype: np.dtype[Any]) -> Any:
    """The residuals of the mean cross-entropy: (probabilities - right ones) / rows."""
    each = dtype.type(1 / len(shares))
    right = shares.astype(dtype) * each

    def residuals(logits: Array) -> Array:
        parts: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
        parts *= each / parts.sum(axis=1, keepdims=True)
        parts -= right
        return parts

    return residuals


def _sigmoids(applies: Floats, dtype: np.dtype[Any]) -> Any:
    """The residuals of the mean of the labels' cross-entropies: (probabilities - right) / rows."""
    right, share = applies.astype(dtype), dtype.type(1 / len(applies))

    def residuals(logits: Array) -> Array:
        return np.asarray((dtype.type(0.5) * (1 + np.tanh(logits / 2)) - right) * share)

    return residuals


# ------------------------------------------------------------ features with a whole spectrum


@dataclass(frozen=True)
class _Directions:
    """Features in coordinates of their own: `shown` (rows, directions), mean squares `sizes`.

    `back` (width, directions) times the weights of directions is the weights of features.
    """

    shown: Floats
    sizes: Floats
    back: Floats

    @classmethod
    def of(cls, features: Matrix, mean: Floats) -> _Directions:
        rows, width = features.shape
        if rows <= width:
            return cls._of_few_rows(features)
        centred = np.asarray(_dense(features), dtype=np.float64) - mean
        sizes, turn = np.linalg.eigh(centred.T @ centred / rows)
        return cls(centred @ turn, np.maximum(sizes, 0), turn)

    @classmethod
    def _of_few_rows(cls, features: Matrix) -> _Directions:
        """By the products of all pairs of rows: there are no more directions than rows."""
        products = _dense(features.astype(np.float64) @ features.astype(np.float64).T)
        products = _centred(_centred(products).T)
        sizes, turn = np.linalg.eigh((products + products.T) / 2)
        moving = sizes > _EPSILON * max(sizes[-1], _EPSILON)
        lengths, turn = np.sqrt(sizes[moving]), turn[:, moving]
        back = features.astype(np.float64).T @ (turn / lengths)
        return cls(turn * lengths, sizes[moving] / len(products), np.asarray(back))

    def scaled(
        self, labels: int, penalty: float, curvature: float, dtype: np.dtype[Any]
    ) -> _Scaled:
        scale = 1 / np.sqrt(curvature * self.sizes + penalty)
        shown = (self.shown * scale).astype(dtype)
        each = (penalty * scale**2).astype(dtype)[:, None]
        return _Scaled(self, labels, shown, scale, each, dtype.type(curvature**-0.5))


@dataclass(frozen=True)
class _Scaled:
    """A `nshot.methods.lbfgs.Space`: a weight per direction and label, and the biases last.

    Directions are scaled so that the loss bends about equally in all of them.
    """

    directions: _Directions
    labels: int
    shown: Array
    scale: Floats
    each: Array
    level: Any
    """The scale of the biases."""

    def zero(self) -> Array:
        return np.zeros((len(self.scale) + 1, self.labels), self.shown.dtype)

    def logits(self, values: Array) -> Array:
        return np.asarray(self.shown @ values[:-1] + values[-1] * self.level)

    def gradient(self, values: Array, residuals: Array) -> Array:
        gradient = np.empty_like(values)
        gradient[:-1] = self.shown.T @ residuals + self.each * values[:-1]
        gradient[-1] = residuals.sum(axis=0) * self.level
        return gradient

    def dot(self, one: Array, other: Array) -> float:
        return float(np.vdot(one, other))

    def penalty(self, one: Array, other: Array) -> float:
        return float(np.vdot(self.each * one[:-1], other[:-1]))

    def guess(self, gradient: Array) -> Array:
        return gradient

    def weights(self, values: Array) -> tuple[Floats, Floats]:
        whole = values.astype(np.float64)
        return self.directions.back @ (whole[:-1] * self.scale[:, None]), whole[-1] * self.level


# ------------------------------------------------------------ many rows of many columns


@dataclass(frozen=True)
class _Rows:
    """Many rows of wide features: weights are sums of rows, so that n numbers a label will do.

    `features` and `turned`, their transpose; `leading` (rows, few) and `sizes`: about the leading
    eigenvectors and eigenvalues of the products of the centred rows (Halko, Martinsson and Tropp,
    "Finding Structure with Randomness", 2011, https://doi.org/10.1137/090771806, algorithm 4.4),
    and `shown`: what `products` makes of them.
    """

    features: Matrix
    turned: Matrix
    leading: Array
    shown: Array
    sizes: Array

    @classmethod
    def of(cls, features: Matrix) -> _Rows:
        narrow = features.astype(np.float32)
        turned = narrow.T.tocsr() if hasattr(narrow, "tocsr") else narrow.T
        draw = np.random.default_rng(0)
        basis = draw.standard_normal((narrow.shape[0], _LEADING + 8), dtype=np.float32)
        for _ in range(2):
            basis = np.linalg.qr(_products(narrow, turned, basis))[0]
        shown = _products(narrow, turned, basis)
        inner = basis.T @ shown
        sizes, turn = np.linalg.eigh((inner + inner.T) / 2)
        turn, sizes = turn[:, : -1 - _LEADING : -1], sizes[: -1 - _LEADING : -1]
        return cls(narrow, turned, basis @ turn, shown @ turn, sizes)

    def products(self, values: Array) -> Array:
        """See `_products`."""
        return _products(self.features, self.turned, values)

    def scaled(self, labels: int, penalty: float, curvature: float, dtype: np.dtype[Any]) -> _Sums:
        size = len(self.leading)
        bends = curvature * self.sizes / size + penalty
        least = float(bends[-1])
        drop = ((1 - least / bends) / self.sizes)[:, None]
        return _Sums(self, labels, np.float32(penalty), least, drop, np.float32(curvature**-0.5))


@dataclass(frozen=True)
class _Sums:
    """A `nshot.methods.lbfgs.Space`: weights as sums of rows, their logits, and the biases last.

    Values are (2 rows + 1, labels): factors of the rows, what these make as logits, and the biases.
    Both are linear, so that a sum of values is right in both, and the inner product of weights is
    that of the factors of one with the logits of the other.
    """

    rows: _Rows
    labels: int
    each: Any
    least: float
    """How the loss bends in directions that are not among the leading ones."""
    drop: Array
    level: Any
    """The scale of the biases."""

    @property
    def _size(self) -> int:
        return len(self.rows.leading)

    def zero(self) -> Array:
        return np.zeros((2 * self._size + 1, self.labels), np.float32)

    def logits(self, values: Array) -> Array:
        return np.asarray(values[self._size : -1] + values[-1] * self.level)

    def gradient(self, values: Array, residuals: Array) -> Array:
        size, gradient = self._size, np.empty_like(values)
        gradient[:size] = residuals + self.each * values[:size]
        gradient[size:-1] = self.rows.products(gradient[:size])
        gradient[-1] = residuals.sum(axis=0) * self.level
        return gradient

    def dot(self, one: Array, other: Array) -> float:
        return self._of_weights(one, other) + float(np.vdot(one[-1], other[-1]))

    def penalty(self, one: Array, other: Array) -> float:
        return float(self.each) * self._of_weights(one, other)

    def _of_weights(self, one: Array, other: Array) -> float:
        return float(np.vdot(one[: self._size], other[self._size : -1]))

    def guess(self, gradient: Array) -> Array:
        """Less along the leading directions, in which the loss bends more."""
        size, leading, guess = self._size, self.rows.leading, gradient.copy()
        parts = self.drop * (leading.T @ gradient[size:-1])
        guess[:size] -= leading @ parts
        guess[size:-1] -= self.rows.shown @ parts
        guess[:-1] /= np.float32(self.least)
        return guess

    def weights(self, values: Array) -> tuple[Floats, Floats]:
        whole = self.rows.turned @ _centred(values[: self._size])
        return np.asarray(whole, np.float64), values[-1].astype(np.float64) * float(self.level)


def _dense(matrix: Matrix) -> Any:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _products(features: Matrix, turned: Matrix, values: Array) -> Array:
    """Centred rows times centred rows times values (rows, labels)."""
    return _centred(features @ (turned @ _centred(values)))


def _centred(values: Array) -> Array:
    """Less the mean of each column."""
    return np.asarray(values - values.mean(axis=0))
