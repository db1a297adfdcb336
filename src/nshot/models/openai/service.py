"""An address that is asked over HTTP: at a pace, several requests at once, again where it may help.

Requests run beside each other and wait for each other's limits; what passes (429, 5xx, timeouts,
cut connections, answers that are no answers) is tried again.
"""

from __future__ import annotations

import email.utils
import math
import queue
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from nshot.core.errors import EndpointFailed, EndpointRefused, Fault
from nshot.core.network import SECONDS
from nshot.models.openai.endpoint import KEYS, USUAL, Limits, cure, headers, key

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
Ask: TypeAlias = Callable[[threading.Event], T]
"""A question: it is given an event that is set when nobody waits for its answer any more."""
Send: TypeAlias = "Callable[[httpx2.Client], httpx2.Response]"
"""One attempt to send a request."""

_RATE_LIMIT = 429
_PASSING = frozenset({408, 409, 425, _RATE_LIMIT})
_OF_ONE_PROMPT = frozenset({400, 413, 422})
_LONGEST_WAIT = 300.0
_LONGEST_BACKOFF = 60.0


class Passing(Exception):
    """An answer that may be another one next time; `after` seconds, where the service says so.

    `kind` is the reason in two words, by which such answers are counted.
    """

    def __init__(
        self, reason: str, after: float | None = None, kind: str = "no valid answer"
    ) -> None:
        super().__init__(reason)
        self.after, self.kind = after, kind


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


class Service:
    """What is asked at an address. `tell` hears why it waits; `keys` name the key's variables."""

    def __init__(
        self,
        url: str,
        limits: Limits = USUAL,
        tell: Callable[[str], None] = _silent,
        keys: Sequence[str] = KEYS,
    ) -> None:
        self.url, self.limits = url, limits
        self._tell, self._keys = tell, keys
        self._pace = _Pace(limits.per_minute)

    @cached_property
    def client(self) -> httpx2.Client:
        """One for all threads, with the key in its headers."""
        import httpx2

        timeout = httpx2.Timeout(self.limits.timeout, connect=SECONDS)
        return httpx2.Client(timeout=timeout, headers=headers(self._keys))

    def each(self, asks: Sequence[Ask[T]]) -> Iterator[tuple[int, T | Exception]]:
        """(index, answer or error) as they come: each is paid for when it is given.

        No thread asks again before its answer has been taken and the next is wanted, so what the
        taker keeps at once is lost to a kill for `concurrency` requests at most. After an error
        that is not of one question alone nothing more is asked; what is under way is still given.
        """
        waiting: queue.Queue[int] = queue.Queue()
        for index in range(len(asks)):
            waiting.put(index)
        come: queue.Queue[tuple[int, T | Exception, threading.Event] | None] = queue.Queue()
        given_up, no_more = threading.Event(), threading.Event()

        def work() -> None:
            while not no_more.is_set() and (index := _next(waiting)) is not None:
                try:
                    outcome = _outcome(asks[index], given_up)
                except _Stopped:
                    break
                if isinstance(outcome, Exception) and not of_one_prompt(outcome):
                    no_more.set()
                taken = threading.Event()
                come.put((index, outcome, taken))
                while not taken.wait(0.1) and not given_up.is_set():
                    pass
            come.put(None)

        working = min(self.limits.concurrency, len(asks))
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

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        read: Callable[[httpx2.Response], T],
        given_up: threading.Event,
        retries: list[str] | None = None,
    ) -> T:
        """What `read` makes of the answer to a body of JSON; see `exchanged`."""
        return self.exchanged(
            lambda client: client.post(f"{self.url}/{path}", json=body), read, given_up, retries
        )

    def exchanged(
        self,
        send: Send,
        read: Callable[[httpx2.Response], T],
        given_up: threading.Event,
        retries: list[str] | None = None,
    ) -> T:
        """What `read` makes of the answer, asked again while that may help.

        `retries` gets the kind of each answer that passes. `read` raises `Passing` for what is no
        answer. Raises `EndpointRefused` for what the service will not answer, `EndpointFailed` when
        it still does not answer at the last attempt.
        """
        last = ""
        for attempt in range(self.limits.attempts):
            self.take_turn(given_up)
            try:
                return self._once(send, read)
            except Passing as passing:
                last = self.without_key(str(passing))
                if retries is not None:
                    retries.append(passing.kind)
                if attempt + 1 < self.limits.attempts:
                    self.wait_after(passing.after, last, attempt, given_up)
        raise self.failed(last)

    def failed(self, last: str) -> EndpointFailed:
        """The error where no attempt brought an answer."""
        return EndpointFailed(f"{self.url}: {last}, {self.limits.attempts} times in a row")

    def _once(self, send: Send, read: Callable[[httpx2.Response], T]) -> T:
        import httpx2

        try:
            response = send(self.client)
        except httpx2.HTTPError as error:
            kind = "time-out" if isinstance(error, httpx2.TimeoutException) else "cut connection"
            raise Passing(f"{type(error).__name__} ({error})", kind=kind) from None
        self.require_success(response)
        return read(response)

    def take_turn(self, given_up: threading.Event) -> None:
        """Wait until the next request may go."""
        _wait(self._pace.turn(), given_up)

    def wait_after(
        self, after: float | None, reason: str, attempt: int, given_up: threading.Event
    ) -> None:
        """As long as the service says, for all; else a while that grows, with chance in it."""
        if after is not None and after > _LONGEST_WAIT:
            raise EndpointFailed(f"{self.url}: {reason}, and asks to wait {after:.0f} s")
        if after is not None:
            self._pace.hold(after)
            self._tell(f"the endpoint: {reason}; going on in {after:.0f} s, as it asks")
            return
        longest = min(_LONGEST_BACKOFF, self.limits.backoff * 2.0**attempt)
        seconds = longest * random.uniform(0.5, 1.0)
        self._tell(f"the endpoint: {reason}; again in {seconds:.1f} s")
        _wait(seconds, given_up)

    def require_success(self, response: httpx2.Response) -> None:
        """Raise `Passing` or `EndpointRefused` for any status but 200."""
        status = response.status_code
        if status in _PASSING or status >= 500:
            kind = "rate limit" if status == _RATE_LIMIT else "server error"
            raise Passing(f"status {status}, {_message(response)}", _retry_after(response), kind)
        if status != 200:
            raise self._refused(response)

    def _refused(self, response: httpx2.Response) -> EndpointRefused:
        status = response.status_code
        message = self.without_key(_message(response))
        problem = f"the endpoint refuses (status {status}): {message}"
        path = str(response.url).removeprefix(self.url).lstrip("/")
        fault = Fault(problem, do=cure(status, path, self._keys), where=self.url)
        return EndpointRefused(fault, of_one_prompt=status in _OF_ONE_PROMPT, status=status)

    def without_key(self, text: str) -> str:
        """What a service says may repeat the key."""
        secret = key(self._keys)
        return text.replace(secret, "***") if secret else text


def of_one_prompt(error: Exception) -> bool:
    """Is it this question alone that is refused?"""
    return isinstance(error, EndpointRefused) and error.of_one_prompt


def counted(number: Any, guess: int) -> int:
    """What the service counted; our guess where it counted nothing."""
    return int(number) if is_count(number) else guess


def is_count(number: Any) -> bool:
    """Is this a number of tokens?"""
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def guess(text: str) -> int:
    """Tokens of a text, about: four bytes each, which fits English and Korean alike."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 4)


def _outcome(ask: Ask[T], given_up: threading.Event) -> T | Exception:
    """The answer to one question, or the error for the asker's thread to raise."""
    try:
        return ask(given_up)
    except _Stopped:
        raise
    except Exception as error:
        return error


def _next(waiting: queue.Queue[int]) -> int | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def _wait(seconds: float, given_up: threading.Event) -> None:
    if given_up.wait(seconds) if seconds > 0 else given_up.is_set():
        raise _Stopped


def _message(response: httpx2.Response) -> str:
    """What the endpoint says of an error, in one line."""
    try:
        body = response.json()
    except ValueError:
        body = None
    message = body
    if isinstance(body, dict):
        message = body.get("error") or body.get("detail") or body.get("message")
        if isinstance(message, list) and message:  # of FastAPI: {loc, msg, type}
            message = message[0].get("msg") if isinstance(message[0], dict) else message[0]
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
