"""Bottleneck adapters on tiny random models: where they stand, what they train, how they leave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lent import Lent, resumed

from families import FAMILIES, tiny_family, tiny_module
from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Delta, Example, Input, Label, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.peft.bottleneck import BottleneckAdapters
from nshot.methods.peft.lora import LoRA
from nshot.models import base
from nshot.models.base import Decoding
from nshot.models.hf.hf_engine import HFModels
from nshot.nets import bottleneck
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama

TASK = Task("film", "classify", (Label("positive"), Label("very_negative")))
WORDS = {"positive": ["warm", "funny", "fine", "lovely"], "very_negative": ["dull", "flat", "bad"]}
PLACEMENTS = ("houlsby", "pfeiffer")
SIZE, LAYERS = 32, 2


def example(i: int) -> Example:
    label = ("positive", "very_negative")[i % 2]
    word = WORDS[label][i // 2 % len(WORDS[label])]
    return Example(f"e{i}", Input((("text", f"a {word} film {i}"),)), (label,))


SHOTS = Shots(tuple(example(i) for i in range(12)))


def put_on(method, lent):
    return method.part(TASK, SHOTS, 0).put_on(lent, 0)


INPUTS = [example(i).input for i in range(6)]
QUICK = {"learning_rate": 1e-2, "epochs": 25, "batch_size": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", width=SIZE, layers=LAYERS)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


@pytest.fixture(scope="module")
def taught(folder, models, tmp_path_factory) -> Prompted:
    """Adapters that were trained once, for the tests of what is done with them."""
    bench = Lent(models, ModelRef("hf", str(folder)), tmp_path_factory.mktemp("taught"))
    return BottleneckAdapters(**QUICK, width=4).adapt(TASK, SHOTS, bench)


def lent(module) -> base.Lent:
    return base.Lent(ModelRef("hf", "tiny"), module, None, "cpu")


def scores(predictor) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(INPUTS)])


def shaken(module):
    """What training would do: every free parameter is moved away from where it began."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_parameters_are_those_of_the_paper(bench, placement):
    """2 m d + d + m a place (section 2.1), at two places a block or at one."""
    BottleneckAdapters(**QUICK, placement=placement, width=5).adapt(TASK, SHOTS, bench)
    places = LAYERS * (2 if placement == "houlsby" else 1)
    norms = (2 * LAYERS + 1) * SIZE if placement == "houlsby" else 0
    assert bench.parameters == places * (2 * SIZE * 5 + 5 + SIZE) + norms


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_start_is_the_base_and_then_it_is_felt(family, placement):
    module = tiny_module(family)
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        before = module(ids).logits
        installed = put_on(BottleneckAdapters(placement=placement), lent(module))
        assert torch.allclose(installed(ids).logits, before, atol=1e-4)
        assert (shaken(installed)(ids).logits - before).abs().max() > 1e-2


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on_five_families(family, models, tmp_path):
    ref = ModelRef("hf", str(tiny_family(tmp_path / "model", family)))
    bench = Lent(models, ref, tmp_path)
    named = models.fingerprint(ref)
    predictor = BottleneckAdapters(**QUICK | {"learning_rate": 2e-2}).adapt(TASK, SHOTS, bench)
    assert models.fingerprint(ref) == named
    np.testing.assert_array_equal(
        scores(Prompted(TASK, HFModels(), predictor.ref)), scores(predictor)
    )


def test_the_gradient_reaches_every_adapter_and_norm_and_nothing_else():
    module = put_on(BottleneckAdapters(), lent(tiny_module("llama")))
    shaken(module)  # while the second matrix is zero, the first has no gradient
    module(torch.arange(2, 14)[None]).logits.logsumexp(-1).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.requires_grad == (".bottleneck." in name or "norm" in name), name
        assert (
            parameter.grad is not None and bool(parameter.grad.any())
        ) == parameter.requires_grad


def test_it_learns_its_shots_and_leaves_the_base_as_it_was(bench, models):
    before, untrained = models.fingerprint(bench.base), scores(Prompted(TASK, models, bench.base))
    predictor = BottleneckAdapters(**QUICK).adapt(TASK, SHOTS, bench)
    right = [p.answer == example(i).label for i, p in enumerate(predictor.predict(INPUTS))]
    assert all(right)
    assert models.fingerprint(bench.base) == before
    np.testing.assert_array_equal(scores(Prompted(TASK, models, bench.base)), untrained)
    assert not bench.notes


def test_the_folder_is_json_and_safetensors_and_gives_the_same_answers(taught, tmp_path):
    (delta,) = taught.ref.deltas
    assert {p.name for p in Path(delta.folder).iterdir()} == {
        "bottleneck.json", "bottleneck.safetensors"
    }  # fmt: skip
    record = json.loads((Path(delta.folder) / "bottleneck.json").read_text())
    assert record == {"placement": "houlsby", "width": 4, "layer_norms": True}
    expected = scores(taught)
    taught.save(tmp_path / "saved")
    loaded = load(tmp_path / "saved", HFModels())
    assert loaded.ref.deltas[0].kind == "bottleneck"
    assert Path(loaded.ref.deltas[0].folder).is_relative_to(tmp_path / "saved")
    np.testing.assert_array_equal(scores(loaded), expected)


def by_hand(module, ref: ModelRef, answers: list[str], tokenizer) -> list[float]:
    """Plain forward passes with the adapters of `ref` on: no packing, no cache."""
    bottleneck.load(module, Path(ref.deltas[0].folder))
    prompt = f"Text: {INPUTS[0].text}\nLabel:"
    found = []
    for answer in answers:
        ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
        start = len(tokenizer(prompt)["input_ids"])
        with torch.no_grad():
            logprobs = module(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
        at = torch.arange(start, ids.shape[1])
        found.append(logprobs[at - 1, ids[0, at]].sum().item())
    return found


def test_packed_scores_are_those_of_plain_passes(taught, folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    module = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = by_hand(module, taught.ref, [" positive", " very negative"], tokenizer)
    expected = torch.tensor(found).log_softmax(0)
    np.testing.assert_allclose(scores(taught)[0], expected, atol=1e-4)


def test_it_writes_with_the_cache_what_it_writes_without(bench, models, folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    task = Task("echo", "generate", answer_name="Answer")
    rows = enumerate(["card", "film", "late", "warm"])
    shots = Shots(
        tuple(Example(f"g{i}", Input((("text", f"say {w}"),)), (f"the {w}",)) for i, w in rows)
    )
    predictor = BottleneckAdapters(**QUICK | {"epochs": 80}).adapt(task, shots, bench)
    answers = predictor.predict([e.input for e in shots.labelled])
    assert [a.answer for a in answers] == [e.targets[0] for e in shots.labelled]
    prompt = "Text: say film\nAnswer:"
    (written,) = models.open(predictor.ref).generate([prompt], Decoding(max_tokens=6))
    module = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bottleneck.load(module, Path(predictor.ref.deltas[0].folder))
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    plain = module.generate(ids, max_new_tokens=6, do_sample=False, use_cache=False)
    assert tokenizer.decode(plain[0, ids.shape[1] :], skip_special_tokens=True) == written.text


def test_a_killed_job_is_taken_up_where_it_was(bench, tmp_path, models):
    settings = QUICK | {"epochs": 26}
    whole = BottleneckAdapters(**settings).adapt(TASK, SHOTS, bench).ref.deltas[0].sha256
    again = Lent(models, bench.base, tmp_path / "again")
    taken_up = resumed(BottleneckAdapters(**settings), TASK, SHOTS, again, at=52)
    assert taken_up.ref.deltas[0].sha256 == whole
    assert again.steps[0] == (51, 78, "training")


def test_an_adapter_of_another_model_is_refused_and_nothing_stays(taught, models, tmp_path):
    for name, sizes in {"wider": {"width": 48}, "deeper": {"layers": 3}}.items():
        other = ModelRef("hf", str(tiny_llama(tmp_path / name, **sizes)))
        named = models.fingerprint(other)
        with pytest.raises(InputError, match="does not fit"):
            models.open(replace(other, deltas=taught.ref.deltas)).logprobs(["a"], [[" b"]])
        assert models.fingerprint(other) == named


def test_no_second_adapter_stands_beside_it_but_changed_weights_do(taught, bench, models, tmp_path):
    adapted = taught.ref.deltas
    beside = LoRA(learning_rate=1e-2).adapt(TASK, SHOTS, Lent(models, bench.base, tmp_path / "l"))
    for pair in [(*adapted, *beside.ref.deltas), (*beside.ref.deltas, *adapted), adapted * 2]:
        with pytest.raises(InputError, match="stand alone"):
            models.open(replace(bench.base, deltas=pair)).logprobs(["a"], [[" b"]])
    full = TABLE.build({"method": "full", "learning_rate": 1e-3})
    weights = full.adapt(TASK, SHOTS, Lent(models, bench.base, tmp_path / "f")).ref.deltas
    one, other, alone = (
        models.open(replace(bench.base, deltas=some)).logprobs(["a"], [[" b", " c"]])[0].logprobs
        for some in ((*weights, *adapted), (*adapted, *weights), adapted)
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - alone).max() > 1e-3


@pytest.mark.parametrize("missing", ["bottleneck.json", "bottleneck.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(bench, models, tmp_path, missing):
    form = bottleneck.Form("houlsby", 16, True)
    bottleneck.save(put_on(BottleneckAdapters(), lent(tiny_module("llama"))), form, tmp_path)
    (tmp_path / missing).unlink()
    ref = replace(bench.base, deltas=(Delta("bottleneck", str(tmp_path)),))
    with pytest.raises(InputError, match=f"no {missing}"):
        models.open(ref).logprobs(["a"], [[" b"]])


def test_an_unknown_architecture_is_named():
    from transformers import CTRLConfig, CTRLLMHeadModel

    sizes = {"vocab_size": 50, "n_embd": 16, "n_layer": 1, "n_head": 2, "dff": 16}
    with pytest.raises(CannotAdapt, match="the sublayers of a ctrl end"):
        put_on(BottleneckAdapters(), lent(CTRLLMHeadModel(CTRLConfig(**sizes))))


def plain(module):
    """As examples/plain/bottleneck.py: written anew, with nothing of nshot."""
    module.requires_grad_(False)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.up = torch.nn.Linear(SIZE, 4), torch.nn.Linear(4, SIZE)

        def forward(self, x):
            return x + self.up(torch.nn.functional.gelu(self.down(x)))

    for block in module.model.layers:
        for end in (block.self_attn.o_proj, block.mlp.down_proj):
            end.bottleneck = Network()
            end.register_forward_hook(lambda end, _, out: end.bottleneck(out))
        for norm in (block.input_layernorm, block.post_attention_layernorm):
            norm.weight.requires_grad_(True)
    module.model.norm.weight.requires_grad_(True)
    return module


def test_it_is_the_plain_implementation_to_the_gradient():
    ours = shaken(put_on(BottleneckAdapters(width=4), lent(tiny_module("llama"))))
    theirs = plain(tiny_module("llama"))
    theirs.load_state_dict(ours.state_dict())
    ids = torch.arange(2, 14)[None]
    for module in (ours, theirs):
        module(ids, labels=ids).loss.backward()
    assert torch.equal(ours(ids).logits, theirs(ids).logits)
    gradients = {n: p.grad for n, p in theirs.named_parameters() if p.requires_grad}
    found = {n: p.grad for n, p in ours.named_parameters() if p.requires_grad}
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert torch.equal(found[name], gradient), name


@pytest.mark.parametrize(
    ("settings", "learn"),
    [
        ({}, True),
        ({"placement": "pfeiffer"}, False),
        ({"layer_norms": False}, False),
        ({"placement": "pfeiffer", "layer_norms": True}, True),
    ],
)
def test_layer_norms_learn_where_the_paper_says_so_or_the_user(settings, learn):
    module = put_on(BottleneckAdapters(**settings), lent(tiny_module("gpt2")))
    norms = {n for n, p in module.named_parameters() if ".ln_" in n and p.requires_grad}
    assert len(norms) == (2 * (2 * 3 + 1) if learn else 0)


def test_the_bases_own_norms_come_back(taught, models, folder):
    ref = replace(taught.ref, deltas=())
    before = models.fingerprint(ref)
    with models.lend(ref) as live:
        weight = live.module.model.norm.weight
        module = shaken(put_on(BottleneckAdapters(), live))
        assert module.model.norm.weight is not weight
    with models.lend(ref) as live:
        assert live.module.model.norm.weight is weight
    assert models.fingerprint(ref) == before


def test_a_folder_from_before_the_norms_learned_is_read(taught, models, tmp_path):
    form = bottleneck.Form("houlsby", 4, False)
    module = tiny_module("llama")
    bottleneck.install(module, form)
    bottleneck.save(module, form, tmp_path)
    record = {"placement": "houlsby", "width": 4}
    (tmp_path / "bottleneck.json").write_text(json.dumps(record))
    again = tiny_module("llama")
    bottleneck.load(again, tmp_path)
    ids = torch.arange(2, 14)[None]
    assert torch.equal(again(ids).logits, module(ids).logits)
