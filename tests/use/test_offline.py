"""Files answered row by row: killed at any moment, every row once and in order."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.errors import EndpointRefused, InputError, Locked, RunFailed
from nshot.core.types import Input, Task
from nshot.data.blocks import Listed, Row, open_inputs, rows
from nshot.use.offline import Answering, Beside, Run, answer_file, retry_failures, write_lines
from nshot.use.offline.answering import BROKEN

TASK = Task("t", "generate", field_names=(("text", "Text"),))
FORMS = ("out.jsonl", "out.csv", "out.tsv", "out.parquet")


@dataclass
class Capitals:
    """Answers with the text in capitals; not where it holds a word that it fails at."""

    fails_at: str = "?"
    error: Exception = field(default_factory=lambda: InputError("a row that fails"))
    asked: list[str] = field(default_factory=list)

    def __call__(self, rows: Sequence[Row], inputs: Sequence[Input]) -> list[dict[str, Any]]:
        texts = [one.text for one in inputs]
        if any(self.fails_at in text for text in texts):
            raise self.error
        self.asked += texts
        return [
            {"id": row.id, "answer": text.upper(), "abstained": "hold" in text, "scores": [0.5]}
            for row, text in zip(rows, texts, strict=True)
        ]


def run(path: Path, answer: Capitals | None = None, **options: Any) -> Run:
    return Run(path, Answering(answer or Capitals()), {"folders": {"f": "1"}}, **options)


def write(path: Path, texts: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["no", "text"])
        writer.writerows(enumerate(texts, 1))
    return path


def inputs(path: Path) -> Any:
    return open_inputs([path], TASK)


def lines(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


KILLS = 3
"""Of each of two commands, for each form of output."""
TEXTS = [f'text {i}, "{i % 7}"\n고양이' for i in range(600)]


@pytest.mark.parametrize("name", FORMS)
def test_every_row_is_answered_once_and_in_order(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", TEXTS)
    report = answer_file(inputs(file), run(tmp_path / name))
    assert (report.answers, report.failures) == (600, 0)
    answers = lines(tmp_path / name)
    assert [one["answer"] for one in answers] == [text.upper() for text in TEXTS]
    if name != "out.jsonl":
        assert list(answers[0]) == ["no", "text", "answer", "abstained"]
        assert [one["text"] for one in answers] == TEXTS
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", name])
    before = (tmp_path / name).read_bytes()
    answer_file(inputs(file), run(tmp_path / name))
    assert (tmp_path / name).read_bytes() == before


def in_child(work: Callable[[], object], moment: int | None) -> int:
    """Do it in a process that kills itself before line `moment` of the package; lines it came to.

    None: it is not killed. -1 where it was.
    """
    read, written = os.pipe()
    child = os.fork()
    if child:
        os.close(written)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or text, "neither killed nor done"
        return -1 if os.WIFSIGNALED(status) else int(text)
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if "/use/offline/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    try:
        sys.settrace(trace)
        work()
        sys.settrace(None)
        os.write(written, str(count).encode())
    finally:
        os._exit(0)


@pytest.mark.parametrize("name", FORMS)
def test_killed_at_any_moment_it_goes_on(name: str, tmp_path: Path) -> None:
    """Also while failures are answered again and while files get their names."""
    texts = [text + "?" * (i % 41 == 3) for i, text in enumerate(TEXTS[:520])]
    file, rng = write(tmp_path / "in.csv", texts), random.Random(name)

    def answered(folder: Path, again: bool) -> Callable[[], object]:
        def work() -> None:
            if not again:
                answer_file(inputs(file), run(folder / name, every=0.0))
            elif Beside(folder / name).failures.exists() or Beside(folder / name).progress.exists():
                with suppress(InputError):  # it was killed at the last moment: all are answered
                    retry_failures(inputs(file), run(folder / name, Capitals("!"), every=0.0))

        return work

    whole = tmp_path / "whole"
    killed = tmp_path / "killed"
    for again in (False, True):
        count = in_child(answered(whole, again), None)
        for _ in range(KILLS):
            in_child(answered(killed, again), rng.randrange(1, count))
        in_child(answered(killed, again), None)
        for path in whole.iterdir():
            assert (killed / path.name).read_bytes() == path.read_bytes(), path.name
        assert len([*killed.iterdir()]) == len([*whole.iterdir()])
    assert [one["answer"] for one in lines(killed / name)] == [text.upper() for text in texts]


def test_failures_stand_beside_and_are_put_in_their_places(tmp_path: Path) -> None:
    texts = ["a", "b?", "c", "", "e?", "f"]
    file, output = write(tmp_path / "in.csv", texts), tmp_path / "out.csv"
    report = answer_file(inputs(file), run(output))
    assert (report.answers, report.failures) == (3, 3)
    assert [one["text"] for one in lines(output)] == ["a", "c", "f"]
    failures = [
        (one["row"], one["where"], one["reason"]) for one in lines(tmp_path / "out.failed.jsonl")
    ]
    assert failures == [
        (2, "line 3", "a row that fails"),
        (4, "line 5", "the text 'text' is empty (expected: a text in every row)"),
        (5, "line 6", "a row that fails"),
    ]
    write(file, ["a", "b?", "c", "d", "e?", "f"])
    again = Capitals("e?")
    report = retry_failures(inputs(file), run(output, again))
    assert (report.answers, report.failures, again.asked) == (5, 1, ["b?", "d"])
    assert [one["text"] for one in lines(output)] == ["a", "b?", "c", "d", "f"]
    assert [one["row"] for one in lines(tmp_path / "out.failed.jsonl")] == [5]
    retry_failures(inputs(file), run(output, Capitals("!")))
    assert [one["answer"] for one in lines(output)] == ["A", "B?", "C", "D", "E?", "F"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]
    with pytest.raises(InputError, match="no rows without an answer"):
        retry_failures(inputs(file), run(output))


def test_other_rows_than_those_that_failed_are_not_mended(tmp_path: Path) -> None:
    file, output = write(tmp_path / "in.csv", ["a", "b?", "c"]), tmp_path / "out.csv"
    answer_file(inputs(file), run(output))
    before = output.read_bytes()
    for texts in (["a", "b", "x"], ["a", "b"], ["a", "b", "c", "d"]):
        write(file, texts)
        with pytest.raises(InputError, match="not those that were answered"):
            retry_failures(inputs(file), run(output))
        assert output.read_bytes() == before
    write(file, ["a", "b", "c"])
    other = Run(output, Answering(Capitals()), {"folders": {"f": "2"}})
    with pytest.raises(InputError, match="of other folders"):
        retry_failures(inputs(file), other)


def test_an_engine_that_fails_at_every_row_ends_the_run_and_a_row_does_not(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", [f"{i}?" for i in range(100)])
    for error, message in (
        (RunFailed("no answer from the server"), "no answer"),
        (EndpointRefused("the key was refused"), "the key"),
    ):
        with pytest.raises((RunFailed, EndpointRefused), match=message):
            answer_file(inputs(file), run(tmp_path / "out.csv", Capitals("?", error)))
        assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    write(file, [f"{i}?" if i % 2 else "fine" for i in range(3 * BROKEN)])
    report = answer_file(inputs(file), run(tmp_path / "out.csv", Capitals("?", RunFailed("no"))))
    assert (report.answers, report.failures) == (1.5 * BROKEN, 1.5 * BROKEN)


class Ends(Exception):
    """In the midst of a run."""


def test_what_is_unfinished_goes_on_only_as_it_was_begun(tmp_path: Path) -> None:
    file, output = write(tmp_path / "in.csv", TEXTS), tmp_path / "out.jsonl"

    def ends(_: object) -> None:
        raise Ends

    with pytest.raises(Ends):
        answer_file(inputs(file), run(output, on_progress=ends))
    assert not output.exists()
    with pytest.raises(InputError, match="the command again without --retry-failed"):
        retry_failures(inputs(file), run(output))
    with pytest.raises(InputError, match=r"of other folders.*\n.*\n.*rm .*out.jsonl.progress"):
        answer_file(inputs(file), Run(output, Answering(Capitals()), {"folders": {"f": "2"}}))
    with pytest.raises(InputError, match="of a command without --only-changed"):
        answer_file(inputs(file), run(output), only_changed=True)
    write(file, ["another", *TEXTS[1:]])
    with pytest.raises(InputError, match="of other inputs"):
        answer_file(inputs(file), run(output))
    write(file, TEXTS[:100])
    with pytest.raises(InputError, match="of other inputs"):
        answer_file(inputs(file), run(output))
    write(file, TEXTS)
    rest = Capitals()
    report = answer_file(inputs(file), run(output, rest))
    assert report.resumed == rows.ROWS
    assert rest.asked == TEXTS[rows.ROWS :]
    assert len(lines(output)) == len(TEXTS)


@pytest.mark.parametrize("name", FORMS)
def test_rows_that_did_not_change_keep_their_answers(name: str, tmp_path: Path) -> None:
    file, output = write(tmp_path / "in.csv", ["a", "b", "hold", "d?"]), tmp_path / name
    answer_file(inputs(file), run(output), only_changed=True)
    first = {one["answer"]: one for one in lines(output)}
    write(file, ["new", "hold", "a", "d", "a"])
    answer = Capitals()
    report = answer_file(inputs(file), run(output, answer), only_changed=True)
    assert (report.unchanged, report.abstained, answer.asked) == (3, 1, ["new", "d"])
    answers = lines(output)
    assert [one["answer"] for one in answers] == ["NEW", "HOLD", "A", "D", "A"]
    assert {**answers[2], "no": 0} == {**first["A"], "no": 0}
    other = Run(output, Answering(Capitals()), {"folders": {"f": "2"}})
    with pytest.raises(InputError, match="leave --only-changed away"):
        answer_file(inputs(file), other, only_changed=True)
    answer_file(inputs(file), other)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", name])


def test_a_retry_keeps_what_names_the_inputs(tmp_path: Path) -> None:
    file, output = write(tmp_path / "in.csv", ["a", "b?", "c"]), tmp_path / "out.jsonl"
    answer_file(inputs(file), run(output), only_changed=True)
    retry_failures(inputs(file), run(output, Capitals("!")))
    answer = Capitals("!")
    report = answer_file(inputs(file), run(output, answer), only_changed=True)
    assert (report.unchanged, answer.asked) == (3, [])


def test_one_process_writes_a_file_of_answers(tmp_path: Path) -> None:
    with Beside(tmp_path / "out.csv").held(), pytest.raises(Locked, match="another process"):
        answer_file(Listed([]), run(tmp_path / "out.csv"))


def test_standard_output_has_no_place_for_failures(tmp_path: Path, capsys: Any) -> None:
    file = write(tmp_path / "in.csv", ["a", "b?", "c", "d?"])
    with pytest.raises(InputError, match=r"in.csv, line 3: a row that fails\n.*line 5"):
        write_lines(inputs(file), Answering(Capitals()), sys.stdout, str(file))
    assert capsys.readouterr().out == ""


def test_columns_that_come_late_are_left_out_and_told(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    body = [{"text": f"t{i}"} for i in range(rows.ROWS)] + [{"text": "late", "more": "x"}]
    file.write_text("".join(json.dumps(one) + "\n" for one in body))
    listed = list(inputs(file))
    assert inputs(file).columns == ("text", "more"), "a small file is looked through whole"
    cut = Listed([r for block in listed for r in block.rows()], ("text",))
    report = answer_file(cut, run(tmp_path / "out.csv"))
    assert report.left_out == ("more",)
    assert "more" not in lines(tmp_path / "out.csv")[0]


@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip),
        min_size=1,
        max_size=12,
    ),
    name=st.sampled_from(FORMS[:3]),
    draw=st.data(),
)
def test_every_text_comes_back_as_it_was(
    texts: list[str], name: str, draw: st.DataObject, tmp_path: Path
) -> None:
    """Written, failures mended in the midst of it: cells with quotes, line ends and separators."""
    failing = draw.draw(st.sets(st.integers(0, len(texts) - 1)))
    cells = [
        Row(i + 1, f"row {i}", str(i), Input((("text", t),)), {"text": t})
        for i, t in enumerate(texts)
    ]

    def answer(rows: Sequence[Row], _: Sequence[Input]) -> list[dict[str, Any]]:
        if any(row.number - 1 in failing for row in rows):
            raise InputError("not now")
        return [{"id": row.id, "answer": row.cells["text"]} for row in rows]

    output, blocks = tmp_path / name, Listed(cells, ("text",))
    answer_file(blocks, Run(output, Answering(answer), {}))
    failing, some = set(), bool(failing)
    if some:
        retry_failures(blocks, Run(output, Answering(answer), {}))
    assert [one["answer"] for one in lines(output)] == texts
