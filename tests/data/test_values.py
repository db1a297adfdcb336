"""One label in several spellings, labels in lists, and cells that say that there is none."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.data import Loaded, load
from nshot.data.faults import Faults
from nshot.data.table import Table
from nshot.data.values import read_labels


def write(path: Path, labels: list[object]) -> Path:
    """Rows of different texts with these labels."""
    rows = [{"text": f"the words of row {i}", "label": label} for i, label in enumerate(labels)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def counts(loaded: Loaded) -> Counter[str]:
    return Counter(row.label for row in loaded.train)


@pytest.mark.parametrize(
    ("spellings", "label"),
    [
        (["환불", "환불", unicodedata.normalize("NFD", "환불")], "환불"),
        ([unicodedata.normalize("NFD", "환불")] * 3, "환불"),
        (["refund", "refund", "refund\u200b"], "refund"),
        (["\ufeffrefund", "refund ", " refund"], "refund"),
        (["ABC1", "ABC1", "ＡＢＣ１"], "ABC1"),
        (["card lost", "card lost", "card  lost"], "card lost"),
        (["card lost", "card\u00a0lost", "card lost"], "card lost"),
        (["0", "0.0", 0], "0"),
        (["0.0", "0.0", "0.00"], "0"),
        (["true", "True", True], "true"),
        ([["refund"], "['refund']", '["refund"]'], "refund"),
    ],
)
def test_spellings_of_one_label(tmp_path: Path, spellings: list[object], label: str) -> None:
    loaded = load(write(tmp_path / "x.jsonl", [*spellings, "other", "other"]))
    assert counts(loaded) == {label: len(spellings), "other": 2}
    plain = all(isinstance(one, list) or "[" in str(one) or one == label for one in spellings)
    assert any("read as one" in note for note in loaded.notes) is not plain


@pytest.mark.parametrize(
    "labels",
    [
        ["007", "7"],
        ["1.5", "1"],
        ["yes", "no"],
        ["a\nb", "c"],
        ["👨‍👩‍👧", "👨‍👩‍👦"],
        ["0.0", "1.0"],
        ["m²", "m2"],
        ["[x]", "[y]"],
    ],
)
def test_other_labels_stay_as_they_stand(tmp_path: Path, labels: list[object]) -> None:
    loaded = load(write(tmp_path / "x.jsonl", labels * 3))
    assert counts(loaded) == dict.fromkeys(map(str, labels), 3)
    assert not any("spelling" in note for note in loaded.notes)


def test_train_and_test_may_write_a_number_in_two_ways(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("text,label\nso good,1.0\nso bad,0.0\nso nice,1.0\n")
    (tmp_path / "test.csv").write_text("text,label\nso fine,1\nso poor,0\n")
    loaded = load(train, test=tmp_path / "test.csv")
    assert loaded.task.label_names == ("0", "1")
    assert [row.label for row in loaded.test or ()] == ["1", "0"]
    assert any("'0' (also the same number as '0.0': 1 row)" in note for note in loaded.notes)


def test_a_task_file_says_how_a_label_is_written(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", ["ＡＢ", "ＡＢ", "c", "None", "None"])
    (tmp_path / "task.yaml").write_text("data: {train: x.jsonl}\nlabels: [AB, c, None]\n")
    assert counts(load(tmp_path)) == {"AB": 2, "c": 1, "None": 2}


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        (["good", "bad"], ["", "NaN", "nan", "null", "None", "N/A", None, "-1", -1, "  ", []]),
        (["0", "1"], ["", "NaN", "None", "NA", None]),
        (["Mild", "Severe"], ["", "N/A", None]),
    ],
)
def test_rows_without_a_label_are_left_out_and_counted(
    tmp_path: Path, labels: list[object], missing: list[object]
) -> None:
    loaded = load(write(tmp_path / "x.jsonl", [*labels * 3, *missing]))
    assert counts(loaded) == dict.fromkeys(map(str, labels), 3)
    whole = len(missing) + 6
    assert any(f"{len(missing)} of {whole} rows have no label" in note for note in loaded.notes)


@pytest.mark.parametrize(
    "labels",
    [["None", "Mild", "Severe"], ["NA", "KR", "DE"], ["none", "hate"], ["-1", "0", "1"]],
)
def test_words_that_are_labels_beside_their_like(tmp_path: Path, labels: list[object]) -> None:
    assert counts(load(write(tmp_path / "x.jsonl", labels * 3))) == dict.fromkeys(labels, 3)


def test_several_labels_in_a_row_are_refused_with_their_rows(tmp_path: Path) -> None:
    for several in (["refund", "urgent"], "['refund', 'urgent']", '["refund", "urgent"]'):
        with pytest.raises(InputError, match="line 3: 'label' is a list of 2 labels"):
            load(write(tmp_path / "x.jsonl", ["refund", "urgent", several]), kind="classify")


def test_a_test_file_without_labels_is_for_predict(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", ["a", "b"] * 3)
    for name, body in (("bare.csv", "id,text\n1,so it is\n"), ("none.csv", "text,label\nso,\n")):
        (tmp_path / name).write_text(body)
        with pytest.raises(InputError) as caught:
            load(train, test=tmp_path / name)
        (fault,) = caught.value.faults
        assert name in fault.found
        assert fault.do.endswith(f"nshot predict runs/{tmp_path.name} {tmp_path / name}")


def test_rows_of_which_none_has_a_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no row of x.jsonl has a label"):
        load(write(tmp_path / "x.jsonl", ["", None, "nan"]))


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=12))
def test_labels_are_spelled_the_same_when_they_are_read_again(labels: list[str]) -> None:
    rows = [{"label": label} for label in labels]
    table = Table(Path("x.csv"), ("label",), rows, list(range(len(rows))))
    read_labels([table], "label", (), Faults(), [])
    once = [row["label"] for row in table.rows]
    notes: list[str] = []
    read_labels([table], "label", (), Faults(), notes)
    assert [row["label"] for row in table.rows] == once
    assert not any("spelling" in note for note in notes)
