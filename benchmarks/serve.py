"""A server under load: ``python benchmarks/serve.py [--clients 64] [--seconds 60] [--write]``.

Two folders on the embedded models: a head on the sentence encoder, and a prompt on the language
model that writes up to `TOKENS` tokens. The server is a process of its own, `nshot serve`; each
client is a thread with a connection that it keeps, and asks the next thing when the last is
answered. Every answer is compared with what `nshot predict` answers: another one is crossed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import nshot
from nshot.bench.workbench import Workbench
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors.prompted import Prompted
from table import ROOT, line, write

PAGE = ROOT / "docs" / "serving.md"
ALONE = 0.25
"""Of the seconds, how many one client alone asks."""
TOKENS = 16
PROMPTS = 64
"""Different questions for the language model; of the head there are `TEXTS`."""
TEXTS = 512
FASTER, ROWS_A_SECOND, P95 = 3.0, 150.0, 0.25
"""What is aimed at."""
THINGS = ("card", "parcel", "refund", "password", "invoice", "order", "courier", "account")
ENDS = ("has not arrived", "is wrong", "was lost on Monday", "please send it again", "twice in May")


@dataclass
class Load:
    """What the clients met: seconds of each answer, how many failed, how many were crossed."""

    wall: float = 0.0
    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    crossed: int = 0

    @property
    def a_second(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.wall

    def late(self, share: float) -> float:
        """Seconds within which that share of the answers came."""
        return float(np.quantile(self.seconds, share)) if self.seconds else float("nan")


@dataclass(frozen=True)
class Question:
    """A body to post, and what the answer must be."""

    path: str
    body: Mapping[str, Any]
    expected: str
    answer_of: Callable[[Any], str]


def texts(count: int) -> list[str]:
    """Different texts of a few words."""
    return [f"my {THINGS[i % 8]} {ENDS[i // 8 % 5]}, number {i}" for i in range(count)]


def deliver(root: Path) -> tuple[Path, Path]:
    """Write the two folders."""
    models = open_models()
    labels = tuple(map(Label, THINGS))
    task = Task("topics", "classify", labels)
    rows = tuple(
        Example(f"{i}", Input((("text", text),)), (THINGS[i % 8],))
        for i, text in enumerate(texts(80))
    )
    bench = Workbench(models, encoder=resolve(None, "encoder"), folder=root / "job")
    head = TABLE.build({"method": "linear_probe"}).adapt(task, Shots(rows), bench)
    head.save(root / "topics")
    write_task = Task(
        "replies", "generate", answer_name="Reply", field_names=(("text", "Message"),)
    )
    Prompted(write_task, models, resolve(None, "lm"), max_tokens=TOKENS).save(root / "replies")
    return root / "topics", root / "replies"


def questions(head: Path, writer: Path) -> tuple[list[Question], list[Question]]:
    """Of the head, of the writer, with what `nshot predict` answers."""
    asked = texts(TEXTS)
    labels = nshot.load(head).predict(asked)
    classify = [
        Question("/v1/classify", {"model": head.name, "input": text}, one.answer, _label)
        for text, one in zip(asked, labels, strict=True)
    ]
    replies = nshot.load(writer).predict(asked[:PROMPTS])
    chat = [
        Question(
            "/v1/chat/completions",
            {"model": writer.name, "messages": [{"role": "user", "content": text}]},
            one.answer,
            _content,
        )
        for text, one in zip(asked, replies, strict=False)
    ]
    return classify, chat


def _label(body: Any) -> str:
    return str(body["data"][0]["answer"])


def _content(body: Any) -> str:
    return str(body["choices"][0]["message"]["content"])


@contextmanager
def server(*folders: Path) -> Iterator[int]:
    """`nshot serve` in a process; its port, once it is ready."""
    command = [sys.executable, "-m", "nshot.cli", "serve", *map(str, folders), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        words = _line_with(process, "serving ").split()
        port = int(words[-1].rpartition(":")[2])
        threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
        while _get(port, "/healthz") != 200:
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(90)


def _line_with(process: subprocess.Popen[str], word: str) -> str:
    for text in process.stderr or ():
        if text.startswith(word):
            return text
    raise RuntimeError("the server did not start")


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def load(port: int, asked: Sequence[Question], clients: int, seconds: float) -> Load:
    """`clients` ask for so long, each from a place of its own in the list."""
    met, lock = Load(), threading.Lock()
    start = time.perf_counter()

    def run(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.perf_counter() - start < seconds:
            question = asked[place % len(asked)]
            place += 1
            begin = time.perf_counter()
            status, answer = _post(connection, question)
            took = time.perf_counter() - begin
            with lock:
                if status != 200:
                    met.failed += 1
                else:
                    met.seconds.append(took)
                    met.crossed += answer != question.expected
        connection.close()

    threads = [threading.Thread(target=run, args=(i * 7,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    met.wall = time.perf_counter() - start
    return met


def _post(connection: http.client.HTTPConnection, question: Question) -> tuple[int, str]:
    try:
        connection.request(
            "POST", question.path, json.dumps(question.body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        raw = response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0, ""
    ok = response.status == 200
    return response.status, question.answer_of(json.loads(raw)) if ok else ""


def measured(clients: int, seconds: float) -> list[tuple[str, int, Load]]:
    """(what, clients, what they met): one at a time and many at once, of both folders."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        head, writer = deliver(Path(folder))
        classify, chat = questions(head, writer)
        with server(head, writer) as port:
            for name, asked in (("/v1/classify", classify), ("/v1/chat/completions", chat)):
                for count, share in ((1, ALONE), (clients, 1)):
                    met = load(port, asked, count, seconds * share)
                    rows += [(name, count, met)]
                    print(name, count, f"{met.a_second:.1f} a second", file=sys.stderr)
    return rows


def table(rows: Sequence[tuple[str, int, Load]], seconds: float) -> str:
    """As Markdown, with what was missed."""
    lines = [
        line(
            "asked", "clients", "answers", "a second", "median, ms", "95 %, ms", "failed", "crossed"
        ),
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, clients, met in rows:
        lines.append(
            line(f"`{name}`", str(clients), f"{len(met.seconds):,}", f"{met.a_second:,.1f}",
                 f"{1e3 * met.late(0.5):,.0f}", f"{1e3 * met.late(0.95):,.0f}",
                 str(met.failed), str(met.crossed))
        )  # fmt: skip
    return "\n".join(
        [
            *lines,
            "",
            *_goals(rows),
            "",
            f"{seconds:g} seconds each, of one client alone {seconds * ALONE:g}.",
        ]
    )


def _goals(rows: Sequence[tuple[str, int, Load]]) -> list[str]:
    (_, _, _), (_, _, many), (_, _, alone), (_, clients, together) = rows
    faster = together.a_second / alone.a_second
    lost = sum(met.failed + met.crossed for *_, met in rows)
    goals = [
        (f"failed or crossed: {lost}", lost == 0, "none"),
        (f"texts with {clients} clients: {faster:.1f}x one client", faster >= FASTER,
         f"{FASTER:g}x"),
        (f"labels: {many.a_second:,.0f} a second", many.a_second >= ROWS_A_SECOND,
         f"{ROWS_A_SECOND:g}"),
        (f"95 % of them within {1e3 * many.late(0.95):,.0f} ms", many.late(0.95) < P95,
         f"{1e3 * P95:g} ms"),
    ]  # fmt: skip
    return [f"- {text} ({'goal' if met else 'missed: goal'}: {goal})" for text, met, goal in goals]


def main() -> None:
    """Measure, print, and write the page's table where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true", help="into docs/serving.md")
    arguments = parser.parse_args()
    text = table(measured(arguments.clients, arguments.seconds), arguments.seconds)
    print(text)
    if arguments.write:
        write("serve.py", text, PAGE)


if __name__ == "__main__":
    main()
