"""What a language model knows besides its task: asked before and after, it says what was forgotten.

``general.json`` holds 100 questions with four options each and 20 short paragraphs, in English and
some in Korean, all written for nshot and copied from no data set. They are one yardstick for every
task and no part of any choice. Nats per token of models with different tokenizers cannot be
compared; those of one model before and after can.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from nshot.models.base import Floats, LanguageModel


@dataclass(frozen=True)
class Question:
    """A question, its four options, and which of them is right."""

    question: str
    options: tuple[str, ...]
    answer: int
    subject: str
    language: str


@dataclass(frozen=True)
class Paragraph:
    """Three to five sentences."""

    text: str
    subject: str
    language: str


@dataclass(frozen=True)
class General:
    """What a model made of the questions and the paragraphs.

    `right` says for each question whether it was answered rightly, so that two models can be
    compared question by question; `nats_per_token` is the mean negative log-likelihood over all
    tokens of all paragraphs.
    """

    right: tuple[bool, ...]
    nats_per_token: float

    @property
    def accuracy(self) -> float:
        """The share of questions answered rightly; guessing gives 0.25."""
        return sum(self.right) / len(self.right)


@cache
def questions() -> tuple[Question, ...]:
    """The 100 questions."""
    return tuple(
        Question(q["question"], tuple(q["options"]), q["answer"], q["subject"], q["language"])
        for q in _written()["questions"]
    )


@cache
def paragraphs() -> tuple[Paragraph, ...]:
    """The 20 paragraphs."""
    return tuple(
        Paragraph(p["text"], p["subject"], p["language"]) for p in _written()["paragraphs"]
    )


def _written() -> Any:
    text = files("nshot.audit.forgetting").joinpath("general.json").read_text(encoding="utf-8")
    return json.loads(text)


def general(model: LanguageModel) -> General:
    """Ask the model all of it, through `LanguageModel.logprobs` alone.

    An option's log-likelihood is divided by its length in UTF-8 bytes, so that a long one is not
    the worse for being long (Gao 2021, "Multiple Choice Normalization in LM Evaluation",
    https://blog.eleuther.ai/multiple-choice-normalization/). Raises `CannotAdapt` for a model that
    cannot score, or whose context is shorter than a paragraph.
    """
    return General(_right(model), _nats_per_token(model))


def _right(model: LanguageModel) -> tuple[bool, ...]:
    rows = questions()
    prompts = [f"Question: {one.question}\nAnswer:" for one in rows]
    scores = model.logprobs(prompts, [[f" {option}" for option in one.options] for one in rows])
    right = []
    for one, score in zip(rows, scores, strict=True):
        lengths = np.array([len(option.encode("utf-8")) for option in one.options])
        right.append(int(np.argmax(score.logprobs / lengths)) == one.answer)
    return tuple(right)


def _nats_per_token(model: LanguageModel) -> float:
    nats, tokens = paragraph_sums(model).sum(axis=0)
    return float(nats / tokens)


def paragraph_sums(model: LanguageModel) -> Floats:
    """(paragraphs, 2) negative log-likelihood of each paragraph, and its tokens.

    A paragraph is the answer to nothing: its first token follows the start token. Raises as
    `general` does.
    """
    texts = [one.text for one in paragraphs()]
    scores = model.logprobs([""] * len(texts), [[text] for text in texts])
    (start,) = model.count([""])
    return np.array([(-one.logprobs[0], one.tokens_in - start) for one in scores])
