"""A language model that is asked through a ledger: what it once answered is not asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from nshot.board.events import Finished, Progress, Subscriber
from nshot.core.errors import EndpointRefused
from nshot.core.types import Prompt, digest
from nshot.models.base import Completion, Decoding, LanguageModel
from nshot.models.openai.chat_completions import Outcome, RemoteLanguageModel
from nshot.synthesis.ledger import Ledger

Heard: TypeAlias = Completion | EndpointRefused
"""An answer, or why the endpoint will not answer this prompt."""

LOCAL_BATCH = 16
"""Prompts that a local model is given at once: what a kill can cost."""


@dataclass(frozen=True)
class Prices:
    """Money for a million tokens read and written."""

    million_in: float = 0.0
    million_out: float = 0.0

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.million_in + tokens_out * self.million_out) / 1e6


FREE = Prices()


@dataclass
class Used:
    """What was used: requests and their tokens, whoever paid for them and when."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, answer: Completion) -> None:
        """One more."""
        self.requests += 1
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out


@dataclass
class Generator:
    """Asks `model`; `used` counts all answers, `fresh` those that were not in the ledger."""

    model: LanguageModel
    ledger: Ledger
    on: Subscriber
    used: Used = field(default_factory=Used)
    fresh: Used = field(default_factory=Used)

    def key(self, prompt: Prompt, how: Decoding) -> str:
        """The name of a request: of all that its answer depends on."""
        turns = prompt if isinstance(prompt, str) else [asdict(turn) for turn in prompt]
        settings = json.dumps(asdict(how), sort_keys=True, default=str)
        return digest(repr(self.model.facts.ref), json.dumps(turns), settings)

    def ask(self, prompts: Sequence[Prompt], how: Decoding, what: str) -> list[Heard]:
        """An answer to each prompt, in order; equal prompts are asked once.

        Raises `EndpointRefused` where the endpoint has refused everything so far, `EndpointFailed`
        when it does not answer; what came before is in the ledger.
        """
        keys = [self.key(prompt, how) for prompt in prompts]
        by_key = dict(zip(keys, prompts, strict=True))
        heard: dict[str, Heard] = {k: a for k in by_key if (a := self.ledger.get(k)) is not None}
        heard |= self._newly({k: p for k, p in by_key.items() if k not in heard}, how, what)
        for key in by_key:
            if isinstance(answer := heard[key], Completion):
                self.used.add(answer)
        return [heard[key] for key in keys]

    def _newly(self, by_key: Mapping[str, Prompt], how: Decoding, what: str) -> dict[str, Heard]:
        """The answers to prompts that are not in the ledger; there they are when this returns."""
        keys, heard = list(by_key), dict[str, Heard]()
        failure: Exception | None = None
        for index, outcome in self._answers(list(by_key.values()), how):
            if isinstance(outcome, Completion):
                self.ledger.put(keys[index], outcome)
                self.fresh.add(outcome)
                heard[keys[index]] = outcome
            elif isinstance(outcome, EndpointRefused) and outcome.of_one_prompt:
                heard[keys[index]] = outcome
            else:  # what is still under way is paid for: it is waited for
                failure = failure or outcome
            self.on(Progress(what, len(heard), len(keys), what))
        self.on(Finished(what, ""))
        refused = [answer for answer in heard.values() if isinstance(answer, EndpointRefused)]
        if failure is None and refused and not len(self.ledger):
            failure = refused[0]  # whatever was asked was refused: it is not for one prompt
        if failure is not None:
            raise failure
        return heard

    def _answers(self, prompts: Sequence[Prompt], how: Decoding) -> Iterator[tuple[int, Outcome]]:
        """(index, answer) as they come: one by one from an endpoint, in batches from here."""
        if isinstance(self.model, RemoteLanguageModel):
            yield from self.model.each(prompts, how)
            return
        for start in range(0, len(prompts), LOCAL_BATCH):
            answers = self.model.generate(prompts[start : start + LOCAL_BATCH], how)
            yield from enumerate(answers, start)
