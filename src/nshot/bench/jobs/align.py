"""A step of an alignment: a model that imitates, a reward model, a policy, or a look at answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nshot.bench.align_rows import Rows
from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.bench.workbench import Workbench
from nshot.board.alignment import Answer, Bounded, Change, Confidence, Judgement, Written
from nshot.board.judge import share_of
from nshot.core import machine
from nshot.core.errors import CannotAdapt, DidNotLearn
from nshot.core.files import content_hash, write_folder
from nshot.core.serial import from_data, to_data
from nshot.core.types import Check, Delta, Example, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.align.exploring import Exploring
from nshot.metrics import calibration
from nshot.metrics.lengths import length_bias
from nshot.metrics.preferring import pairs
from nshot.predictors.base import Predictor
from nshot.predictors.by_length import ByLength
from nshot.predictors.checks import write_checks
from nshot.predictors.implicit import Implicit
from nshot.predictors.prompted import Prompted
from nshot.predictors.rewarded import Rewarded

PROMPTS = 64
"""Held-out prompts that are answered before and after, at most."""
_TOKENS = 128
"""The longest answer of a policy that has no such setting."""
_PIECE = 3
"""Words of the pieces by which answers are told apart."""


def do(job: Job, place: Workplace) -> Body:
    """What the step came to; what it made lies in the job's folder."""
    return _Place(job, place, Rows.read(place.store.root)).body()


class _Place:
    """A step with its rows."""

    def __init__(self, job: Job, place: Workplace, rows: Rows) -> None:
        self.job, self.place, self.rows = job, place, rows
        self.name = job.name(place.context)

    def body(self) -> Body:
        """By the kind of step."""
        match self.job.spec["step"]:
            case "instruct":
                return self._taught(self.rows.chat, Shots(self.rows.demonstrations), self._base)
            case "reward" | "second":
                body = self._taught(self.rows.rank, Shots(self.rows.preferences), self._base)
                if body["reason"]:
                    raise DidNotLearn(body["reason"])
                judgement = judged(self._rewarded(self.name), self.rows.rank, self.rows.held)
                return body | {"judgement": to_data(judgement)}
            case "policy":
                return self._policy()
            case "before":
                return self._looked(self._begin())
            case _:
                return self._after()

    @property
    def _base(self) -> ModelRef:
        if self.job.base is None:
            raise CannotAdapt("there is no language model")
        return self.job.base

    # -------------------------------------------------------------- steps that learn

    def _taught(self, task: Task, shots: Shots, base: ModelRef) -> Body:
        """A method adapted and saved; a `reason` where it did not learn, and nothing is saved."""
        method = TABLE.build(self.job.spec["method"])
        machine.seed_everything(self.job.draw)
        bench: Workbench = self.place.bench(replace(self.job, base=base), self.name)
        meter, reason = machine.Meter(), ""
        try:
            with meter.running():
                predictor = method.adapt(task, shots, bench)
        except DidNotLearn as error:
            reason = str(error)
        else:
            inputs = [row.input for row in (self.rows.held if task.kind == "rank" else
                                            self.rows.held_prompts)]  # fmt: skip

            def fill(folder: Any) -> None:
                predictor.save(folder)
                write_checks(folder, predictor.predict, inputs[:8])

            write_folder(self.place.store.predictor_folder(self.name), fill)
        return {
            "reason": reason,
            "rows": len(shots.labelled),
            "seconds": meter.seconds,
            "parameters": bench.parameters,
            "notes": list(bench.notes),
            "losses": bench.curve.get("train", []),
            "rounds": bench.curve.get("rounds", {}),
        }

    def _policy(self) -> Body:
        """A policy that learns from its own answers, or from the preferences themselves."""
        method = TABLE.build(self.job.spec["method"])
        if not isinstance(method, Exploring):
            return self._taught(self.rows.rank, Shots(self.rows.preferences), self._begin())
        folder = self.place.store.predictor_folder(self.job.spec["reward_job"])
        reward = Check("model", str(folder), sha256=content_hash(folder))
        task = replace(self.rows.chat, reward=(reward,))
        return self._taught(task, Shots(self.rows.prompts), self._begin())

    def _begin(self) -> ModelRef:
        """What the policy begins from: the first step's model, or what was given in its place."""
        spec, store = self.job.spec, self.place.store
        if "instruct_job" in spec:
            folder = store.predictor_folder(spec["instruct_job"])
            return self._writer(folder).ref if folder.exists() else self._base
        return replace(self._base, deltas=from_data(tuple[Delta, ...], spec["start"]))

    # -------------------------------------------------------------- looks

    def _looked(self, ref: ModelRef) -> Body:
        """What a model answers to the held-out prompts."""
        rows = self._prompts()
        written = self._written(ref, rows)
        return {"prompts": [row.input.text for row in rows], "written": to_data(written)}

    def _after(self) -> Body:
        """What the policy answers, and what of that has changed."""
        folder = self.place.store.predictor_folder(self.job.spec["policy_job"])
        rows = self._prompts()
        after = self._written(self._writer(folder).ref, rows)
        stored = self.place.store.get(self.job.spec["before_job"])
        if stored is None:
            raise CannotAdapt("the answers before are gone: begin in a new folder")
        before = from_data(Written, stored[1]["written"])
        return {"written": to_data(after), "change": to_data(changed(before, after))}

    def _prompts(self) -> tuple[Example, ...]:
        rows = self.rows.held_prompts
        return rows[:: max(1, -(-len(rows) // PROMPTS))]

    def _written(self, ref: ModelRef, rows: Sequence[Example]) -> Written:
        """Greedy answers, and what both reward models pay for them."""
        method = TABLE.build(self.job.spec["policy"])
        most = method.max_tokens if isinstance(method, Exploring) else _TOKENS
        most = min(most, self.place.models.open(ref).facts.context // 2)
        model = Prompted(self.rows.chat, self.place.models, ref, "chat", max_tokens=most)
        answers = model.predict([row.input for row in rows])
        texts = [one.answer for one in answers]
        spec, store = self.job.spec, self.place.store
        second = spec.get("second_job", "")
        has_second = bool(second) and store.predictor_folder(second).exists()
        worth = self._worth(spec["reward_job"], rows, texts)
        other = self._worth(second, rows, texts) if has_second else [None] * len(rows)
        each = zip(answers, worth, other, strict=True)
        made = tuple(Answer(a.answer, a.tokens_out, w or 0.0, o) for a, w, o in each)
        return Written(
            made,
            student([one.reward for one in made]),
            float(np.mean([one.tokens for one in made])),
            distinct(texts),
            student([o for o in other if o is not None]) if has_second else None,
        )

    def _worth(self, name: str, rows: Sequence[Example], texts: Sequence[str]) -> list[float]:
        inputs = [
            replace(row.input, answers=(text,)) for row, text in zip(rows, texts, strict=True)
        ]
        return self._rewarded(name).worth(inputs)

    def _rewarded(self, name: str) -> Rewarded:
        predictor = self.place.load(self.place.store.predictor_folder(name))
        if not isinstance(predictor, Rewarded):
            raise CannotAdapt("the reward model's folder holds none: begin in a new folder")
        return predictor

    def _writer(self, folder: Any) -> Prompted:
        predictor: Predictor = self.place.load(folder)
        if isinstance(predictor, Implicit):
            return predictor.writer
        if not isinstance(predictor, Prompted):
            raise CannotAdapt("the policy's folder holds none: begin in a new folder")
        return predictor


def judged(predictor: Rewarded, task: Task, rows: Sequence[Example]) -> Judgement:
    """A reward model on pairs that it has not seen, beside what learns nothing."""
    inputs = [row.input for row in rows]
    predictions = predictor.predict(inputs)
    own = pairs(rows, predictions)

    def share(hits: Any) -> Bounded:
        return Bounded(*share_of(list(map(float, hits)), list(map(str, own.groups))))

    rungs = [pairs(rows, ByLength(task, longest).predict(inputs)) for longest in (True, False)]
    error = calibration.calibration_error(own.sureness, own.right, own.groups)
    bins = calibration.reliability(own.sureness, own.right, own.groups)
    return Judgement(
        pairs=len(own.ahead),
        accuracy=share(own.hits),
        longest=share(rungs[0].hits),
        shortest=share(rungs[1].hits),
        brier=student(own.errors, own.groups),
        error=Bounded(*error) if error else None,
        correlation=length_bias(rows, predictions).correlation,
        confidences=tuple(
            Confidence(one.rows, one.probability, Bounded(*one.right)) for one in bins
        ),
    )


def changed(before: Written, after: Written) -> Change:
    """The policy against what it began from: differences prompt by prompt."""

    def compared(name: str) -> tuple[Bounded, Bounded] | None:
        each = zip(before.answers, after.answers, strict=True)
        both = [(getattr(one, name), getattr(other, name)) for one, other in each]
        if any(None in pair for pair in both):
            return None
        difference = np.array([b - a for a, b in both])
        wins = (np.sign(difference) + 1) / 2
        return student(difference), Bounded(
            *share_of(wins.tolist(), list(map(str, range(len(wins)))))
        )

    reward, second = compared("reward"), compared("second")
    if reward is None:
        raise CannotAdapt("an answer has no reward")
    return Change(*reward, *(second or (None, None)))


def student(values: Any, groups: Any = None) -> Bounded:
    """A mean with Student's 95 % interval, those of one group counting as one.

    The ends are infinitely far of a single one, which JSON does not hold: they are the mean then.
    """
    from scipy.special import stdtrit

    points = np.asarray(values, dtype=np.float64)
    names = np.arange(len(points)) if groups is None else np.asarray(groups)
    _, place = np.unique(names, return_inverse=True)
    middle, count = float(points.mean()), int(place.max()) + 1
    if count < 2:
        return Bounded(middle, middle, middle)
    sums = np.bincount(place, weights=points - middle)
    variance = float((sums**2).sum()) / len(points) ** 2 * count / (count - 1)
    width = float(stdtrit(count - 1, 0.975)) * variance**0.5
    return Bounded(middle, middle - width, middle + width)


def distinct(texts: Sequence[str]) -> float:
    """The share of different pieces of three words, of all such pieces; 1 where there are none.

    Li et al. 2016, "A Diversity-Promoting Objective Function", https://arxiv.org/abs/1510.03055.
    """
    pieces = [
        tuple(words[i : i + _PIECE])
        for words in (text.split() for text in texts)
        for i in range(len(words) - _PIECE + 1)
    ]
    return len(set(pieces)) / len(pieces) if pieces else 1.0
