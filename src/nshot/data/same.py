"""When two rows are the same row: equal but for case, white space, punctuation and Unicode form.

Pictures are the same by their bytes, or to the eye.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nshot.core.types import Example, Input, digest
from nshot.data.pictures import look, lookalikes


def sameness(input: Input) -> str:
    """A name that two inputs share when they differ only in what a reader would not notice.

    Texts are folded one by one (see `fold`), so that premise and hypothesis stay apart; pictures
    count by their content.
    """
    texts = [fold(text) for _, text in input.fields]
    texts += [f"{turn.role} {fold(turn.text)}" for turn in input.turns]
    pictures = [*input.images, *(image for turn in input.turns for image in turn.images)]
    return digest(*texts, "/", *(image.sha256 for image in pictures), "/", *input.answers)


def exact(input: Input) -> str:
    """A name of all that an input says, to the letter; pictures count by their content."""
    parts = [part for pair in input.fields for part in pair]
    turns = [part for turn in input.turns for part in (turn.role, turn.text)]
    pictures = [*input.images, *(image for turn in input.turns for image in turn.images)]
    return digest(
        *parts, "/", *turns, "/", *(image.sha256 for image in pictures), "/", *input.answers
    )


def fold(text: str) -> str:
    """NFKC, case folded, punctuation (Unicode P*) and runs of white space as one space.

    Symbols (``+``, ``$``, emoji) stay. A text of nothing but punctuation keeps it.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(plain.translate(_SPACED).split()) or " ".join(plain.split())


class _Spaced(dict[int, str]):
    """For `str.translate`: punctuation as a space. Filled as characters come: all take a second."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        self[point] = " " if unicodedata.category(char)[0] == "P" else char
        return self[point]


_SPACED = _Spaced()


def without_copies(rows: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Rows without those that say the same as an earlier row with the same answer.

    Rows that say the same and are answered differently are kept, put into one group, so that no
    split, fold or draw parts them; so are pictures that look the same, whatever their answers.
    Returns the rows and notes in words.
    """
    copies: dict[str, list[Example]] = {}
    dropped: set[str] = set()
    for row in sorted(rows, key=lambda row: row.id):  # so that which one stays is not the order's
        kept = copies.setdefault(sameness(row.input), [])
        if any(row.targets == other.targets and row.grades == other.grades for other in kept):
            dropped.add(row.id)
        else:
            kept.append(row)
    notes = []
    if dropped:
        notes.append(
            f"train rows that repeat another, with the same answer: {len(dropped)}, dropped"
        )
    conflicts = [kept for kept in copies.values() if len(kept) > 1]
    if conflicts:
        notes.append(_conflict_note(conflicts))
    rest = [row for row in rows if row.id not in dropped]
    alike = [pair for pair in alike_in(rest, rest) if pair[0].id < pair[1].id]
    notes += _alike_notes(alike)
    return _joined(rest, [*conflicts, *alike]), notes


def prompts_grouped(rows: Sequence[Example]) -> list[Example]:
    """Rows of kind rank, those that ask the same in one group, whatever their answers.

    A group that a row has already is kept, and joined with those that share a prompt with it. Rows
    whose prompt no other row has stay as they are.
    """
    prompts = [f"prompt:{sameness(replace(row.input, answers=()))}" for row in rows]
    often, parent = Counter(prompts), dict[str, str]()

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            name = above
        return name

    for prompt, row in zip(prompts, rows, strict=True):
        if row.group is not None and often[prompt] > 1:
            parent[root(prompt)] = root(f"group:{row.group}")
    return [
        replace(row, group=root(prompt if row.group is None else f"group:{row.group}"))
        if often[prompt] > 1 or row.group is not None
        else row
        for prompt, row in zip(prompts, rows, strict=True)
    ]


def alike_in(ours: Sequence[Example], theirs: Sequence[Example]) -> list[tuple[Example, Example]]:
    """(one of `ours`, one of `theirs`) whose pictures look the same (see `data.pictures`)."""
    ours, theirs = ([row for row in rows if row.input.images] for rows in (ours, theirs))
    looks = [[look(row.input.images[0]) for row in rows] for rows in (ours, theirs)]
    return [(ours[i], theirs[j]) for i, j in lookalikes(*looks)]


def _alike_notes(pairs: Sequence[tuple[Example, Example]]) -> list[str]:
    """Pictures that are the same to the eye, and those of them with different labels."""
    notes = []
    if pairs:
        notes.append(
            f"train pictures that look the same as another: {len({one.id for one, _ in pairs})}, "
            f"kept on one side of every split, such as {pair_shown(pairs[0])}"
        )
    if clashes := [pair for pair in pairs if pair[0].targets != pair[1].targets]:
        first, second = clashes[0]
        notes.append(
            f"pictures that look the same and have different labels: {len(clashes)} pairs; look at "
            f"{pair_shown(clashes[0])} ({answer_shown(first)} / {answer_shown(second)})"
        )
    return notes


def pair_shown(pair: tuple[Example, Example]) -> str:
    """Two rows that look the same, for a message."""
    return f"{shown(pair[0])} and {shown(pair[1])}"


def _conflict_note(conflicts: Sequence[Sequence[Example]]) -> str:
    first = conflicts[0]
    answers = " / ".join(answer_shown(row)[:40] for row in first)
    return (
        f"train texts with more than one answer: {len(conflicts)}, kept; look at "
        f"{shown(first[0])} ({answers})"
    )


def answer_shown(row: Example) -> str:
    """The answer of a row, for a message: its label, or its first reference."""
    return next(iter(row.targets), "none")


def shown(row: Example, width: int = 60) -> str:
    """The beginning of a row's text, quoted, for a message; a picture by its folder and name."""
    names = ["/".join(Path(image.path).parts[-2:]) for image in row.input.images]
    text = " ".join(row.input.text.split()) or ", ".join(names)
    return repr(text if len(text) <= width else text[: width - 1] + "…")


def _joined(rows: list[Example], conflicts: Sequence[Sequence[Example]]) -> list[Example]:
    """The rows, with the groups that a conflict touches made one."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while (parent := root.setdefault(name, name)) != name:
            name = parent
        return name

    for kept in conflicts:
        names = sorted(find(_group(row)) for row in kept)
        for name in names:
            root[name] = names[0]
    in_conflict = {row.id for kept in conflicts for row in kept}
    return [
        replace(row, group=find(_group(row)))
        if row.group is not None or row.id in in_conflict
        else row
        for row in rows
    ]


def _group(row: Example) -> str:
    return f"same:{row.id}" if row.group is None else row.group
