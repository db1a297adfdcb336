"""``nshot serve``: delivered folders behind HTTP."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from nshot.core.errors import Fault, InputError

ABOUT = "answer over HTTP: delivered folders behind OpenAI's and typed routes"


def add(parser: argparse.ArgumentParser) -> None:
    """Folders, the address, who may ask, and how much."""
    parser.add_argument(
        "folders", metavar="DIR", nargs="+",
        help="a run folder, or its winner; clients name it by the last part of its path",
    )  # fmt: skip
    parser.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1",
        help="where to listen (default: this machine only); another needs --token-file",
    )  # fmt: skip
    parser.add_argument(
        "--port", metavar="N", type=int, default=8000, help="default: 8000; 0 takes a free one"
    )
    parser.add_argument(
        "--token-file", metavar="FILE", type=Path,
        help="tokens of 16 characters or more, one a line: a client sends one as"
        " 'Authorization: Bearer TOKEN'",
    )  # fmt: skip
    parser.add_argument(
        "--admin-token-file", metavar="FILE", type=Path,
        help="tokens that may also add folders, read them again and take them away",
    )  # fmt: skip
    parser.add_argument(
        "--root", metavar="FOLDER", type=Path,
        help="delivered folders in it may be added, by name, while the server runs",
    )  # fmt: skip
    parser.add_argument(
        "--cache", metavar="token|shared", choices=("token", "shared"),
        help="keep answers on disk, and compute none again: for each token by itself, or for all",
    )  # fmt: skip
    parser.add_argument(
        "--show-examples", action="store_true",
        help="let clients see the labelled rows behind an answer, on the page too",
    )  # fmt: skip
    parser.add_argument(
        "--max-body-mb", metavar="MB", type=float, default=8.0, help="of a request (default: 8)"
    )
    parser.add_argument(
        "--max-tokens", metavar="N", type=int, default=1024, help="of a text (default: 1024)"
    )
    parser.add_argument(
        "--max-queue", metavar="N", type=int, default=1024,
        help="inputs that may wait; a request beyond is answered 429 (default: 1024)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=60.0,
        help="of a request; then it is answered 504 (default: 60)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted; every fault of the command line in one message."""
    from nshot.core.errors import collected
    from nshot.use.serve.limits import Limits, Settings, read_tokens
    from nshot.use.serve.server import Server

    faults: list[Fault] = []
    files = (arguments.token_file, arguments.admin_token_file)
    tokens, admin_tokens = (
        (collected(faults, partial(read_tokens, path)) if path else None) or frozenset()
        for path in files
    )
    if faults:
        raise InputError(faults)
    limits = Limits(
        body_bytes=int(arguments.max_body_mb * 2**20),
        max_tokens=arguments.max_tokens,
        queue=arguments.max_queue,
        seconds=arguments.timeout,
    )
    settings = Settings(
        arguments.host, arguments.port, tokens, admin_tokens, arguments.root, arguments.cache,
        arguments.show_examples, limits,
    )  # fmt: skip
    server = Server([Path(folder) for folder in arguments.folders], settings)
    names = ", ".join(server.service.shelf.all)
    sys.stderr.write(f"serving {names} on {server.address}\n")
    try:
        server.run()
    except KeyboardInterrupt:  # the signal that ended it, once all was answered
        sys.stderr.write("stopped\n")
    return 0
