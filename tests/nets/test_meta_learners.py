"""The learners of the meta-learning methods: their answers by hand, one by one, from disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nshot.core.errors import InputError
from nshot.data.episodes import EpisodeShape
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.nets import learners
from nshot.nets.learner import Learner
from nshot.nets.maml import MAML
from nshot.nets.meta_baseline import MetaBaseline
from nshot.nets.relation import Relation
from nshot.nets.support_heads import Recipe, fit_linear
from nshot.training.objectives.episode import Episodes, InnerSteps, RelationScores

SHAPE = (1, 16, 16)
KINDS = ("relation", "baseline", "baseline_pp", "meta_baseline", "maml")
UNEVEN = torch.tensor([0, 0, 1, 2, 2, 2])


def made(kind: str) -> Learner:
    """Small, and with statistics that are not those of the start."""
    torch.manual_seed(0)
    learner = learners.make(kind, {"shape": SHAPE, "filters": 4})
    learner.train()
    if kind != "maml":
        learner.embed(pictures(64, seed=9))
    return learner.eval()


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=draw)


@torch.no_grad()
def answered(learner: Learner, queries: int = 5, episodes: int = 2) -> torch.Tensor:
    known = learner.embed(pictures(episodes * 6, seed=1)).unflatten(0, (episodes, 6))
    asked = learner.embed(pictures(episodes * queries, seed=2)).unflatten(0, (episodes, queries))
    return learner.logits(known, UNEVEN, asked, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_is_answered_by_itself(kind: str) -> None:
    learner = made(kind)
    with torch.no_grad():
        known = learner.embed(pictures(12, seed=1)).unflatten(0, (2, 6))
        asked = learner.embed(pictures(10, seed=2)).unflatten(0, (2, 5))
        together = learner.logits(known, UNEVEN, asked, 3)
        alone = learner.logits(known[1:], UNEVEN, asked[1:, 3:4], 3)
        single = learner.embed(pictures(10, seed=2)[8:9])
    assert together.shape == (2, 5, 3)
    torch.testing.assert_close(together[1:, 3:4], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(single[0], asked[1, 3], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_from_disk_it_answers_the_same(kind: str, tmp_path: Path) -> None:
    learner = made(kind)
    learners.save(learner, tmp_path / "learner")
    again = learners.load(tmp_path / "learner")
    assert again.settings == learner.settings
    assert torch.equal(answered(again), answered(learner))


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_classes_changes_no_answer(kind: str) -> None:
    """Cosine heads begin at random directions of their own: there only the shape is asked."""
    learner = made(kind)
    with torch.no_grad():
        known = learner.embed(pictures(6, seed=1))[None]
        asked = learner.embed(pictures(5, seed=2))[None]
        swapped = torch.tensor([2, 1, 0])
        one = learner.logits(known, UNEVEN, asked, 3)
        other = learner.logits(known, swapped[UNEVEN], asked, 3)
    if kind != "baseline_pp":
        torch.testing.assert_close(one, other[..., swapped], atol=1e-4, rtol=1e-4)


def test_maml_is_no_encoder(tmp_path: Path) -> None:
    learners.save(made("maml"), tmp_path / "maml")
    ref = resolve(str(tmp_path / "maml"), "features")
    with pytest.raises(InputError, match="embeds nothing before"):
        open_models().pictures(ref)


PARAMETERS = {
    "relation": 223_441, "baseline": 111_936, "baseline_pp": 111_936, "meta_baseline": 111_937,
}  # fmt: skip


@pytest.mark.parametrize("kind", PARAMETERS)
def test_the_parameters_are_those_that_the_pages_tell(kind: str) -> None:
    """Convolutions 9 f^2 + f, the first 9 f + f; norms 2 f; a pair has twice the channels."""
    blocks = 4 * 64 + 9 * 64 + 3 * 9 * 64**2 + 4 * 2 * 64
    compares = 64 + 9 * 2 * 64**2 + 64 + 9 * 64**2 + 2 * 2 * 64 + (64 + 1) * 8 + 8 + 1
    further = {"relation": compares, "meta_baseline": 1}.get(kind, 0)
    learner = learners.make(kind, {"shape": (1, 28, 28)})
    assert sum(p.numel() for p in learner.parameters()) == blocks + further == PARAMETERS[kind]


def test_meta_baseline_is_the_scaled_cosine_with_the_mean() -> None:
    learner = MetaBaseline((3,)).double()
    support = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 2], [1, 1, 1], [3, 1, 1], [-1, 1, 1]])
    queries = np.array([[2.0, 1, 0], [0, 0, -1]])
    means = [support[:2].mean(0), support[2], support[3:].mean(0)]
    wanted = [[10 * q @ m / np.linalg.norm(q) / np.linalg.norm(m) for m in means] for q in queries]
    said = learner.logits(torch.tensor(support)[None], UNEVEN, torch.tensor(queries)[None], 3)
    np.testing.assert_allclose(said.detach()[0], wanted, atol=1e-12)


def test_the_baseline_fits_each_support_set() -> None:
    learner = made("baseline")
    with torch.no_grad():
        known = learner.embed(pictures(6, seed=1))[None]
        asked = learner.embed(pictures(5, seed=2))[None]
        weights, bias = fit_linear(known, UNEVEN[None], 3, Recipe())
        torch.testing.assert_close(
            learner.logits(known, UNEVEN, asked, 3)[0], asked[0] @ weights[0].T + bias[0]
        )


def test_relations_probabilities_are_shares_of_the_scores() -> None:
    learner = made("relation")
    assert isinstance(learner, Relation)
    with torch.no_grad():
        known = learner.embed(pictures(6, seed=1))[None]
        asked = learner.embed(pictures(5, seed=2))[None]
        scores = learner.scores(known, UNEVEN, asked, 3).sigmoid()
        said = learner.logits(known, UNEVEN, asked, 3).softmax(-1)
    torch.testing.assert_close(said, scores / scores.sum(-1, keepdim=True))


def episodes(count: int = 2) -> Episodes:
    shape = EpisodeShape(3, 1, 2)
    return Episodes(
        shape,
        support=pictures(count * 3, seed=3).unflatten(0, (count, 3)),
        labels=torch.arange(3),
        queries=pictures(count * 6, seed=4).unflatten(0, (count, 6)),
        targets=torch.arange(3).repeat_interleave(2),
    )


def test_the_relation_loss_is_the_mean_squared_distance_from_one_hot() -> None:
    class Known(Relation):
        def scores(self, support, labels, queries, way):
            return torch.tensor([[0.5, 0.1, 0.4], [0.2, 1 - 1e-9, 0.3]]).logit()[None]

    batch = Episodes(
        EpisodeShape(3, 1, 2), pictures(3)[None], torch.arange(3), pictures(2)[None],
        torch.tensor([0, 0]),
    )  # fmt: skip
    wanted = (0.5**2 + 0.1**2 + 0.4**2 + 0.8**2 + 1.0**2 + 0.3**2) / 6
    assert RelationScores().loss(Known(SHAPE, 4), batch).item() == pytest.approx(wanted, abs=1e-6)


def plain_maml(learner: MAML, support, labels, queries) -> torch.Tensor:
    """One episode, with torch's own optimiser on a copy of the network."""
    copy = MAML(**learner.settings).to(support.dtype)
    copy.load_state_dict(learner.state_dict())
    head = torch.nn.Linear(learner.network.width, int(labels.max()) + 1).to(support.dtype)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    free = [*copy.network.parameters(), *head.parameters()]
    optimiser = torch.optim.SGD(free, learner.rate)
    for _ in range(learner.steps):
        optimiser.zero_grad()
        said = head(copy.network(support, len(support))) * len(head.bias) ** 0.5
        cross_entropy(said, labels).backward()
        optimiser.step()
    with torch.no_grad():
        both = copy.network(torch.cat([support, queries]), len(support))
        return head(both[len(support) :]) * len(head.bias) ** 0.5


def test_maml_takes_plain_steps_on_every_parameter() -> None:
    learner = made("maml").double()
    assert isinstance(learner, MAML)
    support, queries = (pictures(n, seed=n).double() / 255 for n in (12, 10))
    with torch.no_grad():
        said = learner.logits(support.unflatten(0, (2, 6)), UNEVEN, queries.unflatten(0, (2, 5)), 3)
    for i in range(2):
        wanted = plain_maml(learner, support[6 * i : 6 * i + 6], UNEVEN, queries[5 * i : 5 * i + 5])
        torch.testing.assert_close(said[i], wanted)


@pytest.mark.parametrize("first_order", [False, True])
def test_mamls_loss_can_be_followed_through_the_network(first_order: bool) -> None:
    """Central differences of a network with all its parts; the first order is no such slope."""
    torch.manual_seed(0)
    learner = MAML(SHAPE, filters=3, steps=2, first_order=first_order).double()
    batch = episodes()
    known, asked = (learner.embed(part).double() for part in (batch.support, batch.queries))

    def loss() -> torch.Tensor:
        weights = (0.3, 0.7)
        return learner.losses(known, batch.labels, asked, batch.targets, 3, weights).mean()

    loss().backward()
    worst = 0.0
    for parameter in learner.parameters():
        flat, slope = parameter.data.view(-1), parameter.grad.view(-1)
        for place in range(0, len(flat), 7):
            moved, kept = [], flat[place].item()
            for sign in (1, -1):
                flat[place] = kept + sign * 1e-6
                moved.append(loss().item())
            flat[place] = kept
            worst = max(worst, abs((moved[0] - moved[1]) / 2e-6 - slope[place].item()))
    assert worst > 1e-3 if first_order else worst < 1e-6


def test_with_losses_of_every_step_the_first_counts_only_in_the_first_half() -> None:
    learner = made("maml")
    assert isinstance(learner, MAML)
    both = InnerSteps(every_step=True), InnerSteps(every_step=False)
    early = [objective.loss(learner, episodes()).item() for objective in both]
    batch = replace(episodes(), progress=0.6)
    late = [objective.loss(learner, batch).item() for objective in both]
    assert early[0] != pytest.approx(early[1])
    assert late[0] == pytest.approx(late[1]) == pytest.approx(early[1])
