"""What the methods share that learn from ranked answers."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import BaseModel, Field

from nshot.core.types import Cost, Kind, Rung
from nshot.methods.contract import Brief
from nshot.prompts.render import Format

_AROUND = 12
"""Tokens that a chat template adds to a question and its answer, about."""


class Preferring(BaseModel):
    """Settings of a training on ranked answers.

    Args:
        epochs: passes over the prompts.
        batch_size: prompts an optimiser step, each with all pairs of its answers.
        format: ``chat`` reads a prompt and an answer through the model's chat template.
        max_tokens: the longest prompt with an answer; see `nshot.training.data.rankings` for the
            rule by which a longer one is cut.
    """

    rung: ClassVar[Rung] = "align"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"rank"})

    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)
    format: Format = "chat"
    max_tokens: int = Field(default=512, ge=32)


def with_two_answers(brief: Brief) -> Brief:
    """The brief of rows whose answers are each about as long as what is asked."""
    return replace(brief, tokens=3 * brief.tokens + _AROUND)


def asked_pairs(brief: Brief, times: float) -> Cost:
    """What it costs to read the test prompts, each once for each of two answers, so many times."""
    tokens = times * brief.test * 2 * (2 * brief.tokens + _AROUND)
    return Cost(seconds=0.05 + tokens / brief.rates.lm_tokens, tokens_in=round(tokens))
