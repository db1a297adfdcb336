"""The label whose name or description is most like the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nshot.core.types import Cost, Input, Label, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import encoder_of
from nshot.predictors.base import Predictor
from nshot.predictors.nearest import Nearest, unit


class LabelSimilarity(Method):
    """Chang, Ratinov, Roth and Srikumar, "Importance of Semantic Representation", 2008.

    https://aaai.org/papers/00830-importance-of-semantic-representation-dataless-classification/ -
    "dataless classification": the label's own words are its only example; the encoder's cosine
    between them and the text decides. Works where labels say what they mean.

    Args:
        template: what stands for a label: its words and description, its words alone, or its words
            after the name of the answer (``Intent: card arrival``).
    """

    name: ClassVar = "label_similarity"
    rung: ClassVar = "fewshot"
    needs_encoder: ClassVar = True
    learns: ClassVar = False
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"template": ("described", "words", "named")}
    about: ClassVar = "zero-shot: the encoder's cosine with label names and descriptions"

    template: Literal["described", "words", "named"] = "described"

    def use_forecast(self, brief: Brief) -> Cost:
        """The encoder reads every test row."""
        return Cost(seconds=brief.test * brief.tokens / brief.rates.encoder_tokens)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the labels; the shots are not looked at."""
        source = encoder_of(bench)
        texts = [self._text(task, label) for label in task.labels]
        inputs = [Input(fields=(("label", text),)) for text in texts]
        return Nearest(task, source, unit(source.read(inputs).matrix))

    def _text(self, task: Task, label: Label) -> str:
        if self.template == "named":
            return f"{task.answer_name}: {label.words}"
        if self.template == "described" and label.description:
            return f"{label.words}: {label.description}"
        return label.words
