"""The process that does one job at a time and keeps its models loaded between jobs.

See `nshot.bench.execute.local` for what it is told and what it answers. What libraries print goes
to the job's log. When the parent goes, so does the worker.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import FINDINGS, Workplace
from nshot.core import machine
from nshot.core.errors import DiskFull, in_words


def main() -> None:
    """``python -m nshot.bench.execute.worker DIR [FINGERPRINT]``: started by the parent alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _serve(Path(sys.argv[1]), *sys.argv[2:])


def _serve(root: Path, fingerprint: str = "") -> None:
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log, not between the events

    def tell(event: Mapping[str, Any]) -> None:
        events.write(json.dumps(event, ensure_ascii=True) + "\n")
        events.flush()

    def progress(done: int, total: int, what: str) -> None:
        tell({"event": "progress", "done": done, "total": total, "what": what})

    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    place: Workplace | None = None

    def opened() -> Workplace:
        nonlocal place
        place = place or Workplace(root, progress, fingerprint)
        return place

    while True:
        tell(answer(opened, requests.get()))


def _listen(requests: queue.Queue[dict[str, Any]]) -> None:
    """Read requests; when the parent is gone there is nobody to work for."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


def answer(opened: Callable[[], Workplace], request: Mapping[str, Any]) -> dict[str, Any]:
    """The event that ends a request: ``done`` or ``failed``, whatever is raised."""
    try:
        return {"event": "done", "body": _handle(opened(), request)}
    except FINDINGS as error:
        return {"event": "failed", "final": True, "reason": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"event": "failed", "final": False, "reason": _reason(error)}


def _handle(place: Workplace, request: Mapping[str, Any]) -> Body:
    if request["ask"] == "hello":
        return {"identity": place.identity, "machine": machine.describe()}
    job = Job.read(request["job"])
    with _logged(place.store.log(job.name(place.context))):
        return place.run(job)


def _reason(error: Exception) -> str:
    if isinstance(error, DiskFull):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return in_words(error)
    return f"{type(error).__name__}: {error}"


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Send what is printed (also by C libraries) to the job's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("a") as log:
        os.dup2(log.fileno(), 2)
        os.dup2(log.fileno(), 1)
    try:
        yield
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    main()
