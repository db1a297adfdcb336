"""Rows without labels: none that a test row says, none twice, and the fingerprint knows them."""

from __future__ import annotations

from nshot.core.types import Example, Input, Label, Task
from nshot.data import split, with_unlabelled

TASK = Task("films", "classify", (Label("good"), Label("bad")))


def row(name: str, text: str, label: str = "") -> Example:
    return Example(name, Input((("text", text),)), (label,) if label else ())


ROWS = split(
    TASK,
    [row("a", "A warm film", "good"), row("b", "지루하다", "bad")],
    [row("t", "Dull, and grey.", "bad")],
)


def test_what_a_test_row_says_is_left_out_and_counted() -> None:
    more = [
        row("u1", "dull and GREY", "good"),
        row("u2", "a warm film!"),
        row("u3", "새 영화"),
        row("u4", "새  영화"),
        row("u5", "another", "bad"),
    ]
    now = with_unlabelled(ROWS, more)
    assert [one.id for one in now.unlabelled] == ["u3", "u5"]
    assert all(one.targets == () for one in now.unlabelled), "labels in the file are not read"
    assert now.notes[-1] == (
        "unlabelled: 2 rows; left out: 1 that say the same as a test row, 2 that say the same as a"
        " labelled row or an earlier one"
    )
    assert (now.train, now.test) == (ROWS.train, ROWS.test)
    assert now.fingerprint != ROWS.fingerprint


def test_the_fingerprint_is_of_the_rows_not_of_their_order() -> None:
    more = [row("u3", "새 영화"), row("u5", "another")]
    one, other = with_unlabelled(ROWS, more), with_unlabelled(ROWS, more[::-1])
    assert one.fingerprint == other.fingerprint
    assert with_unlabelled(ROWS, []) == ROWS
