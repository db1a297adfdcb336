"""A label head on LoRA, on tiny random models: trained, saved as PEFT's own, answered by both."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent, resumed
from safetensors.torch import load_file

from families import FAMILIES, tiny_family, tiny_module
from nshot.core.errors import CannotAdapt, DidNotLearn, InputError
from nshot.core.label_sets import labels_of
from nshot.core.types import Example, Input, Label, ModelRef, Scale, Shots, Task
from nshot.methods.contract import Brief, Rates
from nshot.methods.label_sets import kept_back, thresholds
from nshot.methods.peft.bottleneck import BottleneckAdapters
from nshot.methods.peft.lora import LoRA
from nshot.methods.peft.lora_head import LoRAHead
from nshot.models import base as waist
from nshot.models.hf.hf_engine import HFModels
from nshot.nets.label_head import classifier, head_weights
from nshot.predictors import load
from nshot.predictors.label_head import LabelHead
from nshot.predictors.label_sets import LabelSetHead
from nshot.predictors.numbers import NumberHead
from nshot.testing.contracts import check_predictor
from nshot.training.forward import Shared, Whole, reader
from nshot.training.rows import Row
from nshot.use.many import load as load_many
from tiny import tiny_llama

TASK = Task("film", "classify", (Label("positive"), Label("negative"), Label("neither")))
WORDS = {"positive": ("warm", "funny"), "negative": ("dull", "flat"), "neither": ("long", "new")}
SIZE, INNER, KEYS, LAYERS = 32, 64, 16, 2


def example(i: int) -> Example:
    label = TASK.label_names[i % 3]
    return Example(f"e{i}", Input((("text", f"a {WORDS[label][i // 3 % 2]} film {i}"),)), (label,))


SHOTS = Shots(tuple(example(i) for i in range(12)))
INPUTS = [example(i).input for i in range(6)]
QUICK = {"rank": 4, "learning_rate": 1e-2, "epochs": 12, "batch_size": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", width=SIZE, layers=LAYERS)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def prepared(family: str, settings: dict) -> torch.nn.Module:
    lent = waist.Lent(ModelRef("hf", "tiny"), tiny_module(family), None, "cpu")
    return LoRAHead(**settings).part(TASK, SHOTS, 0).put_on(lent, 0)


def scores(predictor) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(INPUTS)])


def delta_folder(predictor) -> Path:
    return Path(predictor.source.ref.deltas[0].folder)


def test_it_learns_its_shots_and_leaves_the_base_as_it_was(bench, models):
    before = models.fingerprint(bench.base)
    predictor = LoRAHead(**QUICK).adapt(TASK, SHOTS, bench)
    assert [p.answer for p in predictor.predict(INPUTS)] == [example(i).label for i in range(6)]
    assert models.fingerprint(bench.base) == before
    assert not bench.notes


def test_parameters_are_those_of_lora_and_of_the_head(bench):
    """r (in + out) a matrix (Hu et al. 2021), labels * width for W (Radford et al. 2018)."""
    LoRAHead(**QUICK).adapt(TASK, SHOTS, bench)
    matrices = [(SIZE, SIZE), (SIZE, KEYS), (SIZE, KEYS), (SIZE, SIZE)]
    matrices += [(SIZE, INNER), (SIZE, INNER), (INNER, SIZE)]
    lora = LAYERS * sum(4 * (i + o) for i, o in matrices)
    assert bench.parameters == lora + len(TASK.labels) * SIZE


def test_the_gradient_reaches_lora_and_the_head_and_nothing_else():
    module = prepared("llama", {"dropout": 0.0})
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "lora_B" in name:  # while these are zero, A has no gradient
                parameter.normal_()
    module(input_ids=torch.arange(2, 14)[None], use_cache=False).logits.logsumexp(
        -1
    ).sum().backward()
    for name, parameter in module.named_parameters():
        free = "lora_" in name or "score.modules_to_save" in name
        assert parameter.requires_grad == free, name
        assert (parameter.grad is not None and bool(parameter.grad.any())) == free, name


def test_the_shell_holds_the_very_body_and_a_tied_embedding_stays(folder):
    module = tiny_module("llama")
    shell = classifier(module, 5)
    assert shell.base_model is module.base_model
    assert shell.score.weight.shape == (5, 32)
    own = {id(p) for p in module.parameters()}
    assert [n for n, p in shell.named_parameters() if id(p) not in own] == ["score.weight"]
    assert module.config.num_labels == 2, "the base's configuration is its own"


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_rows_with_a_common_beginning_are_read_once(family):
    module = prepared(family, {})
    rows = [Row(str(i), (0, *range(20, 40), 50 + i), (21,), (i % 3,)) for i in range(6)]
    found = reader(module, rows, None, "cpu")
    assert isinstance(found, Shared)
    expected = Whole(module, "cpu").logits(rows)
    assert expected.shape == (6, 3)
    torch.testing.assert_close(found.logits(rows), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_five_families(family, models, tmp_path):
    ref = ModelRef("hf", str(tiny_family(tmp_path / "model", family)))
    named = models.fingerprint(ref)
    predictor = LoRAHead(**QUICK).adapt(TASK, SHOTS, Lent(models, ref, tmp_path))
    assert models.fingerprint(ref) == named
    predictor.save(tmp_path / "saved")
    np.testing.assert_array_equal(scores(load(tmp_path / "saved", HFModels())), scores(predictor))


def test_saved_and_loaded_it_answers_the_same_and_holds_only_json_and_safetensors(bench, tmp_path):
    predictor = LoRAHead(**QUICK, format="chat").adapt(TASK, SHOTS, bench)
    predictor.save(tmp_path / "saved")
    loaded = load(tmp_path / "saved", HFModels())
    assert isinstance(loaded, LabelHead)
    assert loaded.source.format == "chat"
    assert delta_folder(loaded).is_relative_to(tmp_path / "saved")
    np.testing.assert_array_equal(scores(loaded), scores(predictor))
    suffixes = {p.suffix for p in (tmp_path / "saved").rglob("*") if p.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_the_folder_is_pefts_own_of_a_sequence_classifier(bench, folder):
    place = delta_folder(LoRAHead(**QUICK).adapt(TASK, SHOTS, bench))
    assert {p.name for p in place.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((place / "adapter_config.json").read_text())
    assert (config["task_type"], config["peft_type"]) == ("SEQ_CLS", "LORA")
    assert config["modules_to_save"] == ["classifier", "score"]
    assert config["base_model_name_or_path"] == folder.name
    names = set(load_file(place / "adapter_model.safetensors"))
    assert "base_model.model.score.weight" in names
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in names
    others = {name for name in names if "lora_" not in name}
    assert others == {"base_model.model.score.weight"}


PLAIN = """
import json, sys
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

labels, prompts = int(sys.argv[1]), json.loads(sys.argv[2])
for base, adapter in zip(sys.argv[3::2], sys.argv[4::2]):
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels)
    model.config.pad_token_id = tokenizer.pad_token_id
    model = PeftModel.from_pretrained(model, adapter).eval()
    given = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="right")
    with torch.no_grad():
        adapted = model(**given).logits
        merged = model.merge_and_unload()(**given).logits
    print(json.dumps([adapted.tolist(), merged.tolist()]))
assert "nshot" not in sys.modules
"""


def test_a_plain_program_gets_the_same_logits_and_merged_ones(folder, models, tmp_path):
    bases = [folder, tiny_family(tmp_path / "gpt2", "gpt2")]
    prompts = [f"Text: {one.text}\nLabel:" for one in INPUTS]
    expected, words = [], ["3", json.dumps(prompts)]
    for base in bases:
        bench = Lent(models, ModelRef("hf", str(base)), tmp_path / base.name)
        predictor = LoRAHead(**QUICK).adapt(TASK, SHOTS, bench)
        expected.append(scores(predictor))
        words += [str(base), str(delta_folder(predictor))]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, *words], capture_output=True, text=True, check=True
    )
    for ours, line in zip(expected, done.stdout.splitlines()[-len(bases) :], strict=True):
        adapted, merged = (torch.tensor(logits) for logits in json.loads(line))
        np.testing.assert_allclose(ours, adapted.log_softmax(-1), atol=1e-4)
        np.testing.assert_allclose(merged, adapted, atol=1e-3)


def test_a_killed_job_is_taken_up_where_it_was(bench, tmp_path, models):
    settings = QUICK | {"epochs": 20, "dropout": 0.2}
    whole = LoRAHead(**settings).adapt(TASK, SHOTS, bench).source.ref.deltas[0].sha256
    again = Lent(models, bench.base, tmp_path / "again")
    taken_up = resumed(LoRAHead(**settings), TASK, SHOTS, again, at=52)
    assert taken_up.source.ref.deltas[0].sha256 == whole
    assert again.steps[0] == (51, 60, "training")


def test_without_a_rate_it_did_not_learn(bench):
    with pytest.raises(DidNotLearn, match=r"began at loss 1\.099 and accuracy 0\.33"):
        LoRAHead(**QUICK | {"learning_rate": 0.0}).adapt(TASK, SHOTS, bench)


def test_long_texts_are_cut_as_when_they_are_asked(bench):
    long = Example("long", Input((("text", "word " * 200),)), ("positive",))
    predictor = LoRAHead(**QUICK).adapt(TASK, Shots((*SHOTS.labelled, long)), bench)
    assert bench.notes == ["1 training texts longer than 128 tokens lost their beginning"]
    assert predictor.predict([long.input])[0].answer == "positive"


def test_a_head_stands_alone_and_generates_nothing_of_its_own(bench, models, tmp_path):
    head = LoRAHead(**QUICK).adapt(TASK, SHOTS, bench).source.ref.deltas
    binary = Task("film", "classify", TASK.labels[:2])
    few = Shots(tuple(e for e in SHOTS.labelled if e.label != "neither"))
    lora = LoRA(**QUICK).adapt(binary, few, Lent(models, bench.base, tmp_path / "lora"))
    ref = replace(bench.base, deltas=(*lora.ref.deltas, *head))
    with pytest.raises(InputError, match="stand alone"):
        models.open(ref).hidden(["a"], [1])


def test_it_answers_beside_other_adapters_on_one_base(bench, models, tmp_path):
    heads = [LoRAHead(**QUICK | {"rank": rank}) for rank in (1, 2)]
    narrow = BottleneckAdapters(learning_rate=1e-2, epochs=20)
    expected = []
    for i, method in enumerate([*heads, narrow]):
        predictor = method.adapt(TASK, SHOTS, Lent(models, bench.base, tmp_path / f"job{i}"))
        predictor.save(tmp_path / f"saved{i}")
        expected.append(scores(predictor))
    shared = HFModels()
    many = load_many([tmp_path / f"saved{i}" for i in range(3)], shared)
    under = [f"saved{i}" for _ in INPUTS for i in range(3)]
    told = many.predict([one for one in INPUTS for _ in range(3)], under)
    for i in range(3):
        found = np.array([p.scores for p in told[i::3]])
        np.testing.assert_allclose(found, expected[i], atol=1e-5)
    assert len(shared.resident_bytes()) == 1


def test_an_architecture_without_a_classifier_is_named():
    from transformers import AutoModelForCausalLM, MambaConfig

    config = MambaConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, state_size=4, time_step_rank=4
    )
    with pytest.raises(CannotAdapt, match="no label head on a mamba"):
        classifier(AutoModelForCausalLM.from_config(config), 2)


def test_a_classifier_without_a_head_is_refused(bench, tmp_path):
    from safetensors.torch import save_file

    place = delta_folder(LoRAHead(**QUICK).adapt(TASK, SHOTS, bench))
    tensors = load_file(place / "adapter_model.safetensors")
    tensors.pop("base_model.model.score.weight")
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(InputError, match="a classifier without a head"):
        head_weights(tmp_path)


SETS = Task("film", "multilabel", TASK.labels, metric="micro_f1")
SIGNS = {"positive": "warm", "negative": "dull", "neither": "long"}


def with_sets(count: int) -> tuple[Example, ...]:
    rows = []
    for i in range(count):
        labels = tuple(name for k, name in enumerate(TASK.label_names) if (i >> k) & 1)
        words = " ".join(SIGNS[name] for name in labels) or "plain"
        rows.append(Example(f"s{i}", Input((("text", f"a {words} film"),)), labels))
    return tuple(rows)


def with_numbers(count: int) -> tuple[Example, ...]:
    return tuple(
        Example(f"n{i}", Input((("text", f"a {'dull' if i % 2 else 'warm'} film"),)), (value,))
        for i, value in enumerate(["20", "100"] * (count // 2))
    )


def test_each_label_has_a_probability_of_its_own(bench, models, tmp_path):
    shots = Shots(with_sets(24))
    predictor = LoRAHead(**QUICK).adapt(SETS, shots, bench)
    assert isinstance(predictor, LabelSetHead)
    assert predictor.thresholds.tolist() == [0.5] * 3, "too few rows to keep some back"
    assert bench.parameters % SIZE == 0
    answers = predictor.predict([row.input for row in shots.labelled[:8]])
    assert [labels_of(one.answer) for one in answers] == [r.targets for r in shots.labelled[:8]]
    place = Path(predictor.source.ref.deltas[0].folder)
    assert head_weights(place).shape == (3, SIZE)
    check_predictor(predictor, SETS, models, tmp_path / "saved", INPUTS)


def test_thresholds_are_chosen_on_rows_that_are_not_learned_from(bench):
    rows = with_sets(80)
    learned, held = kept_back(rows, 0)
    assert (len(learned), len(held)) == (60, 20)
    predictor = LoRAHead(**QUICK | {"epochs": 3}).adapt(SETS, Shots(rows), bench)
    assert bench.steps[-1][1] == 3 * 60 // 4
    answers = predictor.predict([row.input for row in held])
    chosen = thresholds(SETS, np.exp([one.scores for one in answers]), held)
    assert predictor.thresholds.tolist() == chosen.tolist()


def test_no_group_is_on_both_sides_of_the_rows_kept_back():
    rows = tuple(replace(row, group=f"g{i // 4}") for i, row in enumerate(with_sets(100)))
    learned, held = kept_back(rows, 0)
    assert len(held) == 24
    assert not {row.group for row in learned} & {row.group for row in held}
    alike = tuple(replace(row, group="one") for row in rows)
    assert kept_back(alike, 0) == (alike, ())


def test_a_number_is_answered_in_its_own_units(bench, models, tmp_path):
    task = Task("price", "number", scale=Scale(60, 40))
    predictor = LoRAHead(**QUICK | {"epochs": 30}).adapt(task, Shots(with_numbers(12)), bench)
    assert isinstance(predictor, NumberHead)
    warm, dull = predictor.predict([row.input for row in with_numbers(2)])
    assert float(warm.answer) == pytest.approx(20, abs=8)
    assert float(dull.answer) == pytest.approx(100, abs=8)
    every = [float(one.answer) for one in predictor.predict(INPUTS)]
    assert min(every) >= 20, "the least number of the shots"
    assert max(every) <= 100, "the greatest"
    check_predictor(predictor, task, models, tmp_path / "saved", INPUTS)


def test_a_head_of_a_number_begins_at_the_mean(bench):
    task = Task("price", "number", scale=Scale(60, 40))
    with pytest.raises(DidNotLearn, match=r"began at loss 0\.500 and ended at loss 0\.500"):
        LoRAHead(**QUICK | {"learning_rate": 0.0}).adapt(task, Shots(with_numbers(12)), bench)


def test_equal_numbers_leave_nothing_to_learn(bench):
    task = Task("price", "number", scale=Scale(7, 1))
    rows = tuple(replace(row, targets=("7",)) for row in with_numbers(6))
    with pytest.raises(DidNotLearn, match=r"loss 0\.000"):
        LoRAHead(**QUICK).adapt(task, Shots(rows), bench)


def test_one_prompt_a_row_is_forecast_however_many_labels(bench):
    brief = Brief(
        task=SETS, labelled=60, unlabelled=0, per_label=None, test=50, tokens=20, longest=40,
        base=bench.base, abilities=frozenset({"hidden", "train", "score"}), context=128, layers=2,
        encoder=None, rates=Rates(300, 100, 3000),
    )  # fmt: skip
    head, asked = LoRAHead(), LoRA()
    assert head.why_not(brief) is None
    assert head.use_forecast(brief).seconds < asked.use_forecast(brief).seconds / 3
    assert head.forecast(brief).seconds < asked.forecast(brief).seconds / 2
