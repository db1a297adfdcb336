"""PPO and GRPO on a bandit: the answer that is worth most is learned, and nothing else moves."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lent import Killed, Lent
from safetensors.numpy import load_file
from transformers import LlamaForCausalLM

from nshot.core.errors import CannotAdapt, DidNotLearn, InputError
from nshot.core.types import Check, Example, Input, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.align.exploring import Exploring
from nshot.methods.align.grpo import GRPO
from nshot.methods.align.ppo import PPO
from nshot.models import open_models
from nshot.predictors.prompted import Prompted
from nshot.training.objectives.grpo import GRPOLoss
from nshot.training.rounds import Limits, Look
from tiny import tiny_llama

TASK = Task("bandit", "generate", metric="reward", reward=(Check("regex", "[0-9].*"),))
ROWS = tuple(
    Example(f"e{i}", Input((("text", text),)), ("7",))
    for i, text in enumerate(("a warm film", "my card", "late", "x", "a dull film", "where is it"))
)
SHOTS = Shots(ROWS)
QUICK: dict[str, Any] = {
    "max_tokens": 1, "learning_rate": 0.02, "updates": 12, "format": "plain", "rank": 4, "kl": 0.01,
}  # fmt: skip
ways = pytest.mark.parametrize(
    "method",
    [
        GRPO(prompts=3, answers=16, **QUICK),
        PPO(prompts=3, answers=16, epochs=2, batches=2, **QUICK),
    ],
    ids=["grpo", "ppo"],
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("llama"))))


@pytest.fixture
def bench(llama: ModelRef, tmp_path: Path) -> Callable[..., Lent]:
    def made(name: str = "a", seed: int = 0) -> Lent:
        return Lent(open_models(), llama, tmp_path / name, seed)

    return made


def digits(_: Sequence[Example], texts: Sequence[str]) -> list[float]:
    return [float(text[:1].isdigit()) for text in texts]


def nothing(_: Sequence[Example], texts: Sequence[str]) -> list[float]:
    return [0.0 for _ in texts]


def learned(predictor: Any) -> dict[str, Any]:
    """The adapter's tensors."""
    return load_file(Path(predictor.ref.deltas[-1].folder) / "adapter_model.safetensors")


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all((one[k] == other[k]).all() for k in one)


@ways
def test_the_best_answer_is_learned(method: Exploring, bench: Callable[..., Lent]) -> None:
    there = bench()
    base = there.models.fingerprint(there.base)
    predictor = method.adapt(TASK, SHOTS, there)
    assert isinstance(predictor, Prompted)
    answers = [p.answer for p in predictor.predict([row.input for row in ROWS])]
    assert sum(answer[:1].isdigit() for answer in answers) >= 5
    before = Prompted(TASK, there.models, there.base, "plain", max_tokens=1)
    untaught = [p.answer for p in before.predict([row.input for row in ROWS])]
    assert sum(answer[:1].isdigit() for answer in untaught) <= 2
    assert there.models.fingerprint(there.base) == base, "the base is as it was"
    (note,) = there.notes
    assert note.startswith("before: reward 0.")
    assert there.parameters > 0
    assert len(there.curve[0]) == method.updates * (1 if method.name == "grpo" else 4)
    assert "reward" in there.steps[-1][2]


@ways
def test_where_nothing_is_worth_anything_nothing_moves(
    method: Exploring, bench: Callable[..., Lent]
) -> None:
    there, settings = bench(), {"kl": 0.0, "updates": 3}
    still = method.model_copy(update=settings)
    with pytest.raises(DidNotLearn, match=r"at first reward 0\.000, KL 0\.00"):
        still.adapt_by(nothing, "nothing", TASK, SHOTS, there)
    kept = load_file(there.folder / "good" / "policy" / "adapter_model.safetensors")
    moved = [name for name, tensor in kept.items() if "lora_B" in name and tensor.any()]
    assert not moved, "after two updates B is where it began: at zero"


@ways
def test_equal_seeds_give_equal_policies_and_a_kill_changes_nothing(
    method: Exploring, bench: Callable[..., Lent]
) -> None:
    short = method.model_copy(update={"updates": 8})
    one, other = (learned(short.adapt(TASK, SHOTS, bench(name))) for name in "ab")
    assert equal(one, other)
    assert not equal(one, learned(short.adapt(TASK, SHOTS, bench("c", seed=1))))
    there, steps = bench("d"), short.passes[0] * short.passes[1]
    usual = there.progress

    def dies(done: int, total: int, what: str) -> None:
        if done == 3 * steps:  # before the third round is kept: it is gone through again
            raise Killed

    there.progress = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        short.adapt(TASK, SHOTS, there)
    there.progress = usual  # type: ignore[method-assign]
    assert equal(one, learned(short.adapt(TASK, SHOTS, there)))
    assert there.steps[0][0] == 2 * steps + 1, "two rounds were not gone through again"


@ways
def test_a_budget_of_kl_stops_with_the_policy_that_was_within(
    method: Exploring, bench: Callable[..., Lent]
) -> None:
    there = bench()
    tight = method.model_copy(update={"kl_budget": 0.3, "kl": 0.0, "learning_rate": 0.006})
    predictor = tight.adapt(TASK, SHOTS, there)
    assert "KL is" in there.notes[-1]
    assert "0.3 allowed" in there.notes[-1]
    after = float(there.notes[0].split("KL ")[-1].split(",")[0])
    assert after <= 0.3
    assert Path(predictor.ref.deltas[-1].folder).parent.name == "good"


def test_a_policy_that_repeats_itself_or_went_too_far_is_stopped() -> None:
    limits = Limits(kl=6.0)
    assert limits.broken(Look(1.0, 5.9, 20.0, 0.8)) is None
    assert "repeats itself: 81%" in str(limits.broken(Look(1.0, 5.9, 20.0, 0.81)))
    assert "KL is 6.1 nats" in str(limits.broken(Look(1.0, 6.1, 20.0, 0.1)))
    assert Limits().broken(Look(1.0, 600.0, 20.0, 0.1)) is None
    for kl in (float("nan"), float("inf")):
        assert "not finite" in str(Limits().broken(Look(1.0, kl, 20.0, 0.1)))
    assert str(Look(1.0, -0.001, 20.0, 0.1)) == "reward 1.000, KL 0.00, 20 tokens"


@ways
@pytest.mark.parametrize("rate", [1e20, 1e38])
def test_an_explosion_leaves_the_last_good_policy(
    method: Exploring, rate: float, bench: Callable[..., Lent]
) -> None:
    """Weights that are no numbers: said with what to do, and never kept as a good policy."""
    there = bench()
    wild = method.model_copy(update={"learning_rate": rate, "kl_budget": None})
    with pytest.raises(DidNotLearn, match=r"not finite|loss was nan .* learning rate below 1e"):
        wild.adapt_by(digits, "digits", TASK, SHOTS, there)
    kept = load_file(there.folder / "good" / "policy" / "adapter_model.safetensors")
    assert all(np.isfinite(tensor).all() for tensor in kept.values())


def test_a_loss_that_is_no_number_ends_with_what_was_learned_before(
    bench: Callable[..., Lent], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, usual = [], GRPOLoss.total

    def breaks(self: GRPOLoss, model: Any, rows: Any) -> Any:
        parts.append(1)  # three parts of 16 answers an update
        return usual(self, model, rows) * (math.nan if len(parts) > 24 else 1.0)

    monkeypatch.setattr(GRPOLoss, "total", breaks)
    there = bench()
    predictor: Any = GRPO(prompts=3, answers=16, **QUICK).adapt(TASK, SHOTS, there)
    assert (
        "stopped, and the last policy within the limits taken: the loss was nan" in there.notes[-1]
    )
    assert "step 9 of 12" in there.notes[-1]
    assert Path(predictor.ref.deltas[-1].folder).parent.name == "good"
    answers = [p.answer for p in predictor.predict([row.input for row in ROWS])]
    assert sum(answer[:1].isdigit() for answer in answers) >= 4


def test_a_policy_that_only_repeats_itself_is_refused(llama: ModelRef, tmp_path: Path) -> None:
    """A model whose blocks add nothing says its last token again and again."""
    place = shutil.copytree(llama.name, tmp_path / "collapsed")
    model = LlamaForCausalLM.from_pretrained(place)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(4.0)  # the head is the same matrix: it is surer
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    model.save_pretrained(place)
    there = Lent(open_models(), ModelRef("hf", str(place)), tmp_path / "a")
    settings = {**QUICK, "max_tokens": 24}
    with pytest.raises(CannotAdapt, match="before it has learned anything, the policy repeats"):
        GRPO(prompts=3, answers=4, **settings).adapt(TASK, SHOTS, there)


def test_a_reward_that_fails_keeps_the_last_good_policy(bench: Callable[..., Lent]) -> None:
    calls: list[int] = []

    def fails(examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
        calls.append(1)
        return [float("nan")] * len(texts) if len(calls) > 4 else digits(examples, texts)

    there = bench()
    with pytest.raises(InputError, match="is nan") as error:
        GRPO(prompts=3, answers=8, **QUICK).adapt_by(fails, "fails", TASK, SHOTS, there)
    (fault,) = error.value.faults
    place = Path(fault.do.split("kept in ")[1])
    assert (place / "adapter_model.safetensors").exists()


def test_a_task_without_a_reward_is_refused(bench: Callable[..., Lent]) -> None:
    with pytest.raises(CannotAdapt, match="needs a reward in the task file"):
        GRPO(**QUICK).adapt(replace(TASK, reward=()), SHOTS, bench())
    with pytest.raises(CannotAdapt, match="no prompt"):
        GRPO(**QUICK).adapt(TASK, Shots(), bench())


def test_they_are_data() -> None:
    for method in (GRPO(start=TABLE.build({"method": "instruct"})), PPO(kl_target=6.0)):
        assert TABLE.build(method.model_dump(mode="json")) == method


def test_the_coefficient_of_the_penalty_follows_its_target(bench: Callable[..., Lent]) -> None:
    """A target of nothing at a short horizon: the penalty grows until the policy hardly moves."""
    free, held = (
        PPO(prompts=3, answers=16, **{**QUICK, "kl": 0.5}, **settings)
        for settings in ({}, {"kl_target": 0.01, "kl_horizon": 48.0})
    )
    far = []
    for name, method in (("free", free), ("held", held)):
        there = bench(name)
        try:
            method.adapt(TASK, SHOTS, there)
            text = there.notes[0]
        except DidNotLearn as error:
            text = str(error)
        far.append(float(text.split("KL ")[-1].split(",")[0]))
    assert far[1] < far[0]


def test_demonstrations_beside_the_answers_are_imitated(bench: Callable[..., Lent]) -> None:
    """Nothing is worth anything: what the policy learns it has from the demonstrations."""
    rows = tuple(replace(row, targets=("7",)) for row in ROWS)
    quick = {**QUICK, "updates": 8, "learning_rate": 0.01}
    method = PPO(prompts=3, answers=4, ptx=5.0, kl_budget=None, **quick)
    there = bench()
    with pytest.raises(DidNotLearn):
        method.adapt_by(nothing, "nothing", TASK, Shots(rows), there)
    losses = list(there.curve[0])
    assert losses[-1] < losses[0] - 1
    assert there.rounds["length"] == [1.0] * 8
    bare = Shots(tuple(replace(row, targets=()) for row in ROWS))
    with pytest.raises(CannotAdapt, match="ptx needs demonstrations"):
        method.adapt_by(nothing, "nothing", TASK, bare, bench("b"))
