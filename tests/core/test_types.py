"""The nouns: folds that part no group, costs that add up, names that stay apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.types import (
    RUNGS,
    Cost,
    Delta,
    Example,
    Input,
    Label,
    ModelRef,
    Shots,
    Task,
    Turn,
    digest,
    stratified_folds,
)

unhurried = settings(deadline=None, max_examples=60)


def row(name: str, label: str, group: str | None = None) -> Example:
    return Example(name, Input(fields=(("text", name),)), (label,), group=group)


labelled = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, None, "g1", "g2", "g3"])), max_size=40
).map(lambda pairs: tuple(row(f"r{i}", label, group) for i, (label, group) in enumerate(pairs)))
counted = st.dictionaries(st.sampled_from("abcd"), st.integers(2, 12), min_size=1).map(
    lambda counts: tuple(row(f"{x}{i}", x) for x, n in counts.items() for i in range(n))
)


@unhurried
@given(labelled, st.integers(2, 6), st.integers(0, 3))
def test_every_row_is_in_one_fold_and_groups_are_whole(
    rows: tuple[Example, ...], k: int, seed: int
) -> None:
    fold_of = stratified_folds(rows, k, seed)
    assert set(fold_of) == {e.id for e in rows}
    assert set(fold_of.values()) <= set(range(k))
    for group in {e.group for e in rows} - {None}:
        assert len({fold_of[e.id] for e in rows if e.group == group}) == 1
    assert stratified_folds(rows[::-1], k, seed) == fold_of or any(e.group for e in rows)


@unhurried
@given(counted, st.integers(2, 6), st.integers(0, 3))
def test_no_fold_takes_a_label_away_and_shares_are_equal(
    rows: tuple[Example, ...], k: int, seed: int
) -> None:
    fold_of = stratified_folds(rows, k, seed)
    for label, total in Counter(e.label for e in rows).items():
        inside = Counter(fold_of[e.id] for e in rows if e.label == label)
        assert max(inside.values()) < total, "the remainder of every fold has the label"
        assert max(inside.values()) - min(inside[fold] for fold in range(k)) <= 1
    sizes = Counter(fold_of.values())
    assert max(sizes.values()) - min(sizes[fold] for fold in range(k)) <= 1


def test_repeats_cut_differently() -> None:
    rows = tuple(row(f"{x}{i}", x) for x in "ab" for i in range(10))
    assert stratified_folds(rows, 5, 0) != stratified_folds(rows, 5, 1)
    assert stratified_folds(rows, 5, 1) == stratified_folds(rows, 5, 1)


def test_shots_have_as_many_folds_as_the_commonest_label_has_rows() -> None:
    rows = tuple(row(f"{x}{i}", x) for x in "ab" for i in range(3))
    assert len(Shots(rows).folds(4)) == 3
    rows = tuple(row(f"a{i}", "a") for i in range(9)) + tuple(row(f"b{i}", "b") for i in range(3))
    folds = Shots(rows).folds(4)
    assert len(folds) == 4, "a rare label leaves the others three quarters to learn from"
    assert sorted(e.id for f in folds for e in f.dev) == sorted(e.id for e in rows)
    for fold in folds:
        assert {e.label for e in fold.shots.labelled} == {"a", "b"}
        assert not {e.id for e in fold.shots.labelled} & {e.id for e in fold.dev}


def test_a_label_of_one_row_is_only_learned() -> None:
    rows = (*(row(f"{x}{i}", x) for x in "ab" for i in range(8)), row("c", "c"))
    folds = Shots(rows).folds(4)
    assert sorted(e.id for f in folds for e in f.dev) == sorted(e.id for e in rows[:-1])


def test_one_shot_has_no_folds() -> None:
    assert Shots((row("1", "a"), row("2", "b"))).folds() == ()
    assert Shots().folds() == ()


def test_photographs_of_many_things_are_folded_whole() -> None:
    labels = "abc"
    rows = tuple(row(f"{photo}{label}", label, photo) for photo in "wxyz" for label in labels)
    folds = Shots(rows).folds(4)
    assert len(folds) > 1
    for fold in folds:
        learned, asked = fold.shots.labelled, fold.dev
        assert not {e.group for e in learned} & {e.group for e in asked}
        assert {e.label for e in asked} <= {e.label for e in learned}
    assert sorted(e.id for f in folds for e in f.dev) == sorted(e.id for e in rows)


def test_a_label_that_only_one_photograph_shows_is_asked_in_no_fold() -> None:
    rows = (row("1", "a", "w"), row("2", "b", "w"), row("3", "a", "x"), row("4", "b", "w"))
    assert sorted(e.id for fold in Shots(rows).folds() for e in fold.dev) == ["1", "3"]


def test_folds_keep_what_is_not_labelled() -> None:
    free, back = (row("u", ""),), (row("z", "other"),)
    shots = Shots(tuple(row(f"{x}{i}", x) for x in "ab" for i in range(2)), free, (), back)
    assert all((f.shots.unlabelled, f.shots.background) == (free, back) for f in shots.folds())


def test_preferences_are_cut_where_nothing_is_labelled() -> None:
    pairs = tuple(Example(f"p{i}", Input(answers=("x", "y")), grades=(1.0, 0.0)) for i in range(8))
    folds = Shots(preferences=pairs).folds(4, labels=False)
    assert [len(f.dev) for f in folds] == [2, 2, 2, 2]
    assert all(len(f.shots.preferences) == 6 for f in folds)


def test_free_texts_are_no_strata() -> None:
    rows = tuple(row(f"g{i}", f"its own answer {i}") for i in range(8))
    assert Shots(rows).folds(4) == (), "as labels each has one shot"
    assert len(Shots(rows).folds(4, labels=False)) == 4


@unhurried
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_keep_parts_apart(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


def test_digests_take_half_characters_and_bytes() -> None:
    assert len(digest("\ud800", b"\xff")) == 16
    assert digest("ab") == digest(b"ab")


def test_costs_add_but_peaks_do_not() -> None:
    one = Cost(1, 2, 30, 4, 5, 6, 7)
    other = Cost(10, 20, 3, 40, 50, 60, 70)
    assert one.then(other) == Cost(11, 22, 30, 44, 55, 60, 77)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("card_arrival", "card arrival"),
        ("a-b  c", "a b c"),
        ("__", "__"),
        ("카드 도착", "카드 도착"),
    ],
)
def test_a_label_as_words(name: str, words: str) -> None:
    assert Label(name).words == words


def test_the_text_of_an_input_is_all_of_it() -> None:
    asked = Input(fields=(("a", "one"), ("b", "two")), turns=(Turn("user", "three"),))
    assert asked.text == "one\ntwo\nthree"


def test_nouns_are_frozen_and_a_base_has_no_deltas() -> None:
    ref = ModelRef("hf", "m", deltas=(Delta("peft", "x"),))
    assert ref.base == ModelRef("hf", "m")
    with pytest.raises(FrozenInstanceError):
        Task("t", "classify").name = "other"  # type: ignore[misc]
    assert RUNGS[0] == "trivial"
