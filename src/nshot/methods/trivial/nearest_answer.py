"""The answer of the most similar labelled example."""

from __future__ import annotations

from typing import ClassVar

from nshot.core.types import Cost, Kind, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import encoded, encoder_of
from nshot.predictors.base import Predictor
from nshot.predictors.features import TfIdf
from nshot.predictors.nearest import NearestAnswer as Copied


class NearestAnswer(Method):
    """Copies the answer of the shot most like the input, by the encoder's cosine.

    Cover and Hart, "Nearest Neighbor Pattern Classification", 1967,
    https://doi.org/10.1109/TIT.1967.1053964, with one neighbour and a text for a label: the score
    of having seen something like it. Without an encoder likeness is that of counted words and
    characters (`TfIdf`). Of several references the first is copied.
    """

    name: ClassVar = "nearest_answer"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generate"})
    needs_encoder: ClassVar = True
    about: ClassVar = "the answer of the most similar shot, copied"

    def why_not(self, brief: Brief) -> str | None:
        """It can do without an encoder, but not without an example."""
        if brief.task.kind not in self.kinds:
            return super().why_not(brief)
        return None if brief.labelled else "needs at least one labelled example"

    def forecast(self, brief: Brief) -> Cost:
        """The encoder reads every shot."""
        return Cost(seconds=0.05 + _reading(brief, brief.labelled))

    def use_forecast(self, brief: Brief) -> Cost:
        """The encoder reads every test row."""
        return Cost(seconds=0.01 + _reading(brief, brief.test))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and keep them with their answers."""
        inputs = tuple(example.input for example in shots.labelled)
        answers = tuple(example.targets[0] for example in shots.labelled)
        if bench.encoder is not None:
            return Copied(task, encoder_of(bench), inputs, answers, encoded(bench, inputs))
        bench.note("no encoder: likeness is that of counted words and characters")
        terms = TfIdf.fit([input.text for input in inputs])
        return Copied(task, terms, inputs, answers, terms.read(inputs).matrix)


def _reading(brief: Brief, rows: int) -> float:
    """Seconds; terms are counted in a third of a millisecond a row."""
    one = 3e-4 if brief.encoder is None else brief.tokens / brief.rates.encoder_tokens
    return rows * one
