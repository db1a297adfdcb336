"""The process that answers blocks of rows for `nshot predict --workers`.

See `nshot.use.offline.workers` for what it is told and what it answers. What libraries print goes
to standard error. When the parent goes, so does the worker.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from nshot.core.errors import InputError, NshotError
from nshot.core.serial import from_data, to_data
from nshot.data.blocks import Row
from nshot.use.answers import Answers
from nshot.use.many import load
from nshot.use.offline.answering import Answering, Failure, of_folder, of_folders
from nshot.use.offline.workers import Work
from nshot.use.ready import Ready, ready


def main() -> None:
    """``python -m nshot.use.offline.worker``: started by the parent alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    worker = _Worker(from_data(Work, json.loads(lines.get())))
    while True:
        answers.write(json.dumps(worker.answer(json.loads(lines.get()))) + "\n")
        answers.flush()


def _listen(lines: queue.Queue[str]) -> None:
    """Read what is asked; when the parent is gone there is nobody to work for."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


class _Worker:
    """The folders of a `Work`, opened when the first rows come: what is wrong then is an answer."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._answering: Answering | None = None
        self._model: Ready | None = None

    def _opened(self) -> Answering:
        if self._answering is None:
            work = self._work
            if "" in work.folders:
                self._model = ready(
                    work.folders[""],
                    abstain_below=work.abstain_below,
                    at_precision=work.at_precision,
                    answers=Answers() if work.cache else None,
                )
                self._answering = of_folder(self._model)
            else:
                models = load(work.folders, None, work.abstain_below, work.at_precision)
                self._answering = of_folders(models)
        self._answering.begin()
        return self._answering

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What goes back for rows, whatever is raised."""
        rows = [from_data(Row, one) for one in request["rows"]]
        try:
            hits, misses = self._kept()
            outcomes = self._opened().outcomes(rows)
        except InputError as error:
            return {"faults": [to_data(fault) for fault in error.faults]}
        except NshotError as error:
            return {"reason": str(error)}
        except Exception as error:
            traceback.print_exc()
            return {"reason": f"{type(error).__name__}: {error}"}
        answers = [
            {"reason": one.reason} if isinstance(one, Failure) else {"line": one}
            for one in outcomes
        ]
        now = self._kept()
        return {"answers": answers, "hits": now[0] - hits, "misses": now[1] - misses}

    def _kept(self) -> tuple[int, int]:
        cached = self._model.cached if self._model is not None else None
        return (cached.hits, cached.misses) if cached is not None else (0, 0)


if __name__ == "__main__":
    main()
