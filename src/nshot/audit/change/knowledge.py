"""General questions and texts, asked before and after: what was forgotten.

The questions and paragraphs are those of `nshot.audit.forgetting`.
"""

from __future__ import annotations

import numpy as np

from nshot.audit.change.before_after import Pair
from nshot.audit.estimates import Figure, share, share_of
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
    return share_of("general questions right", "knowledge", np.array(general(model).right))


def _texts(model: LanguageModel) -> Figure:
    sums = paragraph_sums(model)
    each = np.arange(len(sums), dtype=np.intp)
    return Figure("nats a token of general texts", "knowledge", sums, each, share, 0.0, np.inf)
