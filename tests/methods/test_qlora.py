"""QLoRA on a tiny random model: a base in four bits that trains, answers and stays as it is."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent
from peft import PeftModel
from safetensors.torch import load_file
from taught import (
    PROMPTS,
    QUICK,
    SHOTS,
    TASK,
    check_a_kill_changes_nothing,
    check_it_generates,
    check_it_learns,
    learners,
    logits,
    put_on,
    start_difference,
)
from test_lora import brief
from transformers import AutoModelForCausalLM, AutoTokenizer

from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef
from nshot.methods.peft.lora import LoRA
from nshot.methods.peft.qlora import QLoRA
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from tiny import tiny_llama

LAYERS, WIDTH, INNER, KEYS, WORDS = 2, 64, 128, 32, 320
METHOD = QLoRA(rank=4, alpha=16, learning_rate=1e-2, **QUICK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", width=WIDTH)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


@pytest.fixture
def packed(folder) -> ModelRef:
    return ModelRef("hf", str(folder), quant="nf4")


def matrices() -> list[tuple[int, int]]:
    """(in, out) of a block's matrices."""
    attention = [(WIDTH, WIDTH), (WIDTH, KEYS), (WIDTH, KEYS), (WIDTH, WIDTH)]
    return [*attention, (WIDTH, INNER), (WIDTH, INNER), (INNER, WIDTH)]


def test_it_learns_and_generates_on_a_base_in_four_bits(bench, models, packed):
    before = models.fingerprint(packed)
    predictor = check_it_learns(METHOD, bench)
    check_it_generates(models, predictor.ref)
    assert predictor.ref.base == packed
    assert models.fingerprint(packed) == before
    predictor.save(bench.folder / "saved")
    again = load(bench.folder / "saved", HFModels())
    assert again.predict([]) == []
    assert again.ref.base == packed


def test_parameters_are_those_of_lora(bench):
    METHOD.model_copy(update={"epochs": 4}).adapt(TASK, SHOTS, bench)
    assert bench.parameters == LAYERS * sum(4 * (i + o) for i, o in matrices())


def test_every_thin_matrix_learns_and_nothing_else(bench):
    reached, free = learners(METHOD, bench)
    assert reached == free
    assert all(".lora_A." in name or ".lora_B." in name for name in free)
    assert start_difference(METHOD, bench) == 0


def test_packed_weights_are_counted_for_what_they_hold(models, packed):
    """Half a byte a weight, a byte a block of 64, four bytes 256 blocks, and the tables."""
    whole, small = models.open(replace(packed, quant=None)), models.open(packed)
    assert small.facts.parameters == whole.facts.parameters
    held = models.resident_bytes()
    inside = [i * o for i, o in matrices()] * LAYERS
    outside = whole.facts.parameters - sum(inside)
    tables = 4 * (16 + 256 + 1)
    expected = 4 * outside + sum(
        n / 2 + n / 64 + 4 * math.ceil(n / 64 / 256) + tables for n in inside
    )
    assert held[packed.form] == expected
    assert held[packed.name] == 4 * whole.facts.parameters
    assert sum(len(s) == 1 for s in small.facts.shapes.values()) == 2 * LAYERS + 1


def test_head_and_embeddings_stay_whole_and_tied(models, packed, folder):
    files = load_file(folder / "model.safetensors")
    with models.lend(packed) as lent:
        module = lent.module
        assert module.lm_head.weight is module.model.embed_tokens.weight
        assert torch.equal(module.lm_head.weight, files["model.embed_tokens.weight"])
        kinds = {n.split(".")[-1]: type(m).__name__ for n, m in module.named_modules()}
        assert kinds["lm_head"] == "Linear"
        assert {kinds[n] for n in ("q_proj", "k_proj", "v_proj", "o_proj")} == {"Linear4bit"}
        weight = module.model.layers[0].self_attn.q_proj.weight
        assert weight.quant_state.quant_type == "nf4"
        assert weight.quant_state.nested, "the scales are quantised too"


def test_asking_does_not_lay_the_weights_out_anew(models, packed):
    """On CPUs with bfloat16 instructions bitsandbytes would, in place and rounded."""
    before = models.fingerprint(packed)
    models.open(packed).logprobs(PROMPTS, [[" positive", " very negative"]] * len(PROMPTS))
    assert models.fingerprint(packed) == before


def test_a_changed_scale_is_noticed(models, packed):
    before = models.fingerprint(packed)
    with models.lend(packed) as lent:
        state = lent.module.model.layers[0].self_attn.q_proj.weight.quant_state
        state.state2.absmax.mul_(2)
        assert models.fingerprint(packed) != before
    assert models.fingerprint(packed) == before


def test_merging_into_four_bits_leaves_the_base_as_it_was(models, packed, bench):
    before = models.fingerprint(packed)
    with models.lend(packed) as lent:
        module = put_on(METHOD, lent)
        for name, p in module.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(p, std=0.3)
        module.merge_and_unload()
    assert models.fingerprint(packed) == before
    with models.lend(packed) as lent:
        weight = lent.module.model.layers[0].self_attn.q_proj.weight
        assert weight.bnb_quantized, "PEFT marks the weights it merges as not yet packed"


def test_merged_into_the_unquantised_base_it_is_that_base_with_the_adapter(bench, folder):
    predictor = METHOD.adapt(TASK, SHOTS, bench)
    delta = predictor.ref.deltas[0].folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = logits(AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer)
    module = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), delta).eval()
    adapted = logits(module, tokenizer)
    merged = logits(module.merge_and_unload(), tokenizer)
    np.testing.assert_allclose(merged, adapted, atol=1e-3)
    assert np.abs(adapted - base).max() > 0.1


def test_a_kill_changes_nothing(bench, models, tmp_path):
    method = METHOD.model_copy(update={"epochs": 25})
    check_a_kill_changes_nothing(method, bench, Lent(models, bench.base, tmp_path / "again"))


def test_where_the_package_is_missing_it_says_what_to_install(monkeypatch, folder):
    assert METHOD.why_not(brief()) is None
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else found(name)
    )
    assert "pip install 'nshot[quantise]'" in str(METHOD.why_not(brief()))
    assert LoRA().why_not(brief()) is None
    with pytest.raises(CannotAdapt, match="pip install"):
        HFModels().open(ModelRef("hf", str(folder), quant="nf4"))


def test_another_quantisation_is_refused(folder):
    with pytest.raises(CannotAdapt, match=r"'int3' .* nf4 and int8"):
        HFModels().open(ModelRef("hf", str(folder), quant="int3"))


def test_lengths_of_rows_are_learned_on_a_packed_base_too_and_reloaded(bench, models):
    """DoRA takes its lengths from the unpacked weights, when it begins and when it is loaded."""
    predictor = check_it_learns(METHOD.model_copy(update={"use_dora": True}), bench)
    check_it_generates(models, predictor.ref)
    lengths = LAYERS * sum(o for _, o in matrices())
    assert bench.parameters == lengths + LAYERS * sum(4 * (i + o) for i, o in matrices())
    folder = Path(predictor.ref.deltas[0].folder)
    saved = load_file(folder / "adapter_model.safetensors")
    assert sum(t.numel() for n, t in saved.items() if "magnitude" in n) == lengths


def test_a_reloaded_dora_is_its_equation_on_the_unpacked_weights(bench):
    """Equation 5 of https://arxiv.org/abs/2402.09353, with W as the 4-bit base unpacks it."""
    import bitsandbytes.functional as bnb

    predictor = METHOD.model_copy(update={"use_dora": True}).adapt(TASK, SHOTS, bench)
    saved = load_file(Path(predictor.ref.deltas[0].folder) / "adapter_model.safetensors")
    at = "model.layers.0.self_attn.q_proj"
    a, b, length = (
        saved[f"base_model.model.{at}.lora_{n}"]
        for n in ("A.weight", "B.weight", "magnitude_vector")
    )
    base = HFModels().open(predictor.ref)._base
    with base.answering(predictor.ref.deltas) as live:
        part = live.module.get_submodule(at)
        held = part.base_layer.weight
        weight = bnb.dequantize_4bit(held, held.quant_state)
        moved = weight + METHOD.alpha / METHOD.rank * b @ a
        x = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            answer = part(x)
    expected = x @ (length[:, None] * moved / moved.norm(dim=1, keepdim=True)).T
    torch.testing.assert_close(answer, expected, rtol=1e-3, atol=1e-3)
