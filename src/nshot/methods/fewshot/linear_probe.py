"""Logistic regression on a sentence encoder's vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import PositiveFloat

from nshot.core.types import OF_LABELS, Cost, Example, Kind, Shots, Task, digest
from nshot.methods.contract import Brief, Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, one_hot, seconds_to_read
from nshot.methods.label_set_head import label_set_head
from nshot.methods.logistic import Design, logistic_of_shares
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.label_head import LabelHead


class LinearProbe(OnFeatures):
    """Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.

    https://arxiv.org/abs/1610.01644 - the encoder is left as it is and a linear classifier is
    fitted on its vectors. The few-shot baseline that meta-learners have trouble beating (Chen et
    al. 2019, https://arxiv.org/abs/1904.04232).

    Args:
        C: inverse of the L2 penalty; the vectors have unit length.
    """

    name: ClassVar = "linear_probe"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS
    trains: ClassVar = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"C": (10.0, 1.0, 100.0)}
    version: ClassVar = 2
    about: ClassVar = "logistic regression on the encoder's vectors"

    C: PositiveFloat = 10.0

    def forecast(self, brief: Brief) -> Cost:
        """The encoder reads every shot; the fit is quick."""
        fit = 1e-5 * brief.labelled * len(brief.task.labels)
        return Cost(seconds=0.05 + seconds_to_read(brief.labelled, brief) + fit)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and fit the head."""
        if task.kind == "multilabel":
            design = _encoded(shots.labelled, bench)
            return label_set_head(task, shots, bench, encoder_of(bench), design, self.C)
        return self.adapt_to_shares(task, shots.labelled, one_hot(task, shots.labelled), bench)

    def adapt_to_shares(
        self, task: Task, rows: Sequence[Example], shares: Floats, bench: Workbench
    ) -> Predictor:
        """See `nshot.methods.contract.LearnsShares`."""
        design = _encoded(rows, bench)
        weights, bias = logistic_of_shares(design, shares, self.C)
        bench.trained(weights.size + bias.size)
        return LabelHead(task, encoder_of(bench), weights, bias)


def _encoded(rows: Sequence[Example], bench: Workbench) -> Design:
    vectors = encoded(bench, [example.input for example in rows])
    return bench.shared(digest("design", vectors.tobytes()), lambda: Design.of(vectors))
