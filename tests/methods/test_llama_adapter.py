"""LLaMA-Adapter on a tiny random model: gates begin shut, prompts learn once they open."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lent import Lent
from peft import AdaptionPromptConfig, get_peft_model
from taught import (
    PROMPTS,
    QUICK,
    SHOTS,
    TASK,
    check_a_kill_changes_nothing,
    check_it_generates,
    check_it_learns,
    learners,
    put_on,
    start_difference,
)
from test_lora import brief
from transformers import LlamaConfig, LlamaForCausalLM

from families import tiny_family
from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef
from nshot.methods.peft.llama_adapter import LlamaAdapter
from nshot.models.hf.cache import NOTHING
from nshot.models.hf.hf_engine import HFModels
from nshot.models.hf.score import agrees
from nshot.models.hf.tokens import rows
from nshot.training.data.answers import encode
from nshot.training.forward import Shared, reader
from tiny import tiny_llama, tiny_tokenizer

LAYERS, WIDTH = 3, 32
METHOD = LlamaAdapter(length=5, layers=2, learning_rate=0.05, **QUICK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", layers=LAYERS)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def shaken(module):
    """As training leaves it: gates open, prompts moved."""
    torch.manual_seed(1)
    with torch.no_grad():
        for p in module.parameters():
            if p.requires_grad:
                p.add_(0.5 * torch.randn_like(p))
    return module.eval()


def test_it_learns_and_generates(bench, models):
    predictor = check_it_learns(METHOD, bench)
    check_it_generates(models, predictor.ref)


def test_parameters_are_prompts_and_a_gate_a_layer(bench):
    METHOD.model_copy(update={"epochs": 4}).adapt(TASK, SHOTS, bench)
    assert bench.parameters == 2 * (5 * WIDTH + 1)
    LlamaAdapter(learning_rate=0.05, epochs=4).adapt(TASK, SHOTS, bench)
    assert bench.parameters == LAYERS * (10 * WIDTH + 1)


def test_the_upper_layers_have_them_and_all_of_it_learns(bench):
    reached, free = learners(METHOD, bench)
    assert reached == free
    assert {name.split("layers.")[1][0] for name in free} == {"1", "2"}
    first, _ = learners(METHOD, bench, steps=1)
    assert {name.rpartition(".")[2] for name in first} == {"adaption_gate"}


def test_it_begins_at_the_base(bench):
    assert start_difference(METHOD, bench) < 1e-4


def test_a_kill_changes_nothing(bench, models, tmp_path):
    method = METHOD.model_copy(update={"epochs": 25})
    check_a_kill_changes_nothing(method, bench, Lent(models, bench.base, tmp_path / "again"))


def equation(attention, hidden, output, rotary) -> torch.Tensor:
    """What the paper gives: the prompts' values, gated, go through the output projection too.

    `hidden` (rows, tokens, width) went into the attention of the base, which answered `output`.
    """
    base, gate = attention.model, attention.adaption_gate
    count, size = base.config.num_attention_heads, base.head_dim

    def heads(states):  # (rows, positions, heads * size) -> (rows, all heads, positions, size)
        split = states.unflatten(-1, (-1, size)).transpose(1, 2)
        return split.repeat_interleave(count // split.shape[1], dim=1)

    queries = heads(base.q_proj(hidden))
    cos, sin = (part[:, None] for part in rotary)
    turned = torch.cat([-queries[..., size // 2 :], queries[..., : size // 2]], -1)
    queries = queries * cos + turned * sin
    keys, values = (heads(p(attention.adaption_prompt)) for p in (base.k_proj, base.v_proj))
    shares = gate * (queries @ keys.transpose(-1, -2) / size**0.5).softmax(-1)
    return output + base.o_proj((shares @ values).transpose(1, 2).flatten(2))


def seen_by(module, part, ids):
    """What went into a submodule and what came out, in one pass over `ids`."""
    seen = []
    handle = part.register_forward_hook(lambda *call: seen.append(call[1:]), with_kwargs=True)
    with torch.no_grad():
        module(input_ids=ids)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_an_adapted_attention_is_the_papers(family, models, tmp_path):
    """Both have two heads of queries on each of keys."""
    ref = ModelRef("hf", str(tiny_family(tmp_path / family, family)))
    ids = torch.arange(2, 30).view(2, 14)
    with models.lend(ref) as lent:
        module = shaken(put_on(METHOD, lent))
        attention = lent.module.model.layers[-1].self_attn
        _, kwargs, (output, *_) = seen_by(module, attention.model, ids)
        _, _, (adapted, *_) = seen_by(module, attention, ids)
        rotary = kwargs["position_embeddings"]
        with torch.no_grad():
            expected = equation(attention, kwargs["hidden_states"], output, rotary)
    torch.testing.assert_close(adapted, expected, rtol=1e-4, atol=1e-4)
    assert (adapted - output).abs().max() > 0.01


def test_gpt2_is_refused_for_peft_leaves_out_its_output_projection(models, tmp_path):
    """Zeros in the projection silence the base's attention; the prompts still speak."""
    ref = ModelRef("hf", str(tiny_family(tmp_path / "gpt2", "gpt2")))
    config = AdaptionPromptConfig(task_type="CAUSAL_LM", adapter_len=4, adapter_layers=1)
    with models.lend(ref) as lent:
        module = shaken(get_peft_model(lent.module, config))
        attention = lent.module.transformer.h[-1].attn
        for p in attention.model.c_proj.parameters():
            p.data = torch.zeros_like(p)
        _, _, (adapted, *_) = seen_by(module, attention, torch.arange(2, 9)[None])
        assert adapted.abs().max() > 0.01
    with models.lend(ref) as lent, pytest.raises(CannotAdapt, match="behind the output projection"):
        put_on(METHOD, lent)


def test_an_output_projection_with_a_bias_is_refused(models, tmp_path):
    """PEFT sends the prompts' values through the whole projection, bias included."""
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 320}
    config = LlamaConfig(**sizes, num_attention_heads=2, attention_bias=True)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with (
        models.lend(ModelRef("hf", str(tmp_path))) as lent,
        pytest.raises(CannotAdapt, match="add it twice"),
    ):
        put_on(METHOD, lent)


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_the_short_ways_agree_with_the_plain_one(family, models, tmp_path):
    """Packed scoring and the tree of a training batch see each token at its own position."""
    ref = ModelRef("hf", str(tiny_family(tmp_path / family, family)))
    with models.lend(ref) as lent:
        module = shaken(put_on(METHOD, lent))
        asked = rows(lent.tokenizer, PROMPTS, [(" positive", " very negative")] * 3, 128)
        assert agrees(lent.module, asked, NOTHING)
        taught, _ = encode(TASK, "plain", SHOTS.labelled, lent.tokenizer, 128)
        assert isinstance(reader(module, taught, None, "cpu"), Shared)


def test_why_not_names_the_family():
    for family in ("qwen3", "gemma3_text"):
        assert f"not of {family}" in str(METHOD.why_not(brief(architecture=family)))
    assert "behind the output projection" in str(METHOD.why_not(brief(architecture="gpt2")))
    for family in ("llama", "mistral", ""):
        assert METHOD.why_not(brief(architecture=family)) is None


def test_other_families_are_refused_on_the_module_too(models, tmp_path):
    ref = ModelRef("hf", str(tiny_family(tmp_path / "qwen3", "qwen3")))
    with (
        models.lend(ref) as lent,
        pytest.raises(CannotAdapt, match="llama and mistral, not of qwen3"),
    ):
        put_on(METHOD, lent)


def test_heads_that_are_wider_than_the_model_are_refused(models, tmp_path):
    """PEFT derives the number of key heads from the widths, and fails when it is asked."""
    tokenizer = tiny_tokenizer()
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 320}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32}
    LlamaForCausalLM(LlamaConfig(**sizes, **heads)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ref = ModelRef("hf", str(tmp_path))
    config = AdaptionPromptConfig(task_type="CAUSAL_LM", adapter_len=4, adapter_layers=1)
    with models.lend(ref) as lent, pytest.raises(RuntimeError):
        get_peft_model(lent.module, config)(input_ids=torch.tensor([[3, 4, 5]]))
    with models.lend(ref) as lent, pytest.raises(CannotAdapt, match="heads of 32"):
        put_on(METHOD, lent)
