"""What comes next is exactly what a plain forward pass says, whatever is asked beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from test_mount import adapter

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Delta, ModelRef, Turn
from nshot.models import open_models

PROMPTS = [
    "review : very good\nsentiment :",
    "a film",
    (Turn("user", "review : dull"), Turn("assistant", "negative"), Turn("user", "review : fine")),
    "the quick brown fox jumps over the lazy dog . " * 3,
]


@pytest.mark.parametrize("kind", ["llama", "gemma3", "gpt2", "bloom", "mamba"])
def test_the_logits_are_those_of_one_plain_pass(kind: str, tiny: Callable[[str], Path]) -> None:
    from nshot.models.hf.tokens import encode_prompts

    lm = open_models().open(ModelRef("hf", str(tiny(kind))))
    base = lm._base
    coded = encode_prompts(base.tokenizer, PROMPTS)
    with torch.no_grad():
        naive = [base.module(input_ids=torch.tensor([ids])).logits[0].numpy() for ids in coded]
    last = lm.next_logits(PROMPTS)
    assert last.dtype == np.float32
    np.testing.assert_allclose(last, [table[-1] for table in naive], atol=1e-4)
    for prompt, row in zip(PROMPTS, last, strict=True):
        np.testing.assert_allclose(lm.next_logits([prompt]), [row], atol=1e-4)
    positions = [[0, -1], [], [3, 2, 2], list(range(len(coded[3])))]
    expected = np.concatenate([naive[i][some] for i, some in enumerate(positions) if some])
    np.testing.assert_allclose(lm.next_logits(PROMPTS, positions), expected, atol=1e-4)
    np.testing.assert_allclose(lm.next_logits(coded, positions), expected, atol=1e-4)
    assert lm.next_logits([]).shape == (0, last.shape[1])


def test_a_soft_prompt_stands_before_it(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    models, ref = open_models(), ModelRef("hf", str(tiny("llama")))
    adapter(models, ref, "prefix", tmp_path)
    view = models.open(ModelRef("hf", ref.name, deltas=(Delta("peft", str(tmp_path)),)))
    bare = models.open(ref).next_logits(PROMPTS)
    assert np.abs(view.next_logits(PROMPTS) - bare).max() > 1e-2
    logprobs = view.logprobs([PROMPTS[1]], [[" was", " is"]])[0].logprobs
    assert np.isfinite(logprobs).all()


def test_positions_that_are_not_there_are_said(tiny: Callable[[str], Path]) -> None:
    lm = open_models().open(ModelRef("hf", str(tiny("llama"))))
    with pytest.raises(InputError, match="no position 9"):
        lm.next_logits([(2, 3, 4)], [[9]])
    with pytest.raises(CannotAdapt, match="300 tokens: 256 can be read"):
        lm.next_logits([(5,) * 300], [[0]])
    assert lm.next_logits([(5,) * 300]).shape[0] == 1, "cut from the left, as a prompt is"
