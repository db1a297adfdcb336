"""Pictures by the texts that describe their classes: a linear map between two frozen encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors.features import Encoded
from nshot.predictors.folder import Saved, array, ref_from_json, ref_to_json, write
from nshot.predictors.nearest import TEMPERATURE, cosines, unit
from nshot.predictors.scores import classified, log_softmax


def label_text(label: Label) -> str:
    """What stands for a class: its words, and its description where it has one."""
    return f"{label.words}: {label.description}" if label.description else label.words


@dataclass(frozen=True)
class LinearMap:
    """z = (x - `mean`) @ `weights`: picture vectors to what texts differ in from `centre`.

    `weights` (width of pictures, width of texts), `mean` (width of pictures,), `centre` (width of
    texts,), the mean of the descriptions that it was learned from.
    """

    weights: Floats
    mean: Floats
    centre: Floats

    def of_pictures(self, vectors: NDArray[np.floating]) -> Floats:
        """Picture vectors (rows, width), as what texts differ in."""
        return np.asarray((vectors.astype(np.float64) - self.mean) @ self.weights)

    def of_texts(self, vectors: NDArray[np.floating]) -> Floats:
        """Text vectors (rows, width), as what they differ in."""
        return np.asarray(vectors.astype(np.float64) - self.centre)


@dataclass(frozen=True)
class Described:
    """The class whose description is nearest to where the map puts the picture, by cosine.

    `pictures` and `texts` are the two encoders, `classes` (labels, width of texts) the mapped
    descriptions.
    """

    task: Task
    pictures: Encoded
    texts: Encoded
    map: LinearMap
    classes: Floats

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are log softmax(cosine / `TEMPERATURE`)."""
        if not inputs:
            return []
        likeness = cosines(self._seen(inputs), self.classes)
        return classified(self.task, log_softmax(likeness / TEMPERATURE), [0] * len(inputs))

    def extend(self, examples: Sequence[Example]) -> Described:
        """Also knows the examples' labels, from a text or from pictures of each.

        The text of an example is its class's description. Without one the class is the mean of
        where its pictures are put. What was known of the other classes stays the same bytes.
        """
        names = list(dict.fromkeys(example.label for example in examples))
        if known := sorted(set(names) & set(self.task.label_names)):
            raise InputError(Fault(f"label '{known[0]}' is known already", "new labels only"))
        members = [[e.input for e in examples if e.label == name] for name in names]
        labels = [
            Label(name, next((one.text for one in inputs if one.text), None))
            for name, inputs in zip(names, members, strict=True)
        ]
        fresh = [self._placed(label, own) for label, own in zip(labels, members, strict=True)]
        task = replace(self.task, labels=(*self.task.labels, *labels))
        return replace(self, task=task, classes=np.concatenate([self.classes, np.stack(fresh)]))

    def _placed(self, label: Label, inputs: Sequence[Input]) -> Floats:
        if label.description:
            query = Input((("description", label_text(label)),))
            return np.asarray(self.map.of_texts(self.texts.read([query]).matrix)[0])
        rows = self._seen(inputs)
        return np.asarray(unit(rows).mean(axis=0))

    def _seen(self, inputs: Sequence[Input]) -> Floats:
        if not all(input.images for input in inputs):
            raise InputError(Fault("an input without a picture", "a picture in each"))
        return self.map.of_pictures(self.pictures.read(inputs).matrix)

    def save(self, folder: Path) -> None:
        """The map and the classes as safetensors, the rest as JSON."""
        settings = {
            "pictures": ref_to_json(self.pictures.ref, folder),
            "texts": ref_to_json(self.texts.ref, folder),
        }
        arrays = {**vars(self.map), "classes": self.classes}
        write(folder, "described", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Described:
        """The predictor that `save` wrote."""
        pictures, texts = (
            Encoded(models, ref_from_json(saved.settings[part], saved.folder))
            for part in ("pictures", "texts")
        )
        map = LinearMap(*(array(saved, name) for name in ("weights", "mean", "centre")))
        return cls(saved.task, pictures, texts, map, array(saved, "classes"))
