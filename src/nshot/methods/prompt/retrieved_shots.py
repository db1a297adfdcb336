"""The model asked after the shots most like the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import PositiveInt

from nshot.core.errors import CannotAdapt
from nshot.core.types import Cost, Example, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.features import encoded, encoder_of
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    Prompting,
    answer_tokens,
    base_of,
    calibrated,
    fitting,
    no_example_fits,
)
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Calibration, Prompted, Retrieval


class RetrievedShots(Prompting):
    """Liu et al., "What Makes Good In-Context Examples for GPT-3?", DeeLIO 2022.

    https://arxiv.org/abs/2101.06804 - every input is asked after the `k` shots that the encoder
    finds most like it, the likest last. No prefix is shared, so a request costs k + 1 texts. Small
    models mostly copy the majority of what they are shown: the vote of the same shots is measured
    beside it.

    Args:
        k: how many examples are shown.
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

    def why_not(self, brief: Brief) -> str | None:
        """Also where no example fits, or there is none."""
        return super().why_not(brief) or no_example_fits(brief)

    def shown_tokens(self, brief: Brief) -> tuple[float, float]:
        """Every row has demonstrations of its own."""
        return 0.0, min(self.k, brief.labelled) * (brief.tokens + FORMAT_TOKENS)

    def forecast(self, brief: Brief) -> Cost:
        """The encoder reads every shot, and calibration some rows with their demonstrations."""
        reading = brief.labelled * brief.tokens / brief.rates.encoder_tokens
        return Cost(seconds=reading).then(super().forecast(brief))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots, see how many fit, and calibrate on unlabelled rows."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        shown = Retrieval(
            encoder_of(bench), shots.labelled, vectors, self._fitted(task, shots, bench)
        )
        predictor = Prompted(
            task,
            bench.models,
            base_of(bench),
            self.format,
            retrieval=shown,
            max_tokens=answer_tokens(task, shots, bench),
            constrained=self.constrained,
        )
        return calibrated(
            predictor, self.calibration, shots, shots.labelled, bench, self.batch_rows
        )

    def _fitted(self, task: Task, shots: Shots, bench: Workbench) -> int:
        """How many of the longest shots leave room for the longest input: any may be retrieved."""
        longest = sorted(shots.labelled, key=_length, reverse=True)[: self.k]
        inputs = [example.input for example in (*shots.labelled, *shots.unlabelled)]
        tokens = answer_tokens(task, shots, bench)
        bare = Prompted(task, bench.models, base_of(bench), self.format, max_tokens=tokens)
        count = len(longest)
        while count and not fitting(replace(bare, demos=tuple(longest[:count])), inputs):
            count -= 1
        if not count:
            raise CannotAdapt(
                "one example and the longest input do not fit into the model's context"
            )
        if count < len(longest):
            bench.note(f"{count} examples shown instead of {self.k}: the context holds no more")
        return count


def _length(example: Example) -> int:
    return len(example.input.text)
