"""Rows behind a soft prompt: read as PEFT reads them, with the gradient it would give."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from families import FAMILIES, tiny_module
from nshot.training.data.answers import supervised
from nshot.training.forward import Shared, Tree, Whole, reader, soft_prompt
from nshot.training.rows import Row

LENGTH = 6
KINDS = ("prefix", "projected", "prompt", "lstm", "mlp")


def wrapped(kind: str, module: Any) -> Any:
    import peft

    own: dict[str, tuple[str, dict[str, Any]]] = {
        "prefix": ("PrefixTuningConfig", {}),
        "projected": ("PrefixTuningConfig", {"prefix_projection": True, "encoder_hidden_size": 8}),
        "prompt": ("PromptTuningConfig", {}),
        "lstm": ("PromptEncoderConfig", {"encoder_hidden_size": 8,
                                         "encoder_reparameterization_type": "LSTM"}),
        "mlp": ("PromptEncoderConfig", {"encoder_hidden_size": 8}),
    }  # fmt: skip
    name, settings = own[kind]
    torch.manual_seed(3)
    config = getattr(peft, name)(task_type="CAUSAL_LM", num_virtual_tokens=LENGTH, **settings)
    return peft.get_peft_model(module, config)


def some_rows(count: int = 5) -> list[Row]:
    """Rows with a common beginning; the longest reaches beyond a window of 12."""
    rng = random.Random(0)

    def ids(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(5, 300) for _ in range(rng.randint(low, high)))

    rows = [supervised(f"r{i}", (7, 8, 9, *ids(2, 14)), ids(1, 3)) for i in range(count)]
    return [*rows, supervised("long", (7, 8, 9, *ids(20, 20)), ids(2, 2))]


def by_peft(module: Any, rows: list[Row]) -> torch.Tensor:
    """PEFT's own forward pass, a row at a time: logits at the points."""
    out = []
    for row in rows:
        logits = module(input_ids=torch.tensor([row.tokens])).logits[0]
        out.append(logits[len(logits) - len(row.tokens) :][list(row.points)])
    return torch.cat(out)


def gradients(module: Any, logits: torch.Tensor) -> list[torch.Tensor]:
    free = [p for p in module.parameters() if p.requires_grad]
    return list(torch.autograd.grad(logits.tanh().square().sum(), free))


@pytest.mark.parametrize("way", [Whole, Shared])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_gradients_are_those_of_peft(family: str, kind: str, way: Any) -> None:
    # In double precision a gradient is not lost in rounding, where some layers amplify it.
    module = wrapped(kind, tiny_module(family, window=12).double()).double()
    rows = some_rows()
    expected = by_peft(module, rows)
    ours = way(module, "cpu")
    found = ours.read(rows, *([Tree(rows)] if way is Shared else []), soft_prompt(module))
    torch.testing.assert_close(found, expected.float(), rtol=0, atol=1e-5)
    for a, b in zip(gradients(module, found), gradients(module, expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_short_way_is_taken_and_the_soft_prompt_made_once_a_batch(
    family: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = wrapped(kind, tiny_module(family))
    rows = some_rows()
    way = reader(module, rows, None, "cpu")
    assert isinstance(way, Shared)
    asked = []
    made = module.get_prompt
    monkeypatch.setattr(
        module, "get_prompt", lambda batch_size: asked.append(batch_size) or made(batch_size)
    )
    way.logits(rows)
    assert asked == [1]


def test_the_vocabulary_is_projected_only_at_the_points() -> None:
    module = wrapped("prompt", tiny_module("llama"))
    rows, seen = some_rows(), []
    module.get_output_embeddings().register_forward_hook(
        lambda _, inputs, __: seen.append(tuple(inputs[0].shape))
    )
    for way in (Whole, Shared):
        way(module, "cpu").logits(rows)
    assert seen == [(sum(len(row.points) for row in rows), 32)] * 2


def test_long_rows_that_share_nothing_but_the_soft_prompt_are_padded() -> None:
    module = wrapped("prompt", tiny_module("llama"))
    rows = [
        supervised(f"r{i}", tuple((i * 31 + j) % 300 for j in range(120)), (5,)) for i in range(40)
    ]
    way = Shared(module, "cpu")
    way.read = None  # type: ignore[assignment, method-assign]
    torch.testing.assert_close(
        way.logits(rows), Whole(module, "cpu").logits(rows), rtol=0, atol=1e-5
    )
