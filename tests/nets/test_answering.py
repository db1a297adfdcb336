"""Thousands of episodes at once: the right numbers, whatever the chunk, as one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphs import glyphs
from nshot.core.types import Example, Input, Label, Task
from nshot.data.episodes import EpisodeShape, draw
from nshot.data.pictures import as_image
from nshot.models import open_models
from nshot.nets import answering
from nshot.nets.learner import Learner, class_means, embed_all
from nshot.nets.matching import Matching
from nshot.nets.prototypical import Prototypical
from nshot.predictors import load
from nshot.predictors.from_support import FromSupport

SHAPE = EpisodeShape(5, 3, 4)
COUNTS = np.full(12, 8)


def seeded(cls: type[Learner], shape: tuple[int, ...], **settings: bool) -> Learner:
    torch.manual_seed(0)
    return cls(shape, **settings).eval()


@pytest.fixture(scope="module")
def vectors() -> torch.Tensor:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 1, 10))
    return torch.from_numpy((centres + rng.normal(size=(12, 8, 10))).reshape(96, 10)).float()


def test_class_means_of_unequal_classes_and_of_maps() -> None:
    support = torch.arange(12.0).view(1, 3, 2, 2)
    means = class_means(support, torch.tensor([1, 0, 1]), 2)
    torch.testing.assert_close(means[0, 0], support[0, 1])
    torch.testing.assert_close(means[0, 1], (support[0, 0] + support[0, 2]) / 2)


def test_prototypical_answers_with_the_nearest_mean(vectors: torch.Tensor) -> None:
    drawn = draw(COUNTS, SHAPE, 0, 20, seed=1)
    answers = answering.answer(seeded(Prototypical, (10,)), vectors, drawn, SHAPE)
    points = vectors.numpy()[drawn]
    for episode, given in zip(points, answers, strict=True):
        means = episode[:, :3].mean(axis=1)
        asked = episode[:, 3:].reshape(-1, 10)
        apart = ((asked[:, None] - means) ** 2).sum(axis=2)
        np.testing.assert_array_equal(given, apart.argmin(axis=1))


def test_prototypical_logits_are_minus_squared_distances_by_the_root_of_the_width(
    vectors: torch.Tensor,
) -> None:
    support, queries = vectors[None, :6], vectors[None, 6:9]
    labels = torch.tensor([0, 1, 2, 0, 1, 0])
    logits = seeded(Prototypical, (10,)).logits(support, labels, queries, 3)
    means = torch.stack([support[0][labels == c].mean(dim=0) for c in range(3)])
    wanted = -torch.cdist(queries[0], means).square() / 10**0.5
    torch.testing.assert_close(logits[0].log_softmax(dim=1), wanted.log_softmax(dim=1))


def test_matching_is_a_vote_by_attention(vectors: torch.Tensor) -> None:
    support, queries = vectors[None, :6], vectors[None, 6:9]
    labels = torch.tensor([0, 1, 2, 0, 1, 0])
    learner = seeded(Matching, (10,))
    unit = learner.embed(vectors)[None]
    told = learner.logits(unit[:, :6], labels, unit[:, 6:9], 3)[0].exp()
    for query, shares in zip(queries[0].numpy(), told.detach().numpy(), strict=True):
        known = support[0].numpy()
        lengths = np.linalg.norm(known, axis=1) * np.linalg.norm(query)
        likeness = np.exp(10 * (known @ query) / lengths)
        votes = [likeness[labels.numpy() == c].sum() / likeness.sum() for c in range(3)]
        np.testing.assert_allclose(shares / shares.sum(), votes, rtol=1e-4)


def test_matching_survives_cosines_that_are_far_apart() -> None:
    learner = seeded(Matching, (2,))
    with torch.no_grad():
        learner.scale.fill_(500.0)  # type: ignore[operator, union-attr]
    support = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    logits = learner.logits(support, torch.tensor([0, 1]), support, 2)
    assert torch.isfinite(logits).all()
    assert logits[0].argmax(dim=1).tolist() == [0, 1]


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("cls", [Prototypical, Matching])
def test_the_chunk_changes_no_answer(cls: type[Learner], chunk: int, vectors: torch.Tensor) -> None:
    drawn, learner = draw(COUNTS, SHAPE, 0, 150, seed=2), seeded(cls, (10,))
    wanted = answering.answer(learner, vectors, drawn, SHAPE)
    np.testing.assert_array_equal(answering.answer(learner, vectors, drawn, SHAPE, chunk), wanted)


def test_a_query_is_answered_by_itself(vectors: torch.Tensor) -> None:
    for learner in (seeded(Matching, (10,), full_context=True), seeded(Prototypical, (10,))):
        labels = torch.tensor([0, 1, 2])
        whole = learner.logits(vectors[None, :3], labels, vectors[None, 3:9], 3)
        alone = learner.logits(vectors[None, :3], labels, vectors[None, 5:6], 3)
        torch.testing.assert_close(whole[:, 2:3], alone)


def test_accuracy_and_its_interval() -> None:
    shape = EpisodeShape(2, 1, 5)
    answers = np.array([[0] * 5 + [1] * 5, [0] * 5 + [0] * 5, [1] * 5 + [1] * 5])
    right = answering.correct(answers, shape)
    np.testing.assert_array_equal(right, [10, 5, 5])
    said = answering.accuracy(right, shape)
    assert said.mean == pytest.approx(2 / 3)
    assert said.half == pytest.approx(1.96 * np.std([1, 0.5, 0.5], ddof=1) / np.sqrt(3))
    assert answering.accuracy(right[:1], shape).half is None


# ------------------------------------------------------------------ the same as what is delivered


@pytest.mark.parametrize("cls", [Prototypical, Matching])
def test_fifty_episodes_are_answered_as_the_predictor_answers(
    cls: type[Learner], tmp_path: Path
) -> None:
    pictures = glyphs(12, 8)
    files = []
    for i, picture in enumerate(pictures):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(picture).save(files[-1])
    learner, shape = seeded(cls, (1, 16, 16)), EpisodeShape(4, 2, 2)
    drawn = draw(COUNTS, shape, 0, 50, seed=3)
    features = embed_all(learner, torch.from_numpy(pictures[:, None]))
    wanted = answering.answer(learner, features, drawn, shape)
    task = Task("letters", "classify", tuple(Label(str(c)) for c in range(4)))
    inputs = [Input(images=(as_image(file),)) for file in files]
    labels = np.repeat(np.arange(4), 2)
    for episode, answers in zip(drawn, wanted, strict=True):
        support = features[torch.from_numpy(episode[:, :2].ravel())].numpy()
        predictor = FromSupport(task, learner, support, labels)
        told = predictor.predict([inputs[i] for i in episode[:, 2:].ravel()])
        assert [int(p.answer) for p in told] == answers.tolist()


def test_what_is_delivered_is_saved_whole_and_takes_new_classes(tmp_path: Path) -> None:
    files = []
    for i, picture in enumerate(glyphs(4, 4)):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(picture).save(files[-1])
    inputs = [Input(images=(as_image(file),)) for file in files]
    learner = seeded(Matching, (1, 16, 16))
    features = embed_all(learner, torch.from_numpy(glyphs(4, 4)[:, None])).numpy()
    task = Task("letters", "classify", (Label("a"), Label("b"), Label("never seen")))
    predictor = FromSupport(task, learner, features[:8], np.repeat([0, 1], 4))
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", open_models())
    asked = inputs[:8]
    assert [p.answer for p in again.predict(asked)] == ["a"] * 4 + ["b"] * 4
    assert again.predict(asked) == predictor.predict(asked)
    assert predictor.predict([]) == []
    more = predictor.extend([Example(f"c{i}", inputs[i], ("c",)) for i in range(8, 12)])
    assert more.support[:8].tobytes() == predictor.support.tobytes()
    assert [p.answer for p in more.predict(inputs[8:12])] == ["c"] * 4
