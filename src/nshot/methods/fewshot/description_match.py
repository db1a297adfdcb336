"""Pictures of classes that nobody has pictures of: the class whose description is nearest."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import Cost, Example, Input, Label, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, seconds_to_read
from nshot.models import catalog
from nshot.models.base import Floats
from nshot.models.embedded.packages import DEFAULTS
from nshot.predictors.base import Predictor
from nshot.predictors.described import Described, LinearMap, label_text
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import cosines

PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""What is tried, in units of the mean square of a direction of the pictures."""
FOLDS = 4
FEWEST = 2
"""Classes to learn from; of fewer no direction is common."""


@dataclass(frozen=True)
class Known:
    """Pictures whose classes are described.

    `pictures` (rows, width), `classes` (rows,) numbers of rows in `texts` (classes, width).
    """

    pictures: NDArray[np.float32]
    classes: NDArray[np.int64]
    texts: NDArray[np.float32]

    def of(self, classes: Sequence[int]) -> Known:
        """Only the pictures of these classes; the texts of all stay."""
        rows = np.isin(self.classes, classes)
        return Known(self.pictures[rows], self.classes[rows], self.texts)


class DescriptionMatch(OnFeatures):
    """Mark Palatucci, Dean Pomerleau, Geoffrey Hinton, Tom Mitchell. "Zero-shot Learning with
    Semantic Output Codes", NeurIPS 2009.

    https://papers.nips.cc/paper/3650-zero-shot-learning-with-semantic-output-codes - a linear map
    by ridge regression (section 4.1) takes a picture's vector to the sentence vector of its class's
    description. It is learned on other classes; a picture then takes the class whose description is
    nearest, though no picture of that class was ever seen. Here both are centred, and nearest is by
    cosine. The penalty is chosen on classes left out of those that are learned from.

    Args:
        sentence_encoder: reads the descriptions; an embedded one, a folder or a Hub id.
    """

    name: ClassVar = "description_match"
    takes: ClassVar = frozenset({"pictures"})
    trains: ClassVar = "head"
    about: ClassVar = "pictures of unseen classes, by the nearest description"

    sentence_encoder: str = DEFAULTS["encoder"]

    def why_not(self, brief: Brief) -> str | None:
        """Also where no other classes are known, or those asked for are not described."""
        if reason := super().why_not(brief):
            return reason
        if not brief.background:
            return "learns from pictures of other classes, and there are none (background)"
        if not any(label.description for label in brief.task.labels):
            return "needs a description of each label in the task file"
        return None

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Learn the map from the background and the shots, and place the labels."""
        if bench.encoder is None:
            raise CannotAdapt("needs an encoder, and none was given")
        ref = catalog.resolve(self.sentence_encoder, "encoder")
        sentences = Encoded(bench.models, ref)
        examples = [*shots.background, *shots.labelled]
        known = self._known(task, examples, sentences, bench)
        if len(np.unique(known.classes)) < FEWEST:
            raise CannotAdapt("learns from pictures of other classes, and there are none")
        linear = learned(known, penalty(known, bench.seed))
        bench.trained(linear.weights.size)
        classes = linear.of_texts(_vectors(sentences, [label_text(label) for label in task.labels]))
        return Described(task, encoder_of(bench), sentences, linear, classes)

    def _known(
        self, task: Task, examples: Sequence[Example], sentences: Encoded, bench: Workbench
    ) -> Known:
        texts = _described(task, examples)
        names = list(texts)
        return Known(
            encoded(bench, [Input(images=example.input.images) for example in examples]),
            np.array([names.index(example.label) for example in examples], dtype=np.int64),
            _vectors(sentences, list(texts.values())),
        )

    def forecast(self, brief: Brief) -> Cost:
        """The encoder looks at every picture; five maps of a second each."""
        return Cost(seconds=5.0 + seconds_to_read(brief.labelled + brief.background, brief))


def _described(task: Task, examples: Sequence[Example]) -> Mapping[str, str]:
    """The text of each class of the examples: the task's, or what stands beside its pictures."""
    ours = {label.name: label_text(label) for label in task.labels}
    texts: dict[str, str] = {}
    for example in examples:
        name = example.label
        if name not in texts or (example.input.text and name not in ours):
            beside = Label(name, example.input.text or None)
            texts[name] = ours.get(name) or label_text(beside)
    return texts


def _vectors(sentences: Encoded, texts: Sequence[str]) -> NDArray[np.float32]:
    """(texts, width)."""
    vectors: NDArray[np.float32] = sentences.read(
        [Input((("description", text),)) for text in texts]
    ).matrix
    return vectors


def learned(known: Known, penalty: float) -> LinearMap:
    """The ridge regression of the centred descriptions on the centred pictures, in closed form.

    `penalty` counts in units of the mean square of a direction: W = (X'X + p tr(X'X) / d I)^-1 X'Y.
    """
    return _maps(known, (penalty,))[0]


def penalty(known: Known, seed: int) -> float:
    """Of `PENALTIES` the one with which most pictures of classes left out are told apart.

    The first of equals; the middle where there are too few classes to leave some out.
    """
    classes = np.unique(known.classes).tolist()
    if len(classes) < 2 * FOLDS:
        return PENALTIES[len(PENALTIES) // 2]
    random.Random(f"classes:{seed}").shuffle(classes)
    right = np.zeros(len(PENALTIES))
    for out in (classes[i::FOLDS] for i in range(FOLDS)):
        rest, others = known.of([c for c in classes if c not in out]), known.of(out)
        for i, linear in enumerate(_maps(rest, PENALTIES)):
            likeness = cosines(
                linear.of_pictures(others.pictures), linear.of_texts(known.texts[out])
            )
            right[i] += (np.array(out)[likeness.argmax(axis=1)] == others.classes).sum()
    return PENALTIES[int(right.argmax())]


def _maps(known: Known, penalties: Sequence[float]) -> list[LinearMap]:
    """A map for each penalty, from one decomposition."""
    rows = known.pictures.astype(np.float64)
    mean = rows.mean(axis=0)
    centre = known.texts[np.unique(known.classes)].astype(np.float64).mean(axis=0)
    aims = known.texts[known.classes].astype(np.float64) - centre
    left, sizes, right = np.linalg.svd(rows - mean, full_matrices=False)
    unit = (sizes**2).sum() / rows.shape[1]
    inner = left.T @ aims
    return [
        LinearMap(_weights(right, sizes, inner, each * unit), mean, centre) for each in penalties
    ]


def _weights(right: Floats, sizes: Floats, inner: Floats, ridge: float) -> Floats:
    return np.asarray(right.T @ ((sizes / (sizes**2 + ridge))[:, None] * inner))
