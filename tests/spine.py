"""What the tests of the spine share: small data files, and an executor without a process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from nshot.bench.execute import worker
from nshot.bench.execute.base import Hello, OnProgress, Outcome, Take
from nshot.bench.jobs.place import Workplace
from nshot.bench.own import places_of
from nshot.bench.prepare import Prepared
from nshot.board.schema import Board
from nshot.cli.main import main
from nshot.methods.contract import Method

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
    """Stands in for `LocalProcesses`: jobs are done in this process, in order."""

    def __init__(self, root: Path, *more: Any) -> None:
        self._root = root
        self._place: Workplace | None = None

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        def opened() -> Workplace:
            self._place = self._place or Workplace(self._root)
            return self._place

        return worker.answer(opened, request)

    def hello(self) -> Hello:
        return Hello(**self._ask({"ask": "hello"})["body"])

    def run(self, take: Take, on_progress: OnProgress) -> Iterator[Outcome]:
        while (job := take()) is not None:
            event = self._ask({"ask": "job", "job": json.loads(json.dumps(asdict(job)))})
            if event["event"] == "done":
                yield Outcome(job, "ok", event["body"])
            else:
                yield Outcome(job, "failed" if event["final"] else "broken", {}, event["reason"])

    def stop(self) -> None:
        self._place = None


def stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs work in this process: quick, and tests can look into methods."""
    monkeypatch.setattr("nshot.bench.run.LocalProcesses", Here)
    monkeypatch.setattr(worker, "_logged", lambda path: nullcontext())


def command(words: Sequence[str]) -> int:
    """The exit code of what is typed."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(str(end.value.code))


def setting_of(prepared: Prepared, *methods: Method) -> Prepared:
    """The request with these methods, of tests as well as ours."""
    setting = replace(prepared.setting, methods=places_of(methods))
    return replace(prepared, methods=methods, setting=setting)


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
