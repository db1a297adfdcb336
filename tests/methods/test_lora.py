"""LoRA on a tiny random model: what is trained, what is kept, what is said when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lent import Lent, resumed
from taught import (
    INPUTS,
    SHOTS,
    TASK,
    check_it_generates,
    check_it_learns,
    example,
    learners,
    put_on,
    scores,
    start_difference,
)

from families import tiny_family
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged, InputError
from nshot.core.types import Example, Input, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Rates
from nshot.methods.peft.lora import LoRA
from nshot.methods.spec import spec
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama, tiny_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


QUICK = {"rank": 8, "alpha": 32, "learning_rate": 1e-2, "epochs": 15, "batch_size": 4}


def test_it_learns_its_shots_and_leaves_the_base_as_it_was(bench, models):
    before = models.fingerprint(bench.base)
    untrained = scores(Prompted(TASK, models, bench.base))
    predictor = LoRA(**QUICK).adapt(TASK, SHOTS, bench)
    right = [p.answer == example(i).label for i, p in enumerate(predictor.predict(INPUTS))]
    assert all(right)
    assert models.fingerprint(bench.base) == before
    np.testing.assert_array_equal(scores(Prompted(TASK, models, bench.base)), untrained)
    assert bench.steps[-1] == (45, 45, "training")
    assert not bench.notes


def test_parameters_are_rank_times_in_plus_out(bench):
    LoRA(**QUICK).adapt(TASK, SHOTS, bench)
    width, inner, keys = 32, 64, 16
    matrices = [(width, width), (width, keys), (width, keys), (width, width)]
    matrices += [(width, inner), (width, inner), (inner, width)]
    assert bench.parameters == 2 * sum(8 * (i + o) for i, o in matrices)
    LoRA(**QUICK, targets="attention").adapt(TASK, SHOTS, bench)
    assert bench.parameters == 2 * sum(8 * (i + o) for i, o in [(width, width), (width, keys)])


def test_the_folder_is_pefts_own_and_gives_the_same_answers(bench, folder, models, tmp_path):
    predictor = LoRA(**QUICK).adapt(TASK, SHOTS, bench)
    (delta,) = predictor.ref.deltas
    files = {path.name for path in Path(delta.folder).iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((Path(delta.folder) / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == folder.name
    assert str(tmp_path) not in json.dumps(config)
    fresh = Prompted(TASK, HFModels(), predictor.ref)
    np.testing.assert_array_equal(scores(fresh), scores(predictor))


def test_plain_peft_answers_as_we_do(bench, folder):
    """The folder in the hands of another program: transformers and peft, nothing of ours."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    predictor = LoRA(**QUICK).adapt(TASK, SHOTS, bench)
    base = AutoModelForCausalLM.from_pretrained(folder)
    module = PeftModel.from_pretrained(base, predictor.ref.deltas[0].folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = f"Text: {INPUTS[0].text}\nLabel:"
    found = []
    for answer in (" positive", " very negative"):
        ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
        start = len(tokenizer(prompt)["input_ids"])
        logprobs = module(input_ids=ids).logits[0].log_softmax(-1)
        at = torch.arange(start, ids.shape[1])
        found.append(logprobs[at - 1, ids[0, at]].sum().item())
    expected = torch.tensor(found).log_softmax(0)
    np.testing.assert_allclose(scores(predictor)[0], expected, atol=1e-4)


def test_a_rate_of_zero_did_not_learn_and_both_figures_are_said(bench):
    with pytest.raises(DidNotLearn, match=r"began at loss \d.* accuracy .* ended at loss \d"):
        LoRA(**QUICK | {"learning_rate": 0.0}).adapt(TASK, SHOTS, bench)


def test_an_absurd_rate_diverges_and_the_base_survives(bench, models):
    before = models.fingerprint(bench.base)
    with pytest.raises(Diverged):
        LoRA(**QUICK | {"learning_rate": 1e30}).adapt(TASK, SHOTS, bench)
    assert models.fingerprint(bench.base) == before


def test_the_same_seed_gives_the_same_adapter(bench):
    def adapter():
        predictor = LoRA(**QUICK | {"epochs": 4}, dropout=0.2).adapt(TASK, SHOTS, bench)
        return predictor.ref.deltas[0].sha256

    assert adapter() == adapter()
    first = adapter()
    bench.seed = 1
    assert adapter() != first


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"use_rslora": True}])
def test_its_variants_learn_and_reload_too(bench, settings):
    predictor = check_it_learns(LoRA(**QUICK, **settings), bench)
    fresh = Prompted(TASK, HFModels(), predictor.ref)
    np.testing.assert_array_equal(scores(fresh), scores(predictor))


def first_matrix(bench, **settings):
    """The adapted queries of the first block, with every trained weight moved from its start."""
    import torch

    with bench.models.lend(bench.base) as lent:
        module = put_on(LoRA(**QUICK, **settings), lent).eval()
        part = lent.module.model.layers[0].self_attn.q_proj
        torch.manual_seed(0)
        with torch.no_grad():
            for p in part.parameters():
                if p.requires_grad:
                    p.mul_(1.5).add_(0.1 * torch.randn_like(p))
            x = torch.randn(7, 32)
            parts = {n: p.detach().clone() for n, p in part.named_parameters()}
            answer = part(x)
        assert module is not None
    named = {n.split(".default")[0].removeprefix("lora_"): p for n, p in parts.items()}
    return x, answer, named["base_layer.weight"], named["A"], named["B"], named


@pytest.mark.parametrize("rslora", [False, True])
def test_the_scale_is_alpha_over_rank_or_over_its_root(bench, rslora):
    import torch

    x, answer, weight, a, b, _ = first_matrix(bench, use_rslora=rslora)
    scale = QUICK["alpha"] / (QUICK["rank"] ** 0.5 if rslora else QUICK["rank"])
    torch.testing.assert_close(answer, x @ (weight + scale * b @ a).T, rtol=1e-4, atol=1e-4)


def test_dora_trains_the_length_of_each_row(bench):
    """Equation 5: W' = m (W + s B A) / |W + s B A|, a length m for each of `out` rows."""
    import torch

    x, answer, weight, a, b, named = first_matrix(bench, use_dora=True)
    length = named["magnitude_vector"]
    moved = weight + QUICK["alpha"] / QUICK["rank"] * b @ a
    turned = length[:, None] * moved / moved.norm(dim=1, keepdim=True)
    torch.testing.assert_close(answer, x @ turned.T, rtol=1e-4, atol=1e-4)


def test_dora_trains_out_parameters_more_a_matrix(bench):
    LoRA(**QUICK | {"epochs": 4}).adapt(TASK, SHOTS, bench)
    thin = bench.parameters
    LoRA(**QUICK | {"epochs": 4}, use_dora=True).adapt(TASK, SHOTS, bench)
    width, inner, keys = 32, 64, 16
    assert bench.parameters - thin == 2 * (width + keys + keys + width + inner + inner + width)


@pytest.mark.parametrize("settings", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_it_begins_at_the_base_and_all_of_it_learns(bench, settings):
    method = LoRA(**QUICK, **settings)
    assert start_difference(method, bench) < 1e-4
    reached, free = learners(method, bench)
    assert reached == free
    assert all("lora_" in name for name in free)


def test_it_generates(bench, models):
    check_it_generates(models, LoRA(**QUICK).adapt(TASK, SHOTS, bench).ref)


@pytest.mark.parametrize(
    ("family", "names"),
    [("llama", {"q_proj", "v_proj"}), ("gemma3", {"q_proj", "v_proj"}), ("gpt2", {"c_attn"})],
)
def test_attention_is_called_what_the_family_calls_it(family, names, models, tmp_path):
    ref = ModelRef("hf", str(tiny_family(tmp_path / family, family)))
    with models.lend(ref) as lent:
        put_on(LoRA(targets="attention"), lent)
        adapted = {n.split(".lora_A")[0] for n, _ in lent.module.named_modules() if "lora_A" in n}
    assert {name.split(".")[-1] for name in adapted} == names


def test_a_family_that_calls_it_otherwise_is_told_so(models, tmp_path):
    """CTRL's are Wq and Wv, names not known here; `all-linear` needs none."""
    from transformers import CTRLConfig, CTRLLMHeadModel

    sizes = {"vocab_size": 320, "n_embd": 32, "n_layer": 1, "n_head": 2, "dff": 32}
    CTRLLMHeadModel(CTRLConfig(**sizes)).save_pretrained(tmp_path / "ctrl")
    tiny_tokenizer().save_pretrained(tmp_path / "ctrl")
    ref = ModelRef("hf", str(tmp_path / "ctrl"))
    before = models.fingerprint(ref)
    reason = "where a ctrl keeps queries and values is not known"
    with models.lend(ref) as lent, pytest.raises(CannotAdapt, match=reason):
        put_on(LoRA(targets="attention"), lent)
    assert models.fingerprint(ref) == before
    with models.lend(ref) as lent:
        module = put_on(LoRA(targets="all-linear"), lent)
        assert any("Wq.lora_A" in name for name, _ in module.named_parameters())


def test_an_adapter_with_nothing_to_train_is_refused(bench, models):
    class Frozen(LoRA):
        def config(self, lent):
            config = super().config(lent)
            config.inference_mode = True
            return config

    with models.lend(bench.base) as lent, pytest.raises(CannotAdapt, match="nothing to train"):
        put_on(Frozen(), lent)


def test_no_start_is_offered_that_reloads_wrong():
    with pytest.raises(InputError, match="init_lora_weights"):
        TABLE.build({"method": "lora", "init_lora_weights": "pissa"})


@pytest.mark.parametrize("format", ["chat", "instruction"])
def test_it_is_taught_in_the_format_it_is_asked_in(bench, models, format):
    def sureness(predictor):
        return [p.scores[i % 2] for i, p in enumerate(predictor.predict(INPUTS))]

    untrained = sureness(Prompted(TASK, models, bench.base, format))
    predictor = LoRA(**QUICK, format=format).adapt(TASK, SHOTS, bench)
    assert predictor.format == format
    assert np.mean(sureness(predictor)) > np.mean(untrained) + 1


def test_a_written_answer_is_learned_with_its_end(bench):
    task = Task("echo", "generate", answer_name="Answer")
    shots = Shots(
        tuple(
            Example(f"g{i}", Input((("text", f"say {word}"),)), (f"the {word}",))
            for i, word in enumerate(["card", "film", "late", "warm"])
        )
    )
    settings = QUICK | {"epochs": 60}
    predictor = LoRA(**settings).adapt(task, shots, bench)
    answers = predictor.predict([e.input for e in shots.labelled])
    assert [a.answer for a in answers] == [e.targets[0] for e in shots.labelled]


def test_texts_longer_than_the_context_are_cut_and_noted(bench):
    long = Example("long", Input((("text", "word " * 200),)), ("positive",))
    LoRA(**QUICK).adapt(TASK, Shots((*SHOTS.labelled, long)), bench)
    assert bench.notes == ["1 training texts longer than 128 tokens lost their beginning"]


def test_a_killed_job_is_taken_up_where_it_was(bench, tmp_path, models):
    settings = QUICK | {"epochs": 25}
    whole = LoRA(**settings).adapt(TASK, SHOTS, bench).ref.deltas[0].sha256
    again = Lent(models, bench.base, tmp_path / "again")
    taken_up = resumed(LoRA(**settings), TASK, SHOTS, again, at=60)
    assert taken_up.ref.deltas[0].sha256 == whole
    assert again.steps[0] == (51, 75, "training")
    assert not list((again.folder / "checkpoint").iterdir())


def brief(**changes) -> Brief:
    known = {
        "task": TASK,
        "labelled": 80,
        "unlabelled": 0,
        "per_label": 8,
        "test": 100,
        "tokens": 20.0,
        "longest": 60,
        "base": ModelRef("hf", "m"),
        "abilities": frozenset({"score", "train"}),
        "context": 128,
        "layers": 2,
        "encoder": None,
        "rates": Rates(lm_tokens=300.0, train_tokens=100.0, encoder_tokens=1e4),
    }
    return Brief(**known | changes)


def test_why_not():
    assert LoRA().why_not(brief()) is None
    assert "train" in LoRA().why_not(brief(abilities=frozenset({"score"})))
    assert "needs a language model" in LoRA().why_not(brief(base=None))


def test_the_forecast_grows_with_the_rows_up_to_the_cap():
    few, many = (LoRA().forecast(brief(labelled=n)).seconds for n in (80, 160))
    assert few == pytest.approx(80 * 4 * 31 / 100 + 2 * 64 * 34 / 300, rel=0.05)
    assert many > few
    most = [LoRA().forecast(brief(labelled=n)).seconds for n in (10_000, 20_000)]
    assert most[0] == most[1]


def test_it_stands_in_the_table_and_its_settings_are_checked():
    method = TABLE.build({"method": "lora", "rank": 2})
    assert spec(method)["rank"] == 2
    assert method.space["learning_rate"][0] == method.learning_rate
