"""Ask a language model, or a reward model, which of two answers is better.

Each question is asked once in a run folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.bench.store import Store
from nshot.board.judge import Comparison, Judge, Prefers, RewardJudge, questions
from nshot.core.serial import from_data
from nshot.core.types import Check, digest
from nshot.training.reward_models import reward_model

AT_ONCE = 8
"""Comparisons that are asked at once: a kill loses these at most."""


def do(job: Job, place: Workplace) -> Body:
    """``{preferences}`` of the job's comparisons, one each."""
    compared = [Comparison(**one) for one in job.spec["comparisons"]]
    who = job.spec["reward"] if job.base is None else asdict(job.base)
    model = json.dumps([who, place.identity], sort_keys=True)
    judge = _judge(job, place)

    def report(done: int, total: int) -> None:
        place.progress(done, total, "judge")

    return {"preferences": ask_once(judge, compared, place.store, model, report)}


def _judge(job: Job, place: Workplace) -> Prefers:
    """A language model, or the reward model whose folder the job names."""
    if job.base is not None:
        return Judge(place.models.open(job.base))
    check = from_data(Check, job.spec["reward"])
    return RewardJudge(reward_model(check, place.models))


def ask_once(
    judge: Prefers,
    compared: Sequence[Comparison],
    store: Store,
    model: str,
    report: Callable[[int, int], None],
) -> list[float]:
    """The judge's preferences, each kept: what the store has is not asked again.

    Equal answers are a tie that nobody is asked about. `model` stands for the judge's model and
    the machine; `report` hears how many of how many questions are answered.
    """
    names = [digest("judge", model, *(turn.text for (turn,) in questions(c))) for c in compared]
    preferences: dict[str, float] = {}
    open_: dict[str, Comparison] = {}
    for name, comparison in zip(names, compared, strict=True):
        if comparison.first == comparison.second:
            preferences[name] = 0.0
        elif stored := store.get(name):
            preferences[name] = stored[1]["preference"]
        else:
            open_[name] = comparison
    waiting = list(open_)
    for start in range(0, len(waiting), AT_ONCE):
        part = waiting[start : start + AT_ONCE]
        answers = judge.preferences([open_[name] for name in part])
        for name, preference in zip(part, answers, strict=True):
            store.put(name, "judge", "ok", {"preference": preference})
            preferences[name] = preference
        report(start + len(part), len(waiting))
    return [preferences[name] for name in names]
