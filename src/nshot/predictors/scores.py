"""From numbers per label to predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.types import Input, Prediction, Task, digest
from nshot.models.base import Floats


def log_softmax(scores: NDArray[np.floating]) -> Floats:
    """Log-probabilities over the last axis, float64."""
    high = np.asarray(scores, dtype=np.float64)
    shifted = high - high.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def classified(
    task: Task, logprobs: NDArray[np.floating], tokens_in: Sequence[int]
) -> list[Prediction]:
    """One prediction per row of (inputs, labels) log-probabilities; of equals the first label."""
    names = task.label_names
    return [
        Prediction(names[int(np.argmax(row))], tuple(row.tolist()), tokens_in=tokens)
        for row, tokens in zip(logprobs, tokens_in, strict=True)
    ]


def charged(answer: Prediction, parts: Sequence[Prediction]) -> Prediction:
    """An answer made of several: with the tokens, money and known seconds of all of them."""
    seconds = [one.seconds for one in parts if one.seconds is not None]
    return replace(
        answer,
        tokens_in=sum(one.tokens_in for one in parts),
        tokens_out=sum(one.tokens_out for one in parts),
        seconds=sum(seconds) if seconds else None,
        money=sum(one.money for one in parts),
    )


def best_answer(input: Input, scores: Sequence[float]) -> str:
    """The answer with the highest score.

    Of equals the one whose hash is the lowest: the place of an answer must not decide, for files
    of preferences have the better one first.
    """
    high = max(scores)
    equals = [answer for answer, one in zip(input.answers, scores, strict=True) if one == high]
    return min(equals, key=digest)


def ranked(input: Input, scores: Sequence[float], tokens_in: int = 0) -> Prediction:
    """The best of an input's answers, by one score for each."""
    return Prediction(best_answer(input, scores), tuple(scores), tokens_in=tokens_in)


def require_answers(inputs: Sequence[Input]) -> None:
    """Raise `InputError` where an input has no answers to choose from."""
    if bare := sum(not input.answers for input in inputs):
        raise InputError(
            Fault(
                f"{bare} of {len(inputs)} inputs have no answers to choose from",
                expected="rows with prompt, chosen and rejected, or with prompt and answers",
                do="give each row its answers; a model of the method dpo also writes its own",
            )
        )
