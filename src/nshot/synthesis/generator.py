"""A language model that is asked through a ledger: what it once answered is not asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from nshot.core.errors import EndpointRefused
from nshot.core.types import ModelRef, Prompt, digest
from nshot.models.base import Completion, Decoding, LanguageModel
from nshot.models.openai.chat_completions import Outcome, RemoteLanguageModel
from nshot.synthesis.ledger import Answer, Ledger, Used

OnProgress: TypeAlias = Callable[[int, int, str], None]
"""Hears (done, total, what)."""

LOCAL_BATCH = 16
"""Prompts that a local model is given at once: what a kill can cost."""


class Unanswered(Exception):
    """There is no model to ask, and the ledger does not have the answer."""


@dataclass
class Generator:
    """Asks `model`, which `ref` names; without one it has what the ledger has, and no more.

    `used` counts all answers that it gave, also those of the ledger. `on` hears how far `what` is.
    """

    ref: ModelRef
    model: LanguageModel | None
    ledger: Ledger
    on: OnProgress
    used: Used = field(default_factory=Used)
    what: str = ""

    def key(self, prompt: Prompt, how: Decoding) -> str:
        """The name of a request: of all that its answer depends on."""
        turns = prompt if isinstance(prompt, str) else [asdict(turn) for turn in prompt]
        settings = json.dumps(asdict(how), sort_keys=True, default=str)
        return digest(repr(self.ref), json.dumps(turns), settings)

    def begin(self, what: str, done: int, total: int) -> None:
        """What is asked for from now on, when `done` of `total` are made."""
        self.what = what
        self.on(done, total, what)

    def ask(self, prompts: Sequence[Prompt], how: Decoding) -> list[Answer]:
        """An answer to each prompt, in order; equal prompts are asked once.

        Raises `EndpointRefused` where the endpoint has refused everything so far, `EndpointFailed`
        when it does not answer, and `Unanswered`; what came before is in the ledger.
        """
        keys = [self.key(prompt, how) for prompt in prompts]
        by_key = dict(zip(keys, prompts, strict=True))
        answers: dict[str, Answer] = {
            key: answer for key in by_key if (answer := self._known(key)) is not None
        }
        answers |= self._newly({k: p for k, p in by_key.items() if k not in answers}, how)
        for key in by_key:
            if isinstance(answer := answers[key], Completion):
                self.used.add(answer)
        return [answers[key] for key in keys]

    def _known(self, key: str) -> Answer | None:
        """What the ledger has. A refusal is asked for again, where there is a model to ask."""
        answer = self.ledger.get(key)
        return None if self.model and isinstance(answer, EndpointRefused) else answer

    def _newly(self, by_key: Mapping[str, Prompt], how: Decoding) -> dict[str, Answer]:
        """The answers to prompts that are not in the ledger; there they are when this returns."""
        keys, answers = list(by_key), dict[str, Answer]()
        failure: Exception | None = None
        for index, outcome in self._outcomes(list(by_key.values()), how):
            if isinstance(outcome, Completion):
                self.ledger.put(keys[index], outcome)
                answers[keys[index]] = outcome
            elif isinstance(outcome, EndpointRefused) and outcome.of_one_prompt:
                answers[keys[index]] = outcome
            else:  # what is still under way is paid for: it is waited for
                failure = failure or outcome
            self.on(len(answers), len(keys), self.what)
        refused = {k: a for k, a in answers.items() if isinstance(a, EndpointRefused)}
        if failure is None and refused and not self.ledger.used.requests:
            failure = next(iter(refused.values()))  # whatever was asked: it is not for one prompt
        if failure is not None:
            raise failure
        for key, refusal in refused.items():
            self.ledger.put(key, refusal)
        return answers

    def _outcomes(self, prompts: Sequence[Prompt], how: Decoding) -> Iterator[tuple[int, Outcome]]:
        """(index, answer) as they come: one by one from an endpoint, in batches from here."""
        if prompts and self.model is None:
            raise Unanswered
        if isinstance(self.model, RemoteLanguageModel):
            yield from self.model.each(prompts, how)
        elif self.model is not None:
            for start in range(0, len(prompts), LOCAL_BATCH):
                answers = self.model.generate(prompts[start : start + LOCAL_BATCH], how)
                yield from enumerate(answers, start)
