"""Examples become a `Split`: no text, and no group, on both sides."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.serial import dumps, to_data
from nshot.core.types import Example, Image, Split, Task, digest
from nshot.data.overlap import RUN, overlap
from nshot.data.same import alike_in, pair_shown, prompts_grouped, sameness, shown, without_copies

HOLD_OUT_FROM = 400
"""Rows from which some are held out when there is no test file; below it, folds measure."""
HELD_OUT_SHARE = 0.4
HELD_OUT_ROWS = 1000
"""Rows that are held out at most, but for the end of a group."""
_FEWEST_GROUPS = 5
"""Groups from which some are held out: two of five are 40 %."""

_REQUESTS = frozenset({"instruction", "prompt"})
"""Fields of instruction data."""

_Mode: TypeAlias = Literal["file", "holdout", "folds"]
_Stratum: TypeAlias = Callable[[Example], str]


def split(
    task: Task,
    train: Sequence[Example],
    test: Sequence[Example] | None,
    *,
    seed: int = 0,
    test_limit: int | None = None,
) -> Split:
    """Train and test rows that share neither a text nor a group.

    With a `test`: train rows that say the same as a test row (see `data.same`), or are of a group
    of the test, are dropped from train; an empty one leaves all rows to learn from. So are pictures
    that look the same as one of the test (see `data.pictures`). Conversations
    and instruction data are also dropped from train where they only overlap with a test row (see
    `data.overlap`), the test being a file or held out. Of kind rank, rows that ask the same are one
    group, whatever their answers. Without: from
    400 rows on 40 %, at most 1,000 rows, are held out, stratified by label, groups whole;
    below, `test` stays empty and the mode is ``folds``. `test_limit` keeps a seeded part of the
    test, stratified by label. The fingerprint depends on the task and the content of the rows, not
    on their order or place on disk.

    Raises `InputError` when the test repeats every train row of some label.
    """
    notes: list[str] = []
    stratum = _stratum(task)
    if task.kind == "rank":
        both = prompts_grouped([*train, *(test or ())])
        train, test = both[: len(train)], None if test is None else both[len(train) :]
    rows, overlaps = without_copies(_apart(train, test, notes) if test else train)
    notes += overlaps
    _nothing_lost(task, train, rows)
    answered: Sequence[Example] = test or ()
    mode: _Mode = "folds" if test is None else "file"
    if test is None and len(rows) >= HOLD_OUT_FROM:
        cut = _hold_out(rows, stratum, seed)
        mode = "holdout" if cut else "folds"
        notes.append(_hold_out_note(rows, cut))
        rows, answered = cut or (rows, ())
    if task.kind == "generate" and answered:
        fresh = _without_overlap(rows, answered, notes)
        _nothing_lost(task, rows, fresh)
        rows = fresh
    if test_limit is not None and mode == "folds":
        notes.append("--test-limit has no effect: without held-out rows every row is tested")
    if test_limit is not None and len(answered) > test_limit:
        notes.append(f"{test_limit} of {len(answered)} test rows are used (--test-limit)")
        answered = _limited(answered, test_limit, stratum, seed)
    fingerprint = _fingerprint(task, rows, answered)
    return Split(tuple(rows), tuple(answered), mode, fingerprint, tuple(notes))


def with_background(rows: Split, background: Sequence[Example]) -> Split:
    """The split with examples of other classes and tasks, on which its fingerprint depends too.

    Those that repeat a row of the split, look the same or share its group are left out: what is
    asked under one label must not have been learned under another.
    """
    if not background:
        return rows
    bare = [
        replace(row, input=replace(row.input, fields=())) if row.input.images else row
        for row in background
    ]
    apart = {row.id for row in _apart(bare, (*rows.train, *rows.test), [])}
    kept = tuple(row for row in background if row.id in apart)
    classes = len({row.label for row in kept})
    note = f"background: {len(kept)} examples of {classes} other classes"
    if tasks := len({row.group for row in kept} - {None}):
        note += f", {tasks} other tasks among them"
    if len(kept) < len(background):
        note += f"; {len(background) - len(kept)} that the task's own rows repeat were left out"
    return replace(
        rows,
        background=kept,
        fingerprint=digest(rows.fingerprint, _content(kept)),
        notes=(*rows.notes, note),
    )


def with_unlabelled(rows: Split, unlabelled: Sequence[Example]) -> Split:
    """The split with inputs without answers, which the fingerprint then depends on too.

    Those that say the same as a test row are left out, since what is learned from them would be
    learned from the test; so are those that a row to learn from, or an earlier one of them, says.
    """
    if not unlabelled:
        return rows
    test = {sameness(row.input) for row in rows.test}
    known = {sameness(row.input) for row in rows.train}
    kept: list[Example] = []
    of_test = of_train = 0
    for row in unlabelled:
        name = sameness(row.input)
        of_test += name in test
        of_train += name in known and name not in test
        if name not in test and name not in known:
            kept.append(replace(row, targets=()))
            known.add(name)
    reasons = [
        f"{count} {why}"
        for count, why in (
            (of_test, "that say the same as a test row"),
            (of_train, "that say the same as a labelled row or an earlier one"),
        )
        if count
    ]
    note = f"unlabelled: {len(kept)} rows"
    if reasons:
        note += f"; left out: {', '.join(reasons)}"
    return replace(
        rows,
        unlabelled=tuple(kept),
        fingerprint=digest(rows.fingerprint, "unlabelled", _content(kept)),
        notes=(*rows.notes, note),
    )


def _stratum(task: Task) -> _Stratum:
    """What rows are stratified by: the label, the rarest of several, nothing of free texts."""
    return (lambda row: next(iter(row.targets), "")) if task.has_strata else (lambda row: "")


def _limited(rows: Sequence[Example], limit: int, stratum: _Stratum, seed: int) -> list[Example]:
    """`limit` of the rows, each label by its share, in the order they came in."""
    strata: dict[str, list[str]] = {}
    for row in rows:
        strata.setdefault(stratum(row), []).append(row.id)
    shares = _shares({name: len(ids) for name, ids in strata.items()}, limit)
    chosen: set[str] = set()
    for name, ids in strata.items():
        rng = random.Random(f"limit:{seed}:{name}")
        chosen.update(rng.sample(sorted(ids), shares[name]))
    return [row for row in rows if row.id in chosen]


def _apart(train: Sequence[Example], test: Sequence[Example], notes: list[str]) -> list[Example]:
    """The train rows that neither repeat a test row nor belong to one of its groups."""
    test_contents = {sameness(row.input) for row in test}
    groups = {row.group for row in test if row.group is not None}
    if copies := len(test) - len(test_contents):
        notes.append(f"test rows that say the same as another test row: {copies}, kept")
    repeated = {row.id for row in train if sameness(row.input) in test_contents}
    if repeated:
        first = next(row for row in train if row.id in repeated)
        notes.append(
            f"train rows that say the same as a test row: {len(repeated)}, dropped from train, "
            f"such as {shown(first)}"
        )
    fresh = _unlike([row for row in train if row.id not in repeated], test, notes)
    kept = [row for row in fresh if row.group not in groups]
    if len(kept) < len(fresh):
        notes.append(
            f"train rows of a group that the test has too: {len(fresh) - len(kept)}, dropped"
        )
    return kept


def _unlike(train: Sequence[Example], test: Sequence[Example], notes: list[str]) -> list[Example]:
    """The train rows but those whose picture looks the same as a test picture."""
    pairs = alike_in(train, test)
    seen = {row.id for row, _ in pairs}
    if pairs:
        notes.append(
            f"train pictures that look the same as a test picture: {len(seen)}, dropped from "
            f"train, such as {pair_shown(pairs[0])}"
        )
    return [row for row in train if row.id not in seen]


def _without_overlap(
    train: Sequence[Example], test: Sequence[Example], notes: list[str]
) -> list[Example]:
    """The train rows but those requests that share a long run of words with a test row."""
    requests = [row for row in train if _is_request(row)]
    near = {train_id for train_id, _ in overlap(requests, test).near}
    kept = [row for row in train if row.id not in near]
    if near:
        first = next(row for row in requests if row.id in near)
        notes.append(
            f"train rows that share {RUN} words in a row with a test row: {len(near)}, dropped "
            f"from train, such as {shown(first)}"
        )
    return kept


def _is_request(row: Example) -> bool:
    return bool(row.input.turns) or any(name in _REQUESTS for name, _ in row.input.fields)


def _nothing_lost(task: Task, before: Sequence[Example], after: Sequence[Example]) -> None:
    """Refuse a split in which a label has lost all its train rows to the test."""
    known, left = (
        {label for row in rows for label in (row.targets if task.has_strata else ("",))}
        for rows in (before, after)
    )
    if lost := known - left:
        raise InputError(
            [
                Fault(
                    f"every train row{f' of the label {label!r}' * bool(label)} stands in the test "
                    "file too",
                    expected="rows to learn from that the test does not hold",
                    do="leave the test file out: some rows are then held out",
                )
                for label in sorted(lost)
            ]
        )


def _hold_out(
    rows: Sequence[Example], stratum: _Stratum, seed: int
) -> tuple[list[Example], list[Example]] | None:
    """(train, held out): stratified, whole groups, every label still in train.

    A group is held out about as often as any other, whatever its size, but for one that has more
    rows than are to be held out in all. None where so few groups cannot be cut like this.
    """
    units: dict[str, list[Example]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        units.setdefault(f"id:{row.id}" if row.group is None else f"of:{row.group}", []).append(row)
    size = min(round(HELD_OUT_SHARE * len(rows)), HELD_OUT_ROWS)
    movable = {name: unit for name, unit in units.items() if len(unit) <= size}
    held = _held(movable, size, stratum, seed)
    _give_back(units, held, stratum)
    out = {row.id for name in held for row in units[name]}
    if len(units) < _FEWEST_GROUPS or len(out) < size / 2:
        return None
    return [row for row in rows if row.id not in out], [row for row in rows if row.id in out]


def _held(
    units: Mapping[str, Sequence[Example]], size: int, stratum: _Stratum, seed: int
) -> set[str]:
    """Names of units that have about `size` rows together, each label's by its share.

    The unit that would go over a label's share is taken with the probability that it is filled by:
    to leave it out always would leave the large ones out.
    """
    by_label: dict[str, list[str]] = {}
    for name in sorted(units):
        by_label.setdefault(stratum(units[name][0]), []).append(name)
    counts = {label: sum(len(units[n]) for n in names) for label, names in by_label.items()}
    held: set[str] = set()
    room = 0
    for label, share in sorted(_shares(counts, min(size, sum(counts.values()))).items()):
        room += share
        names = by_label[label]
        rng = random.Random(f"holdout:{seed}:{label}")
        rng.shuffle(names)
        for name in names:
            width = len(units[name])
            if room < width and rng.random() * width >= room:
                break
            held.add(name)
            room -= width
            if room <= 0:
                break
    return held


def _hold_out_note(rows: Sequence[Example], cut: tuple[list[Example], list[Example]] | None) -> str:
    if cut:
        return f"no test file: {len(cut[1])} of {len(rows)} rows held out"
    groups = len({row.group for row in rows if row.group is not None})
    return (
        f"no test file, and the rows are of {groups} group{'s' * (groups != 1)}: too few, or too "
        f"unequal, to hold {HELD_OUT_SHARE:.0%} of the rows out; folds measure"
    )


def _give_back(units: dict[str, list[Example]], held: set[str], stratum: _Stratum) -> None:
    """Return to train one unit of each label that would be only in the test."""
    known = {stratum(row) for name in units.keys() - held for row in units[name]}
    for name in sorted(held):
        labels = {stratum(row) for row in units[name]}
        if not labels <= known:
            known |= labels
            held.discard(name)


def _shares(counts: dict[str, int], size: int) -> dict[str, int]:
    """`size` cut in proportion to `counts`, by largest remainder; one for each if there is room."""
    total = sum(counts.values())
    exact = {name: size * count / total for name, count in counts.items()}
    shares = {name: max(1, int(share)) for name, share in exact.items()}
    while (gap := size - sum(shares.values())) > 0:
        open_ = [name for name in sorted(counts) if shares[name] < counts[name]]
        shares[min(open_, key=lambda name: shares[name] - exact[name])] += 1
    while gap < 0:
        shares[max(sorted(counts), key=lambda name: shares[name] - exact[name])] -= 1
        gap += 1
    return shares


def _fingerprint(task: Task, train: Sequence[Example], test: Sequence[Example]) -> str:
    return digest(dumps(to_data(task)), _content(train), _content(test))


def _content(rows: Sequence[Example]) -> str:
    return digest(*sorted(dumps(to_data(_placeless(row))) for row in rows))


def _placeless(row: Example) -> Example:
    """The row with its pictures known by content only."""
    images = tuple(Image("", image.sha256) for image in row.input.images)
    return replace(row, input=replace(row.input, images=images)) if images else row
