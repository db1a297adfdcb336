"""What reaches out: a model hub or an endpoint, asked for a few seconds at most."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

SECONDS = 5.0
"""How long a hub may take to say what it has, or an endpoint to say that it is there."""


def within(seconds: float, ask: Callable[[], T]) -> T | None:
    """The answer, or None after a failure or after `seconds`.

    A client's own time limit is for each try and each address, so the clock is kept here.
    """
    answers: list[T] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception:  # the clients' errors are many, and all mean the same here
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


def ask_hub(ask: Callable[[HfApi], T]) -> T | None:
    """What the hub says within `SECONDS`; None where it does not, or HF_HUB_OFFLINE is set."""
    from huggingface_hub import HfApi, constants

    return None if constants.HF_HUB_OFFLINE else within(SECONDS, lambda: ask(HfApi()))


def in_hub_cache(
    repo: str, revision: str | None, kind: Literal["model", "dataset"] = "model"
) -> Path | None:
    """The folder of a hub's model or data set on this disk, None where it is not. Asks no hub."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(repo, repo_type=kind, revision=revision, local_files_only=True)
        )
    except (OSError, ValueError):  # not in the cache; hub errors of this kind are one of these
        return None
