"""A real server on a free port of this machine, small folders for it, and a plain client."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from house import SCORER, fields
from nshot.core.types import Example, Label, ModelRef, Task
from nshot.models import open_models
from nshot.models.base import Models
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Nearest, class_means
from nshot.predictors.prompted import Prompted
from nshot.use.serve.limits import Limits, Settings, digest_of
from nshot.use.serve.server import Server

TOKEN, OTHER, ADMIN = "a-token-of-some-length", "another-token-as-long", "an-admin-of-the-server"
TICKETS = Task("tickets", "classify", (Label("refund"), Label("parcel"), Label("로그인")))
TEXTS = {
    "refund": ("money back please", "i want a refund"),
    "parcel": ("where is my parcel", "the courier is late"),
    "로그인": ("비밀번호를 잊었어요", "cannot sign in account"),
}
ENCODER = ModelRef("fake", "encoder")
WRITES = Task("facts", "generate", answer_name="Answer", field_names=(("text", "Text"),))


def examples() -> tuple[Example, ...]:
    return tuple(
        Example(f"{label}{i}", fields(text=text), (label,))
        for label, texts in TEXTS.items()
        for i, text in enumerate(texts)
    )


def head(folder: Path, models: Models | None = None) -> Path:
    """A head on the encoder without weights: a classifier with probabilities."""
    import numpy as np

    source = Encoded(models or open_models(), ENCODER)
    vectors = source.read([one.input for one in examples()]).matrix
    targets = np.array([TICKETS.label_names.index(one.label) for one in examples()])
    Nearest(TICKETS, source, class_means(vectors, targets, 3)).save(folder)
    return folder


def prompt(folder: Path, ref: ModelRef = SCORER) -> Path:
    """A few-shot prompt that classifies."""
    Prompted(TICKETS, open_models(), ref, demos=examples()).save(folder)
    return folder


def writer(folder: Path, ref: ModelRef = SCORER, max_tokens: int = 12) -> Path:
    """A prompt that writes the words of a demonstration."""
    demos = (
        Example("a", fields(text="the sky"), ("blue as the sea and wide",)),
        Example("b", fields(text="the grass"), ("green as a frog",)),
    )
    Prompted(WRITES, open_models(), ref, demos=demos, max_tokens=max_tokens).save(folder)
    return folder


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Client:
    """Asks a server; each request on a connection of its own."""

    server: Server
    token: str | None = None

    @property
    def url(self) -> str:
        return self.server.address

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            own = {"Content-Type": "application/json"} if body is not None else {}
            if self.token:
                own["Authorization"] = f"Bearer {self.token}"
            raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
            connection.request(method, path, raw, {**own, **(headers or {})})
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, given, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def post(self, path: str, **body: Any) -> Reply:
        return self.ask("POST", path, body)

    def classify(self, model: str, input: Any, **more: Any) -> Any:
        reply = self.post("/v1/classify", model=model, input=input, **more)
        assert reply.status == 200, reply.raw
        return reply.body["data"]

    def wait(self) -> None:
        """Until it is ready."""
        until = time.monotonic() + 60
        while self.get("/healthz").status != 200:
            assert time.monotonic() < until, "not ready in a minute"
            time.sleep(0.01)


@contextmanager
def serving(
    folders: Sequence[Path],
    *,
    models: Models | None = None,
    tokens: Sequence[str] = (),
    admins: Sequence[str] = (),
    limits: Limits | None = None,
    ready: bool = True,
    **settings: Any,
) -> Iterator[Client]:
    """A server in a thread, until the block ends."""
    chosen = Settings(
        port=0,
        tokens=frozenset(map(digest_of, tokens)),
        admin_tokens=frozenset(map(digest_of, admins)),
        limits=limits or Limits(),
        **settings,
    )
    server = Server(folders, chosen, models)
    client = Client(server, tokens[0] if tokens else None)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        if ready:
            client.wait()
        yield client
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive(), "the server stops when it is told to"
