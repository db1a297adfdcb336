"""Large files in blocks: what small ones give, with as little in memory as a block."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nshot.core.errors import InputError
from nshot.core.types import Input, Label, Task
from nshot.data.blocks import Row, open_inputs, text
from nshot.data.blocks import rows as cut_rows
from nshot.data.blocks.opening import Streamed
from nshot.data.files import opened

TASK = Task("t", "classify", (Label("a"), Label("b")), field_names=(("text", "Text"),))
PAIR = Task("t", "classify", (Label("a"), Label("b")), field_names=(("x", "X"), ("y", "Y")))
CHAT = Task("t", "generate")
KOREAN = "배송이 늦어요, 환불해 주세요. 비밀번호를 잊어버려서 로그인이 안 됩니다".split()  # noqa: SIM905
TEXTS = [f'text {i}: {KOREAN[i % 8]} {KOREAN[i % 7]} "quoted", and, more' for i in range(900)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """What counts as a large file from some bytes on."""

    def set_to(size: int) -> None:
        for module in (opened, text):
            monkeypatch.setattr(module, "BEGINNING", size)
        monkeypatch.setattr(text, "HEAD", min(size, text.HEAD))

    return set_to


def rows(path: Path, task: Task = TASK, **options: Any) -> list[Row]:
    return [row for block in open_inputs([path], task, **options) for row in block.rows()]


def quoted(cell: str, mark: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if mark in cell or '"' in cell else cell


def separated(mark: str) -> str:
    lines = [f"id{mark}text", *(f"n{i}{mark}{quoted(one, mark)}" for i, one in enumerate(TEXTS))]
    return "\n".join(lines) + "\n"


FILES = {
    "in.jsonl": "".join(json.dumps({"id": f"n{i}", "text": t}) + "\n" for i, t in enumerate(TEXTS)),
    "in.csv": separated(","),
    "semicolons.csv": separated(";"),
    "in.tsv": separated("\t"),
    "table.txt": separated("\t"),
    "in.txt": "\n".join(TEXTS) + "\n",
    "crlf.txt": "\r\n".join(TEXTS),
    "blank.jsonl": "\n\n".join(json.dumps({"id": f"n{i}", "text": t}) for i, t in enumerate(TEXTS)),
    "escaped.csv": "id,text\n" + "".join(
        f'n{i},"' + one.replace('"', '\\"') + '"\n' for i, one in enumerate(TEXTS)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp949"])
def test_a_large_file_gives_what_a_small_one_gives(
    name: str, encoding: str, small: Callable[[int], None], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name].encode(encoding))
    whole = rows(path)
    assert [row.input for row in whole] == [Input((("text", one),)) for one in TEXTS]
    small(8000)
    streamed = rows(path)
    assert isinstance(open_inputs([path], TASK), Streamed)
    assert [(r.id, r.input, r.cells, r.number) for r in streamed] == [
        (r.id, r.input, r.cells, r.number) for r in whole
    ]


def test_parquet_is_read_in_blocks(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"id": range(900), "text": TEXTS})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=400)
    read = open_inputs([tmp_path / "in.parquet"], TASK)
    cut = list(read)
    assert [len(block.records) for block in cut] == [256, 256, 256, 132]
    assert [row.input.text for block in cut for row in block.rows() if row.input] == TEXTS
    assert read.share() == 1.0


@pytest.mark.parametrize("is_large", [False, True])
def test_rows_that_cannot_be_read_say_why(
    is_large: bool, small: Callable[[int], None], tmp_path: Path
) -> None:
    lines = [json.dumps({"text": one}) for one in TEXTS]
    lines[500:503] = ['{"text"', '{"text": " ", "no": 1}', '{"text": ["x"]}']
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    if is_large:
        small(8000)
    wrong = [(r.number, r.where, r.problem) for r in rows(path) if r.input is None]
    assert wrong == [
        (501, "line 501", wrong[0][2]),
        (502, "line 502", "the text 'text' is empty (expected: a text in every row)"),
        (503, "line 503", "'text' holds a list (expected: a text)"),
    ]
    assert wrong[0][2].startswith("not a JSON object")
    assert len(rows(path)) == len(TEXTS)


def test_a_large_table_with_rows_at_fault(small: Callable[[int], None], tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    lines = FILES["in.csv"].split("\n")
    lines[600] += ",one,more"
    path.write_bytes("\n".join(lines).encode("utf-8").replace("text 700: 비".encode(), b"\xb0\xa1"))
    small(8000)
    wrong = {r.where: r.problem for r in rows(path) if r.input is None}
    assert wrong == {
        "line 601": "4 cells, the header has 2",
        "line 702": "bytes that are not utf-8, as the rest is",
    }


def test_a_quote_that_never_closes_ends_a_large_table(
    small: Callable[[int], None], tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(FILES["in.csv"] + 'n900,"open\n' + "n901,x\n" * 10, encoding="utf-8")
    small(8000)
    with pytest.raises(InputError, match=r"line 902: malformed: unexpected end of data"):
        rows(path)


def test_columns_are_told_by_the_first_rows(small: Callable[[int], None], tmp_path: Path) -> None:
    small(2000)
    path = tmp_path / "in.csv"
    path.write_text("X,z\n" + "a,b\n" * 900)
    with pytest.raises(InputError, match="no column 'y'"):
        rows(path, PAIR)
    path.write_text("Ｙ,x\n" + "b,a\n" * 900, encoding="utf-8")
    assert rows(path, PAIR)[-1].input == Input((("x", "a"), ("y", "b")))
    lines = tmp_path / "in.txt"
    lines.write_text("one\n" * 900)
    with pytest.raises(InputError, match="the task has 2 fields"):
        rows(lines, PAIR)
    chats = tmp_path / "chats.jsonl"
    turns = [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]
    chats.write_text((json.dumps({"messages": turns}) + "\n") * 900)
    assert [t.text for t in rows(chats, CHAT)[-1].input.turns] == ["why?"]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
@pytest.mark.parametrize("is_large", [False, True])
def test_standard_input_is_read_once(
    name: str, is_large: bool, small: Callable[[int], None], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    raw = FILES[name].encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    for function in (opened._standard_input, opened.beginning_of_input):
        function.cache_clear()
    if is_large:
        small(8000)
    read = open_inputs([Path("-")], TASK)
    assert [row.id for block in read for row in block.rows()] == [f"n{i}" for i in range(900)]
    assert read.share() == (None if is_large else 1.0)
    for function in (opened._standard_input, opened.beginning_of_input):
        function.cache_clear()


def test_a_packed_file_is_unpacked_as_it_is_read(
    small: Callable[[int], None], tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(FILES["in.jsonl"].encode()))
    small(8000)
    assert len(rows(path)) == len(TEXTS)
    path.write_bytes(gzip.compress(FILES["in.jsonl"].encode())[:-400])
    with pytest.raises(InputError, match="cannot be read beyond line"):
        rows(path)


def test_long_rows_end_a_block_early(small: Callable[[int], None], tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text(("x" * (cut_rows.SIZE // 2) + "\n") * 5)
    small(8000)
    cut = list(open_inputs([path], TASK))
    assert [(block.first, len(block.records)) for block in cut] == [(1, 2), (3, 2), (5, 1)]


def test_what_a_row_is_named_by(small: Callable[[int], None], tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "same"}\n' * 900)
    first, second = (row.id for row in rows(path)[:2])
    assert second == f"{first}-2"
    small(2000)
    assert {row.id for row in rows(path)} == {first}, "copies are not counted in a large file"
