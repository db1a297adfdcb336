"""What a server is started with: where it listens, who may ask, how much."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from nshot.core.errors import Fault, InputError, in_words

Sharing: TypeAlias = Literal["token", "shared"]
"""Whose kept answers a request may be given: those of its own token, or everybody's."""

SHORTEST = 16
"""Characters of a token, at least."""
_NEW_TOKEN = "python -c 'import secrets; print(secrets.token_urlsafe(32))' > token.txt"


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for. What is more is refused: 413, 429, 504.

    `body_bytes` and `rows` are of one request, `max_tokens` of one text that is written, `queue`
    counts the rows that wait, `seconds` is how long a request may take, `streams` how many texts
    may be streamed at once.
    """

    body_bytes: int = 8 * 2**20
    rows: int = 256
    max_tokens: int = 1024
    queue: int = 1024
    seconds: float = 60.0
    streams: int = 32


@dataclass(frozen=True)
class Settings:
    """How to serve. Tokens are SHA-256 digests; folders in `root` may be added.

    Where it `shows_examples`, clients may see the labelled rows that a folder keeps.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    tokens: frozenset[bytes] = frozenset()
    admin_tokens: frozenset[bytes] = frozenset()
    root: Path | None = None
    cache: Sharing | None = None
    shows_examples: bool = False
    limits: Limits = field(default_factory=Limits)


def digest_of(token: str) -> bytes:
    """What is kept and compared of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_tokens(path: Path) -> frozenset[bytes]:
    """The tokens of a file, one a line; empty lines and those that begin with # do not count.

    Raises `InputError` for a file without any, and for one that is easily guessed.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(Fault("no text in UTF-8", do=_NEW_TOKEN, where=str(path))) from None
    except OSError as error:
        raise InputError(Fault(f"no tokens: {in_words(error)}", do=_NEW_TOKEN)) from None
    tokens = [line.strip() for line in lines]
    tokens = [token for token in tokens if token and not token.startswith("#")]
    if not tokens:
        raise InputError(Fault("no token in the file", "one a line", _NEW_TOKEN, str(path)))
    if min(map(len, tokens)) < SHORTEST:
        expected = f"{SHORTEST} characters or more"
        raise InputError(Fault("a token that is short", expected, _NEW_TOKEN, str(path)))
    return frozenset(map(digest_of, tokens))


def faults(settings: Settings) -> list[Fault]:
    """Why a server must not be started so."""
    limits, problems = settings.limits, []
    if not is_loopback(settings.host) and not settings.tokens:
        problem = f"--host {settings.host} without a token: everybody there could ask"
        do = f"{_NEW_TOKEN}; nshot serve ... --host {settings.host} --token-file token.txt"
        problems.append(Fault(problem, "a token, or the address 127.0.0.1", do))
    if not 0 <= settings.port <= 65535:
        problems.append(Fault(f"--port {settings.port}", "a number from 0 to 65535"))
    numbers = {
        "--max-body-mb": limits.body_bytes,
        "--max-tokens": limits.max_tokens,
        "--max-queue": limits.queue,
        "--timeout": limits.seconds,
    }
    problems += [
        Fault(f"{flag} of nothing", "a number above 0")
        for flag, number in numbers.items()
        if not number > 0
    ]
    if settings.root is not None and not settings.root.is_dir():
        problems.append(Fault("no such folder", "--root FOLDER", where=str(settings.root)))
    if settings.root is not None and not settings.admin_tokens:
        problem = "--root without --admin-token-file: nobody may add a folder"
        problems.append(Fault(problem, do=_NEW_TOKEN.replace("token.txt", "admin.txt")))
    return problems
