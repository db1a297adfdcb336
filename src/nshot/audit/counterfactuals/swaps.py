"""One row as three: with a word, with one of the other group, with another of the same group."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from nshot.audit.counterfactuals.lists import LISTS, Dimension, Language
from nshot.audit.counterfactuals.particles import AFTER, filled, refitted
from nshot.core.types import Example, Input
from nshot.data.language import language
from nshot.data.scripts import script


@dataclass(frozen=True)
class Swap:
    """A row in three versions, and the words that make them.

    `own` has a word of one group, `other` one of the other group in its place, `control` another
    one of the same group.
    """

    row: Example
    dimension: Dimension
    own: Input
    other: Input
    control: Input
    words: tuple[str, str, str]


def language_of(row: Example) -> Language | None:
    """The language whose lists a row is swapped by; None where there are none."""
    text = row.input.text
    if script(text) == "Hangul":
        return "Korean"
    return "English" if script(text) == "Latin" and language([text]).english else None


def swaps(rows: Sequence[Example], dimension: Dimension, seed: int = 0) -> list[Swap]:
    """A swap of each row; which words depends on the row's id and the seed alone."""
    return [_swap(row, dimension, seed) for row in rows]


def _swap(row: Example, dimension: Dimension, seed: int) -> Swap:
    rng = random.Random(f"{seed}:{dimension.name}:{row.id}")
    side = rng.randrange(2)
    own, control = rng.sample(dimension.groups[side], 2)
    other = rng.choice(dimension.groups[1 - side])
    words = (own, other, control)
    if dimension.in_place and (present := _present(row.input, dimension)):
        made = [
            _edited(row.input, partial(_replaced, present=present, word=word)) for word in words
        ]
    else:
        frame = rng.choice(dimension.frames)
        made = [_led(row.input, filled(frame, word)) for word in words]
    return Swap(row, dimension, made[0], made[1], made[2], words)


def _present(input: Input, dimension: Dimension) -> str:
    """The first of the words that the texts hold; "" where they hold none."""
    words = (word for group in dimension.groups for word in group)
    return next((word for word in words if _pattern(word).search(input.text)), "")


def _pattern(word: str) -> re.Pattern[str]:
    """A word by itself with the article before it; of Korean with the particle after it."""
    ends = rf"({AFTER})?(?!\w)" if re.search("[가-힣]", word) else r"()(?!\w)"
    return re.compile(rf"(?<!\w)(an? )?({re.escape(word)}){ends}", re.IGNORECASE)


def _replaced(text: str, present: str, word: str) -> str:
    """The text with one word for another, the article before it and the particle after it right."""

    def swapped(match: re.Match[str]) -> str:
        article, old, particle = match[1] or "", match[2], match[3] or ""
        new = word.capitalize() if old[0].isupper() else word
        if article:
            article = article[0] + ("n " if new[0].lower() in "aeiou" else " ")
        return article + new + refitted(particle, new)

    return _pattern(present).sub(swapped, text)


def _led(input: Input, sentence: str) -> Input:
    """The input with a sentence before its longest text, or before the last turn of the user."""
    longest = max((len(text) for _, text in input.fields), default=0)
    done = False

    def lead(text: str) -> str:
        nonlocal done
        if done or len(text) < longest:
            return text
        done = True
        return f"{sentence} {text}"

    if input.fields:
        return replace(input, fields=tuple((name, lead(text)) for name, text in input.fields))
    last = max((i for i, turn in enumerate(input.turns) if turn.role == "user"), default=-1)
    return replace(
        input,
        turns=tuple(
            replace(turn, text=f"{sentence} {turn.text}") if i == last else turn
            for i, turn in enumerate(input.turns)
        ),
    )


def _edited(input: Input, edit: Callable[[str], str]) -> Input:
    return replace(
        input,
        fields=tuple((name, edit(text)) for name, text in input.fields),
        turns=tuple(replace(turn, text=edit(turn.text)) for turn in input.turns),
    )


def languages(rows: Sequence[Example]) -> dict[Language, list[Example]]:
    """The rows of each language that has lists."""
    parts: dict[Language, list[Example]] = {name: [] for name in LISTS}
    for row in rows:
        if (name := language_of(row)) is not None:
            parts[name].append(row)
    return {name: some for name, some in parts.items() if some}
