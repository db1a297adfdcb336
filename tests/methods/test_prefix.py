"""Prefix tuning on a tiny random model: it begins at the in-context prompt, and goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent
from soft import (
    TOPIC,
    TOPICS,
    check_a_family,
    check_it_writes_as_without_a_cache,
    check_plain_peft_answers_so,
    check_what_learns,
    row_logits,
)
from taught import (
    INPUTS,
    SHOTS,
    TASK,
    check_a_kill_changes_nothing,
    check_it_learns,
    put_on,
    scores,
)

from families import FAMILIES, tiny_family
from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Example, Input, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.peft.prefix import PrefixTuning
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.prompted import Prompted
from nshot.prompts.demonstrations import in_turn
from tiny import tiny_llama, tiny_tokenizer

LAYERS, KEYS = 2, 16  # one key head of 16
QUICK = {"epochs": 120, "batch_size": 12, "max_steps": 240, "learning_rate": 3e-2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def test_it_learns_the_keys_and_values_and_plain_peft_answers_so(bench, folder):
    predictor = check_it_learns(PrefixTuning(**QUICK), bench)
    positions = len(PrefixTuning().opening(TASK, SHOTS, 0).shown(tiny_tokenizer()).tokens)
    assert bench.parameters == positions * LAYERS * 2 * KEYS
    assert 40 < positions <= 64
    assert bench.notes == ["2 examples stand in the prefix and were not trained on"]
    files = {path.name for path in Path(predictor.ref.deltas[0].folder).iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    check_plain_peft_answers_so(predictor, folder)
    check_it_writes_as_without_a_cache(predictor, folder)


@pytest.mark.parametrize("projection", [None, 8])
def test_parameters_of_a_random_prefix(bench, folder, projection):
    settings = QUICK | {"learning_rate": 1e-2, "max_steps": 40}
    method = PrefixTuning(**settings, length=6, init="random", projection=projection)
    predictor = method.adapt(TOPIC, TOPICS, bench)
    out = LAYERS * 2 * KEYS
    folded = (KEYS + 1) * 8 + (8 + 1) * out  # P' (length, keys) through keys -> 8 -> out
    assert bench.parameters == 6 * (out if projection is None else KEYS) + (
        0 if projection is None else folded
    )
    assert not bench.notes
    check_plain_peft_answers_so(predictor, folder)


@pytest.mark.parametrize("settings", [{}, {"init": "random"}, {"init": "random", "projection": 8}])
def test_only_the_prefix_learns(bench, settings):
    check_what_learns(PrefixTuning(**settings), bench)


def untrained(method: PrefixTuning, bench: Lent, folder: Path, task: Task = TASK) -> Prompted:
    """What answers before the first step."""
    with bench.models.lend(bench.base) as lent:
        part = method.part(task, SHOTS, bench.seed)
        delta = part.save(lent, part.put_on(lent, bench.seed), folder)
    ref = replace(bench.base, deltas=(delta,))
    return Prompted(task, bench.models, ref, method.format)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_starts_at_the_in_context_prompt(bench, tmp_path, seed):
    """The same answers as the base gives after the same demonstrations, asked as text."""
    bench.seed = seed
    demos = in_turn(SHOTS.labelled, 2, seed)
    shown = PrefixTuning().opening(TASK, SHOTS, seed).shown(tiny_tokenizer())
    assert shown.demos == demos
    in_context = Prompted(TASK, bench.models, bench.base, demos=demos)
    bare = Prompted(TASK, bench.models, bench.base)
    found = untrained(PrefixTuning(), bench, tmp_path)
    np.testing.assert_allclose(scores(found), scores(in_context), atol=1e-4)
    assert np.abs(scores(bare) - scores(in_context)).max() > 0.01


@pytest.mark.parametrize("format", ["plain", "instruction", "chat"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_before_the_first_step_are_the_bases_after_its_tokens(
    family, format, models, tmp_path
):
    method = PrefixTuning(format=format, length=80)
    with models.lend(ModelRef("hf", str(tiny_family(tmp_path / "m", family, 96)))) as lent:
        tokens = list(method.opening(TASK, SHOTS, 0).shown(lent.tokenizer).tokens)
        ids = lent.tokenizer("Text: a warm film\nLabel:")["input_ids"]
        expected = row_logits(lent.module, tokens + ids)[len(tokens) :]
        found = row_logits(put_on(method, lent).eval(), ids)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_what_a_prefix_shows():
    tokenizer = tiny_tokenizer()

    def text(**settings) -> str:
        shown = PrefixTuning(**settings).opening(TASK, SHOTS, 0).shown(tokenizer)
        assert len(shown.tokens) <= settings["length"]
        return str(tokenizer.decode(shown.tokens))

    one, two = in_turn(SHOTS.labelled, 2, 0)
    words = {"positive": "positive", "very_negative": "very negative"}
    blocks = [f"Text: {e.input.text}\nLabel: {words[e.label]}\n\n" for e in (one, two)]
    assert text(length=64) == "".join(blocks)
    assert text(length=45) == blocks[0]
    assert blocks[0].endswith(text(length=9))
    asked = "Give the label of the text.\nAnswer with one of: positive, very negative.\n\n"
    assert text(length=200, format="instruction").startswith(asked + blocks[0])
    chat = text(length=200, format="chat")
    assert chat.startswith("<|im_start|>system\nGive the label")
    assert chat.endswith("<|im_end|>\n")
    assert f"<|im_start|>user\n{one.input.text}<|im_end|>\n<|im_start|>assistant\n" in chat


def test_the_border_is_where_the_tokenizer_cuts_the_whole_prompt():
    """A tokenizer that joins the blank line with the next word: the prefix ends before them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    raw.train_from_iterator(["\n\nText"] * 50, trainer)
    joining = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>")
    shown = PrefixTuning(length=200).opening(TASK, SHOTS, 0).shown(joining)
    prompt = Prompted(TASK, HFModels(), ModelRef("hf", ""), demos=shown.demos).prompts(INPUTS[:1])
    whole = joining(prompt[0])["input_ids"]
    assert tuple(whole[: len(shown.tokens)]) == shown.tokens
    assert not joining.decode(shown.tokens).endswith("\n")


def test_shown_rows_are_trained_on_only_where_their_label_has_no_others(bench):
    with bench.models.lend(bench.base) as lent:
        few = Shots(SHOTS.labelled[:3])  # two of one label, one of the other
        data = PrefixTuning().data(TASK, few, 0)
        assert len(data.opening.shown(lent.tokenizer).demos) == 2
        kept = data.kept(lent.tokenizer)
        assert {e.label for e in kept} == {"positive", "very_negative"}
        lesson = data.lesson(lent, 64)
        assert [row.id for row in lesson.rows] == [e.id for e in kept]
        assert len(kept) == 2
        assert lesson.notes == ("1 examples stand in the prefix and were not trained on",)
        every = SHOTS.labelled[:2]
        assert PrefixTuning().data(TASK, Shots(every), 0).kept(lent.tokenizer) == every
        random = PrefixTuning(init="random").data(TASK, SHOTS, 0)
        assert len(random.lesson(lent, 64).rows) == len(SHOTS.labelled)


def test_a_written_answer_is_learned_with_its_end(bench):
    task = Task("echo", "generate", answer_name="Answer")
    shots = Shots(
        tuple(
            Example(f"g{i}", Input((("text", f"say {word}"),)), (f"the {word}",))
            for i, word in enumerate(["card", "film", "late", "warm"])
        )
    )
    predictor = PrefixTuning(**QUICK | {"epochs": 240}, length=30).adapt(task, shots, bench)
    (shown,) = PrefixTuning(length=30).opening(task, shots, 0).shown(tiny_tokenizer()).demos
    taught = [e for e in shots.labelled if e != shown]
    answers = predictor.predict([e.input for e in taught])
    assert [a.answer for a in answers] == [e.targets[0] for e in taught]


def test_a_network_goes_with_a_random_prefix_alone():
    with pytest.raises(InputError, match=r"(?s)prefix: projection = 8.*none with init 'text'"):
        TABLE.build({"method": "prefix", "projection": 8})
    assert TABLE.build({"method": "prefix", "projection": 8, "init": "random"})
    assert TABLE.build({"method": "prefix"}).init == "text"


@pytest.mark.parametrize("settings", [{}, {"init": "random", "projection": 8}])
def test_a_killed_job_ends_with_the_same_bytes(bench, models, tmp_path, settings):
    again = Lent(models, bench.base, tmp_path / "again")
    method = PrefixTuning(**QUICK | {"max_steps": 56, "learning_rate": 1e-2}, **settings)
    check_a_kill_changes_nothing(method, bench, again, at=52)


def test_no_example_and_no_window_are_said(bench, models, tmp_path):
    with pytest.raises(CannotAdapt, match="at least one labelled example"):
        PrefixTuning().adapt(TASK, Shots(), bench)
    near = ModelRef("hf", str(tiny_family(tmp_path / "m", "mistral", window=20)))
    with pytest.raises(CannotAdapt, match="does not fit into the 20 tokens"):
        PrefixTuning().adapt(TASK, SHOTS, Lent(models, near, tmp_path))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on(family, tmp_path):
    check_a_family(PrefixTuning(**QUICK | {"epochs": 20}, length=26), family, tmp_path)
