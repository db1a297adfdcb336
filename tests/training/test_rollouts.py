"""Texts of a policy: as likely when they are read again as when they were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig

from nshot.core.errors import InputError
from nshot.core.types import Grammar, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding, LentModel
from nshot.training.forward import Shared, Whole, reader
from nshot.training.rollouts import (
    ActorCritic,
    Judging,
    Likelihoods,
    Rollout,
    by_row,
    expectations,
    logprobs,
    probe,
    repetition,
    rollouts,
)
from nshot.training.rows import Row
from tiny import tiny_llama

COMMON = "Review: a warm and funny film, and then a dull and lifeless one\n" * 2
PROMPTS = ["Query: my card", f"{COMMON}Sentiment:", "x", f"{COMMON}Query: where is it?"]
HOW = Decoding(max_tokens=12, temperature=1.3, seed=5)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("llama"))))


@pytest.fixture
def lent(llama: ModelRef) -> Iterator[LentModel]:
    with open_models().lend(llama) as lent:
        yield lent


def policy(lent: LentModel) -> Any:
    """An adapter that is no longer at its start."""
    module = lent.add("policy", LoraConfig(r=4, target_modules="all-linear"), 0)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.3, generator=torch.Generator().manual_seed(len(name)))
    return module


def alone(module: Any, row: Row, temperature: float) -> torch.Tensor:
    """Log-probabilities by an ordinary forward pass of one row, nothing before or behind it."""
    with torch.no_grad():
        logits = module(input_ids=torch.tensor([row.tokens]), use_cache=False).logits[0]
    wide = (logits[list(row.points)].double() / temperature).log_softmax(-1)
    return wide.gather(1, torch.tensor(row.targets)[:, None])[:, 0]


def close(one: Any, other: torch.Tensor) -> None:
    torch.testing.assert_close(torch.as_tensor(one).double(), other, rtol=1e-4, atol=1e-4)


def written(lent: LentModel, count: int = 5) -> list[Rollout]:
    return rollouts(lent, PROMPTS, HOW, count, "r")


def test_texts_are_as_likely_as_an_ordinary_pass_says(lent: LentModel) -> None:
    """They were written left-padded, behind a prompt read once; they are read right-padded."""
    module = policy(lent)
    texts = written(lent)
    assert [text.prompt for text in texts] == [i for i in range(4) for _ in range(5)]
    ways = [
        Whole(module, "cpu"),
        Shared(module, "cpu"),
        reader(module, probe(lent, PROMPTS), None, "cpu", True),
    ]
    for way in ways:
        again = logprobs(Likelihoods(way, 1.3), [text.row for text in texts])
        for text, one in zip(texts, again, strict=True):
            expected = alone(module, text.row, 1.3)
            close(text.logprobs, expected)
            close(one, expected)


def test_the_token_that_ends_a_text_is_part_of_it(llama: ModelRef) -> None:
    with open_models().lend(llama) as lent:
        end = lent.tokenizer.eos_token_id
        head = lent.module.get_output_embeddings()
        hook = head.register_forward_hook(
            lambda _, __, out: torch.cat(
                [out[..., :end], out[..., end:][..., :1] + 4, out[..., end + 1 :]], -1
            )
        )
        texts = rollouts(lent, PROMPTS, HOW, 6, "r")
        for text in texts:
            close(text.logprobs, alone(lent.module, text.row, HOW.temperature))
        hook.remove()
    ended = [text for text in texts if text.finished]
    assert ended
    assert len(ended) < len(texts)
    assert all(text.tokens[-1] == end for text in ended)
    assert all(
        len(text.tokens) == 12 and end not in text.tokens for text in texts if not text.finished
    )
    assert all(len(text.logprobs) == len(text.tokens) == len(text.row.points) for text in texts)
    assert all("<|im_end|>" not in text.text for text in texts)


def test_a_group_is_sampled_and_a_text_does_not_depend_on_its_company(lent: LentModel) -> None:
    together = written(lent)
    assert len({text.tokens for text in together[:5]}) > 1, "the texts of a prompt differ"
    few = rollouts(lent, PROMPTS[:1], HOW, 2, "r")
    assert [t.tokens for t in few] == [t.tokens for t in together[:2]]
    assert written(lent) == together
    other = rollouts(lent, PROMPTS, Decoding(12, 1.3, seed=6), 5, "r")
    assert [t.tokens for t in other] != [t.tokens for t in together]


def test_many_texts_of_a_prompt_have_the_odds_of_the_model(lent: LentModel) -> None:
    texts = rollouts(lent, ["Query: my"], Decoding(1, 1.0, seed=1), 2000, "r")
    logits = torch.from_numpy(lent.next_logits(["Query: my"])[0]).double()
    counts = torch.bincount(torch.tensor([t.tokens[0] for t in texts]), minlength=len(logits))
    assert float((counts / 2000 - logits.softmax(-1)).abs().max()) < 0.04


def test_the_critic_reads_in_the_same_pass_and_shapes_nothing(lent: LentModel) -> None:
    module = ActorCritic(policy(lent))
    torch.nn.init.normal_(module.value.weight, generator=torch.Generator().manual_seed(0))
    rows = [text.row for text in written(lent)]
    whole = Judging(module, Whole(module.policy, "cpu"), 1.3)
    tree = Judging(module, Shared(module.policy, "cpu"), 1.3)
    (now, values), (also, same) = whole.judge(rows), tree.judge(rows)
    torch.testing.assert_close(now, also, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(values, same, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        out = module.policy(input_ids=torch.tensor([rows[0].tokens]), output_hidden_states=True)
        state = out.hidden_states[-1][0, list(rows[0].points)]
        torch.testing.assert_close(
            values[: len(state)], module.value(state)[:, 0], rtol=1e-4, atol=1e-4
        )
    values.sum().backward()
    reached = [n for n, p in module.named_parameters() if p.grad is not None]
    assert reached == ["value.weight", "value.bias"]


def test_the_critic_expects_what_it_would_reading_the_text_again(lent: LentModel) -> None:
    module = ActorCritic(policy(lent))
    torch.nn.init.normal_(module.value.weight, generator=torch.Generator().manual_seed(0))
    texts = rollouts(lent, PROMPTS, HOW, 3, "r", states=True)
    assert [text.tokens for text in texts] == [
        text.tokens for text in rollouts(lent, PROMPTS, HOW, 3, "r")
    ]
    _, values = Judging(module, Whole(module.policy, "cpu"), 1.3).judge([t.row for t in texts])
    again = by_row(values, [text.row for text in texts])
    for own, read in zip(expectations(module, texts), again, strict=True):
        torch.testing.assert_close(own, read, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="without the states"):
        expectations(module, written(lent))


def test_long_rounds_are_read_in_parts(lent: LentModel) -> None:
    module = policy(lent)
    rows = [text.row for text in rollouts(lent, PROMPTS, HOW, 9, "r")]
    reads = Shared(module, "cpu")
    called: list[int] = []
    whole = reads.logits
    reads.logits = lambda some: called.append(len(some)) or whole(some)  # type: ignore[assignment]
    with torch.no_grad():
        parts = Likelihoods(reads, 1.3).logprobs(rows)
        one = torch.cat([alone(module, row, 1.3) for row in rows])
    assert len(called) > 1
    assert sum(called) == len(rows)
    close(parts, one)


def test_a_critic_begins_by_expecting_nothing(lent: LentModel) -> None:
    module = ActorCritic(policy(lent))
    _, values = Judging(module, Whole(module.policy, "cpu")).judge([written(lent)[0].row])
    assert not values.any()


def test_repetition() -> None:
    assert repetition([1, 2, 3, 4, 5]) == 0
    assert repetition([1, 2]) == 0
    assert repetition([7] * 12) == 0.9
    assert repetition([1, 2, 1, 2, 1, 2]) == 0.5


@pytest.mark.parametrize("how", [Decoding(4), Decoding(4, 1.0, grammar=Grammar("regex", "a"))])
def test_nothing_is_sampled_without_a_temperature_or_with_a_grammar(
    how: Decoding, lent: LentModel
) -> None:
    with pytest.raises(InputError, match="temperature"):
        rollouts(lent, PROMPTS, how, 2, "r")


def test_a_prompt_too_long_keeps_its_end_and_leaves_room(llama: ModelRef, tmp_path: Path) -> None:
    with open_models().lend(llama) as lent:
        (text,) = rollouts(lent, ["word " * 400 + "end"], HOW, 1, "r")
        assert len(text.row.tokens) <= lent.facts.context
        assert len(probe(lent, ["word " * 400])[0].tokens) <= lent.facts.context
