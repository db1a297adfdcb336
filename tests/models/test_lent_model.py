"""A base that is lent holds adapters by name, answers in the middle of training, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from test_mount import ANSWERS, PROMPTS, adapter, lora, scores, shake, soft

from nshot.core.errors import CannotAdapt, InputError, NshotError
from nshot.core.types import Delta, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding

ROW = {"input_ids": torch.tensor([[2, 3, 4, 5, 6]]), "labels": torch.tensor([[2, 3, 4, 5, 6]])}


@pytest.fixture
def ref(tiny: Callable[[str], Path]) -> ModelRef:
    return ModelRef("hf", str(tiny("llama")))


def with_delta(ref: ModelRef, *folders: Path) -> ModelRef:
    return ModelRef("hf", ref.name, deltas=tuple(Delta("peft", str(f)) for f in folders))


def values(module: Any, name: str) -> list[torch.Tensor]:
    """Copies of the parameters of one adapter."""
    return [p.detach().clone() for n, p in module.named_parameters() if name in n.split(".")]


def learning(module: Any) -> set[str]:
    return {n for n, p in module.named_parameters() if p.requires_grad}


def test_all_that_ppo_needs_stands_on_one_base(ref: ModelRef, tmp_path: Path) -> None:
    """Base, frozen reference, policy, reward adapter with its head, value head; one learns."""
    models = open_models()
    for seed, name in enumerate(("tuned", "reward")):
        adapter(models, ref, "lora", tmp_path / name, seed)
    tuned, reward = (Delta("peft", str(tmp_path / name)) for name in ("tuned", "reward"))
    alone = {
        "base": scores(models.open(ref)),
        "reference": scores(models.open(with_delta(ref, tmp_path / "tuned"))),
        "reward": scores(models.open(with_delta(ref, tmp_path / "reward"))),
    }
    before = models.fingerprint(ref)
    with models.lend(ref, adapters={"reference": tuned, "reward": reward}) as lent:
        policy = lent.load("policy", tuned, trainable=True)
        value, judge = torch.nn.Linear(32, 1), torch.nn.Linear(32, 1).requires_grad_(False)
        assert all("policy" in name.split(".") for name in learning(policy))
        fixed = {name: values(policy, name) for name in ("reference", "reward")}
        start = values(policy, "policy")
        optimizer = torch.optim.SGD([p for p in policy.parameters() if p.requires_grad], 0.1)
        optimizer.add_param_group({"params": value.parameters()})
        text = lent.generate(PROMPTS[:1], Decoding(4))[0].text
        with lent.use("reward"):
            states = torch.from_numpy(lent.hidden([PROMPTS[0] + text], [3]).last[:, 0])
            rewarded = judge(states)
            assert np.abs(scores(lent) - alone["reward"]).max() < 1e-4
        with lent.use("reference"):
            expected = lent.next_logits([PROMPTS[0]])
            assert np.abs(scores(lent) - alone["reference"]).max() < 1e-4
        with lent.bare():
            assert np.abs(scores(lent) - alone["base"]).max() < 1e-5
        assert (scores(lent) == scores(lent)).all()
        out = policy(**ROW, output_hidden_states=True)
        loss = out.loss + (value(out.hidden_states[-1][:, -1]) - rewarded).square().mean()
        loss.backward()
        optimizer.step()
        assert any((a != b).any() for a, b in zip(start, values(policy, "policy"), strict=True))
        for name, old in fixed.items():
            assert all((a == b).all() for a, b in zip(old, values(policy, name), strict=True))
        with lent.use("reference"):
            assert (lent.next_logits([PROMPTS[0]]) == expected).all()
        with lent.bare():
            assert np.abs(scores(lent) - alone["base"]).max() < 1e-5
        policy.save_pretrained(tmp_path, selected_adapters=["policy"], save_embedding_layers=False)
        last = scores(lent)
    assert models.fingerprint(ref) == before
    assert (scores(models.open(ref)) == alone["base"]).all()
    kept = scores(models.open(with_delta(ref, tmp_path / "policy")))
    assert np.abs(kept - last).max() < 1e-4


def test_deltas_of_the_ref_are_on_and_a_new_adapter_stands_on_them(
    ref: ModelRef, tmp_path: Path
) -> None:
    models = open_models()
    adapter(models, ref, "lora", tmp_path / "tuned")
    start = with_delta(ref, tmp_path / "tuned")
    tuned, base = scores(models.open(start)), scores(models.open(ref))
    before = models.fingerprint(ref)
    with models.lend(start) as lent:
        assert lent.ref == lent.facts.ref == start
        assert not learning(lent.module)
        assert np.abs(scores(lent) - tuned).max() < 1e-5
        module = lent.add("policy", lora(), seed=1)
        assert np.abs(scores(lent) - tuned).max() < 1e-5, "a fresh LoRA is the identity"
        shake(module)
        assert np.abs(scores(lent) - tuned).max() > 1e-2
        with lent.use():
            assert np.abs(scores(lent) - tuned).max() < 1e-5
        with lent.bare():
            assert np.abs(scores(lent) - base).max() < 1e-5
        both = scores(lent)
        module.save_pretrained(tmp_path, selected_adapters=["policy"], save_embedding_layers=False)
    assert models.fingerprint(ref) == before
    stacked = with_delta(ref, tmp_path / "tuned", tmp_path / "policy")
    assert np.abs(scores(models.open(stacked)) - both).max() < 1e-4


def test_freed_weights_learn_beside_the_base_as_it_was(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    base, before = scores(models.open(ref)), models.fingerprint(ref)
    with models.lend(ref, free=["model.layers.2.*"]) as lent:
        shake(lent.module)
        changed = scores(lent)
        assert np.abs(changed - base).max() > 1e-2
        with lent.bare():
            assert np.abs(scores(lent) - base).max() < 1e-5
        assert (scores(lent) == changed).all()
        assert learning(lent.module) == set(lent.trained)
        freed = dict(lent.module.named_parameters())
        save_file({n: freed[n].data for n in lent.trained}, tmp_path / "weights.safetensors")
    assert models.fingerprint(ref) == before
    whole = ModelRef("hf", ref.name, deltas=(Delta("weights", str(tmp_path)),))
    with models.lend(whole, free=["model.layers.1.*"]) as lent:
        assert np.abs(scores(lent) - changed).max() < 1e-5
        shake(lent.module)
        with lent.bare():
            assert np.abs(scores(lent) - base).max() < 1e-5
        assert np.abs(scores(lent) - changed).max() > 1e-2
    assert np.abs(scores(models.open(whole)) - changed).max() < 1e-5
    assert models.fingerprint(ref) == before


def test_a_question_leaves_training_as_it_was(ref: ModelRef) -> None:
    models = open_models()
    with models.lend(ref) as lent:
        module = lent.add("policy", lora(lora_dropout=0.5), seed=1)
        shake(module)
        module.train()
        module(**ROW).loss.backward()
        grads = [p.grad.clone() for p in module.parameters() if p.grad is not None]
        flags = [m.training for m in module.modules()]
        state, free = torch.get_rng_state(), learning(module)
        one = [scores(lent), lent.next_logits(PROMPTS[:2]), lent.hidden(PROMPTS[:2], [1]).mean]
        one.append(np.array(["".join(lent.stream(PROMPTS[0], Decoding(3, temperature=1.0)))]))
        with lent.bare():
            lent.generate(PROMPTS[:1], Decoding(2))
        assert (torch.get_rng_state() == state).all()
        assert [m.training for m in module.modules()] == flags
        assert learning(module) == free
        after = [p.grad for p in module.parameters() if p.grad is not None]
        assert all((a == b).all() for a, b in zip(grads, after, strict=True))
        two = [scores(lent), lent.next_logits(PROMPTS[:2]), lent.hidden(PROMPTS[:2], [1]).mean]
        assert all((a == b).all() for a, b in zip(one, two, strict=False)), "no dropout"


def test_a_reference_may_be_asked_between_a_forward_and_its_backward(ref: ModelRef) -> None:
    models = open_models()
    grads = []
    for asks in (False, True):
        with models.lend(ref, free=["model.norm.weight"]) as lent:
            module = lent.add("policy", lora(), seed=1)
            shake(module)
            loss = module(**ROW).loss
            if asks:
                with lent.use():
                    lent.next_logits(PROMPTS[:1])
                with lent.bare():
                    lent.next_logits(PROMPTS[:1])
            loss.backward()
            grads.append([p.grad.clone() for p in module.parameters() if p.grad is not None])
    assert len(grads[0]) == 13, "two matrices of two projections in three blocks, and the norm"
    assert all((a == b).all() for a, b in zip(*grads, strict=True))


def test_soft_prompts_take_turns(ref: ModelRef) -> None:
    models = open_models()
    base, before = scores(models.open(ref)), models.fingerprint(ref)
    with models.lend(ref) as lent:
        module = lent.add("one", soft("PromptTuningConfig"), seed=1)
        lent.add("two", soft("PromptTuningConfig"), seed=2)
        second = scores(lent)
        assert learning(module) == {"prompt_encoder.two.embedding.weight"}
        with lent.use("one"):
            assert np.abs(scores(lent) - second).max() > 1e-3
        with lent.use():
            assert np.abs(scores(lent) - base).max() < 1e-5
        with pytest.raises(CannotAdapt, match="one soft prompt at a time"):
            lent.use("one", "two")
    assert models.fingerprint(ref) == before


@pytest.mark.parametrize("how", ["raises", "writes", "bare"])
def test_whatever_a_borrower_of_several_adapters_does(how: str, ref: ModelRef) -> None:
    models = open_models()
    base, before = scores(models.open(ref)), models.fingerprint(ref)

    def borrow() -> None:
        with models.lend(ref, free=["model.norm.weight"]) as lent:
            shake(lent.add("policy", lora(), seed=1))
            if how == "raises":
                raise RuntimeError("in the middle")
            if how == "writes":
                with torch.no_grad():
                    lent.module.model.layers[0].mlp.up_proj.weight.zero_()
            with lent.bare():
                raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        borrow()
    assert models.fingerprint(ref) == before
    assert (scores(models.open(ref)) == base).all()


def test_what_cannot_be_is_said(ref: ModelRef, tmp_path: Path) -> None:
    from peft import IA3Config

    models = open_models()
    with models.lend(ref) as lent:
        with pytest.raises(InputError, match="no adapter 'polcy'"):
            lent.use("polcy")
        lent.add("policy", lora(), seed=1)
        with pytest.raises(InputError, match="did you mean 'policy'"):
            lent.use("polcy")
        for name in ("layers", "policy", "policy2", "a b"):
            with pytest.raises(InputError, match="cannot name an adapter"):
                lent.add(name, lora(), seed=1)
        with pytest.raises(CannotAdapt, match="PEFT cannot put 'other'"):
            lent.add("other", IA3Config(target_modules=["k_proj"], feedforward_modules=[]), seed=1)
        with pytest.raises(InputError, match="adapter_model"):
            lent.load("third", Delta("peft", str(tmp_path)))
        with pytest.raises(InputError, match="of kind weights"):
            lent.load("third", Delta("weights", str(tmp_path)))
        with lent.bare(), pytest.raises(InputError, match="bare"):
            lent.use("policy")
        assert scores(lent).shape == (len(PROMPTS), len(ANSWERS[0]))
        with pytest.raises(NshotError, match="is lent"):
            scores(models.open(ref))
