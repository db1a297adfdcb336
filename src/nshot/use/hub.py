"""Delivered folders to a model hub and back: with a token from the environment, safe files only.

Nothing is sent or fetched by another verb. What comes is checked against the hashes that the hub
states and those that the folder's own record has, before the folder gets its name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nshot.core.errors import EndpointFailed, Fault, InputError
from nshot.core.files import RECORD, folder_bytes, write_folder
from nshot.predictors.folder import read, require_intact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

TOKEN = "HF_TOKEN"
"""The variable of the environment that has the token; nothing else is looked at."""
SAFE = (
    ".safetensors", ".json", ".jsonl", ".gguf", ".md", ".txt",
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp",
)  # fmt: skip
"""Endings of files that cannot run code when they are read."""
_OF_THE_HUB = frozenset({".gitattributes"})


class Moved(NamedTuple):
    """What was sent or fetched: `where` it is now, at which `revision`."""

    where: str
    revision: str
    files: int
    bytes: int


def push(folder: Path, repo: str, public: bool = False) -> Moved:
    """Send a delivered folder to the hub's `repo`, which is made where it is not there.

    A new one is private unless it is `public`: the folder holds rows of the data. Raises
    `InputError` for a folder that is not as it was saved, files that are not sent, a hub that
    refuses, and without a token; `EndpointFailed` where the hub does not answer.
    """
    require_intact(folder)
    read(folder)
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    _require_safe(names, str(folder))
    hub = _hub()
    made = _answer(repo, lambda: hub.create_repo(repo, private=not public, exist_ok=True))
    done = _answer(
        repo,
        lambda: hub.upload_folder(
            repo_id=repo,
            folder_path=folder,
            allow_patterns=[_exactly(name) for name in names],
            commit_message="a folder that nshot delivered",
        ),
    )
    return Moved(str(made), str(done.oid), len(names), folder_bytes(folder))


def pull(name: str, into: Path) -> Moved:
    """Fetch the hub's ``REPO`` or ``REPO@REVISION`` into the new folder `into`.

    Raises `InputError` for a repository that holds no delivered folder, or files that could run
    code, and where a file is not what the hub or the folder's record says; `EndpointFailed` where
    the hub does not answer. Then there is no such folder.
    """
    repo, _, revision = name.partition("@")
    if into.exists():
        raise InputError(Fault(f"{into} is there already", expected="a new folder"))
    hub = _hub()
    info = _answer(
        repo, lambda: hub.model_info(repo, revision=revision or None, files_metadata=True)
    )
    files = {one.rfilename: one for one in info.siblings or () if one.rfilename not in _OF_THE_HUB}
    if RECORD not in files:
        expected = "a folder that `nshot push` sent"
        raise InputError(Fault(f"the hub's '{repo}' has no {RECORD}", expected))
    _require_safe(files, f"the hub's '{repo}'")

    def fill(draft: Path) -> None:
        for one in files:
            fetch = partial(hub.hf_hub_download, repo, one, revision=info.sha, local_dir=draft)
            _answer(repo, fetch)
        shutil.rmtree(draft / ".cache", ignore_errors=True)  # the client's own notes
        _require_as_stated(draft, files.values(), repo)
        require_intact(draft)
        read(draft)

    write_folder(into, fill)
    return Moved(str(into), str(info.sha), len(files), folder_bytes(into))


def _hub() -> HfApi:
    """The client. Raises `InputError` without a token, and where the hub may not be asked."""
    from huggingface_hub import HfApi, constants

    token, faults = os.environ.get(TOKEN, "").strip(), []
    if not token:
        do = f"export {TOKEN}=hf_..., which the hub's settings make"
        faults.append(Fault("no token in the environment", f"the variable {TOKEN}", do))
    if constants.HF_HUB_OFFLINE:
        faults.append(Fault("HF_HUB_OFFLINE is set: no hub is asked", do="unset HF_HUB_OFFLINE"))
    if faults:
        raise InputError(faults)
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)


def _answer(repo: str, ask: Callable[[], T]) -> T:
    """What the hub says; its refusals in words, without the token."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return ask()
    except HFValidationError as error:
        raise InputError(Fault(f"'{repo}': {error}", expected="OWNER/NAME")) from None
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        if status in (401, 403):
            problem = f"the hub refuses '{repo}' to this token ({status})"
            do = f"a token in {TOKEN} that may read and, to push, write there"
            raise InputError(Fault(problem, "a token with that right", do)) from None
        if status == 404:
            problem = f"the hub has no '{repo}', or not for this token"
            raise InputError(Fault(problem, "OWNER/NAME, or OWNER/NAME@REVISION")) from None
        reason = (error.server_message or f"status {status}")[:200]
        raise EndpointFailed(f"the hub did not take part: {reason}; try again") from None
    except Exception as error:  # the client's errors are many, and all mean the same here
        kind = type(error).__name__
        raise EndpointFailed(f"the hub did not answer ({kind}); try again") from None


def _require_safe(names: Iterable[str], where: str) -> None:
    """Raise `InputError` with every name that is no safe file inside a folder."""
    faults = []
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            faults.append(Fault(f"'{name}' leads out of the folder", where=where))
        elif path.suffix.lower() not in SAFE:
            expected = "safetensors, JSON, GGUF, texts and pictures"
            faults.append(Fault(f"'{name}' is no file of a delivered folder", expected, "", where))
    if faults:
        raise InputError(faults)


def _require_as_stated(folder: Path, files: Iterable[Any], repo: str) -> None:
    """Raise `InputError` with every file whose content is not what the hub says it is."""
    again = f"nshot pull {repo} again; if it stays so, push the folder anew"
    faults = []
    for one in files:
        path = folder / one.rfilename
        content = path.read_bytes() if path.is_file() else None
        if content is None:
            faults.append(Fault("missing", "the file that the hub lists", again, one.rfilename))
        elif not _is_stated(content, one):
            problem = "not what the hub says it is"
            faults.append(Fault(problem, "the content of its hash", again, one.rfilename))
    if faults:
        raise InputError(faults)


def _is_stated(content: bytes, file: Any) -> bool:
    """By the SHA-256 of a large file, else by the name that git has for its content."""
    sha256 = getattr(file.lfs, "sha256", None) if file.lfs else None
    if sha256:
        return bool(hashlib.sha256(content).hexdigest() == sha256)
    if file.blob_id is None:
        return False
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return bool(git.hexdigest() == file.blob_id)


def _exactly(name: str) -> str:
    """A pattern that this name alone matches."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
