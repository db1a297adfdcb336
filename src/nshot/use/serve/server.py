"""Start and stop: folders opened, an address bound, requests taken until a signal comes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.core.errors import Fault, InputError, NshotError, RunFailed, in_words
from nshot.models import open_models
from nshot.models.base import Models
from nshot.use.answers import Answers
from nshot.use.serve.limits import Limits, Settings, Sharing, faults, read_tokens

if TYPE_CHECKING:
    from nshot.use.serve.service import Service

BACKLOG = 2048
"""Connections that may wait to be taken."""
EXTRA = "pip install 'nshot[serve]'"


class Server:
    """Folders behind an address, which is bound when this is made; `run` takes requests.

    Raises `InputError` for what must not be served so, before anything is loaded.
    """

    def __init__(
        self, folders: Sequence[Path], settings: Settings, models: Models | None = None
    ) -> None:
        _require_packages()
        if problems := faults(settings):
            raise InputError(problems)
        import uvicorn

        from nshot.use.serve.app import application
        from nshot.use.serve.batcher import Batcher
        from nshot.use.serve.counters import Counters
        from nshot.use.serve.service import Service
        from nshot.use.serve.shelf import Shelf

        shelf = Shelf(folders, models or open_models(), settings.root)
        self._socket = _bound(settings.host, settings.port)
        self.port = int(self._socket.getsockname()[1])
        limits, counters = settings.limits, Counters()
        batcher = Batcher(limits.queue, limits.streams, counters)
        answers = Answers() if settings.cache else None
        self.service: Service = Service(settings, shelf, counters, batcher, answers)
        self._failure: BaseException | None = None
        config = uvicorn.Config(
            application(self.service, self._fail),
            log_level="error",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(limits.seconds) + 5,
        )
        self._uvicorn = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """Where it answers."""
        host = self.service.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def run(self) -> None:
        """Answer until `stop` or a signal; what was accepted is finished.

        Raises what kept a folder from answering at all.
        """
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self._socket.close()
            if self.service.answers is not None:
                self.service.answers.close()
        if isinstance(self._failure, NshotError):
            raise self._failure
        if self._failure is not None:
            raise RunFailed(f"a folder does not answer: {self._failure}")

    def stop(self) -> None:
        """Take no more requests, and let `run` return."""
        self._uvicorn.should_exit = True

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self.stop()


def serve(
    folder: str | Path | Sequence[str | Path],
    *more: str | Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: str | Path | None = None,
    cache: Sharing | None = None,
) -> None:
    """Serve delivered folders over HTTP until interrupted: see docs/serving.md.

    Loopback without `token_file`; any other `host` needs one. With `cache` answers are kept on
    disk, for each token by itself or shared. Raises `InputError`.
    """
    first = [folder] if isinstance(folder, str | Path) else list(folder)
    tokens = frozenset[bytes]() if token_file is None else read_tokens(Path(token_file))
    settings = Settings(host, port, tokens, cache=cache, limits=Limits())
    server = Server([Path(one) for one in (*first, *more)], settings)
    sys.stderr.write(f"serving on {server.address}\n")
    server.run()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not turn Nagle's algorithm off: each answer then waits 40 ms for
    # the client's acknowledgement of its head.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((host, port))
        one.listen(BACKLOG)
    except OSError as error:
        one.close()
        problem = f"cannot listen on {host}, port {port}: {in_words(error)}"
        raise InputError(Fault(problem, "a free port", "--port 0 takes any")) from None
    return one


def _require_packages() -> None:
    if not all(map(find_spec, ("starlette", "uvicorn"))):
        problem = "a server needs Starlette and uvicorn, which are not installed"
        raise InputError(Fault(problem, do=EXTRA))
