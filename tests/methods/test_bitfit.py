"""BitFit on tiny random models: vectors learn, matrices stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from lent import Lent
from safetensors.torch import load_file
from taught import (
    QUICK,
    SHOTS,
    TASK,
    check_a_kill_changes_nothing,
    check_it_generates,
    check_it_learns,
    learners,
    start_difference,
)

from families import tiny_family
from nshot.core.types import ModelRef
from nshot.methods.peft.bitfit import BitFit
from nshot.models.fake.fake_engine import FakeModels
from nshot.models.hf.hf_engine import HFModels
from tiny import tiny_llama

METHOD = BitFit(learning_rate=0.03, **QUICK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def test_a_llama_learns_with_its_norms_alone(bench, models):
    """Two norms a block and the last one: no biases are there."""
    predictor = check_it_learns(METHOD, bench)
    check_it_generates(models, predictor.ref)
    layers, width = 2, 32
    assert bench.parameters == (2 * layers + 1) * width
    (delta,) = predictor.ref.deltas
    assert delta.kind == "weights"
    kept = load_file(Path(delta.folder) / "weights.safetensors")
    assert sum(t.numel() for t in kept.values()) == bench.parameters
    assert all(name.endswith("norm.weight") for name in kept)


def test_a_gpt2_learns_with_biases_and_norms(models, tmp_path):
    """Biases 3 d + d + d_ff + d and two norms of 2 d in a block, and the last norm."""
    place = tiny_family(tmp_path / "gpt2", "gpt2")
    bench = Lent(models, ModelRef("hf", str(place)), tmp_path)
    check_it_learns(METHOD.model_copy(update={"epochs": 40}), bench)
    layers, width = 3, 32
    inner = 4 * width
    assert bench.parameters == layers * (9 * width + inner) + 2 * width
    free = METHOD.part(TASK, SHOTS, 0).free(models.open(bench.base).facts)
    assert all(n.endswith(".bias") or ".ln_" in n for n in free)
    assert {n.rpartition(".")[0].split(".")[-1] for n in free} == {
        "ln_1", "ln_2", "ln_f", "c_attn", "c_proj", "c_fc",
    }  # fmt: skip


def test_every_vector_learns_and_nothing_else(bench):
    reached, free = learners(METHOD, bench, steps=1)
    assert (
        reached
        == free
        == set(METHOD.part(TASK, SHOTS, 0).free(bench.models.open(bench.base).facts))
    )
    assert start_difference(METHOD, bench) == 0


def test_a_kill_changes_nothing(bench, models, tmp_path):
    method = METHOD.model_copy(update={"epochs": 25})
    check_a_kill_changes_nothing(method, bench, Lent(models, bench.base, tmp_path / "again"))


def test_a_model_without_weights_has_none_to_free():
    assert (
        METHOD.part(TASK, SHOTS, 0).free(FakeModels().open(ModelRef("fake", "scorer")).facts) == ()
    )
