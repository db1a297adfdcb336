"""Rows of many views are read in one pass, and each is answered as its view alone answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mount import KINDS, adapter, lora, shake

from nshot.core.errors import CannotAdapt, InputError, NshotError
from nshot.core.types import Delta, ModelRef, Prompt
from nshot.models.base import Decoding
from nshot.models.hf import hf_engine, mount, resident, score
from nshot.models.hf.hf_engine import HFModels
from nshot.models.hf.rows_model import HFRows
from nshot.nets.bottleneck import Form, install, save

MIXED = ("lora", "ia3", "prefix", "prompt", "p_tuning", "houlsby", "pfeiffer", "two", "base")
"""Views that share a pass: ``two`` is a stack of two LoRA adapters."""
ALONE = ("dora", "olora", "llama_adapter")
SHOTS = "review : a film of great charm\nsentiment : positive\n\n"
PROMPTS: tuple[Prompt, ...] = (
    f"{SHOTS}review : very good\nsentiment :",
    f"{SHOTS}review : a dull film\nsentiment :",
    "",
    "query : lost card\nintent :",
    "the quick brown fox jumps over the lazy dog . " * 2,
)
ANSWERS = ((" positive", " negative"), (" very bad", " very good", " bad"), (" card", " fox"))


def narrow(models: HFModels, ref: ModelRef, form: Form, folder: Path) -> Delta:
    """Shaken bottleneck adapters."""
    with models.lend(ref) as lent:
        install(lent.module, form)
        shake(lent.module)
        save(lent.module, form, folder)
    return Delta("bottleneck", str(folder))


def views(models: HFModels, ref: ModelRef, place: Path) -> dict[str, ModelRef]:
    """A view of each kind, and the base itself."""
    deltas: dict[str, tuple[Delta, ...]] = {"base": ()}
    for seed, kind in enumerate(KINDS):
        adapter(models, ref, kind, place / kind, seed)
        deltas[kind] = (Delta("peft", str(place / kind)),)
    for form in (Form("houlsby", 6, True), Form("pfeiffer", 4, False)):
        deltas[form.placement] = (narrow(models, ref, form, place / form.placement),)
    adapter(models, ref, "lora", place / "second", 9)
    deltas["two"] = (*deltas["lora"], Delta("peft", str(place / "second")))
    return {name: ModelRef("hf", ref.name, deltas=some) for name, some in deltas.items()}


@pytest.fixture(scope="module")
def base(tiny: Callable[[str], Path]) -> ModelRef:
    return ModelRef("hf", str(tiny("llama")))


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture(scope="module")
def refs(
    models: HFModels, base: ModelRef, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ModelRef]:
    return views(models, base, tmp_path_factory.mktemp("views"))


def rows(count: int) -> tuple[list[Prompt], list[tuple[str, ...]]]:
    return (
        [PROMPTS[i % len(PROMPTS)] for i in range(count)],
        [ANSWERS[i % len(ANSWERS)] for i in range(count)],
    )


def closeness(models: HFModels, chosen: Sequence[ModelRef]) -> float:
    """How far scores in one call are from those of each view alone; each row's best is the same."""
    prompts, answers = rows(len(chosen))
    together = models.open_rows(chosen).logprobs(prompts, answers)
    furthest = 0.0
    for ref in dict.fromkeys(chosen):
        mine = [i for i, one in enumerate(chosen) if one == ref]
        alone = models.open(ref).logprobs([prompts[i] for i in mine], [answers[i] for i in mine])
        for i, expected in zip(mine, alone, strict=True):
            furthest = max(furthest, float(np.abs(together[i].logprobs - expected.logprobs).max()))
            assert together[i].logprobs.argmax() == expected.logprobs.argmax()
            assert (together[i].tokens_in, together[i].cut) == (expected.tokens_in, expected.cut)
    return furthest


@pytest.mark.parametrize("kind", MIXED)
def test_a_kind_of_view_answers_beside_others_as_alone(
    kind: str, models: HFModels, base: ModelRef, refs: dict[str, ModelRef]
) -> None:
    other = refs["lora" if kind != "lora" else "ia3"]
    chosen = [refs[kind], other, refs[kind], base, other, refs[kind]]
    assert isinstance(models.open_rows(chosen), HFRows)
    assert closeness(models, chosen) < 1e-4


@pytest.mark.parametrize("kind", ALONE)
def test_a_view_that_does_more_is_answered_by_itself(
    kind: str, models: HFModels, refs: dict[str, ModelRef]
) -> None:
    chosen = [refs[kind], refs["lora"], refs["ia3"], refs[kind]]
    assert not isinstance(models.open_rows(chosen), HFRows)
    assert isinstance(models.open_rows(chosen[1:3]), HFRows)
    assert closeness(models, chosen) < 1e-4


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from([*MIXED, *ALONE]), min_size=1, max_size=14))
def test_any_rows_of_any_views_in_any_order(
    models: HFModels, refs: dict[str, ModelRef], kinds: list[str]
) -> None:
    assert closeness(models, [refs[kind] for kind in kinds]) < 1e-4


def test_views_differ_so_that_a_mistaken_one_would_show(
    models: HFModels, refs: dict[str, ModelRef]
) -> None:
    chosen = [refs[kind] for kind in MIXED]
    scores = models.open_rows(chosen).logprobs(
        [PROMPTS[0]] * len(chosen), [ANSWERS[0]] * len(chosen)
    )
    values = np.array([one.logprobs for one in scores])
    apart = np.abs(values[:, None] - values[None]).max(-1)
    assert apart[~np.eye(len(chosen), dtype=bool)].min() > 1e-2


def test_states_and_texts_are_those_of_each_view(
    models: HFModels, refs: dict[str, ModelRef]
) -> None:
    chosen = [refs[kind] for kind in (*MIXED, *MIXED)]
    prompts, _ = rows(len(chosen))
    together = models.open_rows(chosen)
    states, texts = together.hidden(prompts, [1, 3]), together.generate(prompts, Decoding(6))
    drawn = together.generate(prompts, Decoding(6, temperature=1.0, seed=3))
    for i, (ref, prompt) in enumerate(zip(chosen, prompts, strict=True)):
        view = models.open(ref)
        alone = view.hidden([prompt], [1, 3])
        np.testing.assert_allclose(states.last[i], alone.last[0], atol=1e-4)
        np.testing.assert_allclose(states.mean[i], alone.mean[0], atol=1e-4)
        assert states.tokens_in[i] == alone.tokens_in[0]
        assert texts[i] == view.generate([prompt], Decoding(6))[0], MIXED[i % len(MIXED)]
        assert drawn[i] == view.generate([prompt], Decoding(6, temperature=1.0, seed=3))[0]


def test_a_prompt_too_long_is_cut_to_what_its_own_soft_prompt_leaves(
    models: HFModels, base: ModelRef, refs: dict[str, ModelRef]
) -> None:
    prompt = "a film of great charm and wit . " * 60
    chosen = [refs["prefix"], base]
    together = models.open_rows(chosen).logprobs([prompt] * 2, [ANSWERS[0]] * 2)
    assert [one.cut for one in together] == [True, True]
    for ref, one in zip(chosen, together, strict=True):
        alone = models.open(ref).logprobs([prompt], [ANSWERS[0]])[0]
        assert one.tokens_in == alone.tokens_in
        np.testing.assert_allclose(one.logprobs, alone.logprobs, atol=1e-4)


def test_the_base_is_bare_again_whatever_happens(
    models: HFModels, base: ModelRef, refs: dict[str, ModelRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = models.fingerprint(base)
    alone = models.open(base).logprobs(PROMPTS[:2], ANSWERS[:2])
    together = models.open_rows([refs["lora"], refs["houlsby"], refs["ia3"]])
    with monkeypatch.context() as broken:
        broken.setattr(score, "_picked", _breaks)
        with pytest.raises(ArithmeticError):
            together.logprobs(PROMPTS[:3], ANSWERS)
    module = models._resident(base).module
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    again = models.open(base).logprobs(PROMPTS[:2], ANSWERS[:2])
    for one, other in zip(alone, again, strict=True):
        assert (one.logprobs == other.logprobs).all()
    assert models.fingerprint(base) == before


def _breaks(*_: Any) -> Any:
    raise ArithmeticError


def test_nine_views_take_no_more_passes_than_one(
    models: HFModels, base: ModelRef, refs: dict[str, ModelRef]
) -> None:
    """One of the base's own for the whole batch, however many views there are."""
    module = models._resident(base).module
    chosen = [refs[kind] for kind in MIXED]
    prompts, answers = ["a film"] * len(chosen), [ANSWERS[0]] * len(chosen)
    counts = {"together": 0, "alone": 0}
    together = models.open_rows(chosen)
    really = type(module).forward

    def counting(self: Any, *args: Any, **given: Any) -> Any:
        counts[now] += 1
        return really(self, *args, **given)

    type(module).forward = counting
    try:
        now = "together"
        together.logprobs(prompts, answers)
        now = "alone"
        for ref in chosen:
            models.open(ref).logprobs(prompts[:1], answers[:1])
    finally:
        type(module).forward = really
    assert counts["together"] == 1
    assert counts["alone"] >= len(chosen)


def test_one_view_of_a_shape_is_mounted_and_one_that_is_written_anew_is_read_anew(
    base: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = HFModels()
    folders = [tmp_path / str(seed) for seed in range(3)]
    for seed, folder in enumerate(folders):
        adapter(models, base, "lora", folder, seed)
    chosen = [ModelRef("hf", base.name, deltas=(Delta("peft", str(f)),)) for f in folders]
    mounts: list[int] = []
    really = mount.mount
    monkeypatch.setattr(mount, "mount", lambda *a: (mounts.append(1), really(*a))[1])
    prompts, answers = [PROMPTS[0]] * 3, [ANSWERS[0]] * 3
    first = models.open_rows(chosen).logprobs(prompts, answers)
    again = models.open_rows(chosen).logprobs(prompts, answers)
    assert len(mounts) == 1
    assert all((a.logprobs == b.logprobs).all() for a, b in zip(first, again, strict=True))
    adapter(models, base, "lora", folders[1], 7)
    mounts.clear()
    changed = models.open_rows(chosen).logprobs(prompts, answers)
    assert not mounts
    assert np.abs(changed[1].logprobs - first[1].logprobs).max() > 1e-3
    assert (changed[0].logprobs == first[0].logprobs).all()


def test_more_views_than_are_kept_answer_too(
    base: ModelRef, refs: dict[str, ModelRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "TAKEN_APART", 2)
    monkeypatch.setattr(hf_engine, "TAKEN_APART", 2)
    assert closeness(HFModels(), [refs[kind] for kind in ("lora", "ia3", "two", "prefix")]) < 1e-4


@pytest.mark.parametrize("kind", ["gpt2", "qwen3", "mistral", "bloom"])
def test_on_other_architectures(kind: str, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """Where views cannot share a pass, a sliding window or no packs, they answer one by one."""
    models, base = HFModels(), ModelRef("hf", str(tiny(kind)))
    deltas = [thin(models, base, rank, tmp_path / str(rank)) for rank in (2, 3)]
    deltas.append(narrow(models, base, Form("houlsby", 4, True), tmp_path / "narrow"))
    chosen = [base, *(ModelRef("hf", base.name, deltas=(delta,)) for delta in deltas)]
    assert isinstance(models.open_rows(chosen), HFRows) == (kind in ("gpt2", "qwen3"))
    assert closeness(models, chosen * 2) < 1e-4
    prompts, _ = rows(len(chosen))
    texts = models.open_rows(chosen).generate(prompts, Decoding(5))
    for ref, prompt, text in zip(chosen, prompts, texts, strict=True):
        assert text == models.open(ref).generate([prompt], Decoding(5))[0]


def thin(models: HFModels, base: ModelRef, rank: int, folder: Path) -> Delta:
    """A shaken LoRA adapter on every linear layer."""
    from peft import LoraConfig, get_peft_model

    with models.lend(base) as lent:
        torch.manual_seed(rank)
        config = LoraConfig(task_type="CAUSAL_LM", r=rank, target_modules="all-linear")
        made = get_peft_model(lent.module, config)
        shake(made, rank)
        made.save_pretrained(folder)
    return Delta("peft", str(folder))


def test_what_rows_cannot_be_asked(
    models: HFModels, base: ModelRef, refs: dict[str, ModelRef]
) -> None:
    together = models.open_rows([base, refs["lora"]])
    assert {"score", "generate", "hidden"} <= together.facts.can
    assert not {"logits", "train"} & together.facts.can
    with pytest.raises(CannotAdapt, match="no logits of rows"):
        together.next_logits(["a", "b"])
    with pytest.raises(CannotAdapt, match="streams no text"):
        together.stream("a", Decoding(3))
    with pytest.raises(InputError, match="no layer 9"):
        together.hidden(["a", "b"], [9])
    with models.lend(base), pytest.raises(NshotError, match="lent for training"):
        together.logprobs(["a", "b"], ANSWERS[:2])


def test_an_adapter_on_the_head_is_answered_by_itself(base: ModelRef, tmp_path: Path) -> None:
    from peft import get_peft_model

    models = HFModels()
    with models.lend(base) as lent:
        config = lora()
        config.target_modules = ["q_proj", "lm_head"]
        made = get_peft_model(lent.module, config)
        shake(made)
        made.save_pretrained(tmp_path)
    ref = ModelRef("hf", base.name, deltas=(Delta("peft", str(tmp_path)),))
    assert not isinstance(models.open_rows([base, ref]), HFRows)
    assert closeness(models, [base, ref, base]) < 1e-4
