"""Relation, the baselines, Meta-Baseline and MAML in episodes: they learn, as one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphs import glyph_file, glyphs
from nshot.core.errors import CannotAdapt
from nshot.core.types import Input, Label, Task
from nshot.data.collections import Collection, Cut, load
from nshot.data.episodes import EpisodeShape, draw
from nshot.data.pictures import as_image
from nshot.methods.fewshot import learning
from nshot.methods.fewshot.baseline import Baseline
from nshot.methods.fewshot.baseline_pp import BaselinePP
from nshot.methods.fewshot.episodic import Episodic
from nshot.methods.fewshot.maml import MAML
from nshot.methods.fewshot.meta_baseline import MetaBaseline
from nshot.methods.fewshot.relation import Relation
from nshot.nets import answering
from nshot.nets.learner import Learner, embed_all
from nshot.predictors.from_support import FromSupport
from nshot.training.checkpoints import Checkpoints

SMALL: dict[str, Episodic] = {
    "relation": Relation(filters=12, way=8, queries=4, learning_rate=1e-2, steps=(80,)),
    "baseline": Baseline(filters=12, batch=64, learning_rate=1e-2, steps=(40,)),
    "baseline_pp": BaselinePP(filters=12, batch=64, learning_rate=1e-2, steps=(80,)),
    "meta_baseline": MetaBaseline(
        filters=12, batch=64, way=8, learning_rate=1e-2, episode_rate=3e-3, steps=(60, 40)
    ),
    "maml": MAML(filters=12, inner_steps=2, way=8, learning_rate=1e-2, steps=(40,)),
}
ASKED = EpisodeShape(5, 1, 5)
LETTERS = np.full(12, 8)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return load(glyph_file(tmp_path_factory.mktemp("data") / "letters.npz", 60, 45))


def share(learner: Learner, classes: Collection, episodes: int = 80) -> float:
    drawn = draw(classes.counts, ASKED, 0, episodes, 0)
    features = embed_all(learner, torch.from_numpy(classes.items))
    right = answering.correct(answering.answer(learner, features, drawn, ASKED), ASKED)
    return answering.accuracy(right, ASKED).mean


def trained(
    method: Episodic, background: Collection, checkpoints: Checkpoints | None = None
) -> tuple[Learner, learning.Trace]:
    learner = learning.fresh(method, background.shape, 0)
    return learner, learning.train(
        method, learner, background, method.steps, seed=0, checkpoints=checkpoints
    )


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_to_tell_new_letters(name: str, letters: Cut) -> None:
    method = SMALL[name]
    before = share(learning.fresh(method, letters.background.shape, 0), letters.evaluation)
    learner, trace = trained(method, letters.background)
    assert trace.parameters == sum(p.numel() for p in learner.parameters())
    assert share(learner, letters.evaluation) > before + 0.1


@pytest.mark.data
@pytest.mark.parametrize("name", SMALL)
def test_it_learns_on_omniglot(name: str, data: Path) -> None:
    cut = load(data / "omniglot" / "omniglot28.npz")
    few, new = cut.background.only(range(64)), cut.evaluation.only(range(0, 640, 16))
    method = SMALL[name]
    before = share(learning.fresh(method, few.shape, 0), new)
    assert share(trained(method, few)[0], new) > before + 0.1


@pytest.mark.parametrize("name", SMALL)
def test_episodes_are_answered_as_the_predictor_answers(name: str, tmp_path: Path) -> None:
    pictures = glyphs(12, 8)
    files = [tmp_path / f"{i}.png" for i in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        Image.fromarray(picture).save(file)
    learner, shape = learning.fresh(SMALL[name], (1, 16, 16), 0).eval(), EpisodeShape(4, 2, 2)
    drawn = draw(LETTERS, shape, 0, 8, seed=3)
    features = embed_all(learner, torch.from_numpy(pictures[:, None]))
    wanted = answering.answer(learner, features, drawn, shape)
    task = Task("letters", "classify", tuple(Label(str(c)) for c in range(4)))
    inputs = [Input(images=(as_image(file),)) for file in files]
    for episode, answers in zip(drawn, wanted, strict=True):
        support = features[torch.from_numpy(episode[:, :2].ravel())].numpy()
        predictor = FromSupport(task, learner, support, np.repeat(np.arange(4), 2))
        told = predictor.predict([inputs[i] for i in episode[:, 2:].ravel()])
        assert [int(p.answer) for p in told] == answers.tolist()


class Killed(Exception):
    """The process went."""


@pytest.mark.parametrize(("name", "steps"), [("maml", (6,)), ("baseline_pp", (6,)),
                                             ("meta_baseline", (3, 3))])  # fmt: skip
def test_a_killed_training_ends_with_the_same_bytes(
    name: str, steps: tuple[int, ...], letters: Cut, tmp_path: Path
) -> None:
    """The scale of a head that is dropped, the steps' weights: all are taken up."""
    method = SMALL[name].model_copy(update={"steps": steps})
    whole, trace = trained(method, letters.background)
    checkpoints = Checkpoints(tmp_path, every=2)

    def killed(done: int, total: int) -> None:
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        learning.train(
            method,
            learning.fresh(method, letters.background.shape, 0),
            letters.background,
            steps,
            seed=0,
            checkpoints=checkpoints,
            progress=killed,
        )
    again, resumed = trained(method, letters.background, checkpoints)
    assert resumed.resumed == 4
    assert resumed.losses == trace.losses
    for key, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key])


@pytest.mark.parametrize("name", ["baseline", "baseline_pp", "meta_baseline"])
def test_vectors_are_taken_as_they_are(name: str) -> None:
    method = SMALL[name]
    assert method.phases((20,)) == ()
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 1, 20))
    near = (centres + 0.1 * rng.normal(size=(12, 8, 20))).reshape(96, 20).astype(np.float32)
    classes = Collection(near, LETTERS, tuple(map(str, range(12))), np.arange(12))
    assert share(learning.fresh(method, (20,), 0), classes) > 0.95


@pytest.mark.parametrize("name", ["relation", "maml"])
def test_vectors_are_no_pictures(name: str) -> None:
    with pytest.raises(CannotAdapt, match="vectors were given"):
        SMALL[name].learner((6,))
