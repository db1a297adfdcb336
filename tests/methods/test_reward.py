"""A reward model on a tiny random model: it learns a planted preference, and is kept to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent, resumed
from preferences import HELD_OUT, SHOTS, TASK, accuracy

from families import FAMILIES, tiny_family
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, ModelRef, Shots
from nshot.methods.align.reward import Reward
from nshot.models.hf.hf_engine import HFModels
from nshot.nets.reward_head import load_head
from nshot.predictors import load
from tiny import tiny_llama

QUICK = {"rank": 4, "learning_rate": 1e-2, "epochs": 8, "batch_size": 4}
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


def rewards(predictor, inputs=INPUTS) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(inputs)])


def test_it_learns_a_planted_preference_and_leaves_the_base_as_it_was(bench, models):
    before = models.fingerprint(bench.base)
    predictor = Reward(**QUICK).adapt(TASK, SHOTS, bench)
    assert accuracy(predictor, HELD_OUT) >= 0.9
    assert models.fingerprint(bench.base) == before
    assert not bench.notes
    assert bench.curve[0][0] == pytest.approx(np.log(2)), "it begins with all answers equal"


def test_the_opposite_preference_has_the_opposite_sign(bench):
    grades = [replace(e, grades=e.grades[::-1]) for e in SHOTS.labelled]
    predictor = Reward(**QUICK).adapt(TASK, Shots(tuple(grades)), bench)
    assert accuracy(predictor, HELD_OUT) <= 0.1


def test_saved_and_loaded_it_is_equal_to_the_bit_in_safetensors_and_json(bench, tmp_path):
    predictor = Reward(**QUICK).adapt(TASK, SHOTS, bench)
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", HFModels())
    np.testing.assert_array_equal(rewards(again), rewards(predictor))
    suffixes = {p.suffix for p in (tmp_path / "saved").rglob("*") if p.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_the_reward_is_the_head_on_the_state_of_peft_s_own_model(bench, folder):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    predictor = Reward(**QUICK).adapt(TASK, SHOTS, bench)
    adapter = Path(predictor.ref.deltas[-1].folder)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), adapter)
    tokenizer, head = AutoTokenizer.from_pretrained(folder), load_head(adapter.parent)
    one = INPUTS[0]
    for answer, reward in zip(one.answers, rewards(predictor)[0], strict=True):
        turns = [
            {"role": "user", "content": one.text}, {"role": "assistant", "content": answer}
        ]  # fmt: skip
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            state = plain.get_base_model().model(input_ids=ids).last_hidden_state[0, -1]
        assert float(head[0] @ state) == pytest.approx(float(reward), abs=1e-4)


def test_parameters_are_those_of_lora_and_of_the_head(bench):
    Reward(**QUICK).adapt(TASK, SHOTS, bench)
    matrices = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
    assert bench.parameters == 2 * sum(4 * (i + o) for i, o in matrices) + 32


def test_rankings_of_several_answers_are_learned(bench):
    """Four answers, graded by how many of three words they have."""
    words = ("please", "thank you", "have a seat")

    def ranking(i: int) -> Example:
        texts = tuple(f"{', '.join(words[:k]) or 'no'} {i}" for k in range(4))
        order = [(i + k * (1 if i % 2 else 3)) % 4 for k in range(4)]
        answers = tuple(texts[k] for k in order)
        return Example(f"r{i}", Input((("prompt", f"so {i}"),), answers=answers),
                       grades=tuple(float(k) for k in order))  # fmt: skip

    shots = Shots(tuple(ranking(i) for i in range(16)))
    predictor = Reward(**QUICK).adapt(TASK, shots, bench)
    inputs = [ranking(i).input for i in range(16, 26)]
    best = [one.answer.startswith("please, thank you, have") for one in predictor.predict(inputs)]
    assert np.mean(best) >= 0.9


def test_killed_and_started_again_it_ends_with_the_same_bytes(folder, models, tmp_path):
    ends = [
        adapt(Lent(models, ModelRef("hf", str(folder)), tmp_path / name))
        for name, adapt in (
            ("whole", lambda bench: Reward(**QUICK).adapt(TASK, SHOTS, bench)),
            ("killed", lambda bench: resumed(Reward(**QUICK), TASK, SHOTS, bench, at=30)),
        )
    ]
    assert ends[0].ref.deltas[0].sha256 == ends[1].ref.deltas[0].sha256
    np.testing.assert_array_equal(ends[0].head, ends[1].head)


def test_one_seed_is_one_model_and_another_is_another(folder, models, tmp_path):
    def head(seed: int, name: str) -> np.ndarray:
        bench = Lent(models, ModelRef("hf", str(folder)), tmp_path / name, seed=seed)
        return Reward(**QUICK | {"epochs": 1}).adapt(TASK, SHOTS, bench).head

    np.testing.assert_array_equal(head(0, "a"), head(0, "b"))
    assert not np.array_equal(head(0, "a2"), head(1, "c"))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_every_family(family, tmp_path, models):
    ref = ModelRef("hf", str(tiny_family(tmp_path / family, family)))
    bench = Lent(models, ref, tmp_path / "work")
    settings = QUICK | {"format": "plain", "epochs": 12}
    predictor = Reward(**settings).adapt(TASK, SHOTS, bench)
    assert accuracy(predictor, SHOTS.labelled) >= 0.8


def test_pairs_that_teach_nothing_are_counted_on_the_row(bench):
    same = Example("same", Input((("prompt", "x"),), answers=("a", "a")), grades=(1.0, 0.0))
    Reward(**QUICK | {"epochs": 1}).adapt(TASK, Shots((*SHOTS.labelled, same)), bench)
    assert bench.notes == ["1 comparisons of two equal answers were left out"]


def test_without_a_pair_to_learn_from_it_says_so(bench):
    same = Example("same", Input((("prompt", "x"),), answers=("a", "a")), grades=(1.0, 0.0))
    with pytest.raises(CannotAdapt, match="no pair of answers to learn from"):
        Reward(**QUICK).adapt(TASK, Shots((same,)), bench)


def test_of_equal_rewards_the_place_of_an_answer_does_not_decide(bench):
    predictor = replace(
        Reward(**QUICK | {"epochs": 1}).adapt(TASK, SHOTS, bench), head=np.zeros(32)
    )
    turned = [replace(one, answers=one.answers[::-1]) for one in INPUTS]
    assert [p.answer for p in predictor.predict(INPUTS)] == [
        p.answer for p in predictor.predict(turned)
    ]
