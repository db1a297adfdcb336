"""What is put on a base comes off again, and answers like itself while it is on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nshot.core.errors import InputError, NshotError
from nshot.core.types import Delta, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.hf.tokens import rows

PROMPTS = ["review : very good\nsentiment :", "review : a dull film\nsentiment :"] * 2
ANSWERS = [(" positive", " negative", " very bad")] * 4


def lora(**settings: Any) -> Any:
    from peft import LoraConfig

    return LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **settings)


def soft(name: str, **settings: Any) -> Any:
    import peft

    return getattr(peft, name)(task_type="CAUSAL_LM", num_virtual_tokens=6, **settings)


def configs() -> dict[str, Callable[[], Any]]:
    from peft import AdaptionPromptConfig, IA3Config

    return {
        "lora": lora,
        "dora": lambda: lora(use_dora=True),
        "olora": lambda: lora(init_lora_weights="olora"),
        "ia3": lambda: IA3Config(
            target_modules=["k_proj", "down_proj"],
            feedforward_modules=["down_proj"],
            task_type="CAUSAL_LM",
        ),
        "prefix": lambda: soft("PrefixTuningConfig"),
        "prompt": lambda: soft("PromptTuningConfig"),
        "p_tuning": lambda: soft("PromptEncoderConfig", encoder_hidden_size=16),
        "llama_adapter": lambda: AdaptionPromptConfig(
            task_type="CAUSAL_LM", adapter_len=4, adapter_layers=2
        ),
    }


KINDS = ["lora", "dora", "olora", "ia3", "prefix", "prompt", "p_tuning", "llama_adapter"]


@pytest.fixture
def ref(tiny: Callable[[str], Path]) -> ModelRef:
    return ModelRef("hf", str(tiny("llama")))


def shake(adapted: Any, seed: int = 1) -> None:
    """What training would do: move every trained weight away from where it began."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.5 * torch.randn_like(parameter))


def adapter(models: Any, ref: ModelRef, kind: str, folder: Path, seed: int = 1) -> Any:
    """Save a shaken adapter; the scores it gives where PEFT itself computes them."""
    from peft import get_peft_model

    with models.lend(ref) as lent:
        adapted = get_peft_model(lent.module, configs()[kind]())
        shake(adapted, seed)
        adapted.save_pretrained(folder)
        return by_peft(adapted.eval(), lent.tokenizer)


def by_peft(adapted: Any, tokenizer: Any) -> list[list[float]]:
    """A forward pass of PEFT's own model over each prompt with each answer."""
    out = []
    for row in rows(tokenizer, PROMPTS, ANSWERS, 256):
        sums = []
        for answer in row.answers:
            ids = torch.tensor([row.context + answer])
            with torch.no_grad():
                table = adapted(input_ids=ids).logits[0].double().log_softmax(-1)
            table = table[-ids.shape[1] :]  # prompt tuning's table begins with the soft prompt
            at = range(len(row.context), ids.shape[1])
            sums.append(sum(float(table[t - 1, ids[0, t]]) for t in at))
        out.append(sums)
    return out


def scores(lm: Any) -> Any:
    return np.array([s.logprobs for s in lm.logprobs(PROMPTS, ANSWERS)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_mounted_adapter_scores_as_peft_does_and_comes_off(
    kind: str, ref: ModelRef, tmp_path: Path
) -> None:
    models = open_models()
    bare = models.open(ref)
    before, named = scores(bare), models.fingerprint(ref)
    expected = adapter(models, ref, kind, tmp_path)
    assert models.fingerprint(ref) == named
    view = models.open(ModelRef("hf", ref.name, deltas=(Delta("peft", str(tmp_path)),)))
    np.testing.assert_allclose(scores(view), expected, atol=2e-4)
    assert np.abs(scores(view) - before).max() > 1e-2, "the adapter must be felt"
    assert (scores(bare) == before).all()
    assert models.fingerprint(ref) == named


def test_views_take_turns_on_one_base(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    refs = [ref]
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        adapter(models, ref, "lora", folder, seed)
        refs.append(ModelRef("hf", ref.name, deltas=(Delta("peft", str(folder)),)))
    views = [models.open(r) for r in refs]
    first = [scores(view) for view in views]
    again = [scores(view) for view in reversed(views)]
    for one, other in zip(first, reversed(again), strict=True):
        assert (one == other).all()
    assert len(models.resident_bytes()) == 1


def test_two_adapters_add_up(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    deltas = []
    for seed in (1, 2):
        adapter(models, ref, "lora", tmp_path / str(seed), seed)
        deltas.append(Delta("peft", str(tmp_path / str(seed))))
    both = scores(models.open(ModelRef("hf", ref.name, deltas=tuple(deltas))))
    one = scores(models.open(ModelRef("hf", ref.name, deltas=tuple(deltas[:1]))))
    assert np.abs(both - one).max() > 1e-2


def test_a_folder_written_anew_is_read_anew(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    view = models.open(ModelRef("hf", ref.name, deltas=(Delta("peft", str(tmp_path)),)))
    for seed in (1, 2):
        expected = adapter(open_models(), ref, "lora", tmp_path, seed)
        np.testing.assert_allclose(scores(view), expected, atol=2e-4)


def test_changed_weights_are_swapped_in_and_out(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    bare = models.open(ref)
    before, named = scores(bare), models.fingerprint(ref)
    with models.lend(ref, free=["model.layers.2.*", "model.norm.*"]) as lent:
        assert {n for n, p in lent.module.named_parameters() if p.requires_grad} == set(
            lent.trained
        )
        shake(lent.module)
        parameters = dict(lent.module.named_parameters())
        save_file(
            {name: parameters[name].data.contiguous() for name in lent.trained},
            tmp_path / "weights.safetensors",
        )
        expected = by_peft(lent.module, lent.tokenizer)
    assert models.fingerprint(ref) == named
    view = models.open(ModelRef("hf", ref.name, deltas=(Delta("weights", str(tmp_path)),)))
    np.testing.assert_allclose(scores(view), expected, atol=1e-4)
    assert (scores(bare) == before).all()


@pytest.mark.parametrize("how", ["raises", "merges", "hooks", "writes"])
def test_a_borrower_cannot_leave_anything_behind(how: str, ref: ModelRef) -> None:
    from peft import get_peft_model

    models = open_models()
    bare = models.open(ref)
    before, named = scores(bare), models.fingerprint(ref)

    def misbehave(lent: Any) -> None:
        module = lent.module
        adapted = get_peft_model(module, lora())
        shake(adapted)
        if how == "raises":
            module.gradient_checkpointing_enable()
            module.config.use_cache = False
            module.train()
            raise RuntimeError("in the middle of a step")
        if how == "merges":
            adapted.merge_and_unload()
        if how == "hooks":
            module.model.layers[0].register_forward_hook(lambda _m, _i, out: out[0] * 0)
            module.model.layers[1].forward = None
        if how == "writes":
            with torch.no_grad():
                module.model.layers[0].mlp.up_proj.weight.zero_()

    def borrow() -> None:
        with models.lend(ref) as lent:
            misbehave(lent)

    if how == "raises":
        with pytest.raises(RuntimeError, match="middle"):
            borrow()
    else:
        borrow()
    assert models.fingerprint(ref) == named
    assert (scores(bare) == before).all()
    module = bare._base.module
    assert not module.training
    assert module.config.use_cache
    assert not any(p.requires_grad or p.grad is not None for p in module.parameters())


def test_a_lent_base_answers_nobody_else(ref: ModelRef) -> None:
    models = open_models()
    lm = models.open(ref)
    with models.lend(ref), pytest.raises(NshotError, match="lent"):
        scores(lm)
    with models.lend(ref), pytest.raises(NshotError, match="lent"), models.lend(ref):
        pass
    assert scores(lm).shape == (4, 3)


def test_only_the_freed_weights_are_copied(ref: ModelRef) -> None:
    models = open_models()
    module = models.open(ref)._base.module
    places = {n: p.data_ptr() for n, p in module.named_parameters()}
    with models.lend(ref, free=["model.norm.weight"]) as lent:
        moved = {n for n, p in lent.module.named_parameters() if p.data_ptr() != places[n]}
    assert moved == {"model.norm.weight"}
    assert places == {n: p.data_ptr() for n, p in module.named_parameters()}


def test_training_steps_reach_only_what_was_freed(ref: ModelRef) -> None:
    models = open_models()
    with models.lend(ref, free=["model.layers.2.*"]) as lent:
        ids = torch.tensor([[2, 3, 4, 5]])
        lent.module(input_ids=ids, labels=ids).loss.backward()
        got = {n for n, p in lent.module.named_parameters() if p.grad is not None}
    assert got == set(lent.trained)


def test_wrong_names_and_deltas_are_refused(ref: ModelRef, tmp_path: Path) -> None:
    models = open_models()
    with (
        pytest.raises(InputError, match="no parameter matches"),
        models.lend(ref, free=["layer.9"]),
    ):
        pass
    with pytest.raises(InputError, match="adapter_model"):
        scores(models.open(ModelRef("hf", ref.name, deltas=(Delta("peft", str(tmp_path)),))))
    save_file({"model.norm.weight": torch.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="not this model's"):
        scores(models.open(ModelRef("hf", ref.name, deltas=(Delta("weights", str(tmp_path)),))))
    assert scores(models.open(ref)).shape == (4, 3), "a failed mount leaves the base usable"


def test_soft_prompts_are_there_when_it_writes_and_shows_states(
    ref: ModelRef, tmp_path: Path
) -> None:
    models = open_models()
    adapter(models, ref, "prefix", tmp_path)
    bare = models.open(ref)
    view = models.open(ModelRef("hf", ref.name, deltas=(Delta("peft", str(tmp_path)),)))
    assert np.abs(view.hidden(PROMPTS, [3]).last - bare.hidden(PROMPTS, [3]).last).max() > 1e-2
    first = Decoding(max_tokens=1)
    best = scores_of_first_tokens(view)
    assert [c.text for c in view.generate(PROMPTS[:2], first)] == best


def scores_of_first_tokens(lm: Any) -> list[str]:
    """The likeliest next token by scoring, which generation must agree with."""
    tokenizer = lm._base.tokenizer
    with lm._base.answering(lm.facts.ref.deltas) as live, torch.inference_mode():
        from nshot.models.hf.score import Scorer
        from nshot.models.hf.tree import Query

        best = []
        for prompt in PROMPTS[:2]:
            context = tuple(tokenizer(prompt)["input_ids"])
            asked = [Query((*context, t), len(context)) for t in range(2, len(tokenizer))]
            sums = Scorer(live.module, live.prefix).score(asked)
            best.append(tokenizer.decode([2 + int(sums.argmax())]))
    return best
