"""A real HTTP server that takes batch files as a test tells it to, and chat completions never."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from endpoint import Answer, completion
from local_server import listening, send


@dataclass
class Batches:
    """`looks` at a batch find it under way before it has ended; `paid` are requests answered.

    `line`: what a request's line of the output is where not a completion; `fails` the reason for
    which every file is refused; `cut` the next batch's answer is lost on the way, `lists` False: no
    list of batches.
    """

    answer: Answer
    looks: int = 1
    line: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda body: None
    fails: str = ""
    cut: bool = False
    lists: bool = True
    takes: bool = True
    ends: str = "completed"
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    paid: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """What --model takes."""
        return f"openai:tiny@http://127.0.0.1:{self.port}/v1"

    def upload(self, raw: bytes) -> dict[str, Any]:
        """A file out of a multipart body."""
        assert b'name="purpose"\r\n\r\nbatch\r\n' in raw
        (content,) = re.findall(
            rb'filename="[0-9a-f]+\.jsonl"\r\n[^\n]*\r\n\r\n(.*?)\r\n--', raw, re.S
        )
        return self.put(content)

    def put(self, content: bytes) -> dict[str, Any]:
        """A file, and its id."""
        id = f"file-{len(self.files)}"
        self.files[id] = content
        return {"id": id, "object": "file"}

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """A batch, paid at once."""
        id = f"batch_{len(self.batches)}"
        assert body["endpoint"] == "/v1/chat/completions"
        batch = {"id": id, "status": "in_progress", "metadata": body["metadata"], "looks": 0}
        lines = self.files[body["input_file_id"]].decode().splitlines()
        batch["request_counts"] = {"total": len(lines), "completed": 0}
        output, errors = [], []
        for line in map(json.loads, lines):
            assert (line["method"], line["url"]) == ("POST", body["endpoint"])
            own = self.line(line["body"])
            if own is None:
                self.paid.append(line["body"])
                messages = line["body"]["messages"]
                own = {"status_code": 200, "body": completion(self.answer(messages), messages)}
            if "code" in own:
                errors.append({"custom_id": line["custom_id"], "response": None, "error": own})
            else:
                place = output if own["status_code"] == 200 else errors
                place.append({"custom_id": line["custom_id"], "response": own, "error": None})
        batch["done"] = [output, errors]
        self.batches[id] = batch
        return batch

    def look(self, id: str) -> dict[str, Any]:
        """How far it is."""
        batch = self.batches[id]
        batch["looks"] += 1
        if batch["looks"] > self.looks:
            batch["status"] = "failed" if self.fails else self.ends
            if self.fails:
                batch["errors"] = {"data": [{"message": self.fails}]}
                return batch
            output, errors = batch["done"]
            for name, lines in (("output_file_id", output), ("error_file_id", errors)):
                text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
                batch[name] = self.put(text.encode())["id"] if lines else None
            batch["request_counts"]["completed"] = len(output)
        return batch


def _handler(service: Batches) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Nothing on the test's screen."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/v1/models":
                self._say({"data": [{"id": "tiny"}]})
            elif path == "/v1/batches":
                listed = list(service.batches.values())
                self._say({"data": listed} if service.lists else {}, 200 if service.lists else 404)
            elif path.startswith("/v1/batches/"):
                id = path.rpartition("/")[2]
                with service.lock:
                    there = id in service.batches
                    self._say(service.look(id) if there else {}, 200 if there else 404)
            else:
                send(self, 200, service.files[path.split("/")[3]], ())

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            with service.lock:
                if not service.takes:
                    self._say({"error": {"message": "no such path"}}, 404)
                elif self.path == "/v1/files":
                    self._say(service.upload(raw))
                elif self.path == "/v1/batches":
                    made = service.make(json.loads(raw))
                    if not service.cut:
                        self._say(made)
                        return
                    service.cut = False
                    self.close_connection = True
                    self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id')
                else:
                    self._say({"error": {"message": f"{self.path} is not served"}}, 500)

        def _say(self, body: Any, status: int = 200) -> None:
            send(self, status, json.dumps(body).encode(), ())

    return Handler


@contextmanager
def batching(answer: Answer, **settings: Any) -> Iterator[Batches]:
    """A server on a free port of this machine, until the block ends."""
    service = Batches(answer, **settings)
    with listening(_handler(service)) as port:
        service.port = port
        yield service
