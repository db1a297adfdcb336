"""Bad input is refused in one message that holds every fault, and nothing is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.data import load

CASES = sorted((Path(__file__).parents[1] / "fixtures" / "bad").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused_with_every_fault(case: Path) -> None:
    call = json.loads((case / "call.json").read_text())
    source = case / call.pop("source")
    test = case / call.pop("test") if "test" in call else None
    before = sorted(case.rglob("*"))
    with pytest.raises(InputError) as caught:
        load(source, test=test, **call)
    message = str(caught.value)
    for fragment in (case / "expect.txt").read_text(encoding="utf-8").splitlines():
        assert fragment in message
    assert caught.value.exit_code == 2
    assert sorted(case.rglob("*")) == before


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'nshot\[parquet\]'"):
        load(tmp_path / "train.parquet")


def test_a_fault_in_very_many_rows_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,label\nfine,good\nawful,bad\n" + ",good\n" * 5000)
    with pytest.raises(InputError) as caught:
        load(path)
    assert len(caught.value.faults) == 1
    assert "lines 4, 5, 6, 7, 8, 9, 10, 11 and 4992 more" in str(caught.value)


def test_many_different_faults_are_cut_with_their_count(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(
        "text,label\nfine,good\n" + "".join(",".join("x" * n) + "\n" for n in range(3, 43))
    )
    with pytest.raises(InputError) as caught:
        load(path)
    assert "20 more faults like these" in str(caught.value)
