"""The data of an alignment: what is imitated, what is preferred, and what is only measured on.

A prompt is on one side: its answers are learned from, or it is held out, from every step alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nshot.bench.align_request import AlignRequest, is_chat_file
from nshot.core.errors import Fault, InputError, collected
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json, to_data
from nshot.core.types import Example, Input, Task, digest, group_of
from nshot.data import split
from nshot.data.formats.chats import questions_of
from nshot.data.loading import Loaded, load
from nshot.data.same import prompts_grouped, sameness

FEWEST = 8
"""Prompts with preferences, at least: some are held out."""
_HELD_SHARE, _HELD_MOST = 0.2, 200
ROWS = "data/align.json"


@dataclass(frozen=True)
class Rows:
    """What all steps share. `rank` is the task of the preferences, `chat` that of what is written.

    `held` are preferences that no step learns from, nor their prompts.
    """

    rank: Task
    chat: Task
    demonstrations: tuple[Example, ...]
    preferences: tuple[Example, ...]
    held: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of all of it but the notes."""
        return digest(dumps(to_data(replace(self, notes=()))))

    @property
    def prompts(self) -> tuple[Example, ...]:
        """What a policy is asked while it learns, each once; those of demonstrations with it."""
        return once(
            (*self.demonstrations, *(bare_prompt(row) for row in self.preferences)),
            lambda row: prompt_name(row.input),
        )

    @property
    def held_prompts(self) -> tuple[Example, ...]:
        """What is asked before and after, each once."""
        return once((bare_prompt(row) for row in self.held), lambda row: prompt_name(row.input))

    def write(self, root: Path) -> None:
        """Put it into a run folder."""
        (root / ROWS).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(root / ROWS, dumps(to_data(self)))

    @staticmethod
    def read(root: Path) -> Rows:
        """What `write` wrote."""
        return from_data(Rows, read_json(root / ROWS))


def once(rows: Iterable[Example], name: Callable[[Example], str]) -> tuple[Example, ...]:
    """The rows without those that have the name of an earlier one."""
    first: dict[str, Example] = {}
    for row in rows:
        first.setdefault(name(row), row)
    return tuple(first.values())


def bare_prompt(row: Example) -> Example:
    """A row of preferences as its prompt alone."""
    return replace(row, input=replace(row.input, answers=()), grades=())


def prompt_name(input: Input) -> str:
    """What two inputs share that ask the same, whichever format they came in."""
    return sameness(Input(turns=questions_of(replace(input, answers=()))))


def read_rows(request: AlignRequest, faults: list[Fault]) -> Rows | None:
    """The files of a request; None, and `faults`, where they cannot be used."""
    source = None if is_chat_file(Path(request.source)) else request.source
    files = {"preferences": request.preferences or source, "test": request.test,
             "demonstrations": request.demonstrations}  # fmt: skip
    if files["preferences"] is None:
        faults.append(Fault("no preferences", "preferences: pairs.jsonl", where=request.source))
        return None
    loaded = {
        role: collected(faults, partial(load, path, encoding=request.encoding))
        for role, path in files.items()
        if path is not None
    }
    if any(one is None for one in loaded.values()):
        return None
    kept = {role: one for role, one in loaded.items() if one is not None}
    faults += _kinds(kept, files)
    return None if faults else collected(faults, partial(_cut, kept, request))


def _kinds(loaded: dict[str, Loaded], files: dict[str, str | None]) -> list[Fault]:
    """Where a file holds rows of another kind than its key says."""
    faults = []
    for role, one in loaded.items():
        kind = "generate" if role == "demonstrations" else "rank"
        where = str(files[role])
        if one.task.kind != kind:
            what = "preferences" if kind == "rank" else "demonstrations"
            problem = f"{role}: rows of kind {one.task.kind} (format {one.format}) are no {what}"
            keys = "prompt, chosen, rejected" if kind == "rank" else "prompt, completion"
            faults.append(Fault(problem, f"rows with {keys}, see docs/formats.md", where=where))
        elif kind == "rank" and not any(len(set(row.grades)) > 1 for row in one.train):
            problem = f"{role}: no row has two answers of which one is better"
            faults.append(Fault(problem, "rows with prompt, chosen, rejected", where=where))
    return faults


def _cut(loaded: dict[str, Loaded], request: AlignRequest) -> Rows:
    """The rows on their sides."""
    rank, notes = loaded["preferences"].task, []
    for role, one in loaded.items():
        notes += [f"{role}: {note}" for note in one.notes]
    every = prompts_grouped([row for row in loaded["preferences"].train if row.grades])
    test = list(loaded["test"].train) if "test" in loaded else None
    if test is None:
        every, test = _hold_out(every, request.seed)
        notes.append(f"{len(test)} of {len(test) + len(every)} preferences are held out")
    rows = split(rank, every, test)
    notes += list(rows.notes)
    names = {prompt_name(row.input) for row in rows.test}
    kept = [row for row in rows.train if prompt_name(row.input) not in names]
    if (count := len({group_of(row) for row in kept})) < FEWEST:
        problem = f"prompts with preferences to learn from: {count}"
        where = request.preferences or request.source
        beside = "" if "test" in loaded else ", beside the fifth that is held out: 10 in all"
        do = "" if "test" in loaded else "more prompts, or --test FILE, which holds out others"
        raise InputError(Fault(problem, f"{FEWEST} at least{beside}", do, where))
    given = loaded.get("demonstrations")
    shown = given.train if given else _best(kept)
    if given is None:
        notes.append(f"no demonstrations: the best answers of {len(shown)} prompts are imitated")
    apart = [row for row in shown if prompt_name(row.input) not in names]
    if len(apart) < len(shown):
        notes.append(f"{len(shown) - len(apart)} demonstrations ask what is held out: left out")
    chat = given.task if given else replace(rank, kind="generate", metric="token_f1")
    return Rows(rank, chat, tuple(apart), tuple(kept), rows.test, tuple(notes))


def _hold_out(rows: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """(to learn from, to measure on), groups whole."""
    groups = sorted({group_of(row) for row in rows})
    random.Random(f"align:{seed}").shuffle(groups)
    held = set(groups[: min(round(_HELD_SHARE * len(groups)), _HELD_MOST)])
    learned = [row for row in rows if group_of(row) not in held]
    return learned, [row for row in rows if group_of(row) in held]


def _best(rows: Sequence[Example]) -> tuple[Example, ...]:
    """The best answer to each prompt, as a demonstration."""
    shown = once(rows, lambda row: prompt_name(row.input))
    return tuple(
        replace(bare_prompt(row), targets=(row.input.answers[row.grades.index(max(row.grades))],))
        for row in shown
    )
