"""A reward model on the policy's own base: it says there what it says as delivered."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lent import Lent
from preferences import HELD_OUT, SHOTS, TASK

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.files import content_hash
from nshot.core.types import Check, Example, Input, ModelRef, Task
from nshot.methods.align.grpo import GRPO
from nshot.methods.align.reward import Reward
from nshot.models import open_models
from nshot.predictors.rewarded import Rewarded
from nshot.training.reward_models import judge
from tiny import tiny_llama

ROWS = [replace(row, input=replace(row.input, answers=()), grades=()) for row in HELD_OUT[:8]]
TEXTS = [row.input.answers[k % 2] for k, row in enumerate(HELD_OUT[:8])]


def unheard(sentence: str) -> None:
    raise AssertionError(f"nothing is to be noted: {sentence}")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("llama"))))


@pytest.fixture(scope="module")
def rewarded(llama: ModelRef, tmp_path_factory: pytest.TempPathFactory) -> Rewarded:
    method = Reward(epochs=12, batch_size=4, learning_rate=0.01, rank=4)
    bench = Lent(open_models(), llama, tmp_path_factory.mktemp("bench"))
    predictor = method.adapt(TASK, SHOTS, bench)
    assert isinstance(predictor, Rewarded)
    return predictor


@pytest.fixture(scope="module")
def folder(rewarded: Rewarded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("delivered") / "reward"
    rewarded.save(target)
    return target


def judged(folder: Path, *more: Check) -> Task:
    model = Check("model", str(folder), sha256=content_hash(folder))
    return Task("chat", "generate", reward=(model, *more))


def expected(rewarded: Rewarded) -> np.ndarray:
    raw = [
        rewarded.predict([replace(row.input, answers=(text,))])[0].scores[0]
        for row, text in zip(ROWS, TEXTS, strict=True)
    ]
    return (np.array(raw) - rewarded.mean) / rewarded.deviation


def test_of_what_it_learned_the_worth_has_mean_0_and_deviation_1(rewarded: Rewarded) -> None:
    worth = np.array(rewarded.worth([row.input for row in SHOTS.labelled]))
    assert worth.mean() == pytest.approx(0, abs=1e-5)
    assert worth.std() == pytest.approx(1, abs=1e-5)
    assert rewarded.deviation > 0.1


def test_it_says_on_the_lent_base_what_it_says_as_delivered(
    rewarded: Rewarded, folder: Path, llama: ModelRef
) -> None:
    models = open_models()
    with models.lend(llama) as lent:
        function = judge(judged(folder), models, lent, unheard)
        policy = lent.add("policy", GRPO(rank=4).config(lent), 0)
        worth = function(ROWS, TEXTS)
        assert [p.requires_grad for n, p in policy.named_parameters() if "lora" in n].count(True)
        learning = {n.split(".")[-2] for n, p in policy.named_parameters() if p.requires_grad}
    np.testing.assert_allclose(worth, expected(rewarded), atol=1e-4)
    assert learning == {"policy"}, "the policy is in use again, and alone learns"


def test_a_policy_of_its_own_weights_is_judged_by_the_base_s(
    rewarded: Rewarded, folder: Path, llama: ModelRef
) -> None:
    models = open_models()
    with models.lend(llama, free=("model.layers.*",)) as lent:
        function = judge(judged(folder), models, lent, unheard)
        before = {n: p.requires_grad for n, p in lent.module.named_parameters()}
        weight = lent.module.model.layers[1].mlp.down_proj.base_layer.weight
        weight.data.mul_(3.0)  # what was learned so far
        np.testing.assert_allclose(function(ROWS, TEXTS), expected(rewarded), atol=1e-4)
        assert {n: p.requires_grad for n, p in lent.module.named_parameters()} == before
        assert before["model.layers.1.mlp.down_proj.base_layer.weight"]


def test_on_a_policy_that_began_elsewhere_it_stands_without_what_the_policy_began_from(
    rewarded: Rewarded, folder: Path, llama: ModelRef, tmp_path: Path
) -> None:
    begun = replace(llama, deltas=rewarded.ref.deltas)  # any adapter will do
    models = open_models()
    with models.lend(begun) as lent:
        function = judge(judged(folder), models, lent, unheard)
        np.testing.assert_allclose(function(ROWS, TEXTS), expected(rewarded), atol=1e-4)


def test_rules_count_beside_it_by_weight(rewarded: Rewarded, folder: Path, llama: ModelRef) -> None:
    models = open_models()
    task = judged(folder, Check("regex", "please.*", weight=3.0))
    with models.lend(llama) as lent:
        worth = judge(task, models, lent, unheard)(ROWS, TEXTS)
    rule = np.array([float(text.startswith("please")) for text in TEXTS])
    np.testing.assert_allclose(worth, (expected(rewarded) + 3 * rule) / 4, atol=1e-4)


def test_one_of_another_base_with_the_same_tokenizer_is_a_second_model(
    rewarded: Rewarded, folder: Path, tmp_path: Path
) -> None:
    other = ModelRef("hf", str(tiny_llama(tmp_path / "other", seed=1)))
    models, notes = open_models(), []
    with models.lend(other) as lent:
        worth = judge(judged(folder), models, lent, notes.append)(ROWS, TEXTS)
    np.testing.assert_allclose(worth, expected(rewarded), atol=1e-4)
    assert "second model" in notes[0]


def test_one_of_another_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    place = tiny_llama(tmp_path / "other")
    config = json.loads((place / "tokenizer_config.json").read_text())
    (place / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": "{{ 1 }}"}))
    (place / "chat_template.jinja").unlink(missing_ok=True)
    models, other = open_models(), ModelRef("hf", str(place))
    with models.lend(other) as lent, pytest.raises(CannotAdapt, match="another than that of"):
        judge(judged(folder), models, lent, unheard)


def test_one_that_has_changed_since_is_refused(
    folder: Path, llama: ModelRef, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    task, models = judged(copy), open_models()
    record: dict[str, Any] = json.loads((copy / "nshot.json").read_text())
    record["settings"]["mean"] = 7.0
    (copy / "nshot.json").write_text(json.dumps(record))
    with models.lend(llama) as lent, pytest.raises(InputError, match="another reward model"):
        judge(task, models, lent, unheard)


def test_a_policy_learns_what_the_reward_model_likes(
    rewarded: Rewarded, folder: Path, llama: ModelRef, tmp_path: Path
) -> None:
    """The reward model likes what begins politely; so does the policy after it."""
    bench = Lent(open_models(), llama, tmp_path / "bench")
    before = bench.models.fingerprint(llama)
    rows = [Example(f"q{i}", Input((("prompt", f"tea {i}?"),))) for i in range(6)]
    method = GRPO(
        prompts=3, answers=16, max_tokens=3, learning_rate=0.02, updates=10, rank=4, kl=0.0,
        kl_budget=None,
    )  # fmt: skip
    predictor: Any = method.adapt(judged(folder), type(SHOTS)(tuple(rows)), bench)
    before_, after = (
        float(part.split("reward ")[1].split(",")[0]) for part in bench.notes[-1].split("after:")
    )
    assert after > before_ + 0.2
    assert predictor.task.reward == (), "no path of this machine is delivered"
    assert bench.models.fingerprint(llama) == before
