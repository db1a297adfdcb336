"""Push and pull against a hub on this machine, which speaks what the client needs of the Hub."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

from local_server import listening, send
from nshot.cli.main import main
from nshot.core.errors import EndpointFailed, InputError
from nshot.core.types import Label, Task
from nshot.predictors.calibration import Calibration
from nshot.predictors.constant import Constant
from nshot.use.hub import TOKEN, pull, push
from nshot.use.ready import ready

TASK = Task("t", "classify", (Label("refund"), Label("parcel")))
GIVEN = "hf_of_the_tests"
REPO = "me/tickets"


@dataclass
class Hub:
    """What it has by repository and name; `says` is another content's hash for a name."""

    address: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    says: dict[str, bytes] = field(default_factory=dict)
    large: frozenset[str] = frozenset()
    broken: bool = False
    asked: list[str] = field(default_factory=list)

    def sha(self, repo: str) -> str:
        whole = hashlib.sha1(repr(sorted(self.repos[repo].items())).encode())
        return whole.hexdigest()

    def sibling(self, name: str, content: bytes) -> dict[str, Any]:
        stated = self.says.get(name, content)
        one: dict[str, Any] = {"rfilename": name, "size": len(stated)}
        one["blobId"] = hashlib.sha1(b"blob %d\0" % len(stated) + stated).hexdigest()
        if name in self.large:
            sha256 = hashlib.sha256(stated).hexdigest()
            one["lfs"] = {"sha256": sha256, "size": len(stated), "pointerSize": 130}
        return one


def handler_of(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _json(self, body: Any, status: int = 200) -> None:
            send(self, status, json.dumps(body).encode(), [("Content-Type", "application/json")])

        def _begin(self) -> tuple[str, bytes] | None:
            path = unquote(urlsplit(self.path).path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append(f"{self.command} {path}")
            if hub.broken:
                self._json({"error": "out of order"}, 400)
            elif self.headers.get("Authorization") != f"Bearer {GIVEN}":
                self._json({"error": "Invalid credentials"}, 401)
            else:
                return path, body
            return None

        def do_POST(self) -> None:
            if (asked := self._begin()) is None:
                return
            path, body = asked
            if path == "/api/validate-yaml":
                self._json({"errors": [], "warnings": []})
            elif path == "/api/repos/create":
                given = json.loads(body)
                repo = f"{given.get('organization') or 'me'}/{given['name']}"
                made = {"url": f"{hub.address}/{repo}"}
                if repo in hub.repos:
                    self._json({**made, "error": "exists"}, 409)
                    return
                hub.repos[repo] = {".gitattributes": b"*.safetensors filter=lfs\n"}
                is_private = given.get("private") or given.get("visibility") == "private"
                hub.private[repo] = bool(is_private)
                self._json(made)
            elif "/preupload/" in path:
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                self._json({"files": files})
            else:
                repo = path.removeprefix("/api/models/").partition("/commit/")[0]
                for line in body.decode().splitlines():
                    one = json.loads(line)
                    if one["key"] == "file":
                        content = base64.b64decode(one["value"]["content"])
                        hub.repos[repo][one["value"]["path"]] = content
                url = f"{hub.address}/{repo}/commit/{hub.sha(repo)}"
                self._json({"commitUrl": url, "commitOid": hub.sha(repo)})

        def do_GET(self) -> None:
            if (asked := self._begin()) is None:
                return
            path, _ = asked
            if path.startswith("/api/models/"):
                repo = path.removeprefix("/api/models/").partition("/revision/")[0]
                if repo not in hub.repos:
                    self._json({"error": "Repository not found"}, 404)
                    return
                siblings = [hub.sibling(*one) for one in hub.repos[repo].items()]
                self._json({"id": repo, "sha": hub.sha(repo), "siblings": siblings})
                return
            self._file(path)

        def do_HEAD(self) -> None:
            if (asked := self._begin()) is not None:
                self._file(asked[0])

        def _file(self, path: str) -> None:
            repo, _, rest = path.lstrip("/").partition("/resolve/")
            name = rest.partition("/")[2]
            content = hub.repos[repo][name]
            self.send_response(200)
            self.send_header("X-Repo-Commit", hub.sha(repo))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    one = Hub()
    with listening(handler_of(one)) as port:
        one.address = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("HF_ENDPOINT", one.address)
        monkeypatch.setenv(TOKEN, GIVEN)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A delivered folder with a file inside another, whose hash its record has."""
    from nshot.predictors.calibrated import calibrated

    place = tmp_path / "winner"
    inner = Constant(TASK, (-1.0, -0.5))
    calibrated(inner, Calibration("temperature", 100, 1.7)).save(place)
    (place / "README.md").write_text("---\ntags:\n- nshot\n---\n# Tickets\n", encoding="utf-8")
    (place / "check.jsonl").write_text("", encoding="utf-8")
    return place


def test_what_was_pushed_comes_back_as_it_was(hub: Hub, folder: Path, tmp_path: Path) -> None:
    sent = push(folder, REPO)
    assert hub.private == {REPO: True}
    assert (sent.revision, sent.files) == (hub.sha(REPO), len(hub.repos[REPO]) - 1)
    assert push(folder, REPO).revision == sent.revision, "once more is the same"
    hub.large = frozenset({"README.md"})
    moved = pull(f"{REPO}@main", tmp_path / "again")
    assert moved.revision == sent.revision
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    again = tmp_path / "again"
    assert sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file()) == names
    assert all((again / name).read_bytes() == (folder / name).read_bytes() for name in names)
    assert ready(again).predict(["x"]) == ready(folder).predict(["x"])
    with pytest.raises(InputError, match="is there already"):
        pull(REPO, again)


def test_the_commands(
    hub: Hub, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("push", str(folder), REPO, "--public"),
        ("pull", REPO, "--out", str(tmp_path / "out")),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code
    assert hub.private == {REPO: False}
    out = capsys.readouterr().out
    assert f"nshot pull {REPO}@{hub.sha(REPO)} --out FOLDER" in out
    assert "as they were sent" in out
    assert (tmp_path / "out" / "nshot.json").is_file()


def test_without_a_token_nothing_is_asked(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the client itself has one."""
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", GIVEN)
    for token in ("", "  "):
        monkeypatch.setenv(TOKEN, token)
        with pytest.raises(InputError, match=r"(?s)no token in the environment.*export HF_TOKEN"):
            push(folder, REPO)
        with pytest.raises(InputError, match="no token"):
            pull(REPO, tmp_path / "out")
    monkeypatch.setenv(TOKEN, GIVEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE"):
        pull(REPO, tmp_path / "out")
    assert hub.asked == []


def test_a_hub_that_refuses_or_fails_is_told_without_the_token(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="the hub has no 'me/tickets'"):
        pull(REPO, tmp_path / "out")
    hub.broken = True
    with pytest.raises(EndpointFailed, match="out of order"):
        push(folder, REPO)
    hub.broken = False
    monkeypatch.setenv(TOKEN, "hf_another")
    with pytest.raises(InputError, match="refuses 'me/tickets' to this token") as refused:
        push(folder, REPO)
    assert "hf_another" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["model.pkl", "weights.bin", "setup.py", "../out.json"])
def test_files_that_could_run_code_are_neither_sent_nor_fetched(
    name: str, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    push(folder, REPO)
    hub.repos[REPO][name] = b"x"
    with pytest.raises(InputError, match=r"leads out|no file of a delivered folder"):
        pull(REPO, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not any("/resolve/" in asked for asked in hub.asked)
    if "/" not in name:
        (folder / name).write_bytes(b"x")
        with pytest.raises(InputError, match=r"can run code|no file of a delivered folder"):
            push(folder, "me/other")
        assert "me/other" not in hub.repos


def test_a_file_that_is_not_what_the_hub_or_the_record_says(
    hub: Hub, folder: Path, tmp_path: Path
) -> None:
    push(folder, REPO)
    hub.says = {"README.md": b"another"}
    for large in (frozenset[str](), frozenset({"README.md"})):
        hub.large = large
        with pytest.raises(InputError, match=r"README.md: not what the hub says it is"):
            pull(REPO, tmp_path / "out")
    hub.says, hub.large = {}, frozenset()
    inside = next(name for name in hub.repos[REPO] if "/" in name)
    hub.repos[REPO][inside] += b" "
    with pytest.raises(InputError, match="changed since it was saved"):
        pull(REPO, tmp_path / "out")
    del hub.repos[REPO]["nshot.json"]
    with pytest.raises(InputError, match=r"has no nshot\.json"):
        pull(REPO, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_has_changed_is_not_sent(hub: Hub, folder: Path) -> None:
    inside = next(path for path in folder.rglob("*") if path.is_file() and path.parent != folder)
    inside.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="changed since it was saved"):
        push(folder, REPO)
    assert hub.asked == []
