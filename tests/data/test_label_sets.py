"""Rows with several labels: told from the cells, read as sets, split by their rarest label."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.types import Shots
from nshot.data import Loaded, load, split
from nshot.data.faults import Faults
from nshot.data.label_sets import tell_several
from nshot.data.tables import read_table
from nshot.data.values import items_of

SETS = [["joy"], ["anger", "fear"], ["anger"], ["joy", "fear"], [], ["fear"]] * 3


def jsonl(path: Path, cells: Sequence[Any], name: str = "labels") -> Path:
    rows = [{"text": f"so it is, number {i}", name: cell} for i, cell in enumerate(cells)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def table(path: Path, cells: Sequence[str], name: str = "label") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", name))
        writer.writerows((f"so it is, number {i}", cell) for i, cell in enumerate(cells))
    return path


def sets_of(loaded: Loaded) -> list[list[str]]:
    return [sorted(row.targets) for row in loaded.train]


def test_lists_are_read_as_several_labels_and_said_so(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path / "rows.jsonl", SETS))
    task = loaded.task
    assert (task.kind, task.metric, task.label_names) == (
        "multilabel", "micro_f1", ("anger", "fear", "joy"),
    )  # fmt: skip
    assert sets_of(loaded) == [sorted(labels) for labels in SETS]
    assert any("holds lists: kind multilabel" in note for note in loaded.notes)
    assert any("to 3 of 18 rows no label applies" in note for note in loaded.notes)


@pytest.mark.parametrize("mark", ["|", ";", ", ", " | "])
def test_labels_with_a_sign_between_are_told_where_pieces_recur(tmp_path: Path, mark: str) -> None:
    cells = [mark.join(labels) for labels in SETS]
    loaded = load(table(tmp_path / "rows.csv", cells))
    assert loaded.task.kind == "multilabel"
    assert sets_of(loaded) == [sorted(labels) for labels in SETS]
    assert any(f"labels with {mark.strip()!r} between" in note for note in loaded.notes)


@pytest.mark.parametrize(
    "cells",
    [
        ["Lost, found", "Broken", "Lost, found", "Late"] * 4,  # pieces of one label only
        ["low, soft", "low, hard", "high, soft", "high, hard"] * 4,  # no piece stands alone
        ["1,5", "2,5", "1,2", "5", "1", "2"] * 4,  # numbers with decimal commas
        ["a|b"] + ["a", "b"] * 20,  # one row of many
    ],
)
def test_labels_that_only_hold_a_sign_stay_one_label(tmp_path: Path, cells: list[str]) -> None:
    loaded = read_table(table(tmp_path / "rows.csv", cells), Faults())
    assert loaded is not None
    assert tell_several(loaded, "label") is None


def test_what_is_refused_names_a_flag_that_reads_it(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.csv", ["a|b", *["a", "b"] * 20])
    with pytest.raises(InputError, match="--kind multilabel"):
        load(path)
    loaded = load(path, kind="multilabel")
    assert loaded.train[0].targets == ("a", "b")
    with pytest.raises(InputError, match="--kind multilabel"):
        load(jsonl(tmp_path / "rows.jsonl", [["a", "b"], ["a"]]), kind="classify")


def test_columns_of_0_and_1_with_several_1s_are_labels(tmp_path: Path) -> None:
    rows = ["text,toxic,obscene,threat", "you rascal,1,1,0", "so it is,0,0,0", "beware now,1,0,1"]
    (tmp_path / "rows.csv").write_text("\n".join(rows * 1 + rows[1:] * 3))
    loaded = load(tmp_path / "rows.csv")
    assert loaded.task.label_names == ("obscene", "threat", "toxic")
    assert sets_of(loaded)[:3] == [["obscene", "toxic"], [], ["threat", "toxic"]]
    assert any("'toxic', 'obscene', 'threat' hold 0 and 1" in note for note in loaded.notes)
    with (tmp_path / "one.csv").open("w") as file:
        file.write("text,spam,ham\nbuy this,1,0\nsee you,0,1\nhow are you,0,1\n")
    assert load(tmp_path / "one.csv").task.kind == "classify"
    assert load(tmp_path / "one.csv", kind="multilabel").task.kind == "multilabel"


def test_several_labels_on_a_line_of_fasttext(tmp_path: Path) -> None:
    lines = ["__label__a __label__b so it is", "__label__a how are you", "__label__b see you now"]
    (tmp_path / "rows.txt").write_text("\n".join(lines))
    loaded = load(tmp_path / "rows.txt")
    assert sets_of(loaded) == [["a", "b"], ["a"], ["b"]]


def test_a_cell_without_content_is_no_label_between_signs_and_unknown_beside_lists(
    tmp_path: Path,
) -> None:
    marked = load(table(tmp_path / "rows.csv", ["a|b", "a", "", "b", "NaN", "b|a"]))
    assert sets_of(marked) == [["a", "b"], ["a"], [], ["b"], ["a", "b"]]
    assert any("1 of 6 rows have no label ('NaN')" in note for note in marked.notes)
    lists = load(jsonl(tmp_path / "rows.jsonl", [["a", "b"], None, [], ["b"], ["a"]]))
    assert sets_of(lists) == [["a", "b"], [], ["b"], ["a"]]
    assert any("1 of 5 rows have no label (empty)" in note for note in lists.notes)


def test_spellings_are_one_label_and_signs_in_a_label_are_refused(tmp_path: Path) -> None:
    cells = [["a ", "b"], ["a"], ["b"], ["a", "a"]]
    assert sets_of(load(jsonl(tmp_path / "rows.jsonl", cells))) == [["a", "b"], ["a"], ["b"], ["a"]]
    with pytest.raises(InputError, match=r"has a '\|' in it"):
        load(jsonl(tmp_path / "bad.jsonl", [["a|b", "c"], ["c"], ["a|b"]]))
    with pytest.raises(InputError, match="differs from"):
        load(jsonl(tmp_path / "case.jsonl", [["Joy", "c"], ["c"], ["joy"], ["joy"]]))


def test_listed_labels_keep_their_order_and_others_are_refused(tmp_path: Path) -> None:
    jsonl(tmp_path / "rows.jsonl", SETS)
    body = "kind: multilabel\ndata: {train: rows.jsonl, text: text, label: labels}\n"
    (tmp_path / "task.yaml").write_text(body + "labels: [joy, fear, anger]\n")
    assert load(tmp_path).task.label_names == ("joy", "fear", "anger")
    (tmp_path / "task.yaml").write_text(body + "labels: [joy, fear]\n")
    with pytest.raises(InputError, match="'anger' is not among the labels"):
        load(tmp_path)


def test_a_label_of_test_rows_only_is_kept_and_said(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", SETS)
    test = jsonl(tmp_path / "test.jsonl", [["joy", "envy"], ["fear"]])
    loaded = load(train, test=test)
    assert "envy" in loaded.task.label_names
    assert loaded.test is not None
    assert loaded.test[0].targets == ("envy", "joy")
    assert any("no train row has: 'envy'" in note for note in loaded.notes)


def test_shots_are_rows_in_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the task has 18 train rows, 40 are needed"):
        load(jsonl(tmp_path / "rows.jsonl", SETS), shots=[40])
    assert load(jsonl(tmp_path / "rows.jsonl", SETS)).task.drawn_labels == ()


names = st.sampled_from(["a", "b", "c", "d"])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sets(names), min_size=420, max_size=520), st.integers(0, 3))
def test_held_out_rows_and_folds_have_the_labels_by_their_share(
    tmp_path_factory: pytest.TempPathFactory, labels: list[set[str]], seed: int
) -> None:
    cells = [sorted(one) for one in labels] + [["a", "rare"], ["b"]] * 10
    loaded = load(jsonl(tmp_path_factory.mktemp("sets") / "rows.jsonl", cells), kind="multilabel")
    rows = split(loaded.task, loaded.train, None, seed=seed)
    shares = [Counter(name for row in part for name in row.targets) for part in
              (rows.train, rows.test)]  # fmt: skip
    assert shares[1]["rare"] == 4, "40 % of ten"
    for fold in Shots(labelled=rows.train).folds(3, seed, labels=loaded.task.has_strata):
        assert sum("rare" in row.targets for row in fold.dev) == 2


def test_rows_with_the_same_text_and_labels_are_one(tmp_path: Path) -> None:
    rows = [{"text": "so it is", "labels": cell} for cell in (["a", "b"], ["b", "a"], ["a"])]
    rows += [{"text": f"row {i}", "labels": ["a", "b"][: 1 + i % 2]} for i in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load(tmp_path / "rows.jsonl")
    kept = split(loaded.task, loaded.train, None).train
    assert [row.targets for row in kept if row.input.text == "so it is"] == [("b", "a"), ("a",)]


def test_one_label_that_applies_or_not_is_a_task(tmp_path: Path) -> None:
    path = tmp_path / "mails.jsonl"
    rows = [{"text": f"mail {i}", "labels": ["spam"] if i % 3 else []} for i in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    loaded = load(path, kind="multilabel")
    assert loaded.task.label_names == ("spam",)
    assert sum(not row.targets for row in loaded.train) == 4
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if row["labels"]), "utf-8")
    with pytest.raises(InputError, match="every row has the one label 'spam'"):
        load(path, kind="multilabel")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if not row["labels"]), "utf-8")
    with pytest.raises(InputError, match="no label"):
        load(path, kind="multilabel")


@pytest.mark.parametrize("form", ["{{'{0}', '{1}'}}", "{{{0},{1}}}", "('{0}', '{1}')", "#{0} #{1}"])
def test_sets_arrays_and_hashtags_are_lists(form: str) -> None:
    assert sorted(name.strip("#") for name in items_of(form.format("joy", "fear")) or []) == [
        "fear",
        "joy",
    ]


@pytest.mark.parametrize("text", ["{a: b}", "(see above)", "#1", "C#", "{}"])
def test_other_cells_are_no_lists(text: str) -> None:
    assert not items_of(text)
