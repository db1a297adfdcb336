"""A logistic head on the vectors of an encoder's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveFloat

from nshot.core.errors import CannotAdapt
from nshot.core.spans import spans_of
from nshot.core.types import Kind, Shots, Task, digest
from nshot.methods.contract import Workbench
from nshot.methods.features import OnFeatures, encoder_of
from nshot.methods.logistic import Design, logistic
from nshot.models.base import Layer, TokenVectors, token_reader
from nshot.predictors.base import Predictor
from nshot.predictors.tagger import Tagger
from nshot.predictors.tags import tags


class TokenHead(OnFeatures):
    """Peters et al., "To Tune or Not to Tune? Adapting Pretrained Representations", RepL4NLP 2019.

    https://arxiv.org/abs/1903.05987 - logistic regression on the vector of each token, the encoder
    left as it is: outside, the first of a span of a label, or a further one (Ramshaw and Marcus
    1995, https://aclanthology.org/W95-0107/). Of all sequences of tags the likeliest is taken in
    which every span has its first token.

    Args:
        C: inverse penalty; the vectors have unit length.
        layer: whose output is read: of half the encoder's blocks, or of all.
    """

    name: ClassVar = "token_head"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"spans"})
    takes: ClassVar = frozenset({"text"})
    trains: ClassVar = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "C": (10.0, 1.0, 100.0),
        "layer": ("middle", "last"),
    }
    about: ClassVar = "a linear head on the vectors of an encoder's tokens"

    C: PositiveFloat = 10.0
    layer: Layer = "middle"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Read the shots and fit the head; a label that no shot has is not answered."""
        if not shots.labelled:
            raise CannotAdapt("there is no row to learn from")
        names = task.label_names
        read = self._tokens([example.input.text for example in shots.labelled], bench)
        targets = np.concatenate([
            tags(spans_of(example.targets[0]), names, tokens)
            for example, tokens in zip(shots.labelled, read, strict=True)
        ])  # fmt: skip
        vectors = np.concatenate([tokens.vectors for tokens in read]).astype(np.float64)
        weights, bias = logistic(Design.of(vectors), targets, 1 + 2 * len(names), self.C)
        bench.trained(weights.size + bias.size)
        return Tagger(task, bench.models, encoder_of(bench).ref, self.layer, weights, bias)

    def _tokens(self, texts: list[str], bench: Workbench) -> list[TokenVectors]:
        ref = encoder_of(bench).ref

        def read() -> list[TokenVectors]:
            return token_reader(bench.models.encoder(ref)).tokens(texts, self.layer)

        return bench.shared(digest("tokens", repr(ref), self.layer, *texts), read)
