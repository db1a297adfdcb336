"""Adapters that are read from their files answer as those that PEFT puts on, or are put on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_mount import lora, shake

from nshot.core.types import Delta, ModelRef
from nshot.models.hf import lent_model, mount
from nshot.models.hf.from_files import read_low_rank, shape_of
from nshot.models.hf.hf_engine import HFModels
from nshot.models.hf.peft_folder import CONFIG

PROMPTS = ["review : very good\nsentiment :", "the quick brown fox", "query : lost card"]
ANSWERS = [(" positive", " negative")] * 3
PLAIN: dict[str, dict[str, Any]] = {
    "lora": {},
    "rank-stabilised": {"use_rslora": True, "lora_alpha": 3},
    "dropout": {"lora_dropout": 0.5},
}
MORE: dict[str, dict[str, Any]] = {
    "other ranks": {"rank_pattern": {"v_proj": 2}},
    "other factors": {"alpha_pattern": {"v_proj": 2}},
    "biases": {"bias": "lora_only"},
}


@pytest.fixture(scope="module")
def base(tiny: Callable[[str], Path]) -> ModelRef:
    return ModelRef("hf", str(tiny("llama")))


def views(models: HFModels, base: ModelRef, place: Path, settings: dict[str, Any]) -> Any:
    """Three adapters of one shape, each a view."""
    from peft import get_peft_model

    made = []
    for seed in range(3):
        with models.lend(base) as lent:
            module = get_peft_model(lent.module, lora(**settings))
            shake(module, seed)
            module.save_pretrained(place / str(seed))
        made.append(ModelRef("hf", base.name, deltas=(Delta("peft", str(place / str(seed))),)))
    return made


def far(models: HFModels, chosen: list[ModelRef]) -> float:
    """How far the views' scores in one call are from those of each alone."""
    together = models.open_rows(chosen).logprobs(PROMPTS, ANSWERS)
    alone = HFModels()
    return max(
        float(np.abs(one.logprobs - alone.open(ref).logprobs([p], [a])[0].logprobs).max())
        for one, ref, p, a in zip(together, chosen, PROMPTS, ANSWERS, strict=True)
    )


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Delta, ...]]:
    """What is mounted."""
    done: list[tuple[Delta, ...]] = []
    really = lent_model.mount  # read before it is replaced: to lend is to mount too
    monkeypatch.setattr(mount, "mount", lambda m, d: (done.append(tuple(d)), really(m, d))[1])
    return done


@pytest.mark.parametrize("kind", PLAIN)
def test_of_plain_adapters_of_one_shape_the_first_is_mounted(
    kind: str, base: ModelRef, tmp_path: Path, mounts: list[Any]
) -> None:
    models = HFModels()
    chosen = views(models, base, tmp_path, PLAIN[kind])
    models.open_rows(chosen).logprobs(PROMPTS, ANSWERS)
    assert mounts == [chosen[0].deltas]
    assert far(models, chosen) < 1e-4


@pytest.mark.parametrize("kind", MORE)
def test_what_does_more_is_mounted_each(
    kind: str, base: ModelRef, tmp_path: Path, mounts: list[Any]
) -> None:
    models = HFModels()
    chosen = views(models, base, tmp_path, MORE[kind])
    for one in chosen:
        resident = models._resident(base)
        assert read_low_rank(one.deltas, resident.module.device) is None
    if kind != "biases":
        models.open_rows(chosen).logprobs(PROMPTS, ANSWERS)
        assert mounts == [one.deltas for one in chosen]
    assert far(models, chosen) < 1e-4


def test_a_stack_of_two_is_read_too(base: ModelRef, tmp_path: Path, mounts: list[Any]) -> None:
    models = HFModels()
    one, two, three = views(models, base, tmp_path, {})
    stacks = [
        ModelRef("hf", base.name, deltas=(*a.deltas, *b.deltas))
        for a, b in ((one, two), (two, three), (three, one))
    ]
    models.open_rows(stacks).logprobs(PROMPTS, ANSWERS)
    assert mounts == [stacks[0].deltas]
    assert far(models, stacks) < 1e-4


def test_a_shape_is_all_but_the_numbers_and_where_it_comes_from(
    base: ModelRef, tmp_path: Path
) -> None:
    models = HFModels()
    one, two, _ = views(models, base, tmp_path / "a", {})
    path = tmp_path / "a" / "1" / CONFIG
    body = json.loads(path.read_text())
    body |= {"base_model_name_or_path": "else", "target_modules": body["target_modules"][::-1]}
    path.write_text(json.dumps(body))
    assert shape_of(one.deltas) == shape_of(two.deltas)
    path.write_text(json.dumps({**body, "lora_alpha": 5}))
    assert shape_of(one.deltas) != shape_of(two.deltas)
    (other, *_) = views(models, base, tmp_path / "b", {"use_rslora": True})
    assert shape_of(one.deltas) != shape_of(other.deltas)
    assert shape_of(()) == ()
