"""A real HTTP server that speaks chat completions as a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import listening, send

Answer = Callable[[list[dict[str, str]]], str]
SECRET = "sk-a-key-that-must-not-be-seen-anywhere"


@dataclass(frozen=True)
class Reply:
    """What goes wrong with one request: another status or body, a delay, a cut connection."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    cut: bool = False
    pause: float = 0.0
    broken_after: int | None = None


@dataclass
class Endpoint:
    """`script` holds replies for the first requests; after them `answer` is heard."""

    answer: Answer
    script: list[Reply] = field(default_factory=list)
    delay: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    busiest: int = 0
    usage: bool = True
    models_status: int = 200
    pieces: int = 0
    port: int = 0
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """What --model takes."""
        return f"openai:tiny@http://127.0.0.1:{self.port}/v1"

    @property
    def asked(self) -> list[str]:
        """The text of every request, turn under turn."""
        return ["\n".join(m["content"] for m in body["messages"]) for body in self.bodies]


def completion(text: str | None, messages: Sequence[dict[str, str]] = (), **choice: Any) -> Any:
    """A chat completion that counts words as tokens."""
    words = sum(len(message["content"].split()) for message in messages)
    said = {"index": 0, "message": {"role": "assistant", "content": text}}
    return {
        "object": "chat.completion",
        "choices": [{**said, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": words, "completion_tokens": len((text or "").split())},
    }


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Nothing on the test's screen."""

        def do_GET(self) -> None:
            self._send(Reply(endpoint.models_status, {"data": [{"id": "tiny"}]}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with endpoint.lock:
                endpoint.bodies.append(body)
                endpoint.keys.append(self.headers["Authorization"])
                endpoint.times.append(time.monotonic())
                endpoint.busy += 1
                endpoint.busiest = max(endpoint.busiest, endpoint.busy)
                reply = endpoint.script.pop(0) if endpoint.script else Reply()
            try:
                time.sleep(reply.delay or endpoint.delay)
                if reply.cut:
                    self.close_connection = True
                    self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choi')
                elif reply.body is None and reply.status == 200 and body.get("stream"):
                    self._stream(endpoint.answer(body["messages"]), reply)
                elif reply.body is None and reply.status == 200:
                    self._send(Reply(body=self._answer(body)))
                else:
                    self._send(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with endpoint.lock:
                    endpoint.busy -= 1

        def _stream(self, text: str, reply: Reply) -> None:
            """A chunk a character, and what is no text between them."""
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            self._event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
            for i, one in enumerate(text):
                if reply.broken_after == i:
                    return
                endpoint.pieces += 1
                self._event({"choices": [{"index": 0, "delta": {"content": one}}]})
                time.sleep(reply.pause)
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self._event({"choices": [], "usage": {"prompt_tokens": 1}})
            self.wfile.write(b": a comment\n\ndata: [DONE]\n\n")

        def _event(self, chunk: Any) -> None:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        def _answer(self, body: dict[str, Any]) -> Any:
            said = completion(endpoint.answer(body["messages"]), body["messages"])
            return said if endpoint.usage else {"choices": said["choices"]}

        def _send(self, reply: Reply) -> None:
            raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            send(self, reply.status, raw, reply.headers)

    return Handler


@contextmanager
def serving(answer: Answer, *script: Reply, **said: Any) -> Iterator[Endpoint]:
    """A server on a free port of this machine, until the block ends."""
    endpoint = Endpoint(answer, list(script), **said)
    with listening(_handler(endpoint)) as port:
        endpoint.port = port
        yield endpoint
