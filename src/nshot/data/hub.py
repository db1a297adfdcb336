"""A file of a data set on a Hugging Face hub, by the data set's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nshot.core import network
from nshot.core.errors import Fault, InputError

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
    `network.SECONDS` at most, and where it is not clear which file is meant.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(Fault(f"'{name}' is no name of a data set", expected="org/name"))
    repo, revision, file = match["repo"], match["revision"], match["file"]
    cached = network.in_hub_cache(repo, revision, "dataset")
    if cached is not None:
        held = sorted(p.relative_to(cached).as_posix() for p in cached.rglob("*") if p.is_file())
        if file in held or (file is None and _readable(held, read)):
            return cached / (file or _chosen(repo, held, read))
    return _fetched(repo, revision, file or _chosen(repo, _listed(repo, revision), read))


def _listed(repo: str, revision: str | None) -> list[str]:
    """The names of the data set's files."""
    files = network.ask_hub(
        lambda hub: hub.list_repo_files(repo, repo_type="dataset", revision=revision)
    )
    if files is None:
        raise InputError(
            Fault(
                f"no file '{repo}' here, and no hub gave a data set of that name within "
                f"{network.SECONDS:.0f} s",
                expected="a file or folder, or the name of a data set on a hub that is reachable",
                do=f"hf download --repo-type dataset {repo} --local-dir DIR, where there is a "
                "network, then name the file in it",
            )
        )
    return files


def _readable(files: Sequence[str], read: Sequence[str]) -> list[str]:
    return [name for name in files if Path(name).suffix.lower() in read]


def _chosen(repo: str, files: Sequence[str], read: Sequence[str]) -> str:
    """The one file of train rows, or the only file that can be read."""
    able = _readable(files, read)
    train = [name for name in able if "train" in Path(name).stem.lower()] or able
    if len(train) != 1:
        problem = f"the data set '{repo}' has {len(train)} files of train rows"
        shown = ", ".join((train or list(files))[:_SHOWN])
        do = f"name one: {repo}:{train[0]}" if train else ""
        raise InputError(Fault(problem, f"one of {', '.join(read)}; it has: {shown}", do))
    return train[0]


def _fetched(repo: str, revision: str | None, file: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, file, repo_type="dataset", revision=revision))
    except Exception as error:  # the client's errors are many, and all mean the same here
        problem = f"'{file}' of the data set '{repo}' cannot be fetched: {error}"
        raise InputError(
            Fault(problem, do="try again, or download it and name the file")
        ) from error
