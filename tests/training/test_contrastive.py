"""Pairs of shots, each text of a batch read once, and the loss of sentence-transformers."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from encoders import tiny_encoder
from nshot.core.errors import CannotAdapt, Diverged
from nshot.core.types import ModelRef
from nshot.models.hf.encoder import SentenceEncoder
from nshot.training.checkpoints import Checkpoints
from nshot.training.data.pairs import Pair, Sentences, pairs
from nshot.training.loop import optimise
from nshot.training.objectives.contrastive import CosineSimilarity
from nshot.training.rows import Schedule


def some(labels: str, each: int, seed: int = 0) -> list[Pair]:
    texts = [f"{label}{i}" for i, label in enumerate(labels)]
    return pairs(texts, list(labels), [len(labels)] * len(labels), each, seed)


def kinds(made: list[Pair]) -> Counter[bool]:
    return Counter(pair.alike for pair in made)


@given(st.text("abc", min_size=2, max_size=12), st.integers(1, 60), st.integers(0, 3))
def test_a_pair_is_alike_when_its_labels_are(labels: str, each: int, seed: int) -> None:
    made = some(labels, each, seed)
    assert all(pair.alike == (pair.first[0] == pair.second[0]) for pair in made)
    assert len({pair.id for pair in made}) == len(made)
    assert kinds(made)[True] == each
    assert kinds(made)[False] == (each if len(set(labels)) > 1 else 0)
    assert made == some(labels, each, seed)


@given(st.text("abc", min_size=2, max_size=9))
def test_all_pairs_come_once_before_any_comes_again(labels: str) -> None:
    everything = {
        frozenset((i, j)): labels[i] == labels[j]
        for i in range(len(labels))
        for j in range(i, len(labels))
    }
    wanted = Counter(everything.values())
    each = max(wanted.values())
    made = some(labels, each)
    seen = Counter(frozenset((int(p.first[1:]), int(p.second[1:]))) for p in made)
    assert set(seen) == set(everything)
    for pair, alike in everything.items():
        assert seen[pair] in {each // wanted[alike], -(-each // wanted[alike])}


def test_another_seed_draws_other_pairs() -> None:
    labels = "ab" * 20
    assert some(labels, 10) != some(labels, 10, seed=1)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")
    return SentenceEncoder(ModelRef("hf", str(folder))).lend().module


WORDS = ["warm", "funny and warm", "a dull film that goes on and on", "flat", "so so"]
ROWS = [
    Pair(str(i), WORDS[a], WORDS[b], a % 2 == b % 2, 9)
    for i, (a, b) in enumerate([(0, 2), (1, 3), (0, 1), (2, 3), (4, 4), (0, 4), (2, 1)])
]


def plain_loss(module, rows) -> torch.Tensor:
    """What the setfit package minimises, by sentence-transformers itself."""
    from sentence_transformers.losses import CosineSimilarityLoss

    sides = [[row.first for row in rows], [row.second for row in rows]]
    wanted = torch.tensor([float(row.alike) for row in rows])
    return CosineSimilarityLoss(module)([module.preprocess(side) for side in sides], wanted)


def test_loss_and_gradient_are_those_of_sentence_transformers(module):
    module.eval()
    ours, objective = Sentences(module, "cpu"), CosineSimilarity()
    module.zero_grad()
    plain = plain_loss(module, ROWS)
    plain.backward()
    expected = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    module.zero_grad()
    loss = objective.total(ours, ROWS) / objective.weight(ROWS)
    loss.backward()
    assert loss.item() == pytest.approx(plain.item(), abs=1e-6)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, expected[name], atol=1e-5, rtol=1e-4)


def test_a_text_of_a_batch_is_read_once_and_both_sides_of_its_own_pair(module, monkeypatch):
    read: list[str] = []
    whole = Sentences._read
    monkeypatch.setattr(
        Sentences, "_read", lambda self, texts: read.extend(texts) or whole(self, texts)
    )
    module.train()
    first, second = Sentences(module, "cpu").vectors(ROWS)
    assert Counter(read) == Counter([*WORDS, WORDS[4]])
    assert not torch.equal(first[4], second[4]), "dropout tells the two readings apart"
    assert torch.equal(first[0], first[5])


def trained(module, **settings):
    module = copy.deepcopy(module)
    schedule = Schedule(1e-2, epochs=6, batch_size=4, seed=3)
    trace = optimise(
        module, lambda: Sentences(module, "cpu"), ROWS, CosineSimilarity(), schedule,
        device="cpu", **settings,
    )  # fmt: skip
    return trace, {name: p.detach() for name, p in module.named_parameters()}


def test_killed_and_started_again_it_ends_with_the_same_bytes(module, tmp_path):
    class Killed(Exception):
        pass

    def dies(done, total):
        if done == 7:
            raise Killed

    kept = Checkpoints(tmp_path, every=5)
    trace, whole = trained(module)
    with pytest.raises(Killed):
        trained(module, checkpoints=kept, progress=dies)
    again, parameters = trained(module, checkpoints=kept)
    assert again.resumed == 5
    assert again.losses == trace.losses
    assert all(torch.equal(parameters[name], p) for name, p in whole.items())


def test_what_is_no_number_or_not_free_is_refused(module):
    broken = copy.deepcopy(module)
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    with pytest.raises(Diverged, match="step 1 of"):
        trained(broken)
    with pytest.raises(CannotAdapt, match="no parameter"):
        trained(copy.deepcopy(module).requires_grad_(False))


def test_the_order_of_a_pairs_sides_changes_no_loss(module):
    module.eval()
    turned = [replace(row, first=row.second, second=row.first) for row in ROWS]
    objective, ours = CosineSimilarity(), Sentences(module, "cpu")
    assert objective.total(ours, turned).item() == pytest.approx(
        objective.total(ours, ROWS).item(), abs=1e-6
    )
