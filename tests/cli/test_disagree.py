"""``nshot disagree``: which inputs are worth a label, and why there may be no answer."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.run import carry_out
from nshot.board.events import ignore
from nshot.board.schema import Board
from nshot.cli.main import main
from nshot.use.ready import ready
from spine import FAKES, WORDS, jsonl, stay_here, tickets


def request(tmp_path: Path, *methods: str, test: int = 20) -> Request:
    train = jsonl(tmp_path / "train.jsonl", tickets(6))
    held = jsonl(tmp_path / "test.jsonl", tickets(test, "t")) if test else None
    return Request(
        train, test=held, methods=methods, model=FAKES[1:2], encoder=FAKES[3:4],
        out=str(tmp_path / "run"),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    stay_here(monkeypatch)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


MIXED = [" ".join(words) for words in product(*(own.split() for own in WORDS.values()))][::5]
"""A word of each label: nobody can know."""


def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    new = jsonl(tmp_path / "new.jsonl", [{"text": text} for text in MIXED])
    with pytest.raises(SystemExit) as ended:
        main(["disagree", str(tmp_path / "run"), new])
    out, err = capsys.readouterr()
    return int(str(ended.value.code)), out, err


def test_the_inputs_on_which_the_best_differ_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = carry_out(prepare(request(tmp_path, "knn", "nearest_mean", "tfidf_lr")), ignore)
    board = Board.read(result.folder)
    assert board.advice is not None
    names = board.advice.could_be_best
    assert len(names) > 1
    code, out, err = asked(tmp_path, capsys)
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    answers = {
        name: [p.answer for p in ready(result.folder / str(board.row(name).saved)).predict(MIXED)]
        for name in names
    }
    differ = {
        text: {name: answers[name][i] for name in names}
        for i, text in enumerate(MIXED)
        if len({own[i] for own in answers.values()}) > 1
    }
    assert differ
    assert {row["input"]: row["answers"] for row in rows} == differ
    assert f"{len(rows)} of {len(MIXED)} inputs" in err


def test_what_keeps_no_folders_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    carry_out(prepare(request(tmp_path, "knn", "nearest_mean", test=0)), ignore)
    code, _, err = asked(tmp_path, capsys)
    assert code == 2
    assert "are kept" in err or "alone could be the best" in err


def test_one_alone_has_nobody_to_differ_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carry_out(prepare(request(tmp_path, "knn")), ignore)
    code, _, err = asked(tmp_path, capsys)
    assert code == 2
    assert "knn alone could be the best" in err
