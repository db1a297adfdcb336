"""The predictor that marks phrases it knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.spans import Span, written
from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.folder import Saved, write


@dataclass(frozen=True)
class Phrases:
    """Marks every phrase of a list, letter by letter the same, with its label."""

    task: Task
    labels: Mapping[str, str]
    """Phrase -> label."""

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """No scores: the answers are spans."""
        texts = [input.text for input in inputs]
        return [Prediction(written(text, phrases(text, self.labels))) for text in texts]

    def save(self, folder: Path) -> None:
        """One JSON file."""
        write(folder, "phrases", self.task, {"labels": dict(self.labels)})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Phrases:
        """The predictor that `save` wrote."""
        return cls(saved.task, dict(saved.settings["labels"]))


def phrases(text: str, labels: Mapping[str, str]) -> Iterator[Span]:
    """Where phrases stand in a text, from left to right, the longest at each place.

    A phrase begins and ends where a word does; behind one whose last sign is not ASCII letters may
    follow, as Korean writes its particles.
    """
    lengths = sorted({len(phrase) for phrase in labels}, reverse=True)
    at = 0
    while at < len(text):
        pieces = (text[at : at + length] for length in lengths)
        whole = (piece for piece in pieces if piece in labels and _is_whole(text, at, piece))
        piece = next(whole, None)
        if piece is None:
            at += 1
            continue
        yield Span(at, at + len(piece), labels[piece])
        at += len(piece)


def _is_whole(text: str, at: int, piece: str) -> bool:
    end = at + len(piece)
    cut = at > 0 and _in_word(text[at - 1]) and _in_word(piece[0])
    goes_on = end < len(text) and _in_word(text[end]) and _in_word(piece[-1])
    return not cut and not (goes_on and piece[-1].isascii())


def _in_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"
