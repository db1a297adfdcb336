"""Continuations, hidden states, counts: equal to what transformers says row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import ModelRef, Turn
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.hf import generate
from nshot.models.hf.room import position_bytes

START = "review : a film of great charm and wit\nsentiment : positive\n\nreview : very dull\n" * 2
PROMPTS = [f"{START}query : {x} intent :" for x in ("lost card", "x", "a stolen card payment", "y")]


def opened(folder: Path) -> Any:
    return open_models().open(ModelRef("hf", str(folder)))


def by_transformers(lm: Any, prompt: str, count: int) -> str:
    base = lm._base
    given = base.tokenizer(prompt, return_tensors="pt")
    out = base.module.generate(**given, max_new_tokens=count, do_sample=False)
    new = out[0, given["input_ids"].shape[1] :]
    return str(base.tokenizer.decode(new, skip_special_tokens=True))


@pytest.mark.parametrize("kind", ["llama", "gemma3", "gpt2", "mistral", "qwen3"])
def test_greedy_text_is_that_of_transformers_alone(kind: str, tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny(kind))
    found = lm.generate(PROMPTS, Decoding(max_tokens=12))
    assert [c.text for c in found] == [by_transformers(lm, p, 12) for p in PROMPTS]
    assert len({c.text for c in found}) > 1
    twice = lm.generate(PROMPTS + PROMPTS[::-1], Decoding(max_tokens=12))
    assert twice == found + found[::-1], "a prompt that stands twice is read once"


def test_a_model_without_keys_and_values_says_that_it_cannot(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("mamba"))
    assert lm.facts.can >= {"score", "hidden"}
    assert "generate" not in lm.facts.can
    with pytest.raises(CannotAdapt, match="attention"):
        lm.generate(PROMPTS, Decoding())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_text_does_not_depend_on_its_company(
    temperature: float, tiny: Callable[[str], Path]
) -> None:
    lm = opened(tiny("llama"))
    how = Decoding(max_tokens=10, temperature=temperature, seed=3)
    together = lm.generate(PROMPTS, how)
    assert together == [lm.generate([p], how)[0] for p in PROMPTS]
    assert together[::-1] == lm.generate(PROMPTS[::-1], how)


def test_the_seed_moves_samples_only(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    hot = [lm.generate(PROMPTS, Decoding(8, 2.0, seed)) for seed in (0, 1)]
    cold = [lm.generate(PROMPTS, Decoding(8, 0.0, seed)) for seed in (0, 1)]
    assert hot[0] != hot[1]
    assert cold[0] == cold[1]


def test_a_stop_string_ends_the_text_before_it(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    (whole,) = lm.generate(PROMPTS[:1], Decoding(max_tokens=12))
    stop = whole.text[4:6]
    (cut,) = lm.generate(PROMPTS[:1], Decoding(max_tokens=12, stop=(stop,)))
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert cut.finished
    assert cut.tokens_out < whole.tokens_out


def test_an_end_token_ends_the_text(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    (whole,) = lm.generate(PROMPTS[:1], Decoding(max_tokens=6))
    with lm._base.answering(()) as live:
        ids = torch.tensor([lm._base.tokenizer(PROMPTS[0])["input_ids"]])
        with torch.no_grad():
            first = int(live.module(input_ids=ids).logits[0, -1].argmax())
        live.module.generation_config.eos_token_id = [1, first]
    (ended,) = lm.generate(PROMPTS[:1], Decoding(max_tokens=6))
    assert (ended.text, ended.finished, ended.tokens_out) == ("", True, 0)
    assert not whole.finished
    assert whole.tokens_out == 6


@pytest.mark.parametrize("kind", ["llama", "gemma3", "mistral"])
@pytest.mark.parametrize("start", ["", START])
def test_rows_that_end_early_leave_the_others_as_they_are(
    kind: str, start: str, tiny: Callable[[str], Path]
) -> None:
    lm = opened(tiny(kind))
    lm._base.module.generation_config.eos_token_id = list(range(1, 400, 7))
    prompts = [f"{start}{'a good card ' * (i % 5)}{i} :" for i in range(12)]
    how = Decoding(max_tokens=16, temperature=1.0)
    found = lm.generate(prompts, how)
    assert found == [lm.generate([prompt], how)[0] for prompt in prompts]
    assert len({c.tokens_out for c in found}) > 3
    assert {c.finished for c in found} == {c.tokens_out < 16 for c in found}


def test_a_batch_is_as_large_as_its_room_allows(
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = opened(tiny("llama"))
    prompts = [*PROMPTS, *(f"{i} intent :" for i in range(6))]
    whole = lm.generate(prompts, Decoding(max_tokens=6))
    monkeypatch.setattr(generate, "ROWS", 3)
    assert lm.generate(prompts, Decoding(max_tokens=6)) == whole
    monkeypatch.setattr(generate, "CACHE_BYTES", 1)
    assert lm.generate(prompts, Decoding(max_tokens=6)) == whole
    config = lm._base.module.config
    width = config.num_key_value_heads * config.head_dim
    assert position_bytes(lm._base.module) == 2 * config.num_hidden_layers * width * 4


def test_generation_leaves_room_for_what_it_writes(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    (found,) = lm.generate([START * 20], Decoding(max_tokens=16))
    assert found.tokens_in == lm.facts.context - 16


def test_nothing_asked_nothing_said(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    assert lm.generate([], Decoding()) == []
    assert lm.hidden([], [1]).last.shape == (0, 1, 32)
    (empty,) = lm.generate([""], Decoding(max_tokens=3))
    assert empty.tokens_in == 1


@pytest.mark.parametrize("kind", ["llama", "gemma3", "gpt2"])
def test_hidden_states_are_those_of_a_row_alone(kind: str, tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny(kind))
    found = lm.hidden(PROMPTS, [1, 3])
    for i, prompt in enumerate(PROMPTS):
        given = lm._base.tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            states = lm._base.module(**given, output_hidden_states=True).hidden_states
        for place, layer in enumerate((1, 3)):
            state = states[layer][0].numpy()
            np.testing.assert_allclose(found.last[i, place], state[-1], atol=1e-4)
            np.testing.assert_allclose(found.mean[i, place], state.mean(0), atol=1e-4)
    assert list(found.tokens_in) == lm.count(PROMPTS)


def test_a_layer_that_is_not_there_is_refused(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    for layer in (0, 4):
        with pytest.raises(InputError, match="layers 1 to 3"):
            lm.hidden(PROMPTS, [layer])


def test_a_template_cannot_leave_its_sandbox(tiny: Callable[[str], Path]) -> None:
    lm = opened(tiny("llama"))
    turns = (Turn("user", "hello"),)
    lm._base.tokenizer.chat_template = "{{ messages.append(1) }}"
    with pytest.raises(CannotAdapt, match="unsafe"):
        lm.count([turns])
    lm._base.tokenizer.chat_template = "{{ ''.__class__.__mro__ }}"
    with pytest.raises(CannotAdapt, match="unsafe"):
        lm.count([turns])
    lm._base.tokenizer.chat_template = None
    with pytest.raises(CannotAdapt, match="chat template"):
        lm.count([turns])
