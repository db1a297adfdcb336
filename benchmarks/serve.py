"""Servers under load: ``python benchmarks/serve.py [--clients 64] [--seconds 60] [--write]``.

Two folders on the embedded models: a head on the sentence encoder, and a prompt on the language
model that writes up to `TOKENS` tokens. The server is a process of its own, `nshot serve`; each
client is a thread with a connection that it keeps, and asks the next thing when the last is
answered. Every answer is compared with what `nshot predict` answers: another one is crossed.

Beside it llama.cpp's own server (of the package xllamacpp) gets the same prompts, with the GGUF
file that the language model was converted from. What it writes when it is asked one prompt after
the other is what it must write under load.

Each piece, a load of one server by so many clients, is kept in ``--keep FOLDER`` when it is
measured: the same command goes on with those that are not there, `--only A,B` measures these.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nshot
from nshot.bench.workbench import Workbench
from nshot.core import machine
from nshot.core.files import RECORD, write_atomic
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.embedded.packages import LM
from nshot.predictors.prompted import Prompted
from table import ROOT, line, write

PAGE = ROOT / "docs" / "serving.md"
ALONE = 0.25
"""Of the seconds, how many one client alone asks."""
TOKENS = 16
PROMPTS = 64
"""Different questions for the language model; of the head there are `TEXTS`."""
TEXTS = 512
AT_ONCE = 32
"""Texts that llama.cpp's server writes at a time: as many as `nshot serve` does."""
FASTER, ROWS_A_SECOND, P95 = 3.0, 150.0, 0.25
"""What is aimed at."""
STOPS = ("\n\n", "\nMessage:")
"""What ends a text in nshot's own prompt too."""
LLAMA_CPP = """
import sys, xllamacpp
path, texts, clients, threads = sys.argv[1], *map(int, sys.argv[2:])
p = xllamacpp.CommonParams()
p.model.path, p.n_parallel, p.n_ctx, p.cont_batching = path, texts, 512 * texts, True
p.n_threads_http = clients + 4
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(p)
print("serving " + server.listening_address, file=sys.stderr, flush=True)
sys.stdin.read()
"""
"""A process that serves until its input ends."""
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


def writer() -> Prompted:
    """A prompt on the embedded language model."""
    task = Task("replies", "generate", answer_name="Reply", field_names=(("text", "Message"),))
    return Prompted(task, open_models(), resolve(None, "lm"), max_tokens=TOKENS)


def deliver(root: Path) -> tuple[Path, Path]:
    """Write the two folders, where they are not there."""
    if not (root / "replies" / RECORD).exists():
        task = Task("topics", "classify", tuple(map(Label, THINGS)))
        rows = tuple(
            Example(f"{i}", Input((("text", text),)), (THINGS[i % 8],))
            for i, text in enumerate(texts(80))
        )
        bench = Workbench(open_models(), encoder=resolve(None, "encoder"), folder=root / "job")
        head = TABLE.build({"method": "linear_probe"}).adapt(task, Shots(rows), bench)
        head.save(root / "topics")
        writer().save(root / "replies")
    return root / "topics", root / "replies"


def expected(root: Path, name: str, answers: Callable[[], list[str]]) -> list[str]:
    """The right answers, computed once."""
    path = root / f"{name}.expected.json"
    if not path.exists():
        write_atomic(path, json.dumps(answers(), ensure_ascii=False))
    return list(json.loads(path.read_text(encoding="utf-8")))


def of_head(root: Path, head: Path) -> list[Question]:
    """Texts to label, with what `nshot predict` answers."""
    asked = texts(TEXTS)
    right = expected(
        root, "labels", lambda: [one.answer for one in nshot.load(head).predict(asked)]
    )
    return [
        Question("/v1/classify", {"model": head.name, "input": text}, answer, _label)
        for text, answer in zip(asked, right, strict=True)
    ]


def of_writer(root: Path, folder: Path) -> list[Question]:
    """Messages to reply to, with what `nshot predict` answers."""
    asked = texts(PROMPTS)
    right = expected(
        root, "replies", lambda: [one.answer for one in nshot.load(folder).predict(asked)]
    )
    bodies = (
        {"model": folder.name, "messages": [{"role": "user", "content": text}]} for text in asked
    )
    return [
        Question("/v1/chat/completions", body, answer, _content)
        for body, answer in zip(bodies, right, strict=True)
    ]


def of_llama_cpp(root: Path, port: int) -> list[Question]:
    """The same prompts as text, with what the server answers to one after the other."""
    prompts = writer().prompts([Input((("text", text),)) for text in texts(PROMPTS)])
    settings = {"max_tokens": TOKENS, "temperature": 0, "stop": STOPS}
    bodies = [{"prompt": prompt, **settings} for prompt in prompts]
    questions = [Question("/v1/completions", body, "", _text) for body in bodies]

    def alone() -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        met = [_post(connection, question) for question in questions]
        connection.close()
        if any(status != 200 for status, _ in met):
            raise SystemExit("llama.cpp's server does not answer")
        return [answer for _, answer in met]

    right = expected(root, "llama.cpp", alone)
    return [
        Question("/v1/completions", body, one, _text)
        for body, one in zip(bodies, right, strict=True)
    ]


def _label(body: Any) -> str:
    return str(body["data"][0]["answer"])


def _content(body: Any) -> str:
    return str(body["choices"][0]["message"]["content"])


def _text(body: Any) -> str:
    return str(body["choices"][0]["text"])


@contextmanager
def server(*command: str) -> Iterator[int]:
    """A server in a process; its port, once it is ready. Its last word on its address is that."""
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        words = _line_with(process, "serving ").split()
        port = int(words[-1].rpartition(":")[2])
        threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
        while _get(port, "/healthz" if "serve" in command else "/health") != 200:
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(90)


def nshot_server(*folders: Path) -> AbstractContextManager[int]:
    """`nshot serve`."""
    return server("-m", "nshot.cli", "serve", *map(str, folders), "--port", "0")


def llama_cpp(clients: int) -> AbstractContextManager[int]:
    """llama.cpp's server, with the embedded GGUF file."""
    numbers = map(str, (AT_ONCE, clients, machine.threads()))
    return server("-c", LLAMA_CPP, str(LM.require()), *numbers)


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


class Piece(NamedTuple):
    """A load of one server: the row's words, how many clients, and whether that is one of many."""

    name: str
    asked: str
    clients: int
    share: float


def pieces(clients: int) -> list[Piece]:
    """One client and many, of labels, of texts, and of llama.cpp's texts."""
    rows = (
        ("labels", "`/v1/classify`"),
        ("texts", "`/v1/chat/completions`"),
        ("llama.cpp", "llama.cpp's server, `/v1/completions`"),
    )
    return [
        Piece(f"{name}-{count}", asked, count, share)
        for name, asked in rows
        for count, share in ((1, ALONE), (clients, 1.0))
    ]


def measured(root: Path, piece: Piece, seconds: float) -> Load:
    """What its clients met, from the folder of results if it is there."""
    path = root / f"{piece.name}.{seconds:g}s.json"
    if not path.exists():
        met = _measured(root, piece, seconds * piece.share)
        write_atomic(path, json.dumps(asdict(met)))
        print(f"{piece.name}: {met.a_second:.1f} a second", file=sys.stderr)
    return Load(**json.loads(path.read_text(encoding="utf-8")))


def _measured(root: Path, piece: Piece, seconds: float) -> Load:
    if piece.name.startswith("llama.cpp"):
        with llama_cpp(piece.clients) as port:
            return load(port, of_llama_cpp(root, port), piece.clients, seconds)
    head, replies = deliver(root)
    labels = piece.name.startswith("labels")
    questions = of_head(root, head) if labels else of_writer(root, replies)
    with nshot_server(head, replies) as port:
        return load(port, questions, piece.clients, seconds)


def table(rows: Mapping[Piece, Load], seconds: float) -> str:
    """As Markdown, with what was missed."""
    lines = [
        line(
            "asked", "clients", "answers", "a second", "median, ms", "95 %, ms", "failed", "crossed"
        ),
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for piece, met in rows.items():
        lines.append(
            line(piece.asked, str(piece.clients), f"{len(met.seconds):,}", f"{met.a_second:,.1f}",
                 f"{1e3 * met.late(0.5):,.0f}", f"{1e3 * met.late(0.95):,.0f}",
                 str(met.failed), str(met.crossed))
        )  # fmt: skip
    about = (
        f"{seconds:g} seconds each, of one client alone {seconds * ALONE:g}. llama.cpp's server"
        f" reads the same prompts with weights in four bits ({LM.file}); crossed are its texts that"
        " are not what it writes when nothing else is asked, which it does not promise."
    )
    return "\n".join([*lines, "", *_goals(list(rows.values()), list(rows)[-1].clients), "", about])


def _goals(rows: Sequence[Load], clients: int) -> list[str]:
    _, many, alone, together, _, peer = rows
    faster = together.a_second / alone.a_second
    lost = sum(met.failed + met.crossed for met in rows[:4])
    goals = [
        (f"failed or crossed: {lost}", lost == 0, "none"),
        (f"texts with {clients} clients: {faster:.1f}x one client", faster >= FASTER,
         f"{FASTER:g}x"),
        (f"labels: {many.a_second:,.0f} a second", many.a_second >= ROWS_A_SECOND,
         f"{ROWS_A_SECOND:g}"),
        (f"95 % of them within {1e3 * many.late(0.95):,.0f} ms", many.late(0.95) < P95,
         f"{1e3 * P95:g} ms"),
    ]  # fmt: skip
    beside = f"- texts with {clients} clients: {together.a_second / peer.a_second:.2f}x llama.cpp's"
    lines = [f"- {text} ({'goal' if met else 'missed: goal'}: {goal})" for text, met, goal in goals]
    return [*lines, beside]


def main() -> None:
    """Measure, print, and write the page's table where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--keep", type=Path, default=Path("runs/serve"), metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="A,B", help="such as labels-1,llama.cpp-64")
    parser.add_argument("--write", action="store_true", help="into docs/serving.md")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    some = pieces(options.clients)
    named = [one for one in options.only.split(",") if one]
    if unknown := set(named) - {piece.name for piece in some}:
        parser.error(f"{', '.join(unknown)}: one of {', '.join(piece.name for piece in some)}")
    rows = {
        piece: measured(options.keep, piece, options.seconds)
        for piece in some
        if not named or piece.name in named
    }
    if len(rows) < len(some):
        return
    text = table(rows, options.seconds)
    print(text)
    if options.write:
        write("serve.py", text, PAGE)


if __name__ == "__main__":
    main()
