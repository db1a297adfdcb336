"""Two local models and an endpoint on one board: ``python benchmarks/contenders.py RUN``.

The endpoint is scripted: a server on this machine that speaks chat completions and answers by
counting words, so that the page can be made anew by anyone and costs nothing. What it scores says
nothing of any real endpoint; that its row stands beside the others does.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = "examples/support-tickets"
TOPICS = {
    "refund": "refund money back paid credited 환불 입금",
    "return": "return swap exchange size colour fit 반품 교환 사이즈",
    "duplicate_charge": "twice charge charged double both invoice statement 두 번 이중 청구 결제",
    "late_delivery": "late still waiting delivery window promised when sent 아직 언제 늦 배송",
    "lost_parcel": "stolen lost delivered nothing neighbour doorstep missing 분실 도난 없어",
    "wrong_address": "address street moved flat house old 주소 동 호수 이사",
    "damaged_item": "broken cracked scratched faulty missing wrong torn 파손 깨 불량 고장",
    "account_access": "password account log login sign email locked code 비밀번호 로그인 계정 탈퇴",
}
"""Words that begin so count for the label."""
LOCAL = ("smollm2-135m-instruct", "gemma3-270m")
METHODS = "majority,linear_probe,zero_shot,few_shot,lora"


def scripted(question: str) -> str:
    """The topic whose words stand most often in the message."""
    words = re.findall(r"\w+", question.lower())

    def hits(label: str) -> int:
        return sum(word.startswith(tuple(TOPICS[label].split())) for word in words)

    return max(TOPICS, key=hits)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        self._send({"data": [{"id": "scripted"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"].rpartition("Message:")[2]
        text = scripted(question)
        read = sum(len(message["content"].split()) for message in body["messages"])
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": read, "completion_tokens": len(text.split())}
        self._send({"object": "chat.completion", "choices": [choice], "usage": usage})

    def _send(self, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def endpoint() -> Iterator[str]:
    """A scripted endpoint while the block runs; what ``--model`` takes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"openai:scripted@http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


def main() -> None:
    run = str(Path(sys.argv[1]).resolve())
    with endpoint() as name:
        models = [word for model in (*LOCAL, name) for word in ("--model", model)]
        words = ["compare", EXAMPLE, *models, "--methods", METHODS, "--shots", "4"]
        words += ["--seeds", "1", "--test-limit", "80", "--set", "lora.learning_rate=0.001"]
        command = [sys.executable, "-m", "nshot.cli", *words, "--out", run]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
