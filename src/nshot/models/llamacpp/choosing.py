"""The next token of a text, of logits in numpy: the likeliest, or one drawn; within its grammar."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nshot.models.base import Decoding
from nshot.models.texts import Drawn, Text


def choose(logits: NDArray[np.float32], text: Text, how: Decoding) -> Drawn | None:
    """The next token of a text, of (vocabulary,); None where its grammar ends it.

    To draw again among the allowed is to draw from the odds that the allowed have among themselves.
    """
    drawn, place = _drawn(logits, text, how), text.place
    if place is None or place.allows(drawn.token):
        return drawn
    if place.complete:
        return None
    return _drawn(np.where(place.mask(len(logits)), logits, -np.inf), text, how)


def _drawn(logits: NDArray[np.float32], text: Text, how: Decoding) -> Drawn:
    if how.temperature <= 0:
        return Drawn(int(logits.argmax()), 0.0)
    scaled = logits.astype(np.float64) / how.temperature
    odds = np.exp(scaled - scaled.max())
    sums = odds.cumsum()
    at = int(np.searchsorted(sums, text.rng.random() * sums[-1], "right"))
    token = min(at, len(odds) - 1)
    return Drawn(token, math.log(odds[token] / sums[-1]))
