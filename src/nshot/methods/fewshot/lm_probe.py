"""Logistic regression on a language model's hidden states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from nshot.core.types import Cost, Example, ModelRef, Shots, Task, digest
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import targets
from nshot.methods.logistic import Design, logistic
from nshot.methods.prompting import FORMAT_TOKENS, base_of
from nshot.models.base import Hidden
from nshot.predictors.base import Predictor
from nshot.predictors.features import HiddenStates, Pooling
from nshot.predictors.label_head import LabelHead
from nshot.prompts.render import render


class LMProbe(Method):
    """Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.

    https://arxiv.org/abs/1610.01644 - the language model reads the plain zero-shot prompt once; a
    linear classifier reads the label off its hidden states. It costs one forward pass without a
    vocabulary, and no demonstrations in the prompt.

    Args:
        depth: which block's states, as a share of the depth (1 = the last block).
        pooling: the state at the prompt's last token, or the mean over its tokens.
        C: inverse of the L2 penalty; the states are standardised.
    """

    name: ClassVar = "lm_probe"
    rung: ClassVar = "fewshot"
    needs: ClassVar = frozenset({"hidden"})
    fast: ClassVar = False
    trains: ClassVar = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "depth": (1.0, 0.67),
        "pooling": ("last", "mean"),
    }
    search_folds: ClassVar = 3
    version: ClassVar = 2
    about: ClassVar = "logistic regression on the language model's hidden states"

    depth: Annotated[float, Field(gt=0, le=1)] = 1.0
    pooling: Pooling = "last"
    C: PositiveFloat = 0.1

    def why_not(self, brief: Brief) -> str | None:
        """Also where the number of layers is not known."""
        if reason := super().why_not(brief):
            return reason
        return None if brief.layers else "the language model does not say how many layers it has"

    def forecast(self, brief: Brief) -> Cost:
        """The language model reads every shot once, for all depths and poolings."""
        tokens = int(brief.labelled * (brief.tokens + FORMAT_TOKENS))
        return Cost(seconds=0.1 + tokens / brief.rates.lm_tokens, tokens_in=tokens)

    def use_forecast(self, brief: Brief) -> Cost:
        """The language model reads every test row."""
        tokens = int(brief.test * (brief.tokens + FORMAT_TOKENS))
        return Cost(seconds=tokens / brief.rates.lm_tokens, tokens_in=tokens)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Read the shots, standardise, and fit the head."""
        base = base_of(bench)
        layer, states = self._states(task, shots.labelled, bench, base)
        mean, deviation = states.mean(axis=0), states.std(axis=0)
        # A direction that never moves on the shots says nothing of them, and must not explode.
        deviation = np.where(deviation > 1e-6, deviation, np.inf)
        numbers = targets(task, shots.labelled)
        standard = (states - mean) / deviation
        weights, bias = logistic(Design.of(standard), numbers, len(task.labels), self.C)
        bench.trained(weights.size + bias.size)
        source = HiddenStates(task, bench.models, base, layer, self.pooling)
        return LabelHead.standardised(task, source, weights, bias, mean, deviation)

    def _states(
        self, task: Task, examples: Sequence[Example], bench: Workbench, base: ModelRef
    ) -> tuple[int, NDArray[np.float64]]:
        """The block's number, and (examples, width) states; all candidates are read at once."""
        model = bench.models.open(base)
        prompts = [render(task, "plain", example.input) for example in examples]
        depths = sorted({self.depth, *self.space["depth"]})
        layers = [max(1, round(depth * model.facts.layers)) for depth in depths]

        def read() -> Hidden:
            return model.hidden(prompts, layers)

        hidden = bench.shared(digest("hidden", repr(base), repr(layers), *map(str, prompts)), read)
        index = depths.index(self.depth)
        states = hidden.last if self.pooling == "last" else hidden.mean
        return layers[index], states[:, index, :].astype(np.float64)
