"""Episodes a second beside easyfsl's, on the same episodes with the same features, and its answers.

    make bench, or: .bench/venv/bin/python benchmarks/episodes.py [--episodes 2000] [--repeats 5]
                    [--write]

The peer is easyfsl 1.5's PrototypicalNetworks and MatchingNetworks. Its features are given, as ours
are, and of unit length: easyfsl's matching does not normalise its queries, so that only then both
softmaxes are the same (our learned number is 1 here). Its full-context embeddings are left out by
replacing both of its encoders by the identity, which is its fastest form. First every prediction is
compared; then both answer the same episodes in turn. Timed is the answering with the gathering of
the features, not the drawing of the episodes, which the peer does by one Python loop an episode.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

import peers
from nshot.core import machine
from nshot.data.episodes import EpisodeShape, draw
from nshot.nets import answering
from nshot.nets.learner import Learner, embed_all
from nshot.nets.matching import Matching
from nshot.nets.prototypical import Prototypical
from table import line, write

CLASSES, EACH, WIDTH, GOAL = 100, 60, 384, 10.0
SHAPES = (EpisodeShape(5, 1, 15), EpisodeShape(5, 5, 15))


@dataclass(frozen=True)
class Peer:
    """easyfsl's method: asked for one episode's answers, or run over all by its own loop."""

    answer: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(support, labels, queries) -> the class of each query."""
    evaluate: Callable[[Tensor, NDArray[np.int64], EpisodeShape], float]
    """(features, drawn, shape) -> share of the queries that get their class."""


@dataclass
class Result:
    """One method on one shape: seconds of each repeat, and how many answers are not the peer's."""

    ours: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    other_answers: int = 0
    answers: int = 0


def features() -> Tensor:
    """(6000, 384) of unit length: 100 centres with noise around them."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, 1, WIDTH))
    items = centres + 3 * rng.normal(size=(CLASSES, EACH, WIDTH))
    unit = items / np.linalg.norm(items, axis=2, keepdims=True)
    return torch.from_numpy(unit.reshape(-1, WIDTH)).float()


def learners() -> dict[str, Learner]:
    """Ours, on vectors, with cosines as they are."""
    matching = Matching((WIDTH,))
    with torch.no_grad():
        matching.scale.fill_(1.0)
    return {"prototypical": Prototypical((WIDTH,)).eval(), "matching": matching.eval()}


def easyfsl_methods() -> Mapping[str, Peer]:
    """easyfsl's methods."""
    package = peers.easyfsl()

    class PlainMatching(package.MatchingNetworks):  # type: ignore[misc, name-defined]
        def encode_support_features(self, support_features: Tensor) -> Tensor:
            return support_features

        def encode_query_features(self, query_features: Tensor) -> Tensor:
            return query_features

    models = {
        "prototypical": package.PrototypicalNetworks(),
        "matching": PlainMatching(feature_dimension=WIDTH),
    }
    return {
        name: Peer(_alone(model.eval()), _looped(model, package)) for name, model in models.items()
    }


def _alone(model: Any) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    @torch.no_grad()
    def answer(support: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
        model.process_support_set(support, labels)
        classes: Tensor = model(queries).argmax(dim=1)
        return classes

    return answer


def _looped(model: Any, package: Any) -> Callable[[Tensor, NDArray[np.int64], EpisodeShape], float]:
    class Drawn(package.TaskSampler):  # type: ignore[misc, name-defined]
        """Yields the episodes that were drawn."""

        def __init__(self, drawn: NDArray[np.int64], shape: EpisodeShape) -> None:
            self.n_way, self.n_shot, self.n_query = shape.way, shape.shot, shape.queries
            self.n_tasks, self.drawn = len(drawn), drawn

        def __iter__(self) -> Iterator[list[int]]:
            return (episode.ravel().tolist() for episode in self.drawn)

    def run(given: Tensor, drawn: NDArray[np.int64], shape: EpisodeShape) -> float:
        labels = np.repeat(np.arange(CLASSES), EACH).tolist()
        dataset = package.FeaturesDataset(labels, given, [str(c) for c in range(CLASSES)])
        sampler = Drawn(drawn, shape)
        loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=sampler.episodic_collate_fn)
        return float(package.evaluate(model, loader, device="cpu", use_tqdm=False))

    return run


def theirs(
    peer: Peer, given: Tensor, drawn: NDArray[np.int64], shape: EpisodeShape
) -> NDArray[np.int64]:
    """The peer's answers, episode by episode: (episodes, way * queries)."""
    rows = torch.from_numpy(drawn)
    labels = torch.arange(shape.way).repeat_interleave(shape.shot)
    answers = [
        peer.answer(given[episode[:, : shape.shot].reshape(-1)], labels,
             given[episode[:, shape.shot :].reshape(-1)])
        for episode in rows
    ]  # fmt: skip
    return torch.stack(answers).numpy()


def compare(
    given: Tensor, peer: Peer, learner: Learner, shape: EpisodeShape, episodes: int, repeats: int
) -> Result:
    """Both on the same episodes: answers first, then time, in turn."""
    drawn = draw(np.full(CLASSES, EACH), shape, 0, episodes, 0)
    wanted = theirs(peer, given, drawn, shape)
    got = answering.answer(learner, given, drawn, shape)
    said = answering.accuracy(answering.correct(got, shape), shape).mean
    if abs(peer.evaluate(given, drawn, shape) - said) > 1 / wanted.size:
        raise RuntimeError("the two accuracies differ")
    result = Result(other_answers=int((wanted != got).sum()), answers=wanted.size)
    for _ in range(repeats):
        result.loop.append(_seconds(lambda: peer.evaluate(given, drawn, shape)))
        result.alone.append(_seconds(lambda: theirs(peer, given, drawn, shape)))
        result.ours.append(
            _seconds(lambda: answering.answer(learner, embed_all(learner, given), drawn, shape))
        )
    return result


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(
    all_peers: Mapping[str, Peer], episodes: int, repeats: int
) -> dict[tuple[str, EpisodeShape], Result]:
    """Every method on every shape."""
    given, found = features(), {}
    for name, learner in learners().items():
        for shape in SHAPES:
            result = compare(given, all_peers[name], learner, shape, episodes, repeats)
            found[name, shape] = result
            print(name, shape.name, row(name, shape, result, episodes), flush=True)
    return found


def row(name: str, shape: EpisodeShape, result: Result, episodes: int) -> str:
    """One line of the table."""
    loop, alone, ours = map(statistics.median, (result.loop, result.alone, result.ours))
    ratio = loop / ours
    said = f"**{ratio:.1f}x**" if ratio >= GOAL else f"{ratio:.1f}x, missed"
    speeds = [f"{episodes / seconds:,.0f}" for seconds in (loop, alone, ours)]
    differ = f"{result.other_answers} of {result.answers:,}"
    return line(name, shape.name, *speeds, said, f"{alone / ours:.1f}x", differ)


def table(found: Mapping[tuple[str, EpisodeShape], Result], episodes: int, repeats: int) -> str:
    """All of it, as Markdown."""
    heads = line("method", "episode", "easyfsl, episodes a second", "its method alone", "nshot",
                 "ratio (goal 10x)", "to the method alone", "answers that differ")  # fmt: skip
    rows = [row(name, shape, result, episodes) for (name, shape), result in found.items()]
    about = (
        f"{CLASSES} classes of {EACH} vectors of {WIDTH} numbers, 15 queries a class, {episodes:,}"
        f" episodes; medians of {repeats}, in turn; float32 on {machine.device()},"
        f" {torch.get_num_threads()} thread(s); easyfsl 1.5, torch {torch.__version__}."
    )
    return "\n".join([heads, "|--|--|--:|--:|--:|--:|--:|--:|", *rows, "", about])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    asked = parser.parse_args()
    torch.set_num_threads(machine.threads())
    text = table(
        measure(easyfsl_methods(), asked.episodes, asked.repeats), asked.episodes, asked.repeats
    )
    print(text)
    if asked.write:
        write("episodes.py", text)
