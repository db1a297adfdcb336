"""TF-IDF of word and character n-grams, and logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import PositiveFloat

from nshot.core.types import OF_LABELS, Cost, Example, Kind, Shots, Task, digest
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import one_hot
from nshot.methods.label_set_head import label_set_head
from nshot.methods.logistic import Design, logistic_of_shares
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.features import TfIdf
from nshot.predictors.label_head import LabelHead


class TfIdfLR(Method):
    """Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988.

    https://doi.org/10.1016/0306-4573(88)90021-0 - a text is the bag of its words, pairs of words
    and runs of 2 to 4 characters inside words, rare ones counting more; a linear model weighs
    them. The runs of characters carry languages whose words change their endings (Korean).

    Args:
        C: inverse of the L2 penalty of the logistic regression.
    """

    name: ClassVar = "tfidf_lr"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS
    trains: ClassVar = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"C": (10.0, 1.0, 100.0)}
    version: ClassVar = 2
    about: ClassVar = "word and character n-grams with logistic regression; no model"

    C: PositiveFloat = 10.0

    def forecast(self, brief: Brief) -> Cost:
        """Some milliseconds a row and label."""
        return Cost(seconds=0.05 + 2e-4 * brief.labelled * len(brief.task.labels))

    def use_forecast(self, brief: Brief) -> Cost:
        """A third of a millisecond a row."""
        return Cost(seconds=0.01 + 3e-4 * brief.test)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Count the n-grams of the labelled texts and fit the head."""
        if task.kind == "multilabel":
            source, design = _counted(shots.labelled, bench)
            return label_set_head(task, shots, bench, source, design, self.C)
        return self.adapt_to_shares(task, shots.labelled, one_hot(task, shots.labelled), bench)

    def adapt_to_shares(
        self, task: Task, rows: Sequence[Example], shares: Floats, bench: Workbench
    ) -> Predictor:
        """See `nshot.methods.contract.LearnsShares`."""
        source, design = _counted(rows, bench)
        weights, bias = logistic_of_shares(design, shares, self.C)
        bench.trained(weights.size + bias.size)
        return LabelHead(task, source, weights, bias)


def _counted(rows: Sequence[Example], bench: Workbench) -> tuple[TfIdf, Design]:
    texts = [example.input.text for example in rows]

    def count() -> tuple[TfIdf, Design]:
        source, matrix = TfIdf.fit_and_read(texts)
        return source, Design.of(matrix)

    return bench.shared(digest("tfidf", *texts), count)
