"""The command as a process of its own, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from endpoint import SECRET, Endpoint


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "nshot.cli", "data", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "NSHOT_API_KEY": SECRET}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=120, env=environment()
    )


def stopped(endpoint: Endpoint, after: int, how: signal.Signals, *words: str) -> tuple[int, str]:
    """Start the command and signal it when the endpoint has heard `after` requests more."""
    until = len(endpoint.bodies) + after
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment(), start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while len(endpoint.bodies) < until and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(how)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def with_a_dead_worker(endpoint: Endpoint, after: int, *words: str) -> tuple[int, str]:
    """Start the command and kill its worker when the endpoint has heard `after` requests more."""
    until = len(endpoint.bodies) + after
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment(),
    )  # fmt: skip
    while len(endpoint.bodies) < until and process.poll() is None:
        time.sleep(0.005)
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def asked_again(endpoint: Endpoint) -> int:
    """Requests that were sent more than once."""
    sent = Counter(json.dumps(body, sort_keys=True) for body in endpoint.bodies)
    return sum(count - 1 for count in sent.values())


def no_key_in(folder: Path, *said: str) -> bool:
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return not any(SECRET.encode() in raw for raw in files) and SECRET not in "".join(said)
