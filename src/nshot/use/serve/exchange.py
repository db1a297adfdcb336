"""One request as the routes see it: its body, its id, whose it is, what ends with it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nshot.core.serial import dumps
from nshot.core.types import Image
from nshot.use.serve.service import Service
from nshot.use.wire.bodies import Body, read
from nshot.use.wire.data_urls import write_picture

B = TypeVar("B", bound=Body)

ID, HOLDER, ADMIN, AT_END, NOTES = (
    "nshot.id", "nshot.holder", "nshot.admin", "nshot.at_end", "nshot.notes",
)  # fmt: skip
"""Keys of a scope, which the guard fills."""


class Exchange:
    """A request on its way. The guard has checked its token and its size."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.service: Service = request.app.state.service
        scope = request.scope
        self.id: str = scope[ID]
        self.holder: str = scope[HOLDER]
        self.is_admin: bool = scope[ADMIN]
        self._at_end: list[Callable[[], object]] = scope[AT_END]
        self._notes: dict[str, Any] = scope[NOTES]

    async def body(self, kind: type[B]) -> B:
        """The body, checked; its model's name goes into the log."""
        body = read(kind, await self._request.body())
        self._notes["model"] = body.model[:80]
        return body

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self._request.path_params[name])

    def at_end(self, do: Callable[[], object]) -> None:
        """What is done when the request has ended, in whatever way."""
        self._at_end.append(do)

    def pictures(self, urls: Sequence[str]) -> list[Image]:
        """The pictures of a request in files, which go when it ends. Raises `InputError`."""
        if not urls:
            return []
        folder = tempfile.TemporaryDirectory(prefix="nshot-")
        self.at_end(folder.cleanup)
        return [write_picture(url, Path(folder.name), str(i)) for i, url in enumerate(urls)]


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """A response of JSON."""
    return Response(dumps(content, canonical=False), status, media_type="application/json")


def events(chunks: AsyncIterator[Mapping[str, Any]]) -> Response:
    """Server-sent events, a chunk each, and the mark of the end."""

    async def lines() -> AsyncIterator[str]:
        async for chunk in chunks:
            yield f"data: {dumps(chunk, canonical=False)}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
