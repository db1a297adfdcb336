"""A model behind an endpoint that speaks OpenAI's chat completions: it can only write.

Requests run beside each other and wait for each other's limits; what passes (429, 5xx, timeouts,
cut connections, answers that are no answers) is tried again.
"""

from __future__ import annotations

import email.utils
import json
import math
import queue
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from nshot.core.errors import CannotAdapt, EndpointFailed, EndpointRefused, Fault
from nshot.core.network import SECONDS
from nshot.core.types import ModelRef, Prompt, Role, Turn
from nshot.models.base import Completion, Decoding, LanguageModel, ModelFacts, settled, stop_at
from nshot.models.openai.endpoint import CURES, USUAL, Limits, headers, key, model_and_address

if TYPE_CHECKING:
    import httpx2

Outcome: TypeAlias = Completion | Exception

CONTEXT = 8192
"""Tokens of a prompt and its answer: endpoints do not tell, and refuse what is longer."""
STOPS = 4
"""Stop strings that a request may hold; the text is cut at all of them when it is here."""
_PASSING = frozenset({408, 409, 425, 429})
_OF_ONE_PROMPT = frozenset({400, 413, 422})
_LONGEST_WAIT = 300.0
_LONGEST_BACKOFF = 60.0


class _Passing(Exception):
    """An answer that may be another one next time; `after` seconds, where the endpoint says so."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class _Stopped(Exception):
    """Nobody waits for this answer any more."""


class _Pace:
    """When the next request may go, for all threads."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take the next turn; seconds until it comes."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._gap
        return at - now

    def hold(self, seconds: float) -> None:
        """Let no turn come before `seconds` have passed."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def _silent(line: str) -> None:
    """Say nothing."""


class RemoteLanguageModel(LanguageModel):
    """A model behind an endpoint. `tell` hears why it waits."""

    def __init__(
        self, ref: ModelRef, limits: Limits = USUAL, tell: Callable[[str], None] = _silent
    ) -> None:
        self._ref = ref
        self._model, self._url = model_and_address(ref)
        self._limits = limits
        self._tell = tell
        self._pace = _Pace(limits.per_minute)
        self._completions = f"{self._url}/chat/completions"

    @property
    def facts(self) -> ModelFacts:
        """It writes; chat completions score nothing. `CONTEXT` is assumed, the rest unknown."""
        return ModelFacts(self._ref, frozenset({"generate"}), CONTEXT, local=False)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt, guessed at four bytes each: the tokenizer is elsewhere."""
        return [sum(_guess(m["content"]) + 4 for m in _messages(prompt)) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """An answer to each prompt.

        Raises `EndpointRefused` for what the endpoint will not answer, `EndpointFailed` when it
        still does not answer at the last attempt.
        """
        texts: dict[int, Completion] = {}
        for index, outcome in self.each(prompts, how):
            if isinstance(outcome, Exception):
                raise outcome
            texts[index] = outcome
        return [texts[i] for i in range(len(prompts))]

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, None]:
        """The text of `generate` as the endpoint sends it. Asked again only before its first word.

        Raises as `generate` does, and `EndpointFailed` for a stream that breaks off.
        """
        body = {**self._body(prompt, how), "stream": True}
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
        going, last = threading.Event(), ""
        for attempt in range(self._limits.attempts):
            _wait(self._pace.turn(), going)
            begun = False
            try:
                for piece in self._events(body):
                    begun = True
                    yield piece
                return
            except _Passing as passing:
                last = self._without_key(str(passing))
                if begun:
                    raise EndpointFailed(f"{self._url}: the text broke off: {last}") from None
                if attempt + 1 < self._limits.attempts:
                    self._wait_after(passing.after, last, attempt, going)
        raise EndpointFailed(f"{self._url}: {last}, {self._limits.attempts} times in a row")

    def _events(self, body: Mapping[str, Any]) -> Iterator[str]:
        """The pieces of one answer: server-sent events that hold chunks of a chat completion."""
        import httpx2

        try:
            with self._client.stream("POST", self._completions, json=body) as response:
                if response.status_code != 200:
                    response.read()
                    self._require_success(response)
                for line in response.iter_lines():
                    data = line.removeprefix("data:").strip()
                    if line.startswith("data:") and data == "[DONE]":
                        return
                    if line.startswith("data:") and (piece := _chunk(data)):
                        yield piece
        except httpx2.HTTPError as error:
            raise _Passing(f"{type(error).__name__} ({error})") from None
        raise _Passing("it ended without its last event")

    def each(self, prompts: Sequence[Prompt], how: Decoding) -> Iterator[tuple[int, Outcome]]:
        """(index, completion or error) as they come: each is paid for when it is given.

        No thread asks again before its answer has been taken and the next is wanted, so what the
        taker keeps at once is lost to a kill for `concurrency` requests at most. After an error
        that is not of one prompt alone nothing more is asked; what is under way is still given.
        """
        waiting: queue.Queue[int] = queue.Queue()
        for index in range(len(prompts)):
            waiting.put(index)
        come: queue.Queue[tuple[int, Outcome, threading.Event] | None] = queue.Queue()
        given_up, no_more = threading.Event(), threading.Event()

        def work() -> None:
            while not no_more.is_set() and (index := _next(waiting)) is not None:
                try:
                    outcome = self._outcome(prompts[index], how, given_up)
                except _Stopped:
                    break
                if isinstance(outcome, Exception) and not _of_one_prompt(outcome):
                    no_more.set()
                taken = threading.Event()
                come.put((index, outcome, taken))
                while not taken.wait(0.1) and not given_up.is_set():
                    pass
            come.put(None)

        working = min(self._limits.concurrency, len(prompts))
        for _ in range(working):
            threading.Thread(target=work, daemon=True).start()
        try:
            while working:
                if (one := come.get()) is None:
                    working -= 1
                else:
                    yield one[:2]
                    one[2].set()
        finally:
            no_more.set()
            given_up.set()

    def _outcome(self, prompt: Prompt, how: Decoding, given_up: threading.Event) -> Outcome:
        """The answer to one prompt, or the error for the asker's thread to raise."""
        try:
            return self._ask(prompt, how, given_up)
        except _Stopped:
            raise
        except Exception as error:
            return error

    def _ask(self, prompt: Prompt, how: Decoding, given_up: threading.Event) -> Completion:
        """The answer to one prompt, tried again while that may help."""
        body, last = self._body(prompt, how), ""
        for attempt in range(self._limits.attempts):
            _wait(self._pace.turn(), given_up)
            try:
                return self._once(body, how)
            except _Passing as passing:
                last = self._without_key(str(passing))
                if attempt + 1 < self._limits.attempts:
                    self._wait_after(passing.after, last, attempt, given_up)
        raise EndpointFailed(f"{self._url}: {last}, {self._limits.attempts} times in a row")

    def _wait_after(
        self, after: float | None, reason: str, attempt: int, given_up: threading.Event
    ) -> None:
        """As long as the endpoint says, for all; else a while that grows, with chance in it."""
        if after is not None and after > _LONGEST_WAIT:
            raise EndpointFailed(f"{self._url}: {reason}, and asks to wait {after:.0f} s")
        if after is not None:
            self._pace.hold(after)
            self._tell(f"the endpoint: {reason}; going on in {after:.0f} s, as it asks")
            return
        longest = min(_LONGEST_BACKOFF, self._limits.backoff * 2.0**attempt)
        seconds = longest * random.uniform(0.5, 1.0)
        self._tell(f"the endpoint: {reason}; again in {seconds:.1f} s")
        _wait(seconds, given_up)

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        timeout = httpx2.Timeout(self._limits.timeout, connect=SECONDS)
        return httpx2.Client(timeout=timeout, headers=headers())

    def _once(self, body: Mapping[str, Any], how: Decoding) -> Completion:
        import httpx2

        try:
            response = self._client.post(self._completions, json=body)
        except httpx2.HTTPError as error:
            raise _Passing(f"{type(error).__name__} ({error})") from None
        self._require_success(response)
        return _completion(response, body["messages"], how)

    def _body(self, prompt: Prompt, how: Decoding) -> dict[str, Any]:
        """The request. A grammar raises `CannotAdapt`."""
        if how.grammar is not None:
            raise CannotAdapt(f"{self._model} is behind an endpoint, which takes no grammar")
        return _body(self._model, _messages(prompt), how)

    def _require_success(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status in _PASSING or status >= 500:
            raise _Passing(f"status {status}, {_message(response)}", _retry_after(response))
        if status != 200:
            raise self._refused(response)

    def _refused(self, response: httpx2.Response) -> EndpointRefused:
        status = response.status_code
        message = self._without_key(_message(response))
        problem = f"the endpoint refuses (status {status}): {message}"
        fault = Fault(problem, do=CURES.get(status, ""), where=self._url)
        return EndpointRefused(fault, of_one_prompt=status in _OF_ONE_PROMPT)

    def _without_key(self, text: str) -> str:
        """What an endpoint says may repeat the key."""
        secret = key()
        return text.replace(secret, "***") if secret else text


def _of_one_prompt(error: Exception) -> bool:
    return isinstance(error, EndpointRefused) and error.of_one_prompt


def _next(waiting: queue.Queue[int]) -> int | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def _wait(seconds: float, given_up: threading.Event) -> None:
    if given_up.wait(seconds) if seconds > 0 else given_up.is_set():
        raise _Stopped


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


def _completion(
    response: httpx2.Response, messages: Sequence[Mapping[str, str]], how: Decoding
) -> Completion:
    """The text of a chat completion; what is none raises `_Passing`."""
    try:
        answer = response.json()
        choice = answer["choices"][0]
        text = choice["message"]["content"]
        if text is None and choice.get("finish_reason") is not None:
            text = ""  # a filter's, or a refusal
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _Passing(f"no chat completion: {response.text[:200]!r}") from None
    used = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
    prompt_tokens = sum(_guess(message["content"]) for message in messages)
    end = stop_at(text, how.stop)
    return Completion(
        text[:end],
        _counted(used.get("prompt_tokens"), prompt_tokens),
        _counted(used.get("completion_tokens"), _guess(text)),
        end is not None or choice.get("finish_reason") != "length",
    )


def _chunk(data: str) -> str:
    """The text of one event; what is no chunk of a chat completion raises `_Passing`."""
    try:
        choices = json.loads(data)["choices"]
        piece = choices[0]["delta"].get("content") if choices else ""
        if not isinstance(piece, str | None):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _Passing(f"no chunk of a chat completion: {data[:200]!r}") from None
    return piece or ""


def _counted(number: Any, guess: int) -> int:
    """What the endpoint counted; our guess where it counted nothing."""
    whole = isinstance(number, int) and not isinstance(number, bool)
    return number if whole and number >= 0 else guess


def _guess(text: str) -> int:
    """Tokens of a text, about: four bytes each, which fits English and Korean alike."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 4)


def _message(response: httpx2.Response) -> str:
    """What the endpoint says of an error, in one line."""
    try:
        body = response.json()
    except ValueError:
        body = None
    message = body
    if isinstance(body, dict):
        message = body.get("error") or body.get("detail") or body.get("message")
        message = message.get("message") if isinstance(message, dict) else message
    text = message if isinstance(message, str) else response.text
    return " ".join(text.split())[:300] or response.reason_phrase or "without a word"


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds to wait: a number, or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
        return max(0.0, when.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
