"""The load on a server: what clients meet is counted, an answer that is another is crossed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import serve
from serve import Load, Question


class Handler(BaseHTTPRequestHandler):
    """Answers what it is asked, but for two words."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the test's screen."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 503 if b"broken" in body else 200
        answer = b'"another"' if b"crossed" in body else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def asked(word: str) -> Question:
    return Question("/v1/classify", {"input": word}, word, lambda body: str(dict(body)["input"]))


def test_answers_are_counted_and_compared(port: int) -> None:
    met = serve.load(port, [asked("a"), asked("b")], 3, 0.2)
    assert len(met.seconds) > 6
    assert (met.failed, met.crossed) == (0, 0)
    assert met.wall >= 0.2
    other = Question("/v1/classify", {"input": "crossed"}, "crossed", str)
    met = serve.load(port, [other, asked("broken")], 2, 0.1)
    assert met.failed > 0
    assert met.crossed == len(met.seconds) > 0


def test_the_table_says_what_was_missed() -> None:
    def met(a_second: int, seconds: float, crossed: int = 0) -> Load:
        return Load(1.0, [seconds] * a_second, 0, crossed)

    loads = (met(40, 0.02), met(200, 0.3), met(2, 0.5), met(5, 9.0, crossed=1),
             met(3, 0.2), met(10, 5.0, crossed=2))  # fmt: skip
    rows = dict(zip(serve.pieces(64), loads, strict=True))
    text = serve.table(rows, 60)
    assert "| `/v1/classify` | 64 | 200 | 200.0 | 300 | 300 | 0 | 0 |" in text
    assert "- failed or crossed: 1 (missed: goal: none)" in text
    assert "2.5x one client (missed: goal: 3x)" in text
    assert "200 a second (goal: 150)" in text
    assert "within 300 ms (missed: goal: 250 ms)" in text
    assert "| llama.cpp's server, `/v1/completions` | 64 | 10 |" in text
    assert "texts with 64 clients: 0.50x llama.cpp's" in text


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    piece = serve.pieces(64)[1]
    assert (piece.name, piece.clients, piece.share) == ("labels-64", 64, 1.0)
    met = Load(60.0, [0.1, 0.2], 0, 1)
    (tmp_path / "labels-64.60s.json").write_text(json.dumps(asdict(met)))
    assert serve.measured(tmp_path, piece, 60.0) == met


def test_right_answers_are_computed_once(tmp_path: Path) -> None:
    assert serve.expected(tmp_path, "labels", lambda: ["카드", "parcel"]) == ["카드", "parcel"]
    assert serve.expected(tmp_path, "labels", lambda: ["another"]) == ["카드", "parcel"]


def test_the_page_has_its_table() -> None:
    text = serve.PAGE.read_text(encoding="utf-8")
    assert "<!-- table of benchmarks/serve.py -->" in text
    assert "python benchmarks/serve.py" in text
