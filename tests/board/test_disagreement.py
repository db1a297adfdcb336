"""Where the best differ: who is compared, what is contested most, what is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nshot.board.disagreement import disagreements
from nshot.core.types import Input

INPUTS = {name: Input(fields=(("text", f"text of {name}"),)) for name in "abcd"}


def test_the_most_contested_comes_first_and_agreement_is_left_out() -> None:
    answers = {
        "one": {"a": "x", "b": "x", "c": "x", "d": "x"},
        "two": {"a": "x", "b": "y", "c": "y", "d": "x"},
        "three": {"a": "x", "b": "x", "c": "z", "d": "x"},
    }
    rows = disagreements(INPUTS, answers, {"c": "z"})
    assert [row.id for row in rows] == ["c", "b"]
    assert rows[0].answers == {"one": "x", "two": "y", "three": "z"}
    assert rows[0].label == "z"
    assert rows[0].input == "text of c"
    assert rows[1].label is None


def test_who_has_not_answered_an_input_is_not_compared_on_it() -> None:
    (row,) = disagreements(INPUTS, {"one": {"a": "x", "b": "y"}, "two": {"a": "z"}})
    assert row.id == "a"
    assert disagreements(INPUTS, {"one": {"a": "x"}}) == []


def test_several_fields_keep_their_names() -> None:
    pair = {"a": Input(fields=(("premise", "rain"), ("claim", "wet")))}
    (row,) = disagreements(pair, {"one": {"a": "yes"}, "two": {"a": "no"}})
    assert row.input == {"premise": "rain", "claim": "wet"}


@given(st.lists(st.lists(st.sampled_from("xyz"), min_size=4, max_size=4), max_size=5))
def test_a_row_is_there_exactly_where_answers_differ_whatever_the_order(
    table: list[list[str]],
) -> None:
    answers = {f"m{i}": dict(zip(INPUTS, line, strict=True)) for i, line in enumerate(table)}
    rows = disagreements(INPUTS, answers)
    differ = {name for name in INPUTS if len({own[name] for own in answers.values()}) > 1}
    assert {row.id for row in rows} == differ
    turned = disagreements(INPUTS, dict(reversed(answers.items())))
    assert [row.id for row in turned] == [row.id for row in rows]
