"""What rows hold, in numbers: who speaks, system prompts, copies, scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nshot.core.types import Example, Turn
from nshot.data.formats.chats import questions_of
from nshot.data.same import sameness
from nshot.data.scripts import script


@dataclass(frozen=True)
class Summary:
    """Counts over rows.

    `roles` counts turns, answers among them; `systems` are the different system prompts and
    `with_system` the rows that have one; `several` rows have more than one question. `repeats` say
    what an earlier row says (`data.same`), `copies` of them with the same answer too. `scripts`
    counts rows by the script of all their texts.
    """

    rows: int
    roles: Counter[str]
    systems: int
    with_system: int
    several: int
    repeats: int
    copies: int
    scripts: Counter[str]


def summary(rows: Sequence[Example]) -> Summary:
    """Look through all rows once."""
    talks = [spoken(row) for row in rows]
    systems = [turn.text for turns in talks for turn in turns if turn.role == "system"]
    inputs = [sameness(row.input) for row in rows]
    whole = {(name, row.targets, row.grades) for name, row in zip(inputs, rows, strict=True)}
    return Summary(
        rows=len(rows),
        roles=Counter(turn.role for turns in talks for turn in turns),
        systems=len(set(systems)),
        with_system=len(systems),
        several=sum(sum(turn.role == "user" for turn in turns) > 1 for turns in talks),
        repeats=len(rows) - len(set(inputs)),
        copies=len(rows) - len(whole),
        scripts=Counter(script("\n".join(turn.text for turn in turns)) for turns in talks),
    )


def best_answer(row: Example) -> str:
    """The label or first reference; of judged answers the best; "" where there is none."""
    if row.grades:
        return row.input.answers[row.grades.index(max(row.grades))]
    return row.targets[0] if row.targets else ""


def spoken(row: Example) -> tuple[Turn, ...]:
    """The row as a conversation that ends with its best answer, if it has one."""
    answer = best_answer(row)
    question = questions_of(row.input)
    return (*question, Turn("assistant", answer)) if answer else question
