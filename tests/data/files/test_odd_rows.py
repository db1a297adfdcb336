"""Separators, quotes and lines that few programs write, read as a careful person does."""

from __future__ import annotations

import bz2
import json
import lzma
from pathlib import Path

import pytest
from layouts import ENGLISH, KOREAN, PLAIN, joined, quoted

from nshot.core.errors import InputError
from nshot.data import load

HEAD = ("text", "label")
WITH_COMMAS = [(f"{t}, please" if i % 3 else t, n) for i, (t, n) in enumerate(ENGLISH)]


def rows_of(path: Path, content: str | bytes) -> tuple[list[tuple[str, str]], str]:
    """Texts with their labels, and the notes."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    loaded = load(path)
    return [(row.input.text, row.label) for row in loaded.train], "\n".join(loaded.notes)


@pytest.mark.parametrize("mark", ["^", "~", "\x01", "::", "|||", " ||| "])
def test_rare_separators(mark: str, tmp_path: Path) -> None:
    read, notes = rows_of(tmp_path / "t.txt", joined([HEAD, *ENGLISH], mark))
    assert read == ENGLISH
    assert f"parted by {mark.strip(' ')!r}" in notes


def test_a_table_drawn_with_bars(tmp_path: Path) -> None:
    lines = [f"| {a} | {b} |" for a, b in [HEAD, ("---", ":-:"), *ENGLISH]]
    read, notes = rows_of(tmp_path / "t.md", "\n".join(lines))
    assert read == ENGLISH
    assert "drawn with bars" in notes


def test_single_quotes_round_all_cells(tmp_path: Path) -> None:
    body = "".join(f"'{a}','{b}'\n" for a, b in [HEAD, *ENGLISH])
    read, notes = rows_of(tmp_path / "t.csv", body)
    assert read == ENGLISH
    assert "single quotes" in notes


def test_spaces_round_quoted_cells(tmp_path: Path) -> None:
    body = "".join(f' "{a}" , "{b}" \n' for a, b in [HEAD, *ENGLISH])
    assert rows_of(tmp_path / "t.csv", body)[0] == ENGLISH


def test_a_backslash_before_a_comma(tmp_path: Path) -> None:
    body = "text,label\n" + "".join(a.replace(",", "\\,") + f"\\, now,{b}\n" for a, b in ENGLISH)
    assert rows_of(tmp_path / "t.csv", body)[0] == [(f"{a}, now", b) for a, b in ENGLISH]


@pytest.mark.parametrize("first", [False, True])
def test_commas_without_quotes_belong_to_the_text(first: bool, tmp_path: Path) -> None:
    order = [row[::-1] if first else row for row in [HEAD, *WITH_COMMAS]]
    read, notes = rows_of(tmp_path / "t.csv", joined(order))
    assert read == WITH_COMMAS
    assert "commas without quotes in a text" in notes


@pytest.mark.parametrize("line", ["Where is it,refu,nd", "one,two,three", "four"])
def test_cells_that_nobody_can_place_are_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 18"):
        rows_of(tmp_path / "t.csv", joined([HEAD, *PLAIN]) + line + "\n")


@pytest.mark.parametrize(
    "above", ["# from the shop\n# 2024\n", "Tickets of May\n\n", "Tickets, May\n\n", "Tickets,\n"]
)
def test_lines_above_the_header(above: str, tmp_path: Path) -> None:
    read, notes = rows_of(tmp_path / "t.csv", above + quoted([HEAD, *ENGLISH]))
    assert read == ENGLISH
    assert "above the header are left out" in notes


def test_one_column_of_text_has_no_title(tmp_path: Path) -> None:
    table = "text\n" + "".join(f"{i} hello, you\n" for i in range(9))
    with pytest.raises(InputError) as caught:
        rows_of(tmp_path / "t.csv", table)
    assert "left out" not in str(caught.value)


def test_files_put_together_each_with_its_mark(tmp_path: Path) -> None:
    rows = [(t.replace(",", ""), n) for t, n in KOREAN]
    halves = ["\ufeff" + joined([HEAD, *half]) for half in (rows[:8], rows[8:])]
    assert rows_of(tmp_path / "t.csv", "".join(halves))[0] == rows


@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.tsv", "t.ndjson", "t.jsonlines", "t.json"])
@pytest.mark.parametrize("between", ["\n", ",\n", "\n\n"])
def test_objects_whatever_the_file_is_called(name: str, between: str, tmp_path: Path) -> None:
    rows = [json.dumps({"text": t, "label": n}) for t, n in ENGLISH]
    assert rows_of(tmp_path / name, between.join(rows))[0] == ENGLISH


@pytest.mark.parametrize("end", ["]", ",]", ",\n]\n"])
def test_a_list_in_a_file_of_lines(end: str, tmp_path: Path) -> None:
    rows = [json.dumps({"text": t, "label": n}, indent=1) for t, n in ENGLISH]
    assert rows_of(tmp_path / "t.jsonl", "[" + ",\n".join(rows) + end)[0] == ENGLISH


def test_objects_as_python_prints_them(tmp_path: Path) -> None:
    lines = "".join(f"{ {'text': t, 'label': n} }\n" for t, n in ENGLISH)
    assert rows_of(tmp_path / "t.jsonl", lines)[0] == ENGLISH
    with pytest.raises(InputError, match="neither JSON nor printed by Python"):
        rows_of(tmp_path / "t.jsonl", "{'text': __import__('os').getcwd(), 'label': 'x'}\n" * 3)


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_packed_by_bzip2_and_xz(pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    content = pack(joined([HEAD, *PLAIN]).encode())
    name = "t.csv.bz2" if pack is bz2.compress else "t.csv.xz"
    assert rows_of(tmp_path / name, content)[0] == PLAIN
    with pytest.raises(InputError, match="ends too early"):
        rows_of(tmp_path / name, content[:-20])


def test_utf16_of_hangul_without_a_mark(tmp_path: Path) -> None:
    rows = [(t.replace(",", ""), n) for t, n in KOREAN]
    read, notes = rows_of(tmp_path / "t.csv", joined([HEAD, *rows]).encode("utf-16-le"))
    assert read == rows
    assert "utf-16-le" in notes
