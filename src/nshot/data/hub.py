"""A file of a data set on a Hugging Face hub, by the data set's name."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError

HUB_SECONDS = 5.0
"""How long a hub may take to say what a data set holds, in all."""
_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w.-]+))?(:(?P<file>.+))?")
_SHOWN = 8


def is_hub_name(name: str, read: Sequence[str]) -> bool:
    """Is this ``org/name``, ``org/name@revision`` or ``org/name:file`` and nothing on this disk?

    `read` are the endings of files that are read: ``data/train.csv`` is a path.
    """
    match = _NAME.fullmatch(name)
    if match is None or Path(name).exists() or Path(match["repo"]).parent.exists():
        return False
    return match["file"] is not None or Path(name).suffix.lower() not in read


def hub_file(name: str, read: Sequence[str]) -> Path:
    """The data set's one file of train rows on this disk, fetched if it is not there.

    From the local Hub cache, else from the hub. Raises `InputError` where neither has it, after
    `HUB_SECONDS` at most, and where it is not clear which file is meant.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(Fault(f"'{name}' is no name of a data set", expected="org/name"))
    repo, revision, file = match["repo"], match["revision"], match["file"]
    cached = _cached(repo, revision)
    if cached is not None:
        held = sorted(p.relative_to(cached).as_posix() for p in cached.rglob("*") if p.is_file())
        if file in held or (file is None and _readable(held, read)):
            return cached / (file or _chosen(repo, held, read))
    return _fetched(repo, revision, file or _chosen(repo, _listed(repo, revision), read))


def _cached(repo: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download

    where: dict[str, Any] = {"repo_type": "dataset", "revision": revision}
    try:
        return Path(snapshot_download(repo, local_files_only=True, **where))
    except (OSError, ValueError):  # not in the cache; hub errors of this kind are one of these
        return None


def _listed(repo: str, revision: str | None) -> list[str]:
    """The names of the data set's files."""
    from huggingface_hub import HfApi, constants

    def ask() -> list[str]:
        return HfApi().list_repo_files(repo, repo_type="dataset", revision=revision)

    offline = constants.HF_HUB_OFFLINE
    answered, files = (False, None) if offline else within(HUB_SECONDS, ask)
    if not answered:
        raise InputError(
            Fault(
                f"no file '{repo}' here, and no hub gave a data set of that name within "
                f"{HUB_SECONDS:.0f} s",
                expected="a file or folder, or the name of a data set on a hub that is reachable",
                do=f"hf download --repo-type dataset {repo} --local-dir DIR, where there is a "
                "network, then name the file in it",
            )
        )
    return list(files or ())


def _readable(files: Sequence[str], read: Sequence[str]) -> list[str]:
    return [name for name in files if Path(name).suffix.lower() in read]


def _chosen(repo: str, files: Sequence[str], read: Sequence[str]) -> str:
    """The one file of train rows, or the only file that can be read."""
    able = _readable(files, read)
    train = [name for name in able if "train" in Path(name).stem.lower()] or able
    if len(train) != 1:
        found = f"the data set '{repo}' has {len(train)} files of train rows"
        shown = ", ".join((train or list(files))[:_SHOWN])
        do = f"name one: {repo}:{train[0]}" if train else ""
        raise InputError(Fault(found, f"one of {', '.join(read)}; it has: {shown}", do))
    return train[0]


def _fetched(repo: str, revision: str | None, file: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, file, repo_type="dataset", revision=revision))
    except Exception as error:  # the client's errors are many, and all mean the same here
        found = f"'{file}' of the data set '{repo}' cannot be fetched: {error}"
        raise InputError(Fault(found, do="try again, or download it and name the file")) from error


def within(seconds: float, ask: Callable[[], Any]) -> tuple[bool, Any]:
    """(True, the answer), or (False, None) after a failure or after `seconds`.

    A client's own time limit is for each try and each address, so the clock is kept here.
    """
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception:  # the client's errors are many, and all mean the same here
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return (True, answers[0]) if answers else (False, None)
