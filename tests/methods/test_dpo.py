"""DPO on a tiny random model: policy and reference on one base, ranks and writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent, resumed
from preferences import HELD_OUT, SHOTS, TASK, accuracy

from nshot.core.types import Input, ModelRef, Shots
from nshot.methods.align.dpo import DPO
from nshot.models.hf.hf_engine import HFModels
from nshot.models.hf.tokens import rows as tokenised
from nshot.predictors import load
from nshot.prompts.render import render
from nshot.training.data.rankings import PolicyRows
from tiny import tiny_llama

QUICK = {"rank": 4, "learning_rate": 1e-2, "epochs": 6, "batch_size": 4}
INPUTS = [example.input for example in HELD_OUT[:6]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def scores(predictor, inputs=INPUTS) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(inputs)])


def test_it_learns_a_planted_preference_and_leaves_the_base_as_it_was(bench, models):
    before = models.fingerprint(bench.base)
    predictor = DPO(**QUICK).adapt(TASK, SHOTS, bench)
    assert accuracy(predictor, HELD_OUT) >= 0.9
    assert models.fingerprint(bench.base) == before
    assert bench.curve[0][0] == pytest.approx(np.log(2), abs=1e-5), "it begins as its reference"


def test_the_opposite_preference_has_the_opposite_sign(bench):
    grades = [replace(e, grades=e.grades[::-1]) for e in SHOTS.labelled]
    predictor = DPO(**QUICK).adapt(TASK, Shots(tuple(grades)), bench)
    assert accuracy(predictor, HELD_OUT) <= 0.1


@pytest.mark.parametrize("settings", [{"per_token": True, "beta": 2.0}, {"label_smoothing": 0.1}])
def test_its_variants_learn_it_too(bench, settings):
    predictor = DPO(**QUICK | settings).adapt(TASK, SHOTS, bench)
    assert accuracy(predictor, HELD_OUT) >= 0.9


def test_the_reference_is_the_plain_model_s_own_log_probability(bench, models, folder):
    """Of the answer's tokens and the end of the turn, after the prompt, and of nothing else."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with models.lend(bench.base) as lent:
        rankings = PolicyRows(TASK, "chat", SHOTS.labelled[:3], 128).lesson(lent, 128).rows
    plain, tokenizer = (
        kind.from_pretrained(folder) for kind in (AutoModelForCausalLM, AutoTokenizer)
    )
    for ranking, example in zip(rankings, SHOTS.labelled, strict=False):
        prompt = render(TASK, "chat", example.input)
        (coded,) = tokenised(tokenizer, [prompt], [example.input.answers], 128)
        for expected, answer in zip(ranking.reference, coded.answers, strict=True):
            ids = (*coded.context, *answer, tokenizer.eos_token_id)
            with torch.no_grad():
                logits = plain(torch.tensor([ids])).logits[0].log_softmax(-1)
            at = range(len(coded.context), len(ids))
            assert expected == pytest.approx(
                sum(float(logits[k - 1, ids[k]]) for k in at), abs=1e-4
            )


def test_the_implicit_reward_is_beta_times_what_the_policy_gained(bench, models):
    predictor = DPO(**QUICK | {"epochs": 1}).adapt(TASK, SHOTS, bench)
    prompts = [render(TASK, "chat", one) for one in INPUTS]
    answers = [one.answers for one in INPUTS]
    policy = models.open(predictor.ref).logprobs(prompts, answers)
    reference = models.open(bench.base).logprobs(prompts, answers)
    gained = [0.1 * (a.logprobs - b.logprobs) for a, b in zip(policy, reference, strict=True)]
    np.testing.assert_allclose(scores(predictor), np.array(gained), atol=1e-9)
    assert np.abs(gained).max() > 0


def test_it_ranks_what_is_given_and_writes_where_nothing_is(bench):
    predictor = DPO(**QUICK | {"epochs": 12}).adapt(TASK, SHOTS, bench)
    bare = [Input(one.fields) for one in INPUTS[:2]]
    mixed = predictor.predict([INPUTS[0], bare[0], INPUTS[1], bare[1]])
    assert [p.answer for p in mixed[::2]] == [p.answer for p in predictor.predict(INPUTS[:2])]
    assert all(p.tokens_out > 0 and not p.scores for p in mixed[1::2])


def test_saved_and_loaded_it_is_equal_to_the_bit(bench, tmp_path):
    predictor = DPO(**QUICK).adapt(TASK, SHOTS, bench)
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", HFModels())
    np.testing.assert_array_equal(scores(again), scores(predictor))
    suffixes = {p.suffix for p in (tmp_path / "saved").rglob("*") if p.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_killed_and_started_again_it_ends_with_the_same_bytes(folder, models, tmp_path):
    ends = [
        adapt(Lent(models, ModelRef("hf", str(folder)), tmp_path / name))
        for name, adapt in (
            ("whole", lambda bench: DPO(**QUICK).adapt(TASK, SHOTS, bench)),
            ("killed", lambda bench: resumed(DPO(**QUICK), TASK, SHOTS, bench, at=20)),
        )
    ]
    assert ends[0].ref.deltas[0].sha256 == ends[1].ref.deltas[0].sha256
