"""The model asked after the shots most like the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from nshot.core.types import Cost, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.features import encoded, encoder_of, seconds_to_read
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    Prompting,
    base_of,
    calibrated,
    how_many_fit,
    no_example_fits,
    prompted,
)
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Calibration, Likest, Retrieval


class RetrievedShots(Prompting):
    """Liu et al., "What Makes Good In-Context Examples for GPT-3?", DeeLIO 2022.

    https://arxiv.org/abs/2101.06804 - every input is asked after the `k` shots that the encoder
    finds most like it, the likest last. No prefix is shared, so a request costs k + 1 texts. Small
    models mostly copy the majority of what they are shown: the vote of the same shots is measured
    beside it.

    Args:
        k: how many examples are shown.
        order: the likest last, next to the input, or first (section 5.3 of the paper: which is
            better depends on the data, and by little).
    """

    name: ClassVar = "retrieved_shots"
    needs_encoder: ClassVar = True
    batch_rows: ClassVar = 8
    """A quarter of the other prompts': each row is read with examples of its own."""
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "format": ("plain", "instruction", "chat"),
        "calibration": ("none", "batch"),
    }
    about: ClassVar = "the language model after the k shots most like the input"

    k: PositiveInt = 4
    calibration: Calibration = "none"
    # Not written where it is the default: then the method is what it was before.
    order: Likest = Field(default="similar_last", exclude_if=lambda order: order == "similar_last")

    @property
    def called(self) -> str:
        """With its order, where that is not the default: a run may hold both."""
        own = [self.order] * (self.order != "similar_last")
        return ":".join([super().called, *own])

    def why_not(self, brief: Brief) -> str | None:
        """Also where no example fits, or there is none."""
        return super().why_not(brief) or no_example_fits(brief)

    def shown_tokens(self, brief: Brief) -> tuple[float, float]:
        """Every row has demonstrations of its own."""
        return 0.0, min(self.k, brief.labelled) * (brief.tokens + FORMAT_TOKENS)

    def forecast(self, brief: Brief) -> Cost:
        """The encoder reads every shot, and calibration some rows with their demonstrations."""
        return Cost(seconds=seconds_to_read(brief.labelled, brief)).then(super().forecast(brief))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots, see how many fit, and calibrate on unlabelled rows."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        bare = prompted(task, shots, bench, base_of(bench), self.format, self.constrained)
        # Any may be retrieved: the longest must fit.
        longest = sorted(shots.labelled, key=lambda e: -len(e.input.text))[: self.k]
        count = how_many_fit(bare, longest, shots, bench)
        shown = Retrieval(encoder_of(bench), shots.labelled, vectors, count, self.order)
        predictor = replace(bare, retrieval=shown)
        return calibrated(
            predictor, self.calibration, shots, shots.labelled, bench, self.batch_rows
        )
