"""`Models` whose models elsewhere are asked each thing once, and what is to be known of answers.

What a written answer depends on is in its name: the model at its address, the prompt to the byte,
and how it is decoded. What an endpoint calls itself and how long it took is kept with it, so that a
run that is taken up again reports what the first one saw.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from nshot.core.errors import EndpointRefused, Fault
from nshot.core.types import ModelRef, Prompt, digest
from nshot.models.base import Completion, Decoding, LanguageModel, Served
from nshot.models.openai.chat_completions import REFUSALS
from nshot.models.wrap.around import Around, AroundModel
from nshot.models.wrap.kept_replies import VERSION, Ask, KeptModel, Replies, paid
from nshot.models.wrap.purse import Purse


@dataclass(frozen=True)
class HeardModel(AroundModel):
    """A model whose completions are put down in `heard`."""

    heard: list[Completion]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        completions = self.model.generate(prompts, how)
        self.heard.extend(completions)
        return completions


@dataclass(frozen=True)
class KeptWriter(AroundModel):
    """A model elsewhere that is asked to write each text once, as far as the purse pays."""

    kept: Replies
    purse: Purse | None = None
    asker: str = ""

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        texts = dict(self.completions(prompts, how))
        return [texts[i] for i in range(len(prompts))]

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion | None]:
        """The text of `generate` in one piece: what is kept was written before."""
        return LanguageModel.stream(self, prompt, how)

    def completions(
        self, prompts: Sequence[Prompt], how: Decoding
    ) -> Iterator[tuple[int, Completion]]:
        """(index, completion), those that are kept first; the others are kept as they come.

        What the endpoint would not take is not kept, and asked again by the next run. Raises
        `EndpointRefused` where it took none of the prompts, or of the first `REFUSALS`.
        """
        ref = self.facts.ref
        keys = [_key(ref, prompt, how) for prompt in prompts]
        known = self.kept.texts(list(dict.fromkeys(keys)))
        yield from ((i, self._priced(known[key])) for i, key in enumerate(keys) if key in known)
        places: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            if key not in known:
                places.setdefault(key, []).append(i)
        fresh = list(places)
        missing = [prompts[places[key][0]] for key in fresh]
        guesses = self.model.count(missing)
        asks = [Ask(guess, how.max_tokens) for guess in guesses]
        refusals, seen = [], 0
        for number, completion in paid(
            self.kept, self.purse, ref.name, missing, asks,
            lambda part: self._taken(part, how, bool(known)),
        ):  # fmt: skip
            key, seen = fresh[number], seen + 1
            if completion.served is None or completion.served.taken:
                self.kept.put(key, completion, self.asker, ref.name, guesses[number])
            else:
                refusals.append(completion)
            yield from ((i, self._priced(completion)) for i in places[key])
            if not known and len(refusals) == seen and seen in (REFUSALS, len(fresh)):
                served = refusals[0].served or Served()
                raise EndpointRefused(Fault(served.refusal), of_one_prompt=True)

    def _taken(
        self, prompts: Sequence[Prompt], how: Decoding, known: bool
    ) -> Iterator[tuple[int, Completion]]:
        """As the model's; but that it takes none of a few says nothing where it takes others.

        Such are what is left when all others are kept, and the parts that a small purse pays for.
        """
        try:
            yield from self.model.completions(prompts, how)
        except EndpointRefused as error:  # before anything was yielded
            if not error.of_one_prompt or (len(prompts) >= REFUSALS and not known):
                raise
            few = REFUSALS - 1
            if len(prompts) > few:
                for start in range(0, len(prompts), few):
                    part = self._taken(prompts[start : start + few], how, known)
                    yield from ((start + i, one) for i, one in part)
                return
            served = Served(refusal=error.faults[0].found, taken=False)
            yield from ((i, Completion("", 0, 0, True, served=served)) for i in range(len(prompts)))

    def _priced(self, completion: Completion) -> Completion:
        """With what it costs; 0 without a price."""
        served = completion.served or Served()
        name, purse = self.facts.ref.name, self.purse or Purse()
        money = purse.cost(name, completion.tokens_in, completion.tokens_out, served.cached)
        return replace(completion, served=replace(served, money=money))


def _key(ref: ModelRef, prompt: Prompt, how: Decoding) -> str:
    """The name of what is asked. In ASCII: SQLite takes no lone surrogate."""
    turns = prompt if isinstance(prompt, str) else [asdict(turn) for turn in prompt]
    body = json.dumps([turns, asdict(how)], sort_keys=True, default=str)
    return digest("text", VERSION, ref.engine, ref.name, body) + digest(body)


@dataclass(frozen=True)
class KeptAnswers(Around):
    """`Models` whose models elsewhere are asked each thing once, by whatever process."""

    path: Path
    purse: Purse | None = None
    askers: list[str] = field(default_factory=lambda: [""])
    """Who asks now, last."""
    heard: list[Completion] = field(default_factory=list)
    """What was written since it was last emptied, here or elsewhere."""
    _files: list[Replies] = field(default_factory=list)

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model; one elsewhere with what it has answered."""
        model = self.models.open(ref)
        if "decide" in model.facts.can:
            return KeptModel(model, self._replies, self.purse, self.askers[-1])
        if not model.facts.local:
            model = KeptWriter(model, self._replies, self.purse, self.askers[-1])
        return HeardModel(model, self.heard)

    @property
    def _replies(self) -> Replies:
        if not self._files:
            self._files.append(Replies(self.path))
        return self._files[0]
