"""Asks candidate prompts within a budget of tokens, and keeps what they answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, to_data
from nshot.core.types import Example, Input, Prediction, Task, digest
from nshot.methods.contract import Workbench
from nshot.metrics import metric_of, points, score
from nshot.models.base import Decoding, LanguageModel
from nshot.predictors.prompted import Calibration, Prompted, batch_offsets
from nshot.predictors.scores import classified, log_softmax
from nshot.prompts.render import label_answers
from nshot.prompts.search.proposals import LENGTH
from nshot.prompts.search.race import Look
from nshot.prompts.search.wording import Wording

LEDGER = "prompts.jsonl"
_SPARE = 2
"""Tokens by which an answer may be read as more behind its prompt than alone."""


@dataclass(frozen=True)
class Candidate:
    """A prompt: its words, and the examples it shows; `draw` says how these were chosen."""

    wording: Wording
    shown: tuple[Example, ...] = ()
    draw: str = ""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a reader is shown of it."""
        words = self.wording
        settings = {"format": words.format, "answer": words.answer}
        if words.format != "chat":
            settings["fields"] = ", ".join(name for _, name in words.field_names)
        if words.format != "plain":
            settings["instruction"] = f"{words.rule}: {words.instruction}".rstrip(": ")
            settings["labels"] = words.shows
        return {**settings, "demonstrations": f"{len(self.shown)} {self.draw}".strip()}

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        return digest(dumps(self.wording), *(example.id for example in self.shown))


class Ledger:
    """What was answered, a line each, so that a killed search asks nothing twice."""

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        if not lines or lines[0] != identity:
            lines = [identity]
        self._bodies = dict(map(json.loads, lines[1:]))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, "".join(f"{line}\n" for line in lines))

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under a key."""
        return self._bodies.get(key)

    def put(self, key: str, body: dict[str, Any]) -> None:
        """Keep it: a whole line, or none that is read again."""
        self._bodies[key] = body
        with self._path.open("a", encoding="utf-8") as file:
            file.write(dumps([key, body]) + "\n")

    def forget(self) -> None:
        """Remove it: the search is done."""
        self._path.unlink(missing_ok=True)


class Asking:
    """Asks, counts and keeps. `spent` are tokens as a server would be sent them and as written."""

    def __init__(
        self, bare: Prompted, tokens: int, inputs: Sequence[Input], ledger: Ledger, bench: Workbench
    ) -> None:
        self._bare, self._tokens, self._ledger, self._bench = bare, tokens, ledger, bench
        self._longest = max(inputs, key=lambda one: len(one.text))
        self.spent = 0

    @property
    def model(self) -> LanguageModel:
        """Whom is asked."""
        return self._bare.models.open(self._bare.ref)

    def room(self, share: float = 1.0) -> int:
        """Tokens that may still be spent of a share of all."""
        return int(self._tokens * share) - self.spent

    def predictor(self, candidate: Candidate) -> Prompted:
        """What asks with a candidate."""
        return replace(
            self._bare,
            task=candidate.wording.of(self._bare.task),
            format=candidate.wording.format,
            demos=candidate.shown,
        )

    def most(self, candidate: Candidate, rows: Sequence[Example]) -> int:
        """Tokens that the rows take at most; `CannotAdapt` where an input would not fit."""
        predictor, model = self.predictor(candidate), self.model
        inputs = [*(row.input for row in rows), self._longest]
        *counts, longest = model.count(predictor.prompts(inputs))
        answer, each = predictor.max_tokens, predictor.max_tokens
        if predictor.task.has_labels:
            lengths = model.count(label_answers(predictor.task, predictor.format))
            answer = max(lengths) + _SPARE
            each = sum(lengths) + _SPARE * len(lengths) if "score" in model.facts.can else answer
        if longest + answer > model.facts.context:
            raise CannotAdapt("with the longest input it does not fit into the model's context")
        return sum(counts) + each * len(counts)

    def answers(self, candidate: Candidate, rows: Sequence[Example]) -> list[Prediction]:
        """What it answers, without offsets; what was answered before a kill is counted anew."""
        key = digest(candidate.key, *(row.id for row in rows))
        body = self._ledger.get(key)
        if body is None:
            start = machine.cold_clock()
            predictions = self.predictor(candidate).predict([row.input for row in rows])
            seconds = machine.cold_clock() - start
            body = {"seconds": seconds, "answers": [to_data(one) for one in predictions]}
            self._ledger.put(key, body)
        else:
            predictions = [from_data(Prediction, one) for one in body["answers"]]
            self._bench.charge(body["seconds"])
        self._bench.charge(0.0, sum(one.money for one in predictions))
        self.spent += sum(one.tokens_in + one.tokens_out for one in predictions)
        return predictions

    def write(self, request: str, seed: int, room: int) -> str:
        """A text that the model writes, by chance; "" where it takes more than `room` tokens."""
        most = self.model.count([request])[0] + LENGTH
        if most > room:
            return ""
        key = digest("written", request, str(seed))
        body = self._ledger.get(key)
        if body is None:
            how = Decoding(LENGTH, 0.7, seed, ("\n\n",))
            (completion,) = self.model.generate([request], how)
            tokens = completion.tokens_in + completion.tokens_out
            money = completion.served.money if completion.served else 0.0
            body = {"text": completion.text, "tokens": tokens, "money": money}
            self._ledger.put(key, body)
        self._bench.charge(0.0, body["money"])
        self.spent += body["tokens"]
        return str(body["text"])


class Trials:
    """What candidates did on the rows that choose, each asked once, under its best calibration."""

    def __init__(
        self,
        asking: Asking,
        task: Task,
        rows: Sequence[Example],
        calibrations: Sequence[Calibration],
    ) -> None:
        self._asking, self._task, self.rows = asking, task, rows
        self._calibrations = calibrations
        self.answers: dict[Candidate, list[Prediction]] = {}
        self.fell: dict[Candidate, str] = {}

    def cost(self, candidate: Candidate, stop: int) -> int:
        """Tokens that it takes at most to have answers to the first `stop` rows."""
        known = len(self.answers.get(candidate, ()))
        if candidate in self.fell or known >= stop:
            return 0
        try:
            return self._asking.most(candidate, self.rows[known:stop])
        except CannotAdapt as error:
            self.fell[candidate] = str(error)
            return 0

    def look(self, candidate: Candidate, stop: int) -> Look | None:
        """How it did on the first `stop` rows; None where it fell."""
        known = self.answers.setdefault(candidate, [])
        if candidate in self.fell:
            return None
        if len(known) < stop:
            try:
                known += self._asking.answers(candidate, self.rows[len(known) : stop])
            except CannotAdapt as error:
                self.fell[candidate] = str(error)
                return None
        return self.best(candidate, stop)[1]

    def best(self, candidate: Candidate, stop: int) -> tuple[Calibration, Look]:
        """The calibration under which it did best, and how: the offsets take rows, no labels."""
        answers = self.answers[candidate][:stop]
        looks = [
            (how, looked(self._task, self.rows[:stop], shifted(self._task, answers, offsets)))
            for how in self._calibrations
            for offsets in [offsets_of(how, answers)]
            if how == "none" or offsets
        ]
        if not looks:
            looks = [("none", looked(self._task, self.rows[:stop], answers))]
        return max(looks, key=lambda pair: (pair[1].score, pair[1].fit))


def offsets_of(how: Calibration, answers: Sequence[Prediction]) -> tuple[float, ...]:
    """Batch calibration by the rows that were answered; () without calibration or scores."""
    if how == "none" or not all(one.scores for one in answers):
        return ()
    return tuple(batch_offsets(np.array([one.scores for one in answers])).tolist())


def shifted(
    task: Task, answers: Sequence[Prediction], offsets: Sequence[float]
) -> list[Prediction]:
    """The answers as they are with offsets."""
    if not offsets:
        return list(answers)
    scores = np.array([one.scores for one in answers]) - np.array(offsets)
    return classified(task, log_softmax(scores), [one.tokens_in for one in answers])


def looked(task: Task, rows: Sequence[Example], answers: Sequence[Prediction]) -> Look:
    """Score, fit and points of the answers to some rows."""
    metric = metric_of(task)
    pairs = list(zip(rows, answers, strict=True))
    marks = np.array([metric.statistics(row, one) for row, one in pairs])
    fit = -np.inf
    if task.has_labels and all(one.scores for one in answers):
        right = [one.scores[task.label_names.index(row.label)] for row, one in pairs]
        fit = float(np.mean(right))
    return Look(score(metric, marks), fit, points(metric, marks))
