"""Alignment of the model's own weights: what learns, what its reference is, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lent import Lent, resumed
from preferences import HELD_OUT, SHOTS, TASK, accuracy
from safetensors.numpy import load_file

from nshot.bench.search import open_settings
from nshot.core.types import Check, Example, Input, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.align.dpo import DPO
from nshot.methods.align.grpo import GRPO
from nshot.methods.align.kto import KTO
from nshot.methods.align.ppo import PPO
from nshot.methods.align.reward import Reward
from nshot.methods.finetune.instruct import Instruct
from nshot.models.base import Decoding
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from nshot.prompts.render import render
from tiny import tiny_llama

PREFERRING: dict[str, Any] = {"learn": "weights", "learning_rate": 3e-3, "epochs": 6}
BANDIT = Task("bandit", "generate", metric="reward", reward=(Check("regex", "[0-9].*"),))
ASKED = Shots(
    tuple(
        Example(f"e{i}", Input((("text", text),)), ("7",))
        for i, text in enumerate(("a warm film", "내 카드", "late", "x"))
    )
)
EXPLORING: dict[str, Any] = {
    "learn": "weights", "max_tokens": 1, "learning_rate": 3e-3, "updates": 12, "format": "plain",
    "prompts": 3, "answers": 16, "kl": 0.01,
}  # fmt: skip
parts = pytest.mark.parametrize("top_layers", [None, 1], ids=["all", "upper"])
ranking = pytest.mark.parametrize("kind", [DPO, KTO, Reward])
exploring = pytest.mark.parametrize("kind", [GRPO, PPO])


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("llama"))))


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(llama: ModelRef, models: HFModels, tmp_path: Path) -> Lent:
    return Lent(models, llama, tmp_path / "a")


def changed(ref: ModelRef) -> set[str]:
    """Names of the tensors that were kept."""
    return set(load_file(Path(ref.deltas[-1].folder) / "weights.safetensors"))


@parts
@ranking
def test_preferences_are_learned_by_the_weights(
    kind: type[DPO | KTO | Reward], top_layers: int | None, bench: Lent, models: HFModels,
    tmp_path: Path,
) -> None:  # fmt: skip
    before = models.fingerprint(bench.base)
    predictor = kind(top_layers=top_layers, **PREFERRING).adapt(TASK, SHOTS, bench)
    assert accuracy(predictor, HELD_OUT) >= 0.9
    assert models.fingerprint(bench.base) == before
    names = changed(predictor.ref)
    assert any("layers.0." in name for name in names) == (top_layers is None)
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", HFModels())
    inputs = [example.input for example in HELD_OUT[:4]]
    for old, new in zip(predictor.predict(inputs), again.predict(inputs), strict=True):
        np.testing.assert_array_equal(old.scores, new.scores)


@parts
@exploring
def test_what_is_worth_most_is_learned_by_the_weights(
    kind: type[GRPO | PPO], top_layers: int | None, bench: Lent, models: HFModels
) -> None:
    before = models.fingerprint(bench.base)
    rate = {} if top_layers is None else {"learning_rate": 3e-2}  # the head stays: more is needed
    predictor = kind(top_layers=top_layers, **EXPLORING | rate).adapt(BANDIT, ASKED, bench)
    answers = predictor.predict([example.input for example in ASKED.labelled])
    assert all(one.answer[:1].isdigit() for one in answers)
    assert models.fingerprint(bench.base) == before
    assert any("layers.0." in name for name in changed(predictor.ref)) == (top_layers is None)


@exploring
def test_a_kill_changes_nothing(
    kind: type[GRPO | PPO], llama: ModelRef, models: HFModels, tmp_path: Path
) -> None:
    method = kind(**EXPLORING | {"updates": 6})
    whole = method.adapt(BANDIT, ASKED, Lent(models, llama, tmp_path / "whole"))
    steps = method.passes[0] * method.passes[1]
    again = resumed(method, BANDIT, ASKED, Lent(models, llama, tmp_path / "killed"), 3 * steps)
    assert again.ref.deltas[-1].sha256 == whole.ref.deltas[-1].sha256


def test_a_policy_of_weights_begins_from_an_adapter_which_is_its_reference(
    bench: Lent, models: HFModels
) -> None:
    """Its divergence is nothing at first: the reference has the adapter on."""
    start = Instruct(epochs=4, learning_rate=1e-2)
    method = GRPO(start=start, **EXPLORING | {"updates": 3, "learning_rate": 1e-3})
    predictor = method.adapt(BANDIT, ASKED, bench)
    assert [delta.kind for delta in predictor.ref.deltas] == ["peft", "weights"]
    assert bench.rounds["kl"][0] == pytest.approx(0, abs=1e-5)
    assert not any("base_layer" in name for name in changed(predictor.ref))
    assert predictor.predict([ASKED.labelled[0].input])[0].tokens_out == 1


def test_as_lent_is_the_base_with_its_deltas_and_nothing_that_learns(
    llama: ModelRef, models: HFModels
) -> None:
    prompts = [render(BANDIT, "plain", ASKED.labelled[0].input)]
    answers = [("7", "no", "아니")]
    base = models.open(llama).logprobs(prompts, answers)[0].logprobs
    with models.lend(llama, free=("model.layers.1.*",)) as lent:
        with torch.no_grad():
            for parameter in lent.module.model.layers[1].parameters():
                parameter.mul_(1.5)
        policy = lent.logprobs(prompts, answers)[0].logprobs
        assert np.abs(policy - base).max() > 1e-3
        with lent.as_lent():
            np.testing.assert_array_equal(lent.logprobs(prompts, answers)[0].logprobs, base)
        np.testing.assert_array_equal(lent.logprobs(prompts, answers)[0].logprobs, policy)
        assert len(lent.sample(prompts, Decoding(1, 1.0, 0), 2)[0]) == 2


def test_the_rate_is_a_tenth_unless_it_is_given() -> None:
    assert DPO(learn="weights").learning_rate == pytest.approx(DPO().learning_rate / 10)
    assert DPO(learn="weights", learning_rate=1e-3).learning_rate == 1e-3
    assert PPO(learn="weights").searched("generate")["learning_rate"] == pytest.approx((3e-5, 1e-5))
    assert "learning_rate" in open_settings(DPO(learn="weights"), "rank"), "it is searched"
    assert DPO().trains == "adapter"
    assert DPO(learn="weights").trains == "weights"


@ranking
def test_it_is_data(kind: type[DPO | KTO | Reward]) -> None:
    method = kind(learn="weights", top_layers=2)
    assert TABLE.build(method.model_dump(mode="json")) == method
