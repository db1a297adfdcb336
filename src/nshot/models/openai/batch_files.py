"""Batch files of OpenAI: requests are sent as one file, and answers fetched when they are there.

https://platform.openai.com/docs/guides/batch: a file of requests is uploaded (``POST /files``), a
batch made of it (``POST /batches``), asked how far it is (``GET /batches/ID``), and its answers are
downloaded (``GET /files/ID/content``): within 24 hours, at most vendors for half the price.

All of it lies in a folder, so that a kill at any moment pays for nothing twice:
``NAME.requests.jsonl`` before anything is sent, ``NAME.batch.json`` with the service's id once it
has one, ``NAME.answers.jsonl`` once it has ended. The name is a hash of the requests, and stands in
the batch's metadata: one that was made just before a kill is known by it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from nshot.core.errors import EndpointFailed, EndpointRefused, Fault, InputError, Locked
from nshot.core.files import hold, write_atomic
from nshot.core.serial import dumps, read_json
from nshot.core.types import digest
from nshot.models.openai.service import Passing, Service

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
Body: TypeAlias = Mapping[str, Any]

LINES, BYTES = 50_000, 200_000_000
"""What one file may hold."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds between two looks at a batch; they double."""
REQUESTS, BATCH, ANSWERS = ".requests.jsonl", ".batch.json", ".answers.jsonl"
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TAKEN = frozenset({200, 400, 413, 422})
"""Answers, and refusals of one prompt; whatever else a line has says nothing of its prompt."""
_ABSENT = frozenset({404, 405})
_LIFETIME = 25 * 86400
"""Seconds for which the answers of a batch are taken to lie there: OpenAI deletes after 30 days."""


class BatchFiles:
    """Bodies of chat completions, answered through batch files of a service.

    `folder` belongs to this service alone. `tell` hears how far a batch is.
    """

    def __init__(self, service: Service, folder: Path, tell: Callable[[str], None]) -> None:
        self._service, self._folder, self._tell = service, folder, tell
        self._going = threading.Event()
        self._reason = ""

    def answers(self, bodies: Sequence[Body]) -> list[dict[str, Any]]:
        """The response to each body: `status_code`, and `body` as a server would answer it.

        Batches that were begun before are waited for first; what no answer is known to is asked in
        new ones, equal bodies once. Raises `InputError` where the service takes no batch files, or
        not this one, `EndpointRefused` where it never answered a request, `Locked` where another
        process asks, `EndpointFailed` where lines are left without an answer: those that have one
        keep it, and the same call asks for the rest.
        """
        keys = [digest(dumps(body)) for body in bodies]
        by_key = dict(zip(keys, bodies, strict=True))
        if by_key:
            with self._held():
                self._complete(by_key)
        return [self._known[key] for key in keys]

    def _complete(self, by_key: Mapping[str, Body]) -> None:
        """Ask for what no answer is known to."""
        if not by_key.keys() <= self._known.keys():
            self._end(self._begun_before())
            missing = {key: body for key, body in by_key.items() if key not in self._known}
            self._end([self._written(lines) for lines in _parts(missing)])
        if absent := [key for key in by_key if key not in self._known]:
            why = self._service.without_key(self._reason)
            raise EndpointFailed(
                f"{self._service.url}: {len(absent)} of {len(by_key)} requests have no answer in"
                f" the batch files{why}; the same command asks for them again"
            )
        if all(one["status_code"] != 200 for one in self._known.values()):
            raise self._refusal()

    def _refusal(self) -> EndpointRefused:
        """Nothing was ever answered: it is not the prompts, and no refusal is kept."""
        one = next(iter(self._known.values()))
        for kind in (ANSWERS, BATCH, REQUESTS):
            for path in self._files(kind):
                path.unlink()
        self._known.clear()
        status, words = one["status_code"], self._service.without_key(reason(one["body"]))
        problem = f"the endpoint refuses every request (status {status}): {words}"
        return EndpointRefused(Fault(problem, where=self._service.url), status=status)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """No other process asks out of this folder meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as lock:
            if not hold(lock.fileno()):
                problem, do = "another process waits for these batch files", "wait for it to end"
                raise Locked(Fault(problem, do=do, where=str(self._folder)))
            yield

    @cached_property
    def _known(self) -> dict[str, dict[str, Any]]:
        """By the name of the request, what is answered."""
        answered: dict[str, dict[str, Any]] = {}
        for path in self._files(ANSWERS):
            answered |= dict(_answered(path.read_text(encoding="utf-8")))
        return answered

    def _files(self, kind: str) -> list[Path]:
        return sorted(self._folder.glob(f"*{kind}"))

    def _place(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}{kind}"

    def _written(self, lines: Sequence[str]) -> str:
        """The requests as a file, and its name."""
        content = "".join(f"{line}\n" for line in lines)
        name = digest(content)[:24]
        write_atomic(self._place(name, REQUESTS), content)
        return name

    def _end(self, names: Sequence[str]) -> None:
        """Begin those that were not begun, all of them, then wait for each."""
        waiting = [name for name in names if not self._place(name, ANSWERS).is_file()]
        ids = [self._begun(name) for name in waiting]
        for name, id in zip(waiting, ids, strict=True):
            try:
                self._take(name, self._ended(id))
            except EndpointRefused as refused:
                raise self._lost(id) if refused.status in _ABSENT else refused from None

    def _lost(self, id: str) -> InputError:
        """The service has no such batch, or no such answers."""
        problem = f"the endpoint does not know the batch {id}, or not its answers any more"
        do = f"set that key; or rm -r {quote(str(self._folder))}, and all is asked, and paid, again"
        return InputError(Fault(problem, "the key that it was made with", do, self._service.url))

    def _begun_before(self) -> list[str]:
        """Names of batches that are under way; requests that never became one are removed."""
        names = [path.name.partition(".")[0] for path in self._files(REQUESTS)]
        open_ = [name for name in names if not self._place(name, ANSWERS).is_file()]
        unknown = [name for name in open_ if not self._place(name, BATCH).is_file()]
        made = self._made_before() if unknown else {}
        for name in unknown:
            if name in made:
                write_atomic(self._place(name, BATCH), dumps({"id": made[name]}))
            else:
                self._place(name, REQUESTS).unlink()
        return [name for name in open_ if self._place(name, BATCH).is_file()]

    def _begun(self, name: str) -> str:
        """The service's id of a batch; it is made where it was not."""
        record = self._place(name, BATCH)
        if record.is_file():
            return str(read_json(record)["id"])
        made = self._made_before().get(name) or self._made(name, self._uploaded(name))
        write_atomic(record, dumps({"id": made}))
        return made

    def _made_before(self) -> dict[str, str]:
        """Ids by name; none where the service does not list them."""
        try:
            return self._exchanged(self._listed, _listing)
        except EndpointRefused as refused:
            if refused.status not in _ABSENT:
                raise
            return {}

    def _listed(self, client: httpx2.Client) -> httpx2.Response:
        return client.get(f"{self._service.url}/batches", params={"limit": 100})

    def _uploaded(self, name: str) -> str:
        """The id of the file."""
        content = self._place(name, REQUESTS).read_bytes()

        def send(client: httpx2.Client) -> httpx2.Response:
            file = (f"{name}.jsonl", content, "application/jsonl")
            return client.post(
                f"{self._service.url}/files", data={"purpose": "batch"}, files={"file": file}
            )

        try:
            return str(self._exchanged(send, _named)["id"])
        except EndpointRefused as refused:
            if refused.status not in _ABSENT:
                raise
            problem = f"the endpoint takes no batch files (status {refused.status})"
            raise InputError(
                Fault(problem, do="leave --batch out", where=self._service.url)
            ) from None

    def _made(self, name: str, file: str) -> str:
        """The id of a new batch; an attempt that failed here may have made it there."""
        body = {
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"nshot": name},
        }

        def send(client: httpx2.Client) -> httpx2.Response:
            listing = self._listed(client)
            if listing.status_code not in _ABSENT:
                self._service.require_success(listing)
            if made := _listing(listing).get(name):
                return client.get(f"{self._service.url}/batches/{made}")
            return client.post(f"{self._service.url}/batches", json=body)

        return str(self._exchanged(send, _named)["id"])

    def _ended(self, id: str) -> Body:
        """The batch, once it has."""
        wait, last = FIRST_WAIT, ""
        while True:
            batch = self._exchanged(
                lambda client: client.get(f"{self._service.url}/batches/{id}"), _named
            )
            if batch.get("status") in _ENDED:
                return batch
            counts = batch.get("request_counts") or {}
            line = f"batch {id}: {batch.get('status')}"
            if counts.get("total"):
                line += f", {counts.get('completed', 0)} of {counts['total']} answered"
            if line != last:
                self._tell(line)
            last = line
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _take(self, name: str, batch: Body) -> None:
        """Keep the answers of a batch that has ended. One without any was not paid, and is gone."""
        files = [batch.get("output_file_id"), batch.get("error_file_id")]
        texts = [self._content(str(id)) for id in files if id]
        answered = dict(_answered("\n".join(texts)))
        self._reason = next(_reasons("\n".join(texts)), "") or self._reason
        if not answered:
            for kind in (BATCH, REQUESTS):
                self._place(name, kind).unlink(missing_ok=True)
            if batch["status"] == "failed":
                words = self._service.without_key(_fault(batch))
                problem = f"the endpoint refuses the batch file: {words}"
                raise InputError(Fault(problem, where=self._service.url))
            self._reason = self._reason or f" ({batch['status']})"
            return
        write_atomic(self._place(name, ANSWERS), "\n".join(texts))
        self._known.update(answered)

    def _content(self, id: str) -> str:
        return self._exchanged(
            lambda client: client.get(f"{self._service.url}/files/{id}/content"),
            lambda response: response.text,
        )

    def _exchanged(
        self,
        send: Callable[[httpx2.Client], httpx2.Response],
        read: Callable[[httpx2.Response], T],
    ) -> T:
        return self._service.exchanged(send, read, self._going)


def _parts(bodies: Mapping[str, Body]) -> Iterator[list[str]]:
    """Lines of batch files, as many in one as it may hold."""
    lines: list[str] = []
    size = 0
    for key, body in bodies.items():
        line = dumps(
            {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        )
        length = len(line.encode()) + 1
        if lines and (len(lines) == LINES or size + length > BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += length
    if lines:
        yield lines


def _lines(text: str) -> Iterator[dict[str, Any]]:
    """What can be read of a file of answers; a broken line is none."""
    for line in text.split("\n"):
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and isinstance(one.get("custom_id"), str):
            yield one


def _answered(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name of the request, response) of lines that say something of their prompt."""
    for line in _lines(text):
        response = line.get("response")
        if not isinstance(response, dict) or not isinstance(response.get("body"), dict):
            continue
        status = response.get("status_code")
        if status in _TAKEN and (status != 200 or response["body"].get("choices")):
            yield line["custom_id"], response


def _reasons(text: str) -> Iterator[str]:
    """Why lines have no answer, in brackets."""
    for line in _lines(text):
        response, error = line.get("response"), line.get("error")
        if isinstance(response, dict) and response.get("status_code") not in _TAKEN:
            yield f" (status {response.get('status_code')}: {reason(response.get('body'))})"
        elif isinstance(error, dict):
            yield f" ({error.get('message') or error.get('code')})"


def reason(body: Any) -> str:
    """What the service says of an error."""
    error = body.get("error") if isinstance(body, dict) else None
    words = error.get("message") if isinstance(error, dict) else error
    return words if isinstance(words, str) and words else "without a word"


def _fault(batch: Body) -> str:
    """What was wrong with the file."""
    errors = batch.get("errors")
    data = errors.get("data") if isinstance(errors, dict) else None
    first = data[0] if isinstance(data, list) and data else None
    words = first.get("message") if isinstance(first, dict) else None
    return str(words or "without a word")


def _named(response: httpx2.Response) -> dict[str, Any]:
    """A file or a batch, which has an id; what has none raises `Passing`."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise Passing(f"no file and no batch: {response.text[:200]!r}")
    return body


def _is_in_vain(batch: Body) -> bool:
    """Has it ended without any answer, or so long ago that its answers may be gone?"""
    status, counts = batch.get("status"), batch.get("request_counts") or {}
    made = batch.get("created_at")
    if isinstance(made, int | float) and time.time() - made > _LIFETIME:
        return True
    return status in _ENDED and not counts.get("completed", status == "completed")


def _listing(response: httpx2.Response) -> dict[str, str]:
    """Ids of the batches that are under way or done, by the name that nshot gave them.

    Of the hundred newest; none where the service does not list them.
    """
    try:
        data = response.json()["data"]
        return {
            one["metadata"]["nshot"]: one["id"]
            for one in data
            if (one.get("metadata") or {}).get("nshot") and not _is_in_vain(one)
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}
