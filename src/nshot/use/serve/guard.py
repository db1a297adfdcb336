"""Before every route: an id, the token, the size of the body, and a client that hangs up.

Pure ASGI. What it logs is a line of JSON for each request, without input and without token.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from nshot.core.serial import dumps
from nshot.use.serve.compressed import unfolded
from nshot.use.serve.counters import Counters
from nshot.use.serve.exchange import ADMIN, AT_END, HOLDER, ID, NOTES
from nshot.use.serve.limits import Settings, digest_of, is_loopback
from nshot.use.wire.refusal import Refusal

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/", "/healthz"})
"""Paths that need no token: the page, which holds nothing, and whether the server is ready."""
BODY_SECONDS = 30.0
"""How long a client may take to send a body."""
HUNG_UP = 499
"""The status in the log of a request whose client went."""
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Guard:
    """Stands before the application. `routes` are the paths that are counted by name."""

    def __init__(
        self, app: App, settings: Settings, counters: Counters, routes: frozenset[str]
    ) -> None:
        self._app = app
        self._settings = settings
        self._counters = counters
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request from its first byte to its last."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        given = headers.get("x-request-id", "")
        scope[ID] = given if _ID.fullmatch(given) else uuid.uuid4().hex
        scope[AT_END], scope[NOTES] = [], {}
        scope[HOLDER], scope[ADMIN] = "", False
        sent = _Sent(send, scope[ID])
        try:
            await self._guarded(scope, headers, receive, sent)
        finally:
            for do in scope[AT_END]:
                do()
            self._log(scope, sent.status or HUNG_UP, time.perf_counter() - begin)

    async def _guarded(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, sent: _Sent
    ) -> None:
        try:
            self._require_own_site(headers)
            self._require_token(scope, headers)
            body = await self._body(scope, headers, receive)
        except Refusal as refusal:
            await sent.refuse(refusal, scope["path"])
            return
        if body is not None and not await _with_hang_up(self._app, scope, body, receive, sent):
            self._counters.add("nshot_hang_ups_total")

    def _require_own_site(self, headers: Mapping[str, str]) -> None:
        """No page of another site may ask, not even under a name that leads to this machine."""
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refusal(403, "asked from a page of another site")
        if not self._settings.tokens and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            raise Refusal(403, "the Host header names another machine")

    def _require_token(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Compares with all tokens in constant time."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        digest = digest_of(token.strip()) if kind.lower() == "bearer" else b""
        scope[ADMIN] = _is_one(digest, self._settings.admin_tokens)
        is_known = _is_one(digest, self._settings.tokens)
        if scope[ADMIN] or is_known:
            scope[HOLDER] = digest.hex()[:16]
        elif self._settings.tokens and scope["path"] not in OPEN:
            message = "a token is needed: Authorization: Bearer TOKEN"
            raise Refusal(401, message, {"WWW-Authenticate": "Bearer"})

    async def _body(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive
    ) -> bytes | None:
        """The body; None where the client went before it had sent it."""
        most = self._settings.limits.body_bytes
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            raise Refusal(413, f"a body of {int(length):,} bytes: {most:,} at most")
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    if sum(map(len, parts)) > most:
                        raise Refusal(413, f"a body of more than {most:,} bytes")
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise Refusal(408, f"no whole body within {BODY_SECONDS:g} seconds") from None
        body = unfolded(b"".join(parts), headers.get("content-encoding", ""), most)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and scope["method"] == "POST" and kind != "application/json":
            problem = "the body is not said to be JSON: send the header"
            raise Refusal(415, f"{problem} 'Content-Type: application/json'")
        return body

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"] if scope["path"] in self._routes else "other"
        self._counters.add("nshot_requests_total", route=path, status=str(status))
        self._counters.seconds(seconds, path)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "id": scope[ID],
            "method": scope["method"],
            "route": path,
            "status": status,
            "seconds": round(seconds, 4),
            **scope[NOTES],
        }
        sys.stderr.write(dumps(line, canonical=False) + "\n")


class _Sent:
    """Sends on, with the headers that every answer has; knows the status that was sent."""

    def __init__(self, send: Send, id: str) -> None:
        self._send = send
        self._id = id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [*HEADERS, (b"x-request-id", self._id.encode())]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await self._send(message)

    async def refuse(self, refusal: Refusal, path: str) -> None:
        """Answer with a refusal."""
        content = dumps(refusal.body(path), canonical=False).encode()
        headers = {"content-type": "application/json", "content-length": str(len(content))}
        headers |= {name.lower(): value for name, value in refusal.headers.items()}
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refusal.status, "headers": pairs})
        await self({"type": "http.response.body", "body": content})


def _is_one(digest: bytes, known: frozenset[bytes]) -> bool:
    """Compares with every one, so that the time says nothing."""
    return any([hmac.compare_digest(digest, one) for one in known])  # noqa: C419


async def _with_hang_up(app: App, scope: Scope, body: bytes, receive: Receive, send: Send) -> bool:
    """Run the application; cancel it when the client goes, and say so with False."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def hang_up() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def run() -> None:
        await app(scope, replay, send)

    work, gone = asyncio.create_task(run()), asyncio.create_task(hang_up())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            return False
        await work
        return True
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
