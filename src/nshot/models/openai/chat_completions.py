"""A model behind an endpoint that speaks OpenAI's chat completions: it can only write."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from nshot.core.errors import CannotAdapt, EndpointFailed, EndpointRefused
from nshot.core.types import ModelRef, Prompt, Role, Turn
from nshot.models.base import (
    Completion,
    Decoding,
    LanguageModel,
    ModelFacts,
    Served,
    settled,
    stop_at,
)
from nshot.models.openai.endpoint import USUAL, Limits, model_and_address
from nshot.models.openai.service import Passing, Service, counted, guess, is_count

if TYPE_CHECKING:
    import httpx2

Outcome: TypeAlias = Completion | Exception

CONTEXT = 8192
"""Tokens of a prompt and its answer: endpoints do not tell, and refuse what is longer."""
REFUSALS = 8
"""Prompts that may be refused, and none answered, before it is taken for more than the prompts."""
STOPS = 4
"""Stop strings that a request may hold; the text is cut at all of them when it is here."""
PATH = "chat/completions"
"""Behind the address."""
_COUNTED = ("prompt", "completion")


class RemoteLanguageModel(LanguageModel):
    """A model behind an endpoint. `tell` hears why it waits."""

    def __init__(
        self, ref: ModelRef, limits: Limits = USUAL, tell: Callable[[str], None] | None = None
    ) -> None:
        self._ref = ref
        self._model, url = model_and_address(ref)
        self._service = Service(url, limits) if tell is None else Service(url, limits, tell)

    @property
    def facts(self) -> ModelFacts:
        """It writes; chat completions score nothing. `CONTEXT` is assumed, the rest unknown."""
        return ModelFacts(self._ref, frozenset({"generate"}), CONTEXT, local=False)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt, guessed at four bytes each: the tokenizer is elsewhere."""
        return [sum(guess(m["content"]) + 4 for m in _messages(prompt)) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """An answer to each prompt; raises as `completions` does."""
        texts = dict(self.completions(prompts, how))
        return [texts[i] for i in range(len(prompts))]

    def completions(
        self, prompts: Sequence[Prompt], how: Decoding
    ) -> Iterator[tuple[int, Completion]]:
        """(index, completion) as they come; of a prompt that it will not take an empty one.

        Raises `EndpointRefused` where it takes none of the first `REFUSALS`, or of all, and for a
        key or a model that it does not know; `EndpointFailed` when it still does not answer at the
        last attempt.
        """
        refusals: dict[int, EndpointRefused] = {}
        answered = False
        for index, outcome in self.each(prompts, how):
            if isinstance(outcome, Completion):
                answered = True
                yield index, outcome
                continue
            if not (isinstance(outcome, EndpointRefused) and outcome.of_one_prompt):
                raise outcome
            refusals[index] = outcome
            if not answered and len(refusals) >= min(REFUSALS, len(prompts)):
                raise outcome
        for index, refusal in refusals.items():
            served = Served(refusal=refusal.faults[0].found, taken=False)
            yield index, Completion("", 0, 0, True, served=served)

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, None]:
        """The text of `generate` as the endpoint sends it. Asked again only before its first word.

        Raises as `generate` does, and `EndpointFailed` for a stream that breaks off.
        """
        body = {**self.request(prompt, how), "stream": True}
        text, shown = "", 0
        for piece in self._received(body):
            text += piece
            certain = settled(text, how.stop)
            if len(certain) > shown:
                yield certain[shown:]
                shown = len(certain)
            if stop_at(text, how.stop) is not None:
                return
        if len(text) > shown:
            yield text[shown:]

    def _received(self, body: Mapping[str, Any]) -> Iterator[str]:
        """The pieces that come, from the first attempt at which any does."""
        service, going, last = self._service, threading.Event(), ""
        for attempt in range(service.limits.attempts):
            service.take_turn(going)
            begun = False
            try:
                for piece in self._events(body):
                    begun = True
                    yield piece
                return
            except Passing as passing:
                last = service.without_key(str(passing))
                if begun:
                    raise EndpointFailed(f"{service.url}: the text broke off: {last}") from None
                if attempt + 1 < service.limits.attempts:
                    service.wait_after(passing.after, last, attempt, going)
        raise service.failed(last)

    def _events(self, body: Mapping[str, Any]) -> Iterator[str]:
        """The pieces of one answer: server-sent events that hold chunks of a chat completion."""
        import httpx2

        service = self._service
        try:
            with service.client.stream("POST", f"{service.url}/{PATH}", json=body) as response:
                if response.status_code != 200:
                    response.read()
                    service.require_success(response)
                for line in response.iter_lines():
                    data = line.removeprefix("data:").strip()
                    if line.startswith("data:") and data == "[DONE]":
                        return
                    if line.startswith("data:") and (piece := _chunk(data)):
                        yield piece
        except httpx2.HTTPError as error:
            raise Passing(f"{type(error).__name__} ({error})") from None
        raise Passing("it ended without its last event")

    def each(self, prompts: Sequence[Prompt], how: Decoding) -> Iterator[tuple[int, Outcome]]:
        """(index, completion or error) as they come; see `Service.each`."""
        return self._service.each([partial(self._ask, prompt, how) for prompt in prompts])

    def _ask(self, prompt: Prompt, how: Decoding, given_up: threading.Event) -> Completion:
        """The answer to one prompt, tried again while that may help."""
        body = self.request(prompt, how)
        retries: list[str] = []

        def read(response: httpx2.Response) -> Completion:
            completion = self.read(_json(response), body, how)
            served = completion.served or Served()
            seconds = response.elapsed.total_seconds()
            return replace(completion, served=replace(served, seconds=seconds))

        answer = self._service.post(PATH, body, read, given_up, retries)
        served = answer.served or Served()
        return replace(answer, served=replace(served, retries=tuple(retries)))

    @property
    def service(self) -> Service:
        """Where it is asked."""
        return self._service

    def read(self, answer: Any, body: Mapping[str, Any], how: Decoding) -> Completion:
        """The text in the answer to a `request`; what is no chat completion raises `Passing`."""
        completion = _completion(answer, body["messages"], how)
        served = completion.served or Served()
        name = "" if served.model == self._model else served.model
        return replace(completion, served=replace(served, model=name))

    def request(self, prompt: Prompt, how: Decoding) -> dict[str, Any]:
        """The body that is sent. A grammar raises `CannotAdapt`."""
        if how.grammar is not None:
            raise CannotAdapt(f"{self._model} is behind an endpoint, which takes no grammar")
        return _body(self._model, _messages(prompt), how)


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    """The turns of a chat; raw text is one turn of the user's."""
    turns = (Turn("user", prompt),) if isinstance(prompt, str) else prompt
    if any(turn.images for turn in turns):
        raise CannotAdapt("pictures are not sent to endpoints")
    # A turn of the role tool belongs to a call with an id, which texts have not.
    roles: Mapping[Role, str] = {"tool": "user"}
    return [{"role": roles.get(turn.role, turn.role), "content": turn.text} for turn in turns]


def _body(model: str, messages: Sequence[Mapping[str, str]], how: Decoding) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": list(messages),
        "max_tokens": how.max_tokens,
        "temperature": how.temperature,
        "seed": how.seed,
    }
    if stop := [text for text in how.stop if text][:STOPS]:
        body["stop"] = stop
    return body


def _json(response: httpx2.Response) -> Any:
    """What it holds; what is no JSON raises `Passing`."""
    try:
        return response.json()
    except ValueError:
        raise Passing(f"no chat completion: {response.text[:200]!r}") from None


def _completion(answer: Any, messages: Sequence[Mapping[str, str]], how: Decoding) -> Completion:
    """The text of a chat completion; what is none raises `Passing`."""
    try:
        choice = answer["choices"][0]
        text = choice["message"].get("content")
        refusal = _refusal(choice)
        if text is None and (refusal or choice.get("finish_reason") is not None):
            text = ""
        if not isinstance(text, str):
            raise TypeError
    except (LookupError, TypeError, AttributeError):
        words = json.dumps(answer, ensure_ascii=False)
        raise Passing(f"no chat completion: {words[:200]!r}") from None
    used = _dictionary(answer.get("usage"))
    prompt_tokens = sum(guess(message["content"]) for message in messages)
    end = stop_at(text, how.stop)
    return Completion(
        text[:end],
        counted(used.get("prompt_tokens"), prompt_tokens),
        counted(used.get("completion_tokens"), guess(text)),
        end is not None or choice.get("finish_reason") != "length",
        served=Served(
            model=answer["model"] if isinstance(answer.get("model"), str) else "",
            cached=counted(_dictionary(used.get("prompt_tokens_details")).get("cached_tokens"), 0),
            estimated=any(not is_count(used.get(f"{one}_tokens")) for one in _COUNTED),
            refusal=refusal,
        ),
    )


def _refusal(choice: Mapping[str, Any]) -> str:
    """In its words why there is no answer; "" where there is one."""
    words = choice["message"].get("refusal")
    if isinstance(words, str) and words:
        return words
    return "a filter of its own" if choice.get("finish_reason") == "content_filter" else ""


def _dictionary(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _chunk(data: str) -> str:
    """The text of one event; what is no chunk of a chat completion raises `Passing`."""
    try:
        choices = json.loads(data)["choices"]
        piece = choices[0]["delta"].get("content") if choices else ""
        if not isinstance(piece, str | None):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Passing(f"no chunk of a chat completion: {data[:200]!r}") from None
    return piece or ""
