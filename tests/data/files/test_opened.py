"""Packed files, workbooks, standard input; what is not what its name says."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from nshot.core.errors import InputError
from nshot.data import load
from nshot.data.faults import Faults
from nshot.data.files import opened, read_file
from nshot.data.table import Table

CSV = b"text,label\na b,x\nc d,y\n"
LINES = b'{"text": "a b", "label": "x"}\n{"text": "c d", "label": "y"}\n'
ROWS = [{"text": "a b", "label": "x"}, {"text": "c d", "label": "y"}]


def table(path: Path) -> Table:
    faults = Faults()
    read = read_file(path, faults)
    if faults or read is None:
        raise faults.error()
    return read


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(("name", "raw"), [("a.csv.gz", CSV), ("a.jsonl.gz", LINES), ("a.gz", CSV)])
def test_gzip(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(gzip.compress(raw))
    assert table(tmp_path / name).rows == ROWS
    assert load(tmp_path / name).task.label_names == ("x", "y")


def test_gzip_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(gzip.compress(CSV))
    assert table(tmp_path / "a.csv").rows == ROWS


def test_a_zip_of_one_file(tmp_path: Path) -> None:
    files = {"deep/a.csv": CSV, "__MACOSX/._a.csv": b"x", "readme.md": b"hello"}
    read = table(zipped(tmp_path / "a.zip", files))
    assert read.rows == ROWS
    assert read.notes == ["a.zip: of 2 files in it deep/a.csv is read"]


def test_a_zip_of_several_names_them_and_the_cure_works(tmp_path: Path) -> None:
    path = zipped(tmp_path / "my set.zip", {"train.csv": CSV, "test.csv": CSV})
    with pytest.raises(InputError, match=r"an archive of 2 files: train.csv, test.csv") as caught:
        table(path)
    command, _, name = caught.value.faults[0].do.partition(" && nshot check ")
    subprocess.run(["bash", "-c", command], check=True, capture_output=True)
    assert table(Path(name.strip("'")) / "train.csv").rows == ROWS


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "_FLAT", 1000)
    zeros = b"text,label\n" + b"0" * 1_000_000
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(zeros))
    zipped(tmp_path / "a.zip", {"a.csv": zeros})
    for name in ("a.csv.gz", "a.zip"):
        with pytest.raises(InputError, match="it unpacks to more than"):
            table(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.xlsx"])
def test_packed_files_that_are_cut(tmp_path: Path, name: str) -> None:
    whole = {
        "a.csv.gz": gzip.compress(CSV),
        "a.zip": zipped(tmp_path / "b.zip", {"a.csv": CSV}).read_bytes(),
        "a.xlsx": workbook(tmp_path / "b.xlsx", {"one": [["text", "label"]]}).read_bytes(),
    }[name]
    for size in (5, len(whole) // 2, len(whole) - 3):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(InputError):
            table(tmp_path / name)


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook(tmp_path: Path) -> None:
    rows: list[list[object]] = [["text", "label"], ["a b", 1], [], ["c d", 2.0], ["e", True]]
    read = table(workbook(tmp_path / "a.xlsx", {"empty": [], "one": rows, "two": [["x"]]}))
    assert [row["label"] for row in read.rows] == ["1", "2", "true"]
    assert (read.places, read.unit) == ([2, 4, 5], "row")
    assert "a.xlsx: sheet 'one' is read, 'two' not" in read.notes


def test_a_workbook_under_another_name(tmp_path: Path) -> None:
    raw = workbook(tmp_path / "a.xlsx", {"one": [["text", "label"], ["a b", "x"]]}).read_bytes()
    (tmp_path / "a.csv").write_bytes(raw)
    assert table(tmp_path / "a.csv").rows == ROWS[:1]


def test_without_openpyxl_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "a.xlsx", {"one": [["text"]]})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"pip install 'nshot\[excel\]'"):
        table(path)


@pytest.mark.parametrize(
    "raw", [CSV, LINES, gzip.compress(CSV, mtime=0), CSV.decode().encode("utf-16")]
)
def test_standard_input(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    opened._standard_input.cache_clear()
    opened.beginning_of_input.cache_clear()
    assert table(Path("-")).rows == ROWS
    opened._standard_input.cache_clear()
    opened.beginning_of_input.cache_clear()


def test_an_address_is_shown_whole_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load("https://example.org/data/tickets.csv")
    message = str(caught.value)
    assert "https://example.org/data/tickets.csv is an address on the web" in message
    assert "curl -fL -o tickets.csv https://example.org/data/tickets.csv" in message


def test_an_old_workbook_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(InputError, match=r"save as .xlsx or .csv"):
        table(tmp_path / "a.xls")
