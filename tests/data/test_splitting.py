"""No text and no group on both sides, whatever the rows are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.types import Example, Input, Label, Task
from nshot.data import draw, load, split
from nshot.data.pictures import as_image
from nshot.data.same import fold, prompts_grouped, sameness
from scenes import scene, shelf

LABELS = ("a", "b", "c")
TASK = Task("t", "classify", tuple(Label(name) for name in LABELS))


def row(id: str, text: str, label: str = "a", group: str | None = None) -> Example:
    return Example(id, Input((("text", text),)), (label,), group=group)


@st.composite
def many_rows(draw_: st.DrawFn, prefix: str, least: int = 0, most: int = 40) -> list[Example]:
    """Rows of few words and few groups, so that copies, conflicts and shared groups are common."""
    texts = st.sampled_from([f"{a} {b}{c}" for a in "xyzuvw" for b in "klmn" for c in ("", "!")])
    groups = st.sampled_from([None, None, "g1", "g2", "g3", "g4"])
    parts = draw_(
        st.lists(st.tuples(texts, st.sampled_from(LABELS), groups), min_size=least, max_size=most)
    )
    return [row(f"{prefix}{i}", *part) for i, part in enumerate(parts)]


def groups_of(rows: tuple[Example, ...]) -> set[str]:
    return {one.group for one in rows if one.group is not None}


def texts_of(rows: tuple[Example, ...]) -> set[str]:
    return {sameness(one.input) for one in rows}


@given(many_rows("train", 1), many_rows("test", 1))
def test_nothing_is_on_both_sides_of_a_test_file(train: list[Example], test: list[Example]) -> None:
    train = [*train, *(row(f"own {name}", f"only {name}", name) for name in LABELS)]
    rows = split(TASK, train, test)
    assert rows.test == tuple(test)
    assert not texts_of(rows.train) & texts_of(rows.test)
    assert not groups_of(tuple(train)) & groups_of(rows.test) & groups_of(rows.train)
    kept = {one.id for one in rows.train}
    for one in train:
        leak = sameness(one.input) in texts_of(rows.test) or one.group in groups_of(rows.test)
        twin = any(
            sameness(o.input) == sameness(one.input) and o.label == one.label for o in rows.train
        )
        assert one.id in kept or leak or twin


@settings(max_examples=30)
@given(many_rows("train", 30, 60), st.integers(0, 3))
def test_nothing_is_on_both_sides_of_a_hold_out(some: list[Example], seed: int) -> None:
    filler = [row(f"fill{i}", f"filler {i}", LABELS[i % 3]) for i in range(500)]
    train = [*some, *filler]
    rows = split(TASK, train, None, seed=seed)
    assert rows.mode == "holdout"
    assert not texts_of(rows.train) & texts_of(rows.test)
    assert not groups_of(rows.train) & groups_of(rows.test)
    assert {one.label for one in rows.train} == {one.label for one in train}
    assert rows.fingerprint == split(TASK, train[::-1], None, seed=seed).fingerprint


@given(many_rows("train", 4))
def test_folds_never_part_a_text_or_a_group(train: list[Example]) -> None:
    rows = split(TASK, train, None)
    assert (rows.mode, rows.test) == ("folds", ())
    shots = draw(rows.train, None, 0, LABELS)
    folds = shots.folds(4, seed=1)
    for fold_ in folds:
        kept = fold_.shots.labelled
        assert not texts_of(kept) & texts_of(fold_.dev)
        assert not groups_of(kept) & groups_of(fold_.dev)
        assert {one.label for one in fold_.dev} <= {one.label for one in kept}
    answered = [one.id for fold_ in folds for one in fold_.dev]
    assert len(answered) == len(set(answered))
    units: dict[str, set[str]] = {}
    labels_of: dict[str, set[str]] = {}
    for one in rows.train:
        units.setdefault(one.label, set()).add(one.group or one.id)
        labels_of.setdefault(one.group or one.id, set()).add(one.label)
    shared = {label for label, sources in units.items() if len(sources) > 1}
    assert not folds or {one.label for f in folds for one in f.dev} >= shared
    if folds and all(len(labels) == 1 for labels in labels_of.values()):
        asked = sorted(one.id for one in rows.train if one.label in shared)
        assert sorted(answered) == asked, "all but labels of one source are asked once"


@given(many_rows("train", 6), st.integers(0, 5))
def test_draws_are_nested_and_groups_are_on_one_side(train: list[Example], seed: int) -> None:
    rows = split(TASK, train, None).train
    counts = Counter(one.label for one in rows)
    labels = [name for name in LABELS if counts[name]]
    shots = [draw(rows, n, seed, labels) for n in range(1, min(counts.values()) + 1)]
    for n, one in enumerate(shots, start=1):
        assert Counter(e.label for e in one.labelled) == dict.fromkeys(labels, n)
        assert one.labelled == shots[-1].labelled[: n * len(labels)]
        assert not groups_of(one.labelled) & groups_of(one.unlabelled)
        assert not texts_of(one.labelled) & texts_of(one.unlabelled)
        assert all(e.targets == () for e in one.unlabelled)
        assert draw(rows[::-1], n, seed, labels) == one


def test_a_draw_takes_its_rows_from_as_many_groups_as_there_are() -> None:
    rows = [row(f"{g}{i}", f"{g} {i}", "a", group=g) for g in "pqr" for i in range(5)]
    rows += [row(f"b{i}", f"b {i}", "b") for i in range(5)]
    labelled = draw(rows, 3, 0, ("a", "b")).labelled
    assert {one.group for one in labelled if one.label == "a"} == {"p", "q", "r"}


def test_too_few_rows_name_every_label() -> None:
    rows = [row("1", "x", "a"), row("2", "y", "b"), row("3", "z", "b")]
    with pytest.raises(InputError) as caught:
        draw(rows, 3, 0, ("a", "b"))
    assert [fault.found for fault in caught.value.faults] == [
        "label 'a' has 1 train row, 3 are needed",
        "label 'b' has 2 train rows, 3 are needed",
    ]
    assert caught.value.faults[0].do.startswith("--shots 1")


def test_seeds_draw_different_rows() -> None:
    rows = [row(str(i), f"text {i}", LABELS[i % 3]) for i in range(60)]
    assert len({draw(rows, 4, seed, LABELS).labelled for seed in range(5)}) == 5


def test_hold_out_is_two_fifths_and_a_thousand_at_most() -> None:
    def held(count: int) -> tuple[int, int]:
        rows = [row(str(i), f"text {i}", "a" if i % 10 else "b") for i in range(count)]
        out = split(TASK, rows, None).test
        return len(out), sum(one.label == "b" for one in out)

    assert held(399) == (0, 0)
    assert held(400) == (160, 16)
    assert held(4000) == (1000, 100)
    assert held(1000) == (400, 40)


def test_a_label_held_by_one_row_or_one_group_stays_to_be_learned() -> None:
    rows = [row(str(i), f"text {i}") for i in range(500)]
    rows += [row("b", "alone", "b"), *(row(f"c{i}", f"together {i}", "c", "g") for i in range(3))]
    for seed in range(20):
        out = split(TASK, rows, None, seed=seed)
        assert {one.label for one in out.train} == {"a", "b", "c"}


def grouped(sizes: dict[str, int]) -> list[Example]:
    """So many rows of each group, labels in turn."""
    return [
        row(f"{group}-{i}", f"{group} says {i}", LABELS[i % 3], group)
        for group, size in sizes.items()
        for i in range(size)
    ]


def test_large_groups_are_held_out_as_often_as_small_ones() -> None:
    sizes = {f"large{i}": 60 for i in range(5)} | {f"small{i}": 3 for i in range(100)}
    train = grouped(sizes)
    times: Counter[str] = Counter()
    rows = list[int]()
    for seed in range(300):
        held = split(TASK, train, None, seed=seed).test
        times.update(groups_of(held))
        rows.append(len(held))
    large = sum(times[name] for name in sizes if name.startswith("large")) / (300 * 5)
    small = sum(times[name] for name in sizes if name.startswith("small")) / (300 * 100)
    assert abs(large - 0.4) < 0.05
    assert abs(small - 0.4) < 0.05
    assert abs(sum(rows) / len(rows) - 240) < 15
    assert 180 <= min(rows) <= max(rows) <= 300


@pytest.mark.parametrize("sizes", [{"a": 300, "b": 300}, {"a": 400, "b": 100, "c": 100}])
def test_few_groups_are_folded_and_that_is_told(sizes: dict[str, int]) -> None:
    rows = split(TASK, grouped(sizes), None)
    assert (rows.mode, rows.test, len(rows.train)) == ("folds", (), 600)
    assert f"the rows are of {len(sizes)} groups: too few, or too unequal" in rows.notes[0]


def test_a_group_of_most_rows_is_learned_from() -> None:
    train = grouped({"most": 600} | {f"g{i}": 4 for i in range(150)})
    for seed in range(20):
        held = split(TASK, train, None, seed=seed).test
        assert "most" not in groups_of(held)
        assert abs(len(held) - 480) < 5


def test_hold_out_of_free_texts_needs_no_label() -> None:
    rows = [Example(str(i), Input((("text", f"{i}"),)), (f"answer {i}",)) for i in range(500)]
    out = split(Task("t", "generate"), rows, None)
    assert (len(out.train), len(out.test)) == (300, 200)


def test_a_label_that_the_test_holds_whole_is_refused() -> None:
    train = [row("1", "Fine."), row("2", "awful", "b"), row("3", "dull", "b")]
    with pytest.raises(InputError, match="every train row of the label 'a' stands in the test"):
        split(TASK, train, [row("4", "fine")])


def test_what_was_found_is_told() -> None:
    train = [
        row("1", "It's late!"),
        row("2", "it s  LATE"),
        row("3", "its here", "b"),
        row("4", "Its here.", "a"),
        row("5", "Ｗhere is？"),
        row("6", "other words", group="g"),
    ]
    test = [row("7", "where is", "b"), row("8", "new", group="g")]
    rows = split(TASK, train, test)
    assert [one.id for one in rows.train] == ["1", "3", "4"]
    assert rows.train[1].group == rows.train[2].group is not None
    assert rows.notes == (
        "train rows that say the same as a test row: 1, dropped from train, such as 'Ｗhere is？'",
        "train rows of a group that the test has too: 1, dropped",
        "train rows that repeat another, with the same answer: 1, dropped",
        "train texts with more than one answer: 1, kept; look at 'its here' (b / a)",
    )


@given(st.integers(1, 60), st.integers(0, 3))
def test_a_limited_test_keeps_the_shares_of_labels(limit: int, seed: int) -> None:
    test = [row(str(i), f"text {i}", "a" if i % 3 else "b") for i in range(60)]
    train = [row("t1", "x"), row("t2", "y", "b")]
    rows = split(TASK, train, test, seed=seed, test_limit=limit)
    assert len(rows.test) == limit
    share = sum(one.label == "b" for one in rows.test)
    assert limit == 1 or max(1, limit // 3) <= share <= limit // 3 + 1
    assert [int(one.id) for one in rows.test] == sorted(int(one.id) for one in rows.test)


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    rows = [row(str(i), f"text {i}", LABELS[i % 3]) for i in range(6)]
    here, there = (shelf(tmp_path / name, {"x": 6}) / "x" for name in ("here", "there"))
    pictures, moved = (
        [replace(one, input=Input(images=(as_image(place / f"{one.id}.png"),))) for one in rows]
        for place in (here, there)
    )

    def name(train: list[Example], test: list[Example] | None = None, task: Task = TASK) -> str:
        return split(task, train, test).fingerprint

    assert name(rows) == name(rows[::-1])
    assert name(pictures) == name(moved)
    others = [
        name(rows),
        name(rows[:-1]),
        name(rows[1:], rows[:1]),
        name([replace(rows[0], targets=("b",)), *rows[1:]]),
        name(rows, task=replace(TASK, instruction="Say it.")),
        name(pictures),
    ]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("It's  LATE!", "its late", False),
        ("It's  LATE!", "it’s late", True),
        ("ﬁne", "FINE.", True),
        ("가격이 얼마예요?", "가격이 얼마예요", True),
        ("C++", "C", False),
        ("?!", "...", False),
        ("straße", "STRASSE", True),
    ],
)
def test_what_a_reader_would_not_notice(one: str, other: str, same: bool) -> None:
    assert (fold(one) == fold(other)) is same


def test_fields_stay_apart() -> None:
    one = Input((("premise", "a b"), ("hypothesis", "c")))
    other = Input((("premise", "a"), ("hypothesis", "b c")))
    assert sameness(one) != sameness(other)


# ------------------------------------------------------------------ requests that overlap

WRITE = Task("w", "generate")
LONG = "write a short letter to a friend who has just moved to another town"
"""14 words."""


def request(id: str, text: str, answer: str = "", field: str = "instruction") -> Example:
    return Example(id, Input(((field, text),)), (answer or f"an answer to {id}",))


def test_a_request_that_overlaps_with_a_test_row_is_dropped_and_told() -> None:
    train = [
        request("near", f"Please {LONG.upper()}, and be kind!"),
        request("said", "something else", f"You asked me to {LONG} today"),
        request("own", "name a fruit"),
    ]
    rows = split(WRITE, train, [request("t", LONG)])
    assert [one.id for one in rows.train] == ["own"]
    (note,) = (note for note in rows.notes if "13 words in a row" in note)
    assert "2, dropped from train" in note


def test_overlap_is_looked_for_where_rows_are_held_out_too() -> None:
    train = [request(f"r{i}", f"topic {i // 2} of many: {LONG} {i // 2}") for i in range(10)]
    train += [request(f"f{i}", f"filler {i}") for i in range(500)]
    rows = split(WRITE, train, None, seed=3)
    held = {one.id for one in rows.test if one.id.startswith("r")}
    kept = {one.id for one in rows.train if one.id.startswith("r")}
    assert held
    assert not kept


def test_other_rows_are_only_dropped_where_they_are_the_same() -> None:
    """Reviews and tables may share a long run of words and be different questions."""
    train = [request("near", f"{LONG} again", field="text"), request("own", "x", field="text")]
    assert len(split(WRITE, train, [request("t", LONG, field="text")]).train) == 2
    labels = [replace(one, targets=("a",)) for one in train]
    assert len(split(TASK, labels, [row("t", LONG)]).train) == 2


def test_a_test_that_overlaps_with_everything_is_refused() -> None:
    with pytest.raises(InputError, match="every train row"):
        split(WRITE, [request("near", f"{LONG} again")], [request("t", LONG)])


def test_pictures_that_look_the_same_are_never_on_two_sides(tmp_path: Path) -> None:
    train, test = shelf(tmp_path / "train", {"a": 3, "b": 3}), shelf(tmp_path / "test", {"a": 1}, 9)
    scene(9, (32, 24), "a").resize((64, 48)).save(train / "a" / "again.jpg")  # as test/a/9.png
    scene(1, (32, 24), "a").resize((16, 12)).save(train / "a" / "small.png")  # as train/a/1.png
    scene(1001, (32, 24), "b").save(train / "a" / "doubtful.jpg", quality=90)  # as train/b/1.png
    loaded = load(train, test=test)
    rows = split(loaded.task, loaded.train, loaded.test)
    names = {"/".join(Path(e.input.images[0].path).parts[-2:]): e for e in rows.train}
    assert "a/again.jpg" not in names
    assert names["a/1.png"].group == names["a/small.png"].group != names["a/2.png"].group
    assert names["a/doubtful.jpg"].group == names["b/1.png"].group is not None
    told = "\n".join(rows.notes)
    assert "look the same as a test picture: 1, dropped" in told
    assert "'a/again.jpg' and 'a/9.png'" in told
    assert "have different labels: 1 pairs; look at 'a/doubtful.jpg' and 'b/1.png' (a / b)" in told


def _pair(name: str, prompt: str, group: str | None = None) -> Example:
    answers = (f"yes {name}", f"no {name}")
    asked = Input((("prompt", prompt),), answers=answers)
    return Example(name, asked, grades=(1.0, 0.0), group=group)


RANK = Task("pairs", "rank", metric="pair_accuracy")


def test_rows_of_one_prompt_are_never_on_two_sides_of_a_hold_out() -> None:
    rows = [_pair(f"r{i}", f"question {i // 3}") for i in range(600)]
    cut = split(RANK, rows, None)
    assert cut.mode == "holdout"
    sides = [{row.input.fields for row in side} for side in (cut.train, cut.test)]
    assert not sides[0] & sides[1]
    assert all(row.group for row in cut.test), "an interval takes the rows of a prompt as one"


def test_a_prompt_of_the_test_file_is_not_learned_from_with_other_answers() -> None:
    train = [_pair("a", "Why?"), _pair("b", "How?"), _pair("c", "When?")]
    cut = split(RANK, train, [_pair("d", "why")])
    assert [row.id for row in cut.train] == ["b", "c"]
    assert "train rows of a group that the test has too: 1, dropped" in cut.notes


def test_groups_that_share_a_prompt_become_one() -> None:
    rows = [
        _pair("a", "why?", "ann"), _pair("b", "why?", "bob"), _pair("c", "how?", "bob"),
        _pair("d", "when?", "cy"), _pair("e", "who?"), _pair("f", "why?"),
    ]  # fmt: skip
    groups = {row.id: row.group for row in prompts_grouped(rows)}
    assert groups["a"] == groups["b"] == groups["c"] == groups["f"]
    assert groups["e"] is None
    assert groups["d"] not in (None, groups["a"])
