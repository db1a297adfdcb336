"""The model asked without any example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nshot.core.types import OF_LABELS, WRITTEN, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.label_sets import by_questions
from nshot.methods.prompting import Prompting, base_of, calibrated, prompted
from nshot.predictors.base import Predictor
from nshot.predictors.ranker import Ranker


class ZeroShot(Prompting):
    """Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.

    https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
    - the label whose words the model finds likeliest after the text, or whatever it writes there.
    Given answers (kind rank) are compared by their log-likelihood. Where several labels may apply
    it is asked about each, yes or no.
    """

    name: ClassVar = "zero_shot"
    learns_labels: ClassVar = False
    kinds: ClassVar = OF_LABELS | WRITTEN | {"rank"}
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "format": ("plain", "instruction", "chat"),
        "calibration": ("batch", "content_free", "none"),
    }
    about: ClassVar = "the language model asked without examples"

    def why_not(self, brief: Brief) -> str | None:
        """Also where answers must be compared and the model cannot score."""
        if brief.task.kind == "rank" and "score" not in brief.abilities:
            return "the language model cannot score the given answers"
        return super().why_not(brief)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Calibrate on unlabelled rows."""
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        base = base_of(bench)
        if task.kind == "rank":
            return Ranker(task, bench.models, base, self.format)
        predictor = prompted(task, shots, bench, base, self.format, self.constrained)
        return calibrated(predictor, self.calibration, shots, (), bench)
