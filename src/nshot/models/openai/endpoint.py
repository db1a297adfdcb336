"""Where an endpoint is, which key it is given, how often it is asked, and whether it is there.

``openai:MODEL@http://host:port/v1`` names one. The key comes from the environment and goes into the
request's header, nowhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from nshot.core.errors import EndpointRefused, Fault, InputError, ModelNotFound
from nshot.core.network import SECONDS, within
from nshot.core.types import ModelRef

KEYS = ("NSHOT_API_KEY", "OPENAI_API_KEY")
"""Where a key is looked for, in this order."""
_OTHER_FORMAT = {"systemone": "decisions", "decisions": "systemone"}
_NAMED = re.compile(r"(?P<model>.+)@(?P<url>https?://\S+)")


@dataclass(frozen=True)
class Limits:
    """How an endpoint is asked. `backoff` is the first wait in seconds; it doubles each time."""

    concurrency: int = 4
    per_minute: float | None = None
    attempts: int = 6
    timeout: float = 120.0
    backoff: float = 0.5


USUAL = Limits()
_CONCURRENCY, _PER_MINUTE = "NSHOT_CONCURRENCY", "NSHOT_PER_MINUTE"


def limits() -> Limits:
    """The usual ones, but for what the environment says of requests at once, and a minute.

    Raises `InputError` for what is no number above 0.
    """
    at_once, a_minute = (_number(name) for name in (_CONCURRENCY, _PER_MINUTE))
    return Limits(concurrency=int(at_once or USUAL.concurrency), per_minute=a_minute)


def _number(name: str) -> float | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text) or not int(text):
        raise InputError(Fault(f"{name}={text}", "a whole number above 0", f"{name}=16"))
    return float(text)


def cure(status: int, path: str, keys: Sequence[str] = KEYS) -> str:
    """What to do about a refusal with a status; "" where nothing can be said."""
    other = _OTHER_FORMAT.get(path)
    speaks = f"; or it speaks another format: --model {other}:MODEL@ADDRESS" if other else ""
    return {
        401: f"set {keys[0]} to a key of this endpoint",
        403: f"set {keys[0]} to a key that may use this model",
        404: f"check the model's name, and that the address ends where /{path} follows{speaks}",
        405: f"check that the address ends where /{path} follows{speaks}",
    }.get(status, "")


def parse(name: str, engine: str = "openai") -> ModelRef:
    """The reference of ``MODEL@URL``. `InputError` for another spelling, or secrets in the URL."""
    match = _NAMED.fullmatch(name)
    if match is None:
        raise InputError(
            Fault(
                f"'{engine}:{name}' names no endpoint",
                expected=f"{engine}:MODEL@ADDRESS",
                do=f"{engine}:my-model@http://localhost:8000/v1",
            )
        )
    parts = urlsplit(match["url"])
    if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise InputError(
            Fault(
                "the address of the endpoint holds more than a host, a port and a path",
                expected="an address that can be written into a report",
                do=f"give the key in the environment: {KEYS[0]}",
            )
        )
    return ModelRef(engine, f"{match['model']}@{match['url'].rstrip('/')}")


def check(ref: ModelRef, keys: Sequence[str] = KEYS) -> None:
    """Ask whether the endpoint is there, for `SECONDS` at most.

    Raises `ModelNotFound` when it does not answer and `EndpointRefused` when it refuses the key.
    """
    import httpx2

    _, url = model_and_address(ref)
    header = headers(keys)

    def ask() -> int:
        return httpx2.get(f"{url}/models", headers=header, timeout=SECONDS).status_code

    status = within(SECONDS, ask)
    if status is None:
        raise ModelNotFound(
            Fault(
                f"no endpoint answers at {url}",
                expected=f"an answer within {SECONDS:.0f} s",
                do="start it, or check host, port and the /v1 at the end",
            )
        )
    if status in (401, 403):
        raise EndpointRefused(
            Fault("the endpoint refuses the key", do=cure(status, "", keys), where=url)
        )


def model_and_address(ref: ModelRef) -> tuple[str, str]:
    """Model and address."""
    match = _NAMED.fullmatch(ref.name)
    if match is None:
        raise InputError(Fault(f"'{ref.name}' names no endpoint", expected="MODEL@ADDRESS"))
    return match["model"], match["url"]


def key(names: Sequence[str] = KEYS) -> str:
    """The key in the environment, "" where there is none."""
    for name in names:
        if secret := os.environ.get(name, "").strip():
            if not re.fullmatch(r"[!-~]+", secret):
                raise InputError(Fault(f"{name} holds what no key can hold: spaces or controls"))
            return secret
    return ""


def headers(names: Sequence[str] = KEYS) -> dict[str, str]:
    """Headers of a request: the key, where there is one."""
    secret = key(names)
    return {"Authorization": f"Bearer {secret}"} if secret else {}
