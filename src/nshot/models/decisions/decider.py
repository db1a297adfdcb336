"""A model behind an address that answers typed questions, whatever format it speaks."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nshot.core.errors import CannotAdapt, EndpointRefused
from nshot.core.types import ModelRef, Prompt
from nshot.models.base import (
    AnswerScores,
    LanguageModel,
    ModelFacts,
    Models,
    PrefixState,
    Question,
    Reply,
    TypedRequest,
)
from nshot.models.openai.endpoint import USUAL, Limits, check, limits, model_and_address
from nshot.models.openai.service import Passing, Service, counted, guess

if TYPE_CHECKING:
    import httpx2

CONTEXT = 8192
"""Tokens of a text and its questions: endpoints do not tell, and refuse what is longer."""
SUM_MAY_MISS = 0.05
"""By how much probabilities may miss a sum of one; they are then scaled to it."""
LEAST = 1e-9
"""A probability of nothing, so that its logarithm is a number."""
_TOO_LONG = 413
_SCORED = "Which of these follows the text?"


class Refused(Exception):
    """The model will not answer a question; in its words."""


class Format(Protocol):
    """How requests and answers are written: one a service.

    `path` follows the address; `keys` name the variables of the environment that may hold a key.
    """

    path: str
    keys: Sequence[str]

    def body(self, model: str, request: TypedRequest) -> dict[str, Any]:
        """The request as JSON."""
        ...

    def answers(self, body: Mapping[str, Any], request: TypedRequest) -> Sequence[Any]:
        """Of each question its answer in the response."""
        ...

    def probabilities(self, answer: Any, question: Question) -> Mapping[str, Any]:
        """The probability of each option by its name. Raises `Refused`."""
        ...


class Decider(LanguageModel):
    """A model that answers typed questions, asked as it is `allowed`."""

    def __init__(
        self,
        ref: ModelRef,
        format: Format,
        allowed: Limits = USUAL,
    ) -> None:
        self._ref, self._format = ref, format
        self._model, url = model_and_address(ref)
        self._service = Service(url, allowed, keys=format.keys)

    @property
    def facts(self) -> ModelFacts:
        """It decides, and so knows how probable given answers are. `CONTEXT` is assumed."""
        return ModelFacts(self._ref, frozenset({"decide", "score"}), CONTEXT, local=False)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt, guessed at four bytes each: the tokenizer is elsewhere."""
        return [guess(_text(prompt)) + 4 for prompt in prompts]

    def replies(
        self, requests: Sequence[TypedRequest], again: int = 0
    ) -> Iterator[tuple[int, Reply]]:
        """(index, reply) as they come.

        Raises `EndpointRefused` for what the service will not answer, `EndpointFailed` when it
        still does not answer at the last attempt. A text that is too long for it is a refusal.
        """
        asks = [partial(self._ask, request) for request in requests]
        for index, outcome in self._service.each(asks):
            if isinstance(outcome, Exception):
                raise outcome
            yield index, outcome

    def _ask(self, request: TypedRequest, given_up: threading.Event) -> Reply:
        body = self._format.body(self._model, request)
        read = partial(self._reply, request=request)
        try:
            return self._service.post(self._format.path, body, read, given_up)
        except EndpointRefused as error:
            if error.status != _TOO_LONG:
                raise
            return Reply(((),) * len(request.questions), refusal=error.faults[0].found)

    def _reply(self, response: httpx2.Response, request: TypedRequest) -> Reply:
        """What a response says; what is no answer raises `Passing`."""
        try:
            body = response.json()
            answers = self._format.answers(body, request)
            if len(answers) != len(request.questions):
                raise ValueError(f"{len(answers)} answers to {len(request.questions)} questions")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            shown = " ".join(response.text[:200].split())
            raise Passing(f"no answers to typed questions ({error}): {shown!r}") from None
        rows, refusals = [], []
        for answer, question in zip(answers, request.questions, strict=True):
            try:
                rows.append(self._probabilities(answer, question))
            except Refused as error:
                rows.append(())
                refusals.append(str(error))
        usage = body.get("usage")
        used = usage if isinstance(usage, dict) else {}
        return Reply(
            tuple(rows),
            counted(used.get("input_tokens"), guess(request.text)),
            counted(used.get("output_tokens"), 0),
            response.elapsed.total_seconds(),
            self._service.without_key("; ".join(dict.fromkeys(refusals))),
        )

    def _probabilities(self, answer: Any, question: Question) -> tuple[float, ...]:
        """Those of the question's options, in their order; `Passing` for what are none."""
        try:
            given = self._format.probabilities(answer, question)
        except (LookupError, TypeError, AttributeError, ValueError):
            raise Passing(f"an answer without probabilities: {str(answer)[:200]}") from None
        names = [name for name, _ in question.options]
        if strange := sorted(set(given) - set(names)):
            raise Passing(f"an answer outside the options: '{strange[0]}'")
        values = [given.get(name, 0.0) for name in names]
        if not all(_is_probability(value) for value in values):
            raise Passing(f"probabilities that are no numbers from 0 to 1: {values[:4]}")
        total = math.fsum(values)
        if abs(total - 1) > SUM_MAY_MISS:
            raise Passing(f"probabilities that sum to {total:.3g}")
        return tuple(value / total for value in values)

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-probability of each of a prompt's answers among them, asked as a choice.

        One answer alone has the probability 1, and is not asked about.
        """
        if prefix is not None:
            raise CannotAdapt(f"{self._model} is behind an endpoint, which takes no prefix")
        choices = [tuple((answer, "") for answer in given) for given in answers]
        several = [i for i, options in enumerate(choices) if len(options) > 1]
        requests = [
            TypedRequest(_text(prompts[i]), (Question("choice", _SCORED, choices[i]),))
            for i in several
        ]
        replies = dict(zip(several, self.decide(requests), strict=True))
        return [
            _scores(replies[i], len(options))
            if i in replies
            else AnswerScores(np.zeros(len(options)), self.count([prompts[i]])[0])
            for i, options in enumerate(choices)
        ]


class Deciders(Models):
    """`Models` over addresses that speak one format."""

    def __init__(self, format: Format) -> None:
        self._format = format
        self._models: dict[ModelRef, Decider] = {}
        self._opening = threading.Lock()

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model behind an address; the first opening asks whether it is there."""
        if ref.deltas or ref.quant:
            raise CannotAdapt("an endpoint's model cannot be changed from here")
        with self._opening:
            if ref not in self._models:
                check(ref, self._format.keys)
                self._models[ref] = Decider(ref, self._format, limits())
            return self._models[ref]


def _scores(reply: Reply, count: int) -> AnswerScores:
    (row,) = reply.probabilities
    values = np.maximum(np.array(row or [1 / count] * count), LEAST)
    return AnswerScores(np.log(values / values.sum()), reply.tokens_in)


def _is_probability(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and -1e-9 <= value <= 1 + SUM_MAY_MISS


def _text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(turn.text for turn in prompt)
