"""The fakes: deterministic, row by row, and right often enough to be worth testing with."""

from __future__ import annotations

import numpy as np
import pytest

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.catalog import resolve

SHOTS = (
    "Query: my card never came\nIntent: card arrival\n\n"
    "Query: cash was eaten\nIntent: lost cash\n\n"
)
ANSWERS = ["lost cash", "card arrival"]


def test_it_learns_from_demonstrations_and_from_the_answers_words() -> None:
    lm = open_models().open(resolve("fake:scorer", "lm"))
    shown, told = lm.logprobs(
        [f"{SHOTS}Query: it never came\nIntent:", "Query: the card\nIntent:"], [ANSWERS] * 2
    )
    assert [int(s.logprobs.argmax()) for s in (shown, told)] == [1, 1]
    assert np.isclose(np.exp(shown.logprobs).sum(), 1)
    (said,) = lm.generate([f"{SHOTS}Query: it never came\nIntent:"], Decoding())
    assert said.text == "card arrival"


def test_rows_stand_alone_and_repeat() -> None:
    prompts = [f"{SHOTS}Query: {x}\nIntent:" for x in ("a", "b card", "c cash")]
    first = open_models().open(resolve("fake:scorer", "lm")).logprobs(prompts, [ANSWERS] * 3)
    lm = open_models().open(resolve("fake:scorer", "lm"))
    for one, prompt in zip(first, prompts, strict=True):
        assert (lm.logprobs([prompt], [ANSWERS])[0].logprobs == one.logprobs).all()


def test_a_remote_model_can_only_write() -> None:
    lm = open_models().open(resolve("fake:remote", "lm"))
    assert lm.facts.can == {"generate"}
    with pytest.raises(CannotAdapt):
        lm.logprobs(["x"], [["a"]])
    with pytest.raises(CannotAdapt):
        lm.hidden(["x"], [1])


def test_the_fake_encoder_sees_shared_words() -> None:
    encoder = open_models().encoder(resolve("fake:encoder", "encoder"))
    a, b, c = encoder.encode(["my card is lost", "lost my card", "the weather"])
    assert a @ b > a @ c
    assert np.allclose(np.linalg.norm([a, b, c], axis=1), 1)


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'fake'"):
        open_models().open(ModelRef("fakes", "x"))
