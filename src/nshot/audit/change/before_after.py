"""The two models that are compared: what a subject was made of, and the subject as it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from nshot.audit.contract import Subject
from nshot.audit.estimates import Figure
from nshot.core.types import Input, Prompt
from nshot.models.base import (
    AnswerScores,
    Completion,
    Decoding,
    LanguageModel,
    ModelFacts,
    PrefixState,
)
from nshot.predictors.calibrated import bare
from nshot.predictors.pattern_vote import PatternVote
from nshot.predictors.prompted import Prompted
from nshot.predictors.rationale import Rationale
from nshot.predictors.sampled_vote import SampledVote
from nshot.prompts.rationales import asks_why
from nshot.prompts.render import render


class Pair(NamedTuple):
    """A figure of both models, over the same rows."""

    before: Figure
    after: Figure


class InPrompt(LanguageModel):
    """A model that reads a text before whatever it is asked: a prompt without its question."""

    def __init__(self, model: LanguageModel, lead: str) -> None:
        self._model, self._lead = model, lead

    @property
    def facts(self) -> ModelFacts:
        """Those of the model."""
        return self._model.facts

    def _led(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """A chat has no place for the text, and is asked as it is."""
        return [self._lead + one if isinstance(one, str) else one for one in prompts]

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt behind the text."""
        return self._model.count(self._led(prompts))

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each answer behind the text and the prompt."""
        return self._model.logprobs(self._led(prompts), answers, prefix)

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt behind the text."""
        return self._model.generate(self._led(prompts), how)


def before(subject: Subject) -> LanguageModel | None:
    """What the subject is compared with; None where it is a bare model.

    `Subject.against` where that was named; else its own base without adapter, trained weights and
    quantisation, or, of a prompt, without the prompt.
    """
    if subject.ref is None:
        return None
    if subject.against is not None:
        return subject.models.open(subject.against)
    base = replace(subject.ref, deltas=(), quant=None)
    if base == subject.ref and not lead(subject):
        return None
    return subject.models.open(base)


def after(subject: Subject) -> LanguageModel:
    """The language model as the subject uses it: behind its prompt where it is that alone.

    An adapted model is asked without the prompt: what is looked for is in its weights. Raises
    `CannotAdapt` for a subject without one.
    """
    text = lead(subject)
    return InPrompt(subject.model, text) if text else subject.model


def lead(subject: Subject) -> str:
    """The examples and the request of a prompt on an unchanged model; "" where there is none."""
    one = prompted(subject)
    if one is None or one.ref.deltas or one.format == "chat" or one.retrieval is not None:
        return ""
    blocks = str(_of_nothing(subject, one)).split("\n\n")[:-1]
    return "".join(f"{block}\n\n" for block in blocks)


def _of_nothing(subject: Subject, one: Prompted) -> Prompt:
    """The prompt of an input that says nothing; of a rationale that in which it is written."""
    around = _asking(subject)
    if isinstance(around, Rationale):
        return asks_why(one.task, one.format, around.wording, Input(), around.solutions)
    return render(one.task, one.format, Input(), one.demos)


def prompted(subject: Subject) -> Prompted | None:
    """The predictor that asks a language model, without what stands around it; None if it is of
    another kind.

    Of a rationale what reads the answer behind it, of patterns that vote the first.
    """
    one = _asking(subject)
    if isinstance(one, Rationale):
        return one.prompt
    if isinstance(one, PatternVote):
        return one.members[0]
    return one if isinstance(one, Prompted) else None


def _asking(subject: Subject) -> object:
    """The predictor without its calibration and without the vote of its samples."""
    inner = None if subject.predictor is None else bare(subject.predictor)
    return inner.inner if isinstance(inner, SampledVote) else inner
