"""Layers that do nothing go first; what is left is a plain folder that answers by itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from nshot.core.errors import CannotAdapt
from nshot.training.forward import Whole
from nshot.training.layers import kept_layers, save_with_layers
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.rows import Row
from tiny import tiny_llama

ROWS = [
    Row("a", (5, 9, 30, 41), (2, 3), (41, 50)),
    Row("b", (7, 9, 12, 60, 61, 62), (4, 5), (62, 3)),
    Row("c", (8, 8), (1,), (77,)),
]


@pytest.fixture
def model(tmp_path: Path) -> tuple[Any, Any]:
    """Six layers, of which the second and the fifth add nothing."""
    folder = tiny_llama(tmp_path / "tiny", layers=6)
    module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for at in (1, 4):
        torch.nn.init.zeros_(module.model.layers[at].self_attn.o_proj.weight)
        torch.nn.init.zeros_(module.model.layers[at].mlp.down_proj.weight)
    module.requires_grad_(False)
    return module, AutoTokenizer.from_pretrained(folder)


class KeepsAnswers:
    """How far the answers are from those of the whole model."""

    def __init__(self, module: Any) -> None:
        self.whole = Whole(module, "cpu").logits(ROWS)

    def weight(self, rows: Any) -> float:
        return 1.0

    def total(self, reader: Any, rows: Any) -> torch.Tensor:
        return (reader.logits(rows) - self.whole).abs().sum()


def test_what_does_nothing_goes_first(model: tuple[Any, Any]) -> None:
    module, _ = model
    before, ordinary = list(module.model.layers), Whole(module, "cpu").logits(ROWS)
    shown: list[tuple[int, int]] = []
    kept = kept_layers(module, ROWS, KeepsAnswers(module), 4, lambda *at: shown.append(at))
    assert kept == (0, 2, 3, 5)
    assert shown[-1] == (2, 2)
    assert list(module.model.layers) == before, "the module is as it was"
    assert torch.equal(Whole(module, "cpu").logits(ROWS), ordinary)


def doubled(body: Any, input_ids: Any = None, inputs_embeds: Any = None, **rest: Any) -> Any:
    """Doubles what it embeds, so that it cannot be begun above: it would double that too."""
    embeds = body.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
    return type(body).forward(body, inputs_embeds=2 * embeds, **rest)


@pytest.mark.parametrize("is_plain", [True, False])
def test_the_layer_that_goes_is_the_one_without_which_the_loss_is_lowest(
    is_plain: bool, model: tuple[Any, Any]
) -> None:
    """Against the whole forward pass of a model without each layer in turn."""
    module, _ = model
    if not is_plain:
        module.model.forward = partial(doubled, module.model)
    layers, losses = list(module.model.layers), []
    for at in range(6):
        module.model.layers = torch.nn.ModuleList([*layers[:at], *layers[at + 1 :]])
        losses.append(AnswerTokens().total(Whole(module, "cpu"), ROWS).item())
    module.model.layers = torch.nn.ModuleList(layers)
    (gone,) = set(range(6)) - set(kept_layers(module, ROWS, AnswerTokens(), 5))
    assert losses[gone] == pytest.approx(min(losses), abs=1e-5)


def test_fewer_layers_are_a_model_of_their_own(model: tuple[Any, Any], tmp_path: Path) -> None:
    module, tokenizer = model
    whole = Whole(module, "cpu").logits(ROWS)
    save_with_layers(module, tokenizer, (0, 2, 3, 5), tmp_path / "small")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "small", dtype=torch.float32).eval()
    assert again.config.num_hidden_layers == len(again.model.layers) == 4
    torch.testing.assert_close(Whole(again, "cpu").logits(ROWS), whole)
    assert AutoTokenizer.from_pretrained(tmp_path / "small").get_vocab() == tokenizer.get_vocab()


def test_what_has_no_layers_to_spare_is_refused(model: tuple[Any, Any]) -> None:
    with pytest.raises(CannotAdapt, match="6 layers: 6 cannot be kept"):
        kept_layers(model[0], ROWS, AnswerTokens(), 6)
