"""General questions and texts, asked before and after: what was forgotten.

The questions and paragraphs are those of `nshot.audit.forgetting`.
"""

from __future__ import annotations

import numpy as np

from nshot.audit.change.before_after import Pair
from nshot.audit.estimates import Figure, Floats, share
from nshot.audit.forgetting import general, paragraph_sums
from nshot.models.base import LanguageModel


def knowledge(before: LanguageModel, after: LanguageModel) -> list[Pair]:
    """The share of questions answered rightly, and nats a token of the paragraphs.

    Raises `CannotAdapt` for a model that cannot score.
    """
    return [
        Pair(_right(before), _right(after)),
        Pair(_texts(before), _texts(after)),
    ]


def _right(model: LanguageModel) -> Figure:
    right = np.array(general(model).right, dtype=np.float64)
    parts = np.stack([right, np.ones(len(right))], axis=1)
    return Figure("general questions right", "knowledge", parts, _each(parts), share)


def _texts(model: LanguageModel) -> Figure:
    sums = paragraph_sums(model)
    return Figure(
        "nats a token of general texts", "knowledge", sums, _each(sums), share, 0.0, np.inf
    )


def _each(parts: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.arange(len(parts), dtype=np.intp)
