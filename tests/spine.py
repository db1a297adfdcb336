"""What the tests of the spine share: small data files, and a worker without its process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from nshot.bench import worker as room
from nshot.bench.worker import Worker
from nshot.board.schema import Board
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged

FAKES = ("--model", "fake:scorer", "--encoder", "fake:encoder")
WORDS = {
    "refund": "refund money card pay back",
    "parcel": "parcel courier late box road",
    "로그인": "로그인 비밀번호 계정 mail code",
}
FILLER = "please now the a so 제발"


def tickets(count: int, salt: str = "") -> list[dict[str, str]]:
    """`count` rows of each of three labels, each with three of its label's five words."""
    rows = []
    for label, words in WORDS.items():
        own, filler = words.split(), FILLER.split()
        for i in range(count):
            said = [own[(i + k * (1 + i // 5)) % 5] for k in range(3)]
            rows.append({"text": " ".join([*said, filler[i % 6], f"{salt}{i}"]), "label": label})
    return rows


def jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows and return the path as a user types it."""
    body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(body, encoding="utf-8")
    return str(path)


class Here:
    """Stands in for `nshot.bench.job.WorkerProcess`: the real worker, in this process."""

    def __init__(self, root: Path, lock: int | None = None) -> None:
        self._root = root
        self._worker: Worker | None = None

    def ask(
        self, request: Mapping[str, Any], on_progress: Callable[..., None] = lambda *told: None
    ) -> dict[str, Any]:
        try:
            self._worker = self._worker or Worker(self._root, lambda event: None)
            return {"event": "done", "body": room._handle(self._worker, dict(request))}
        except (CannotAdapt, DidNotLearn, Diverged) as error:
            room._keep_failure(self._worker, request, str(error))
            return {"event": "failed", "final": True, "reason": str(error)}
        except Exception as error:
            return {"event": "failed", "final": False, "reason": room._reason(error)}

    def stop(self) -> None:
        self._worker = None


def stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs work in this process: quick, and with the methods that a test puts in the table."""
    monkeypatch.setattr("nshot.bench.run.WorkerProcess", Here)
    monkeypatch.setattr(room, "_logged", lambda path: nullcontext())


def use_table(monkeypatch: pytest.MonkeyPatch, table: Any) -> None:
    """Let requests, jobs and boards know other methods."""
    for where in ("request", "run", "job"):
        monkeypatch.setattr(f"nshot.bench.{where}.TABLE", table)


def board_of(folder: Path) -> dict[str, Any]:
    """leaderboard.json."""
    return dict(json.loads((folder / "leaderboard.json").read_text(encoding="utf-8")))


def points_of(folder: Path) -> Any:
    """What was measured, to the bit. The pick, and so what is confirmed, hangs on seconds too."""
    return json.loads((folder / "points.json").read_text(encoding="utf-8"))["rows"]


def rows_of(board: Board | Mapping[str, Any], form: str = "trained") -> dict[str, dict[str, Any]]:
    """The board's rows of a form by name, as JSON has them."""
    body = board.model_dump(mode="json", by_alias=True) if isinstance(board, Board) else board
    return {row["name"]: row for row in body["rows"] if row["form"] == form}
