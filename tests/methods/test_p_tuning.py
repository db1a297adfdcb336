"""P-tuning on a tiny random model: the network that makes the soft tokens, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from lent import Lent, kill
from soft import (
    TOPIC,
    TOPICS,
    by_plain_peft,
    check_a_family,
    check_it_writes_as_without_a_cache,
    check_plain_peft_answers_so,
    check_what_learns,
)
from taught import SHOTS, TASK, check_a_kill_changes_nothing, check_it_learns, put_on

from families import FAMILIES
from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef
from nshot.methods import TABLE
from nshot.methods.peft.p_tuning import PTuning
from nshot.models.hf.hf_engine import HFModels
from tiny import tiny_llama

WIDTH = 32
WORDS = "the film review"
QUICK = {
    "epochs": 150, "batch_size": 12, "max_steps": 240, "learning_rate": 3e-3, "hidden": 24,
    "encoder": "mlp",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, ModelRef("hf", str(folder)), tmp_path)


def mlp(width: int, hidden: int) -> int:
    """width -> hidden -> hidden -> width, with biases."""
    return (width + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * width


def lstm(width: int, hidden: int) -> int:
    """Two layers of two directions, four gates with two biases each; then 2h -> 2h -> width."""
    layers = sum(2 * 4 * hidden * (read + hidden + 2) for read in (width, 2 * hidden))
    return layers + (2 * hidden + 1) * 2 * hidden + (2 * hidden + 1) * width


@pytest.mark.parametrize(("encoder", "network"), [("mlp", mlp), ("lstm", lstm)])
def test_embeddings_and_network_are_trained(bench, encoder, network):
    settings = QUICK | {"encoder": encoder, "length": 12, "max_steps": 10}
    for anchors in ("", WORDS):  # anchors add nothing to what is trained
        PTuning(**settings, anchors=anchors).adapt(TOPIC, TOPICS, bench)
        assert bench.parameters == 12 * WIDTH + network(WIDTH, 24)


def test_it_learns_and_plain_peft_opens_the_folded_embeddings(bench, folder):
    predictor = check_it_learns(PTuning(**QUICK, anchors=WORDS), bench)
    adapter = Path(predictor.ref.deltas[0].folder)
    assert {p.name for p in adapter.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    module = by_plain_peft(folder, str(adapter))
    kept = {name for name, _ in module.prompt_encoder.named_parameters()}
    assert kept == {"default.embedding.weight"}
    check_plain_peft_answers_so(predictor, folder)
    check_it_writes_as_without_a_cache(predictor, folder)


@pytest.mark.parametrize("settings", [{}, {"encoder": "mlp"}, {"anchors": WORDS}])
def test_only_the_encoder_learns(bench, settings):
    check_what_learns(PTuning(hidden=8, **settings), bench)


def test_anchors_stand_untrained_in_the_middle(bench, folder):
    method = PTuning(**QUICK | {"max_steps": 10}, length=5, anchors=WORDS)
    predictor = method.adapt(TOPIC, TOPICS, bench)
    adapter = predictor.ref.deltas[0].folder
    module = by_plain_peft(folder, adapter)
    with bench.models.lend(bench.base) as lent:
        ids = lent.tokenizer(WORDS)["input_ids"]
        words = lent.module.get_input_embeddings()(torch.tensor(ids))
    kept = module.get_prompt(batch_size=1)[0]
    assert len(kept) == 5 + len(ids)
    torch.testing.assert_close(kept[3 : 3 + len(ids)], words)
    config = json.loads((Path(adapter) / "adapter_config.json").read_text())
    assert config["num_virtual_tokens"] == 5 + len(ids)


def test_the_same_seed_gives_the_same_beginning(bench):
    with bench.models.lend(bench.base) as lent:

        def start(seed: int) -> torch.Tensor:
            return put_on(PTuning(anchors=WORDS), lent, seed).get_prompt(1).detach()

        assert torch.equal(start(0), start(0))
        assert not torch.equal(start(0), start(1))


@pytest.mark.parametrize("settings", [{"encoder": "lstm"}, {"encoder": "mlp", "anchors": WORDS}])
def test_a_killed_job_ends_with_the_same_bytes(bench, models, tmp_path, settings):
    again = Lent(models, bench.base, tmp_path / "again")
    method = PTuning(**QUICK | {"max_steps": 56} | settings)
    check_a_kill_changes_nothing(method, bench, again, at=52)


def test_a_checkpoint_holds_what_is_not_folded(bench):
    """The folder holds the embeddings alone; a killed training needs the network that made them."""
    from safetensors import safe_open

    kill(PTuning(**QUICK | {"encoder": "lstm"}), TASK, SHOTS, bench, at=60)
    with safe_open(bench.folder / "checkpoint" / "checkpoint.safetensors", "pt") as file:
        names = {n.removeprefix("parameter.prompt_encoder.default.") for n in file.keys()}  # noqa: SIM118
    assert {"embedding.weight", "lstm_head.weight_hh_l1_reverse", "mlp_head.0.weight"} <= names


def test_anchors_count_for_the_room(bench):
    with pytest.raises(CannotAdapt, match=r"leaves \d+ of the model's 128"):
        PTuning(anchors="word " * 40).adapt(TASK, SHOTS, bench)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_works_on(family, tmp_path):
    check_a_family(PTuning(**QUICK | {"epochs": 20}, anchors=WORDS), family, tmp_path)


def test_it_stands_in_the_table():
    method = TABLE.build({"method": "p_tuning", "encoder": "mlp"})
    assert method.space["learning_rate"][0] == method.learning_rate
