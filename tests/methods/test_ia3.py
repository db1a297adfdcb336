"""IA3 on a tiny random model: which vectors learn, where they begin, what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lent import Lent
from taught import (
    QUICK,
    check_a_kill_changes_nothing,
    check_it_generates,
    check_it_learns,
    learners,
    put_on,
    start_difference,
)
from transformers import CTRLConfig, CTRLLMHeadModel

from families import tiny_family
from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef
from nshot.methods.peft.ia3 import IA3
from nshot.models.hf.hf_engine import HFModels
from tiny import tiny_llama, tiny_tokenizer

METHOD = IA3(learning_rate=0.1, **QUICK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def test_it_learns_and_generates(bench, models):
    predictor = check_it_learns(METHOD, bench)
    check_it_generates(models, predictor.ref)
    config = json.loads((Path(predictor.ref.deltas[0].folder) / "adapter_config.json").read_text())
    names = config["target_modules"]
    assert names == sorted(names), "PEFT's order is that of a set: another one in each process"


def test_parameters_are_keys_values_and_inner_layer(bench):
    """d_k + d_v + d_ff a block; one key head of two makes keys and values half as wide."""
    check_it_learns(METHOD, bench)
    layers, width, inner = 2, 32, 64
    keys = values = width // 2
    assert bench.parameters == layers * (keys + values + inner)


def test_every_vector_learns_and_nothing_else(bench):
    reached, free = learners(METHOD, bench)
    assert reached == free
    kinds = {name.split(".")[-3] for name in free}
    assert kinds == {"k_proj", "v_proj", "down_proj"}
    assert all("ia3_l" in name for name in free)


def test_it_begins_at_the_base(bench):
    assert start_difference(METHOD, bench) < 1e-4


def test_a_kill_changes_nothing(bench, models, tmp_path):
    method = METHOD.model_copy(update={"epochs": 25})
    check_a_kill_changes_nothing(method, bench, Lent(models, bench.base, tmp_path / "again"))


@pytest.mark.parametrize("family", ["qwen3", "gemma3"])
def test_keys_are_scaled_where_pefts_table_says_queries(family, models, tmp_path):
    place = tiny_family(tmp_path / family, family)
    with models.lend(ModelRef("hf", str(place))) as lent:
        module = put_on(METHOD, lent)
        scaled = {n.split(".")[-3] for n, p in module.named_parameters() if p.requires_grad}
    assert scaled == {"k_proj", "v_proj", "down_proj"}


def test_a_model_with_unknown_names_is_refused(models, tmp_path):
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "dff": 32}
    CTRLLMHeadModel(CTRLConfig(vocab_size=320, **sizes)).save_pretrained(tmp_path / "ctrl")
    tiny_tokenizer().save_pretrained(tmp_path / "ctrl")
    ref = ModelRef("hf", str(tmp_path / "ctrl"))
    before = models.fingerprint(ref)
    with models.lend(ref) as lent, pytest.raises(CannotAdapt, match="ctrl keeps keys"):
        put_on(METHOD, lent)
    assert models.fingerprint(ref) == before
