"""`nshot predict --workers`: several processes answer, and the file is that of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nshot.cli.main import main
from nshot.core.errors import InputError, RunFailed
from nshot.core.types import Input, Label, ModelRef, Task
from nshot.data.blocks import open_inputs
from nshot.models import open_models
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Nearest, class_means
from nshot.use.offline import (
    Beside,
    Progress,
    Run,
    Work,
    Workers,
    answer_file,
    of_folder,
    retry_failures,
)
from nshot.use.ready import ready

TASK = Task("t", "classify", (Label("refund"), Label("parcel"), Label("로그인")),
            field_names=(("text", "Text"),))  # fmt: skip
TEXTS = ("money back", "where is my parcel", "cannot sign in, 로그인")
ROWS = 1100
"""More than four blocks."""
MANY_ROWS = 2000
"""Blocks that are read only after the first is written are enough for both processes."""


@contextmanager
def workers(folder: Path, count: int) -> Iterator[Workers]:
    some = Workers(Work({"": str(folder)}), count)
    try:
        yield some
    finally:
        some.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head on an encoder without weights, whose scores differ from row to row."""
    place = tmp_path_factory.mktemp("head") / "tickets"
    nearest(TEXTS, place)
    return place


def nearest(texts: Sequence[str], place: Path) -> None:
    source = Encoded(open_models(), ModelRef("fake", "encoder"))
    vectors = source.read([Input((("text", text),)) for text in texts]).matrix
    Nearest(TASK, source, class_means(vectors, np.arange(3), 3)).save(place)


@pytest.fixture(scope="module")
def two(folder: Path) -> Iterator[Workers]:
    """Two processes that answer for the folder."""
    with workers(folder, 2) as some:
        yield some


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return rows_in(tmp_path / "in.jsonl", ROWS)


def rows_in(path: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            text = "" if i % 211 == 7 else f"{TEXTS[i % 3]} {TEXTS[i // 7 % 3][: i % 11]} {i}"
            file.write(json.dumps({"no": i, "text": text}, ensure_ascii=False) + "\n")
    return path


ABOUT = {"folders": {"f": "1"}}


class Ends(Exception):
    """In the midst of a run."""


def ends(progress: Progress) -> None:
    if progress.rows >= 300:
        raise Ends


def alone(folder: Path, inputs: Path, output: Path) -> Path:
    """The answers of one process."""
    answer_file(open_inputs([inputs], TASK), Run(output, of_folder(ready(folder)), ABOUT))
    return output


def test_the_file_is_that_of_one_process_whoever_goes_on_with_it(
    folder: Path, inputs: Path, two: Workers, tmp_path: Path
) -> None:
    """Also the rows that fail: begun by two processes, gone on with by one, and the reverse."""
    whole = alone(folder, inputs, tmp_path / "alone.csv")
    one = of_folder(ready(folder))
    for name, first, then in (("a.csv", two, one), ("b.csv", one, two)):
        output = tmp_path / name
        with pytest.raises(Ends):
            answer_file(open_inputs([inputs], TASK), Run(output, first, ABOUT, ends))
        assert Beside(output).progress.exists()
        report = answer_file(open_inputs([inputs], TASK), Run(output, then, ABOUT))
        assert report.resumed >= 300
        assert report.failures == len([i for i in range(ROWS) if i % 211 == 7])
        assert output.read_bytes() == whole.read_bytes()
        assert Beside(output).failures.read_bytes() == Beside(whole).failures.read_bytes()


def test_rows_that_failed_are_answered_by_workers_too(
    folder: Path, inputs: Path, two: Workers, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    answer_file(open_inputs([inputs], TASK), Run(output, two, ABOUT))
    text = inputs.read_text(encoding="utf-8").replace('"text": ""', '"text": "mended"')
    inputs.write_text(text, encoding="utf-8")
    report = retry_failures(open_inputs([inputs], TASK), Run(output, two, ABOUT))
    assert (report.answers, report.failures) == (ROWS, 0)
    whole = alone(folder, inputs, tmp_path / "alone.jsonl")
    answers, expected = (
        [(one["answer"], one["probability"]) for one in map(json.loads, path.open())]
        for path in (output, whole)
    )
    assert answers == expected


def test_a_worker_that_is_killed_is_replaced_and_no_row_is_lost(
    folder: Path, two: Workers, tmp_path: Path
) -> None:
    inputs = rows_in(tmp_path / "many.jsonl", MANY_ROWS)
    output, killed = tmp_path / "out.jsonl", list[int]()

    def kill(_: object) -> None:
        if not killed:
            killed.extend(two.pids)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    answer_file(open_inputs([inputs], TASK), Run(output, two, ABOUT, kill))
    assert killed
    assert not set(killed) & set(two.pids)
    assert output.read_bytes() == alone(folder, inputs, tmp_path / "alone.jsonl").read_bytes()


def test_what_is_wrong_with_every_row_is_said_once(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is no more there, and processes that die whenever they are asked."""
    output = tmp_path / "out.jsonl"
    place = tmp_path / "gone"
    with workers(place, 1) as one, pytest.raises(InputError, match=r"gone: no nshot\.json"):
        answer_file(open_inputs([inputs], TASK), Run(output, one, ABOUT))
    dies = tmp_path / "dies"
    dies.write_text("#!/bin/sh\nread line\nkill -9 $$\n")
    dies.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dies))
    with workers(place, 1) as one, pytest.raises(RunFailed, match=r"(?s)SIGKILL.*fewer --workers"):
        answer_file(open_inputs([inputs], TASK), Run(output, one, ABOUT))
    assert not output.exists()


Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command: exit code, standard output, standard error."""

    def type_in(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return type_in


def test_the_command_killed_in_its_midst_goes_on(
    folder: Path, inputs: Path, tmp_path: Path, typed: Typed
) -> None:
    output = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "nshot.cli", "predict", str(folder), str(inputs),
               "-o", str(output), "--workers", "2"]  # fmt: skip
    env = {**os.environ, "NSHOT_THREADS": "1"}
    begun = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    partial, until = Beside(output).pieces, time.monotonic() + 60
    while begun.poll() is None and not (partial.exists() and partial.stat().st_size):
        assert time.monotonic() < until, "no answers in a minute"
        time.sleep(0.002)
    begun.kill()
    begun.wait()
    code, _, err = typed(*command[3:])
    assert (code, "rows have no answer" in err) == (3, True)
    assert output.read_bytes() == alone(folder, inputs, tmp_path / "alone.jsonl").read_bytes()


def test_several_folders_and_kept_answers_with_workers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NSHOT_THREADS", "1")
    plain, mixed, other = tmp_path / "in.txt", tmp_path / "mixed.jsonl", tmp_path / "other"
    plain.write_text("money back\nmy parcel\n")
    rows = [{"text": "money back", "under": "tickets"}, {"text": "my parcel", "under": "other"}]
    mixed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    nearest(TEXTS[::-1], other)
    many = ("predict", str(folder), str(other), str(mixed))
    assert typed(*many, "--workers", "2") == typed(*many)
    kept = ("predict", str(folder), str(plain), "--cache")
    code, first, err = typed(*kept, "--workers", "2")
    assert (code, err) == (0, "2 answers computed, 0 kept from before\n")
    assert typed(*kept) == (0, first, "0 answers computed, 2 kept from before\n")
    code, _, err = typed(*kept, "--workers", "0")
    assert (code, "a number from 1 up" in err) == (2, True)
