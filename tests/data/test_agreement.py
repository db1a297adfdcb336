"""Krippendorff's alpha: the worked examples of Krippendorff 2011, and what must hold of any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.data.agreement import krippendorff_alpha

MEG, OWEN = "0100000010", "1110010000"
BEN, GERRY = "aabbdcccedda", "babbbccceddd"
FOUR = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def units(*observers: str):
    """A row for each unit; a dot is no value."""
    return [[None if v == "." else v for v in unit] for unit in zip(*observers, strict=True)]


@pytest.mark.parametrize(
    ("observers", "alpha"),
    [((MEG, OWEN), 0.095), ((BEN, GERRY), 0.692), (FOUR, 0.743)],
    ids=["binary, section A", "nominal, section B", "four observers, values missing, section C"],
)
def test_the_published_examples(observers, alpha):
    assert krippendorff_alpha(units(*observers)) == pytest.approx(alpha, abs=5e-4)


@pytest.mark.parametrize("rows", [[], [["a"]], [["a", None], ["b"]], [["a", "a"], ["a", "a"]]])
def test_without_two_values_or_without_a_difference_there_is_none(rows):
    assert krippendorff_alpha(rows) is None


VALUES = st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=5), max_size=12)


@given(VALUES)
def test_who_gave_a_value_and_in_which_order_rows_stand_does_not_count(rows):
    turned = [row[::-1] for row in rows][::-1]
    assert krippendorff_alpha(turned) == pytest.approx(krippendorff_alpha(rows))


@given(VALUES)
def test_it_is_the_definition_over_all_pairs(rows):
    """1 - (n - 1) sum o_ck / sum n_c n_k, the coincidences counted pair by pair."""
    pairs = [
        (a, b, 1 / (len(row) - 1))
        for row in ([v for v in some if v is not None] for some in rows)
        if len(row) > 1
        for i, a in enumerate(row)
        for j, b in enumerate(row)
        if i != j
    ]
    values = [
        v for row in rows for v in row if v is not None and sum(x is not None for x in row) > 1
    ]
    expected = sum(a != b for a in values for b in values)
    alpha = krippendorff_alpha(rows)
    if not expected:
        assert alpha is None
    else:
        observed = sum(weight for a, b, weight in pairs if a != b)
        assert alpha == pytest.approx(1 - (len(values) - 1) * observed / expected)


def test_full_agreement_is_one():
    assert krippendorff_alpha([["a", "a"], ["b", "b", "b"]]) == 1
