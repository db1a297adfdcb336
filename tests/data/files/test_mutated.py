"""Mutated files of each reader: read or refused, never a traceback, never a shifted row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from nshot.core.errors import InputError
from nshot.data.faults import Faults
from nshot.data.files import read_file
from nshot.data.table import Table
from nshot.data.tables import read_table

SEED = 13
FEW, MANY = 60, 10_000
MARK = "label-"
ROWS = [
    {
        "id": f"id-{i}",
        "text": f'the text-{i}, "quoted"; 환불해 주세요, 배송이 늦어요 {"|" * (i % 3)}\tend'
        + "\nmore" * (i % 5 == 0),
        "label": f"{MARK}{i % 3}",
    }
    for i in range(12)
]


def separated(mark: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=mark).writerows([list(ROWS[0]), *(list(r.values()) for r in ROWS)])
    return out.getvalue().encode()


def workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), out)
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", separated(","))
    return out.getvalue()


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
FILES: dict[str, Callable[[], bytes]] = {
    "a.csv": lambda: separated(","),
    "semicolons.csv": lambda: separated(";"),
    "cp949.csv": lambda: separated(",").decode().encode("cp949"),
    "utf16.csv": lambda: separated(",").decode().encode("utf-16"),
    "a.tsv": lambda: separated("\t"),
    "a.txt": lambda: "".join(f"__label__{MARK}{i % 3} some text-{i}\n" for i in range(12)).encode(),
    "a.jsonl": LINES.encode,
    "a.json": lambda: json.dumps(ROWS).encode(),
    "columns.json": lambda: json.dumps({k: [r[k] for r in ROWS] for k in ROWS[0]}).encode(),
    "a.xlsx": workbook,
    "a.parquet": parquet,
    "a.csv.gz": lambda: gzip.compress(separated(","), mtime=0),
    "a.zip": zipped,
}


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """One to four changes: a bit turned, bytes dropped, doubled or put in, the end cut off."""
    out = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out)) if out else 0
        change = rng.randrange(5)
        if change == 0 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            del out[at : at + rng.randint(1, 20)]
        elif change == 2:
            out[at:at] = out[at : at + rng.randint(1, 20)]
        elif change == 3:
            out[at:at] = rng.choice([b'"', b",", b";", b"\t", b"\n", b"\x00", b"\xff", b"'", b"|"])
        else:
            del out[max(at, len(out) // 2) :]
    return bytes(out)


def read(path: Path) -> Table | None:
    """The table; None where a fault was noted or raised, which is a refusal."""
    faults = Faults()
    table = read_table(path, faults)
    return None if faults else table


def try_mutated(path: Path, raw: bytes, count: int) -> int:
    """How many of `count` mutated files were read. Any error but a refusal goes through."""
    rng, able = random.Random(f"{SEED} {path.name}"), 0
    for _ in range(count):
        path.write_bytes(mutated(raw, rng))
        table = read(path)
        if table is None:
            continue
        able += 1
        for row in table.rows:
            assert set(row) <= set(table.columns)
    return able


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    raw = FILES[name]()
    (tmp_path / name).write_bytes(raw)
    assert read(tmp_path / name) is not None
    try_mutated(tmp_path / name, raw, FEW)


@pytest.mark.full
@pytest.mark.parametrize("name", FILES)
def test_ten_thousand_mutated_files(tmp_path: Path, name: str) -> None:
    try_mutated(tmp_path / name, FILES[name](), MANY)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_row_with_a_cell_too_many_or_too_few_is_never_shifted(tmp_path: Path, mark: str) -> None:
    """A separator is put into, or taken out of, one row that has no quotes."""
    rng = random.Random(SEED)
    path = tmp_path / "a.csv"
    for _ in range(FEW):
        lines = [
            ["id", "text", "label"],
            *([f"id-{i}", f"words {i}", f"{MARK}{i}"] for i in range(9)),
        ]
        cells = lines[rng.randrange(1, len(lines))]
        if rng.random() < 0.5:
            cells.insert(rng.randrange(len(cells)), f"extra {rng.random()}")
        else:
            del cells[rng.randrange(len(cells))]
        path.write_text("".join(mark.join(line) + "\n" for line in lines))
        faults = Faults()
        table = read_file(path, faults)
        assert faults
        with pytest.raises(InputError, match="cells, the header has 3"):
            raise faults.error()
        assert table is not None
        assert all(row["label"].startswith(MARK) for row in table.rows)
