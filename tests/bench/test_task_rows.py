"""What `check`, `compare` and its dry run refuse is the same, in the same words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.task_rows import checked_rows
from nshot.cli.main import main
from nshot.core.errors import InputError
from spine import FAKES, stay_here


def write(path: Path, rows: Sequence[tuple[str, ...]], header: str = "text,label") -> str:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return str(path)


def lonely(folder: Path) -> list[str]:
    rows = [(f"words of row {i}", "ab"[i % 2]) for i in range(40)]
    return [write(folder / "lonely.csv", [*rows, ("one alone", "other")])]


def one_group(folder: Path) -> list[str]:
    rows = [(f"words of row {i}", "ab"[i % 2], "g") for i in range(40)]
    return [write(folder / "grouped.csv", rows, "text,label,group")]


def no_row_left(folder: Path) -> list[str]:
    rows = [(f"words of row {i}", "ab"[i % 2]) for i in range(6)]
    train = write(folder / "train.csv", rows)
    return [train, "--test", write(folder / "test.csv", rows)]


@pytest.mark.parametrize("made", [lonely, one_group, no_row_left])
def test_what_one_verb_refuses_the_others_refuse(
    made: Callable[[Path], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stay_here(monkeypatch)
    monkeypatch.chdir(tmp_path)
    words = made(tmp_path)
    refusals = set()
    for verb in (["check"], ["compare", *FAKES], ["compare", "--dry-run", *FAKES]):
        with pytest.raises(SystemExit) as ended:
            main([verb[0], *words, *verb[1:]])
        assert ended.value.code == 2
        refusals.add(capsys.readouterr().err)
    assert len(refusals) == 1
    assert "expected:" in refusals.pop()


def uneven(share: float, metric: str | None = None, tmp: Path = Path()) -> tuple[str, ...]:
    rows = [(f"words of row {i}", "rare" if i >= share * 100 else "ok") for i in range(100)]
    request = Request(task=write(tmp / "x.csv", rows), metric=metric)
    return checked_rows(request)[1].notes


def test_accuracy_beside_one_label_of_most_rows_is_told(tmp_path: Path) -> None:
    notes = "\n".join(uneven(0.9, tmp=tmp_path))
    assert "90 of 100 rows have the label 'ok'" in notes
    assert "--metric macro_f1" in notes
    assert "--metric macro_f1" not in "\n".join(uneven(0.9, "macro_f1", tmp_path))
    assert "--metric macro_f1" not in "\n".join(uneven(0.7, tmp=tmp_path))


def test_the_rows_of_a_check_are_those_of_a_comparison(tmp_path: Path) -> None:
    rows = [(f"words of row {i}", "ab"[i % 2]) for i in range(40)]
    request = Request(task=write(tmp_path / "x.csv", rows), methods=("majority",))
    task, split = checked_rows(request)
    prepared = prepare(request)
    assert (task, split.fingerprint) == (prepared.task, prepared.split.fingerprint)


def test_a_metric_that_does_not_fit_is_refused_by_both(tmp_path: Path) -> None:
    rows = [(f"words of row {i}", "ab"[i % 2]) for i in range(40)]
    request = Request(task=write(tmp_path / "x.csv", rows), metric="rouge_l", methods=("majority",))
    for look in (checked_rows, prepare):
        with pytest.raises(InputError, match="rouge_l"):
            look(request)
