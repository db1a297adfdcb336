"""How a prompt is searched for: which rows choose, in which order, and what is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nshot.core.types import Example, Shots, Task, digest, stratified_folds
from nshot.methods.contract import Attempt, Workbench
from nshot.methods.prompt.asking import (
    LEDGER,
    Asking,
    Candidate,
    Ledger,
    Trials,
    looked,
    offsets_of,
    shifted,
)
from nshot.methods.spec import spec_hash
from nshot.predictors.prompted import Calibration, Prompted
from nshot.prompts.checks.likeness import jaccard
from nshot.prompts.demonstrations import diverse, in_turn
from nshot.prompts.render import Format
from nshot.prompts.search.proposals import read_proposal, request
from nshot.prompts.search.race import Look, ends, race
from nshot.prompts.search.wording import Grid, language_of, own

if TYPE_CHECKING:
    from nshot.methods.prompt.prompt_search import PromptSearch

LEAST = 16
"""Labelled rows below which nothing is searched: too few would choose."""
PARTS = 4
"""Of the labelled rows one part confirms, one is shown from, the others choose."""
CHOOSING, CONFIRMING, SHOWN = 256, 200, 100
"""Rows of each, at most."""
PROPOSED, WORDED, CHOSEN = 0.1, 0.45, 0.8
"""Shares of the tokens that are spent at most when instructions were written, when wordings have
raced, and before the winner is confirmed."""
SHORT = 8
"""Rows after which candidates are looked at first."""


@dataclass(frozen=True)
class Rows:
    """Rows that choose, rows that may be shown, and rows that confirm; no group is in two."""

    choosing: tuple[Example, ...]
    pool: tuple[Example, ...]
    confirming: tuple[Example, ...]


def divided(task: Task, shots: Shots, seed: int) -> Rows | None:
    """The three parts, each with its labels in turn; None where rows or groups are too few."""
    rows = [row for row in shots.labelled if row.targets]
    if len(rows) < LEAST:
        return None
    fold_of = stratified_folds(rows, PARTS, seed, task.has_strata)
    parts: tuple[list[Example], ...] = ([], [], [])
    for row in rows:
        parts[max(0, fold_of[row.id] - 1)].append(row)
    choosing, pool, confirming = (
        in_turn(part, most, seed)
        for part, most in zip(parts, (CHOOSING, SHOWN, CONFIRMING), strict=True)
    )
    return Rows(choosing, pool, confirming) if choosing and confirming else None


class Plan(NamedTuple):
    """How many candidates of which sort are tried: words, words of two parents, examples."""

    wordings: int
    children: int
    sets: int


def plan_of(candidates: int) -> Plan:
    """Half of the candidates are wordings, a sixth their children, the others examples."""
    wordings = max(2, candidates // 2)
    children = candidates // 6
    return Plan(wordings, children, candidates - wordings - children)


def numbers_shown(task: Task) -> tuple[int, int]:
    """How many examples are shown: one a label, four at least, and twice as many."""
    least = min(max(4, len(task.labels)), 16)
    return least, 2 * least


class Honest(NamedTuple):
    """The winner's score on rows that chose nothing, and there that of the task's own words."""

    score: float
    rows: int
    before: float | None

    @property
    def words(self) -> str:
        """As the row says it."""
        own = "" if self.before is None else f" (the task's own words: {percent(self.before)})"
        return f"{percent(self.score)} on {self.rows} rows that chose nothing{own}"


def percent(share: float) -> str:
    """``83.3 %``."""
    return f"{100 * share:.1f} %"


class Search:
    """One search: what it asked, who won, and what is said of it."""

    def __init__(
        self,
        method: PromptSearch,
        bare: Prompted,
        rows: Rows,
        formats: tuple[Format, ...],
        shots: Shots,
        bench: Workbench,
    ) -> None:
        self._method, self._bare, self._rows = method, bare, rows
        self._formats, self._bench, self._task = formats, bench, bare.task
        everything = (*shots.labelled, *shots.unlabelled)
        asks = (bare.task, bare.ref, bare.max_tokens, bench.seed, everything)
        identity = digest(spec_hash(method), repr(asks))
        self._ledger = Ledger(bench.folder / LEDGER, identity)
        inputs = [row.input for row in everything]
        self._asking = Asking(bare, method.tokens, inputs, self._ledger, bench)
        how: tuple[Calibration, ...] = ("batch", "none")
        if method.calibration:
            how = (method.calibration,)
        self._trials = Trials(self._asking, self._task, rows.choosing, how)
        self._stages = ends(len(rows.choosing), SHORT)

    def run(self) -> Prompted:
        """The predictor that asks with the winner; with the task's own words where none ran."""
        winner = self._winner()
        if winner is None:
            self._bench.note(f"nothing searched: {self._budget} are too few for one look")
            return self._bare
        count = len(self._trials.answers[winner])
        how, _ = self._trials.best(winner, count)
        offsets = offsets_of(how, self._trials.answers[winner])
        self._report(winner, self._confirmed(winner, offsets))
        self._ledger.forget()
        return replace(self._asking.predictor(winner), offsets=offsets)

    @property
    def _budget(self) -> str:
        return f"{self._method.tokens:,} tokens"

    def _winner(self) -> Candidate | None:
        """Wordings race, then their children with the best of them, then examples."""
        plan, seed = plan_of(self._method.candidates), self._bench.seed
        grid = Grid(
            self._task, self._rows.choosing[0].input, self._formats, tuple(self._proposals())
        )
        first = [Candidate(one) for one in grid.draw(plan.wordings, seed)]
        parents = self._race(first, self._stages[:2], 4, WORDED)
        made = grid.children([one.wording for one in parents], plan.children, seed)
        best = self._race([*parents, *map(Candidate, made)], self._stages, 2, WORDED)
        sets = self._race(self._sets(best, plan.sets), self._stages[:3], 2, CHOSEN)
        last = self._race([*best, *sets], self._stages[1:] or self._stages, 1, CHOSEN)
        return next(iter(last or best or parents), None)

    def _race(
        self, candidates: Sequence[Candidate], stages: Sequence[int], keep: int, share: float
    ) -> list[Candidate]:
        def look(candidate: Candidate, stop: int) -> Look | None:
            tried = len(self._trials.answers)
            self._bench.progress(tried, self._method.candidates, "candidates")
            return self._trials.look(candidate, stop)

        room = partial(self._asking.room, share)
        return race(candidates, look, self._trials.cost, room, stages, keep)

    def _proposals(self) -> list[str]:
        """Instructions that the model wrote, each after other examples, without repetition."""
        if not self._rows.pool or self._formats == ("plain",):
            return []
        language, texts = language_of(self._task, self._rows.pool[0].input), list[str]()
        for number in range(self._method.proposals):
            shown = in_turn(self._rows.pool, numbers_shown(self._task)[0], number)
            ask = request(self._task, shown, language)
            one = read_proposal(self._asking.write(ask, number, self._asking.room(PROPOSED)))
            texts += [one] if one and one not in texts else []
        return texts

    def _sets(self, best: Sequence[Candidate], count: int) -> list[Candidate]:
        """The best wordings with drawn examples, balanced or diverse."""
        made: list[Candidate] = []
        for number in range(2 * count if self._rows.pool else 0):
            if not best or len(made) == count:
                break
            words = best[number % len(best)].wording
            size = numbers_shown(self._task)[number // 2 % 2]
            seed = 1000 * self._bench.seed + number
            if number % 4 == 3:
                shown, how = self._diverse(size, seed), "diverse"
            else:
                shown, how = in_turn(self._rows.pool, size, seed), "balanced"
            one = Candidate(words, shown, f"{how}, draw {number}")
            made += [one] if all(one.shown != other.shown or one.wording != other.wording
                                 for other in made) else []  # fmt: skip
        return made

    def _diverse(self, size: int, seed: int) -> tuple[Example, ...]:
        """By the runs of three characters that texts share: no encoder is needed."""
        texts = [row.input.text for row in self._rows.pool]
        likeness = jaccard(texts, texts).astype(np.float64)
        return diverse(
            self._rows.pool, lambda place: likeness[place], size, seed, self._task.has_strata
        )

    def _confirmed(self, winner: Candidate, offsets: Sequence[float]) -> Honest | None:
        """The winner, and the task's own words, on rows that chose nothing, as many as are paid."""
        rows = self._affordable(winner, self._rows.confirming)
        if not rows:
            return None
        answers = shifted(self._task, self._asking.answers(winner, rows), offsets)
        score, before = looked(self._task, rows, answers).score, None
        words = Candidate(own(self._task, self._formats[0]))
        if words != winner and words not in self._trials.fell and self._fits(words, rows):
            answers = self._asking.answers(words, rows)
            known = offsets_of(self._method.calibration or "batch", answers)
            before = looked(self._task, rows, shifted(self._task, answers, known)).score
        return Honest(score, len(rows), before)

    def _fits(self, candidate: Candidate, rows: Sequence[Example]) -> bool:
        return self._asking.most(candidate, rows) <= self._asking.room()

    def _affordable(self, candidate: Candidate, rows: Sequence[Example]) -> Sequence[Example]:
        """The first rows, half as many until they can be paid for."""
        while rows and not self._fits(candidate, rows):
            rows = rows[: len(rows) // 2]
        return rows

    def _report(self, winner: Candidate, honest: Honest | None) -> None:
        """One sentence for the row, and every candidate that was asked or fell."""
        trials, tokens = self._trials, f"{self._asking.spent:,} of {self._budget}"
        tried = [one for one in trials.answers if trials.answers[one]]
        rows = len(trials.answers[winner])
        other = "no row was left that chose nothing" if honest is None else honest.words
        best = percent(trials.best(winner, rows)[1].score)
        self._bench.note(
            f"searched {len(tried)} prompts in {tokens}: best {best} on the {rows} rows that chose"
            f" it, {other}"
        )
        attempts = [self._attempt(one, other if one == winner else "") for one in tried]
        attempts += [Attempt(one.settings, None, False, why) for one, why in trials.fell.items()
                     if one not in tried]  # fmt: skip
        self._bench.attempted(attempts)

    def _attempt(self, candidate: Candidate, other: str) -> Attempt:
        rows = len(self._trials.answers[candidate])
        how, look = self._trials.best(candidate, rows)
        note = "; ".join(filter(None, [f"on {rows} rows", self._trials.fell.get(candidate), other]))
        return Attempt({**candidate.settings, "calibration": how}, look.score, bool(other), note)
