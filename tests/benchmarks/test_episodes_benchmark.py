"""The benchmark of episodes without its peer: a stand-in that answers one episode at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import episodes
from nshot.data.episodes import EpisodeShape

SHAPE = EpisodeShape(5, 5, 15)


def nearest(support: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    means = torch.stack([support[labels == c].mean(dim=0) for c in range(5)])
    return torch.cdist(queries, means).argmin(dim=1)


def share(given: Tensor, drawn: NDArray[np.int64], shape: EpisodeShape) -> float:
    answers = episodes.theirs(PEER, given, drawn, shape)
    return float((answers == np.repeat(np.arange(5), 15)).mean())


PEER = episodes.Peer(nearest, share)


def test_answers_are_compared_and_all_three_timed() -> None:
    learner = episodes.learners()["prototypical"]
    result = episodes.compare(episodes.features(), PEER, learner, SHAPE, 20, 2)
    assert result.other_answers == 0
    assert result.answers == 20 * 75
    assert [len(times) for times in (result.ours, result.loop, result.alone)] == [2, 2, 2]
    text = episodes.table({("prototypical", SHAPE): result}, 20, 2)
    assert "| prototypical | 5-way 5-shot |" in text
    assert "0 of 1,500" in text


def test_another_answer_is_found() -> None:
    learner = episodes.learners()["prototypical"]
    wrong = replace(PEER, answer=lambda s, labels, q: nearest(s, labels, q).flip(0))
    result = episodes.compare(episodes.features(), wrong, learner, SHAPE, 5, 1)
    assert result.other_answers > 100


def test_an_accuracy_that_differs_ends_it() -> None:
    learner = episodes.learners()["prototypical"]
    wrong = replace(PEER, evaluate=lambda given, drawn, shape: 0.1)
    with pytest.raises(RuntimeError, match="differ"):
        episodes.compare(episodes.features(), wrong, learner, SHAPE, 5, 1)


def test_a_goal_that_is_missed_is_said() -> None:
    slow = episodes.Result(ours=[1.0], loop=[9.0], alone=[2.0], answers=10)
    assert "9.0x, missed" in episodes.row("matching", SHAPE, slow, 100)
    fast = episodes.Result(ours=[1.0], loop=[11.0], alone=[2.0], answers=10)
    assert "**11.0x** | 2.0x" in episodes.row("matching", SHAPE, fast, 100)
