"""A linear head over counted n-grams as one JSON file, answered by plain Python and numpy.

The runtime is written from the file's description, in docs/extend/export.md, and takes neither
scikit-learn nor a predictor's code: what it answers shows that the file says all there is to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json
from nshot.core.types import Input, Prediction

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved

FILE = "ngrams.json"
_WORDS = re.compile(r"\b\w\w+\b")


@dataclass(frozen=True)
class Part:
    """N-grams of one kind, from `shortest` to `longest`: of words, or of characters inside words.

    `idf` (terms,) and `weights` (terms, labels) in the order of `terms`.
    """

    cut: Literal["word", "char_wb"]
    shortest: int
    longest: int
    terms: tuple[str, ...]
    idf: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]

    def logits(self, text: str) -> NDArray[np.float64]:
        """(labels,) unit-length (1 + log count) * idf times the weights; () without a term."""
        counts = Counter(term for term in self._grams(text.lower()) if term in self._rows)
        if not counts:
            return np.zeros(())
        rows = [self._rows[term] for term in counts]
        values = (1 + np.log(list(counts.values()))) * np.array([self.idf[row] for row in rows])
        weights = np.array([self.weights[row] for row in rows])
        return np.asarray(values / np.sqrt(values @ values) @ weights)

    def _grams(self, text: str) -> Iterator[str]:
        """Runs of words of two letters or more; runs of characters of each word and its edges."""
        if self.cut == "word":
            words = _WORDS.findall(text)
            yield from (" ".join(words[a:b]) for a, b in self._spans(len(words)))
            return
        for word in text.split():
            padded = f" {word} "
            yield from (padded[a:b] for a, b in self._spans(len(padded)))

    def _spans(self, size: int) -> Iterator[tuple[int, int]]:
        for length in range(self.shortest, self.longest + 1):
            yield from ((start, start + length) for start in range(size - length + 1))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {term: row for row, term in enumerate(self.terms)}


@dataclass(frozen=True)
class Calibration:
    """Scores are divided by `temperature`; then the best label's probability goes by `knots`.

    `knots` (probability, probability instead of it), straight between them, flat beyond. The best
    label stays it: its new probability is no lower than where the next would be as high. The other
    labels keep their proportions.
    """

    temperature: float
    knots: tuple[tuple[float, float], ...] = ()

    def applied(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(labels,) log-probabilities from (labels,) scores."""
        best = int(scores.argmax())
        logprobs = log_softmax(scores / self.temperature)
        if not self.knots:
            return logprobs
        others = log_softmax(np.delete(logprobs, best))
        second = float(np.exp(others.max()))
        points, heights = zip(*self.knots, strict=True)
        step = float(np.interp(np.exp(logprobs[best]), points, heights))
        sure = max(step, second / (1 + second) * (1 + 1e-9))
        return np.insert(others + np.log1p(-sure), best, np.log(sure))


@dataclass(frozen=True)
class Head:
    """What the file holds. Scores are log softmax(sum of the parts' logits + bias), calibrated."""

    form: Literal["json-ngrams"]
    labels: tuple[str, ...]
    bias: tuple[float, ...]
    parts: tuple[Part, ...]
    calibration: tuple[Calibration, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Each term has its idf and a row of weights, each label its weight and bias."""
        sizes = [len(self.bias)] + [len(row) for part in self.parts for row in part.weights]
        return set(sizes) == {len(self.labels)} and all(
            len(part.terms) == len(part.idf) == len(part.weights) for part in self.parts
        )

    def answer(self, text: str) -> Prediction:
        """The most probable label, the first of equals; a log-probability for each."""
        logits = sum((part.logits(text) for part in self.parts), np.array(self.bias))
        scores = log_softmax(logits)
        best = int(scores.argmax())
        for step in self.calibration:
            scores = step.applied(scores)
        return Prediction(self.labels[best], tuple(scores.tolist()))


def log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities of scores."""
    shifted = scores - scores.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


class JsonNgrams:
    """The form ``json-ngrams``: what `tfidf_lr` delivers."""

    form = "json-ngrams"

    def why_not(self, saved: Saved) -> str | None:
        """Only a linear head over TF-IDF is nothing but terms and numbers."""
        from nshot.predictors.calibrated import unwrapped

        saved, _ = unwrapped(saved)
        takes = f"{self.form} takes a linear head over counted n-grams, as tfidf_lr delivers"
        if saved.kind != "label_head":
            return f"a predictor of kind {saved.kind}: {takes}"
        source = saved.settings["source"]["source"]
        return None if source == "tfidf" else f"features that need a model ({source}): {takes}"

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        """One file of JSON; numbers are written so that they are read back to the bit."""
        from nshot.predictors.calibrated import unwrapped
        from nshot.predictors.features import NGRAMS
        from nshot.predictors.folder import array

        saved, calibrations = unwrapped(saved)
        parts, weights = [], array(saved, "weights").tolist()
        for cut, (shortest, longest) in NGRAMS.items():
            terms = saved.settings["source"]["terms"][cut]
            rows, weights = weights[: len(terms)], weights[len(terms) :]
            part = {"cut": cut, "shortest": shortest, "longest": longest, "terms": terms}
            parts.append(
                {**part, "idf": array(saved, f"source.idf.{cut}").tolist(), "weights": rows}
            )
        labels, bias = saved.task.label_names, array(saved, "bias").tolist()
        body = {"form": self.form, "labels": labels, "bias": bias, "parts": parts}
        if calibrations:
            body["calibration"] = [Calibration(one.temperature, one.knots) for one in calibrations]
        write_atomic(into / FILE, dumps(body))

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        """From the file alone; `InputError` where it is missing or another."""
        path = folder / FILE
        if not path.is_file():
            do = f"nshot export DIR --to {self.form} --out FOLDER"
            raise InputError(Fault(f"no {FILE}", do=do, where=str(folder)))
        head = from_data(Head, read_json(path), where=str(path))
        if not head.is_whole:
            raise InputError(
                Fault("its lists differ in length", do="export again", where=str(path))
            )
        return [head.answer(one.text) for one in inputs]
