"""Groups out of files' names, whatever the names are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.data.faults import Faults
from nshot.data.picture_rows import GROUP_COLUMN, group_by_name, names_pictures
from nshot.data.table import Table

NAMES = st.text(min_size=1).filter(lambda text: "/" not in text)


def grouped(name: str, pattern: str) -> tuple[object, Faults]:
    table, faults = (
        Table(Path("photos"), ("image", "label"), [{}], [f"cup/{name}"], "file"),
        Faults(),
    )
    group_by_name(table, pattern, faults)
    assert table.columns == ("image", "label", GROUP_COLUMN)
    return table.rows[0].get(GROUP_COLUMN), faults


@given(NAMES, st.integers(0, 999))
def test_the_group_is_all_that_stands_before_the_last_mark(group: str, number: int) -> None:
    found, faults = grouped(f"{group}_{number}.jpg", "{group}_*.jpg")
    assert found == group
    assert not faults


@given(NAMES, NAMES)
def test_what_is_no_wildcard_stands_for_itself(group: str, rest: str) -> None:
    plain = rest.replace("{group}", "").replace("*", "").replace("?", "")
    found, faults = grouped(f"{group}{plain}", "{group}" + plain)
    assert found == group
    assert not faults


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("a.jpg", "{group}_*.jpg"), ("_1.jpg", "{group}_*.jpg"), ("a_1.jpeg", "{group}_*.jpg"),
        ("a.jpg", "{group}/{group}.jpg"), ("a.jpg", "(a"), ("a.jpg", "a"), ("a.jpg", "(a)(.)"),
    ],
)  # fmt: skip
def test_a_name_without_a_group_is_a_fault(name: str, pattern: str) -> None:
    found, faults = grouped(name, pattern)
    assert found is None
    assert "--group" in str(faults.error())


@pytest.mark.parametrize(
    ("cell", "is_name"),
    [
        ("a/1.jpg", True), ("1.PNG", True), ("x.heic", True), ("https://x.test/1.jpg", False),
        ("jpg", False), ("a picture.jpg of it", False), (None, False), (3, False),
    ],
)  # fmt: skip
def test_what_names_a_picture(cell: object, is_name: bool) -> None:
    table = Table(Path("rows.csv"), ("file",), [{"file": "ok.jpg"}, {"file": cell}])
    assert names_pictures(table, "file") == is_name
