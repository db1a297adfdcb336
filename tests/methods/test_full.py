"""Full fine-tuning on a tiny random model: all of it, or its upper layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lent import Lent
from safetensors.torch import load_file

from nshot.core.errors import DidNotLearn
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods.contract import Brief, Rates
from nshot.methods.finetune.full import FullFineTuning
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama

TASK = Task("card", "classify", (Label("card_arrival"), Label("late_transfer")))


def example(i: int) -> Example:
    text, label = (("where is my card", "card_arrival"), ("money is late", "late_transfer"))[i % 2]
    return Example(f"e{i}", Input((("text", f"{text} {i}"),)), (label,))


SHOTS = Shots(tuple(example(i) for i in range(8)))
INPUTS = [example(i).input for i in range(4)]
QUICK = {"learning_rate": 1e-2, "epochs": 6, "batch_size": 4}
LAYERS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", layers=LAYERS)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def answers(predictor) -> list[str]:
    return [prediction.answer for prediction in predictor.predict(INPUTS)]


def kept(predictor) -> dict:
    (delta,) = predictor.ref.deltas
    assert delta.kind == "weights"
    return load_file(Path(delta.folder) / "weights.safetensors")


@pytest.mark.parametrize("top_layers", [None, 1, LAYERS])
def test_it_learns_and_the_base_is_as_it_was(bench, models, top_layers):
    before = models.fingerprint(bench.base)
    predictor = FullFineTuning(top_layers=top_layers, **QUICK).adapt(TASK, SHOTS, bench)
    assert answers(predictor) == [e.label for e in SHOTS.labelled[:4]]
    assert models.fingerprint(bench.base) == before
    fresh = Prompted(TASK, HFModels(), predictor.ref)
    assert [p.scores for p in fresh.predict(INPUTS)] == [
        p.scores for p in predictor.predict(INPUTS)
    ]


def test_only_the_upper_blocks_and_the_norm_are_trained_and_kept(bench, folder):
    tensors = kept(FullFineTuning(top_layers=1, **QUICK).adapt(TASK, SHOTS, bench))
    assert {name.split(".")[2] for name in tensors if "layers" in name} == {str(LAYERS - 1)}
    assert {name for name in tensors if "layers" not in name} == {"model.norm.weight"}
    assert bench.parameters == sum(t.numel() for t in tensors.values())
    base = load_file(folder / "model.safetensors")
    assert all(not np.array_equal(tensors[name], base[name]) for name in tensors)


def test_all_of_it_is_trained_and_kept(bench, folder):
    tensors = kept(FullFineTuning(**QUICK).adapt(TASK, SHOTS, bench))
    assert tensors.keys() == load_file(folder / "model.safetensors").keys()


def test_a_rate_of_zero_did_not_learn(bench):
    with pytest.raises(DidNotLearn):
        FullFineTuning(learning_rate=0.0, epochs=1).adapt(TASK, SHOTS, bench)


def test_the_upper_layers_are_forecast_cheaper():
    brief = Brief(
        task=TASK,
        labelled=80,
        unlabelled=0,
        per_label=8,
        test=100,
        tokens=20.0,
        longest=60,
        base=ModelRef("hf", "m"),
        abilities=frozenset({"score", "train"}),
        context=128,
        layers=30,
        encoder=None,
        rates=Rates(lm_tokens=300.0, train_tokens=100.0, encoder_tokens=1e4),
    )
    whole, upper = (FullFineTuning(top_layers=k).forecast(brief).seconds for k in (None, 4))
    assert upper < whole / 2.5
