"""Prompt tuning on a tiny random model: where it begins, what learns, what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lent import Lent
from soft import (
    check_a_family,
    check_it_writes_as_without_a_cache,
    check_plain_peft_answers_so,
    check_what_learns,
    row_logits,
)
from taught import SHOTS, TASK, check_a_kill_changes_nothing, check_it_learns, put_on

from families import FAMILIES, tiny_family
from nshot.core.errors import CannotAdapt, DidNotLearn
from nshot.core.types import Example, Input, ModelRef, Shots
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Rates
from nshot.methods.peft.prefix import PrefixTuning
from nshot.methods.peft.prompt_tuning import PromptTuning
from nshot.models.hf.hf_engine import HFModels
from nshot.prompts.parts import instruction
from tiny import tiny_llama

WIDTH = 32
QUICK = {"epochs": 120, "batch_size": 12, "max_steps": 240, "learning_rate": 5e-2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def test_it_learns_length_times_width_and_plain_peft_answers_so(bench, folder):
    predictor = check_it_learns(PromptTuning(**QUICK, length=12), bench)
    assert bench.parameters == 12 * WIDTH
    files = {path.name for path in Path(predictor.ref.deltas[0].folder).iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    assert not [path for path in bench.folder.iterdir() if path.name.startswith("tmp")]
    check_plain_peft_answers_so(predictor, folder)
    check_it_writes_as_without_a_cache(predictor, folder)


def test_only_the_soft_prompt_learns(bench):
    check_what_learns(PromptTuning(), bench)


@pytest.mark.parametrize("family", FAMILIES)
def test_from_text_it_starts_as_the_base_after_that_text(family, models, tmp_path):
    """Gemma 3 scales its embeddings: the soft prompt must begin as what comes out of them."""
    place = tiny_family(tmp_path / "model", family)
    with models.lend(ModelRef("hf", str(place))) as lent:
        words = lent.tokenizer(instruction(TASK))["input_ids"]
        ids = lent.tokenizer("Text: a warm film\nLabel:")["input_ids"]
        for length in (12, len(words), len(words) + 5):
            text = (words * 2)[:length]
            expected = row_logits(lent.module, text + ids)[length:]
            module = put_on(PromptTuning(length=length), lent).eval()
            found = row_logits(module, ids)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_its_other_beginnings(bench):
    with bench.models.lend(bench.base) as lent:

        def start(init: str, seed: int = 0) -> torch.Tensor:
            module = put_on(PromptTuning(init=init), lent, seed)
            return module.prompt_encoder["default"].embedding.weight.detach()

        table = lent.module.get_input_embeddings().weight
        drawn = start("vocabulary")
        rows = [(table == row).all(1).nonzero().flatten().tolist() for row in drawn]
        assert all(rows)
        assert not {i for row in rows for i in row} & set(lent.tokenizer.all_special_ids)
        uniform = start("random")
        assert -0.5 <= uniform.min() < -0.4
        assert 0.4 < uniform.max() <= 0.5
        for init in ("vocabulary", "random"):
            assert torch.equal(start(init), start(init))
            assert not torch.equal(start(init), start(init, 1))


def test_a_killed_job_ends_with_the_same_bytes(bench, models, tmp_path):
    again = Lent(models, bench.base, tmp_path / "again")
    check_a_kill_changes_nothing(PromptTuning(**QUICK | {"max_steps": 56}), bench, again, at=52)


def test_it_is_compared_with_its_own_beginning(bench, models):
    """A rate of zero did not learn, though what it begins with answers unlike the base."""
    with pytest.raises(DidNotLearn):
        PromptTuning(**QUICK | {"learning_rate": 0.0, "epochs": 1}, init="random").adapt(
            TASK, SHOTS, bench
        )


def test_rows_leave_room_for_it(bench):
    long = Example("long", Input((("text", "word " * 200),)), ("positive",))
    shots = Shots((*SHOTS.labelled, long))
    PromptTuning(**QUICK | {"epochs": 3}, length=28).adapt(TASK, shots, bench)
    assert bench.notes == ["1 training texts longer than 100 tokens lost their beginning"]


def test_a_context_without_room_is_said(bench, models, tmp_path):
    with pytest.raises(CannotAdapt, match="soft prompt of 120 tokens leaves 8 of the model's 128"):
        PromptTuning(length=120).adapt(TASK, SHOTS, bench)
    near = ModelRef("hf", str(tiny_family(tmp_path / "m", "gemma3", window=12)))
    with pytest.raises(CannotAdapt, match="16 tokens does not fit into the 12 tokens"):
        PromptTuning().adapt(TASK, SHOTS, Lent(models, near, tmp_path))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on(family, tmp_path):
    check_a_family(PromptTuning(**QUICK | {"epochs": 20}), family, tmp_path)


def brief(**changes) -> Brief:
    known = {
        "task": TASK, "labelled": 80, "unlabelled": 0, "per_label": 8, "test": 100,
        "tokens": 20.0, "longest": 60, "base": ModelRef("hf", "m"),
        "abilities": frozenset({"score", "train", "generate"}), "context": 128, "layers": 2,
        "encoder": None, "rates": Rates(lm_tokens=300.0, train_tokens=100.0, encoder_tokens=1e4),
    }  # fmt: skip
    return Brief(**known | changes)


def test_why_not():
    assert PromptTuning().why_not(brief()) is None
    recurrent = brief(abilities=frozenset({"score", "train"}))
    assert "keys and values, which this model does not have" in PromptTuning().why_not(recurrent)
    assert "leaves 8 of the model's 128" in PromptTuning(length=120).why_not(brief())
    assert "needs a language model" in PromptTuning().why_not(brief(base=None))
    assert PrefixTuning().why_not(brief(labelled=0)) == "needs at least one labelled example"


def test_the_forecast_reads_it_once_a_step_and_a_prefix_never():
    seconds = [PromptTuning(length=n).forecast(brief()).seconds for n in (10, 30)]
    assert seconds[1] - seconds[0] == pytest.approx(80 * 20 / 100)  # 80 steps, 20 more positions
    seconds = [PrefixTuning(length=n).forecast(brief()).seconds for n in (10, 30)]
    assert seconds[1] == seconds[0]


def test_it_stands_in_the_table():
    method = TABLE.build({"method": "prompt_tuning", "length": 4})
    assert method.space["learning_rate"][0] == method.learning_rate
