"""One job at a time, in a process that keeps its models loaded between jobs.

The parent writes one JSON object a line to standard input and reads JSON events from standard
output. When the parent goes, so does the worker; when the worker is killed, the parent says so on
the row and starts a fresh one (`WorkerProcess`).
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from nshot.bench.job import Job, Setting, cut_rows
from nshot.bench.judging import ask_once
from nshot.bench.search import search
from nshot.bench.store import Store
from nshot.board.judge import Comparison, Judge
from nshot.core import machine
from nshot.core.errors import CannotAdapt, DidNotLearn, Diverged, RunFailed
from nshot.core.files import folder_bytes, write_atomic, write_folder
from nshot.core.types import (
    Cost,
    Example,
    Fold,
    Image,
    Measurement,
    ModelRef,
    Prediction,
    Shots,
    Task,
    digest,
)
from nshot.data import draw
from nshot.data.rows import (
    example_to_json,
    measurement_to_json,
    prediction_to_json,
    task_to_json,
)
from nshot.methods.contract import Built, Method, spec, spec_hash
from nshot.models.base import Models
from nshot.models.wrap.cached import CachedModels
from nshot.predictors.base import Predictor
from nshot.predictors.checks import PICTURES, write_checks
from nshot.predictors.measure import Answered, answer, train_score, value
from nshot.predictors.nearest import cosines

T = TypeVar("T")
SEEN = 8
"""Pictures by which a network's rate is measured."""


class Bench:
    """The workbench of one job (`method.Workbench`).

    `account` holds the keys of what was shared with this job: a search pays once for features
    that all its trials read; `models`, where they are not simply the worker's, for their answers.
    """

    def __init__(
        self,
        worker: Worker,
        job: str,
        seed: int,
        account: set[str] | None = None,
        models: Models | None = None,
    ) -> None:
        self._worker = worker
        self._account = set() if account is None else account
        self._models = models
        self._job = job
        self.seed = seed
        self.folder = worker.store.scratch(job)
        self.charged = 0.0
        self.notes: list[str] = []
        self.parameters = 0
        self.curve: dict[str, Any] = {}
        self.nested = Cost()

    @property
    def models(self) -> Models:
        """Opens models."""
        return self._models or self._worker.models

    @property
    def base(self) -> ModelRef | None:
        """The language model to adapt."""
        return self._worker.setting.base

    @property
    def encoder(self) -> ModelRef | None:
        """The encoder to take features from."""
        return self._worker.setting.encoder

    def adapt(self, role: str, method: Method, task: Task, shots: Shots) -> Built:
        """Adapt a nested method, or load it: charged in full, spent once."""
        job = digest(
            "nested", spec_hash(method), _shots_digest(task, shots), self._worker.context(method),
            str(self.seed),
        )  # fmt: skip
        known = self._worker.store.get(job)
        folder = self._worker.store.predictor_folder(job)
        if known is None or not folder.exists():
            self._build(job, role, method, task, shots, folder)
            known = self._worker.store.get(job)
        else:
            self.charged += known[1]["seconds"]
        if known is None:
            raise RunFailed(f"{role}: the store did not keep {method.name}")
        body = known[1]
        cost = Cost(seconds=body["seconds"], trained_params=body["trained_params"])
        self.nested = self.nested.then(cost)
        return Built(job, self._worker.load(folder), cost, folder, tuple(body["notes"]))

    def _build(
        self, job: str, role: str, method: Method, task: Task, shots: Shots, folder: Path
    ) -> None:
        inner = Bench(self._worker, job, self.seed)
        meter = machine.Meter()
        with meter.running():
            predictor = method.adapt(task, shots, inner)
        write_folder(folder, predictor.save)
        self.charged += inner.charged
        body = {
            "role": role,
            "spec": spec(method),
            "seconds": meter.seconds + inner.charged,
            "trained_params": max(inner.parameters, inner.nested.trained_params),
            "notes": inner.notes,
        }
        self._worker.store.put(job, "nested", "ok", body)
        shutil.rmtree(inner.folder, ignore_errors=True)

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """Made once in this worker, charged as if cold to each job that asks."""
        known = self._worker.shelf.get(key)
        if known is None:
            start = machine.cold_clock()
            made = make()
            self._worker.shelf[key] = (made, machine.cold_clock() - start)
            self._account.add(key)
            return made
        made, seconds = known
        if key not in self._account:
            self.charged += seconds
        self._account.add(key)
        return made

    def note(self, sentence: str) -> None:
        """Kept once on the row."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def trained(self, parameters: int) -> None:
        """The most that any part of the job trained."""
        self.parameters = max(self.parameters, parameters)

    def learned(self, losses: Sequence[float], validation: Sequence[tuple[int, float]]) -> None:
        """Kept with the measurement."""
        self.curve = {"train": list(losses), "validation": [list(look) for look in validation]}

    def progress(self, done: int, total: int, what: str) -> None:
        """To the parent, for its display."""
        self._worker.tell({"event": "progress", "done": done, "total": total, "what": what})


def _shots_digest(task: Task, shots: Shots) -> str:
    rows = (shots.labelled, shots.unlabelled, shots.preferences, shots.background)
    parts = [task_to_json(task), *[[example_to_json(e) for e in part] for part in rows]]
    return digest(json.dumps(parts, ensure_ascii=False, sort_keys=True))


class Worker:
    """What lives in the worker process: the data, the models, the store."""

    def __init__(self, root: Path, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self.store = Store(root)
        self.setting = Setting.read(self.store.root)
        self.tell = tell
        self.shelf: dict[str, tuple[Any, float]] = {}
        self.identity = machine.identity()
        self.context = self.setting.context(self.identity)

    @cached_property
    def models(self) -> Models:
        """All models of this process."""
        from nshot.models import open_models

        return open_models()

    def load(self, folder: Path) -> Predictor:
        """A saved predictor on this process's models."""
        from nshot.predictors import load

        return load(folder, self.models)

    def run(self, job: Job) -> dict[str, Any]:
        """Do a job and keep its result; returns the stored body."""
        name = job.name(self.context)
        self._warm(job.method)
        machine.seed_everything(job.draw)
        body = {"search": self._search, "measure": self._measure, "deploy": self._deploy}[job.do](
            job, name
        )
        self.store.put(name, job.do, "ok", body)
        shutil.rmtree(self.store.root / "scratch" / name, ignore_errors=True)
        return body

    def _warm(self, method: Method) -> None:
        """Load what the method needs before its clock starts: loading is the same for all."""
        setting = self.setting
        if method.needs and setting.base is not None:
            self.models.open(method.stands_on(setting.base)).count(["warm"])
        if method.needs_encoder and setting.encoder is not None and not setting.task.pictures:
            self.models.encoder(setting.encoder).encode(["warm"])
        elif method.needs_encoder and setting.encoder is not None:
            self.models.pictures(setting.encoder).encode(_pictures(setting.split.train[:1]))

    def _needed_bytes(self, method: Method) -> int:
        """Weights a cold start of this method would have to hold."""
        setting, held = self.setting, self.models.resident_bytes()
        names = [method.stands_on(setting.base).form] if method.needs and setting.base else []
        names += [setting.encoder.name] if method.needs_encoder and setting.encoder else []
        return sum(held.get(name, 0) for name in names)

    def shots(self, job: Job) -> tuple[Shots, tuple[Example, ...]]:
        """What the job may learn from, and what it must answer."""
        rows, answered = cut_rows(self.setting, job.cut, job.draw)
        return self._drawn(rows, job), answered

    def _drawn(self, rows: Sequence[Example], job: Job) -> Shots:
        split = self.setting.split
        shots = draw(rows, job.shots, job.draw, self.setting.task.label_names)
        return replace(shots, preferences=split.preferences, background=split.background)

    def _adapt(self, job: Job, name: str, shots: Shots) -> tuple[Predictor, Cost, Bench]:
        bench = Bench(self, name, job.draw)
        meter = machine.Meter()
        with meter.running():
            predictor = job.method.adapt(self.setting.task, shots, bench)
        cost = Cost(
            seconds=meter.seconds + bench.charged,
            spent_seconds=meter.spent_seconds,
            peak_bytes=meter.grown_bytes + self._needed_bytes(job.method),
            trained_params=max(bench.parameters, bench.nested.trained_params),
        )
        return predictor, cost, bench

    def _search(self, job: Job, name: str) -> dict[str, Any]:
        shots, _ = self.shots(job)
        start = time.perf_counter()
        ledger = _Ledger(self, job, name)
        tuned = search(job.method, self.setting.task, shots, ledger.answer)
        return {
            "spec": spec(tuned.method),
            "tried": [asdict(trial) for trial in tuned.tried],
            "note": tuned.note,
            "seconds": ledger.seconds,
            "spent_seconds": time.perf_counter() - start,
        }

    def _measure(self, job: Job, name: str) -> dict[str, Any]:
        shots, test = self.shots(job)
        predictor, build, bench = self._adapt(job, name, shots)
        build = replace(build, disk_bytes=self._saved_bytes(predictor, name))
        answered = answer(predictor, self.setting.task, test)
        train = None
        if job.draw == 0 and job.method.trains != "nothing":  # nothing learned, nothing overfitted
            train = train_score(predictor, self.setting.task, shots.labelled)
        extra: dict[str, Any] = {"learning_curve": bench.curve} if bench.curve else {}
        if hasattr(predictor, "beside"):
            extra["beside"] = self._beside(predictor, test)
        if job.draw == 0 and self.setting.task.pictures:
            extra |= self._seen(job.method, shots.labelled, test)
        notes = [*bench.notes, *self._cut(job.method, test)]
        return self._body(job, name, answered, build, notes, train, extra)

    def _body(
        self,
        job: Job,
        name: str,
        answered: Answered,
        build: Cost,
        notes: Sequence[str],
        train: float | None,
        extra: Mapping[str, Any],
        parent: str | None = None,
    ) -> dict[str, Any]:
        method = job.method
        measurement = Measurement(
            job=name,
            method=method.name,
            spec=spec(method),
            rung=method.rung,
            form=job.form,
            parent=parent,
            fingerprint=self.setting.split.fingerprint,
            unit="pair" if self.setting.task.kind == "rank" else "example",
            shots=job.shots,
            draw=job.draw,
            ids=answered.ids,
            predictions=answered.predictions,
            statistics=answered.stats,
            build=build,
            use=answered.use,
            train_score=train,
            notes=tuple(notes),
            extra=extra,
        )
        return measurement_to_json(measurement)

    def _cut(self, method: Method, test: Sequence[Example]) -> list[str]:
        """What to say where a test text alone is longer than what the language model can read."""
        if not method.needs or self.setting.base is None:
            return []
        model = self.models.open(self.setting.base)
        longest = max(model.count([example.input.text for example in test]), default=0)
        context = model.facts.context
        if longest <= context:
            return []
        return [f"texts longer than the language model's {context} tokens lose their beginning"]

    def _beside(self, predictor: Any, test: Sequence[Example]) -> dict[str, float]:
        """Scores of the simpler predictors a method wants printed beside it."""
        task = self.setting.task
        return {
            what: value(task, answer(other, task, test).stats)
            for what, other in predictor.beside.items()
        }

    def _seen(
        self, method: Method, shots: Sequence[Example], test: Sequence[Example]
    ) -> dict[str, Any]:
        """For the report: the shots' ids and, by an encoder, of each test picture the likest."""
        seen: dict[str, Any] = {"shots": [example.id for example in shots]}
        if method.needs_encoder and self.setting.encoder is not None and shots and test:
            network = self.models.pictures(self.setting.encoder)
            shown, asked = (network.encode(_pictures(rows)) for rows in (shots, test))
            likest = cosines(asked, shown).argmax(axis=1)
            seen["near"] = {e.id: shots[i].id for e, i in zip(test, likest.tolist(), strict=True)}
        return seen

    def _saved_bytes(self, predictor: Predictor, name: str) -> int:
        folder = self.store.scratch(name) / "size"
        write_folder(folder, predictor.save)
        size = folder_bytes(folder)
        shutil.rmtree(folder)
        return size

    def _deploy(self, job: Job, name: str) -> dict[str, Any]:
        """Refit on all rows, save as the winner, load it again and measure what was loaded."""
        shots = self._drawn(self.setting.split.train, job)
        predictor, build, bench = self._adapt(job, name, shots)
        folder = self.store.root / "winner"
        write_folder(folder, lambda place: self._deliver(place, predictor, job, name))
        size = folder_bytes(folder) - folder_bytes(folder / PICTURES)
        build = replace(build, disk_bytes=size)
        test = self.setting.split.test
        answered = answer(self.load(folder), self.setting.task, test)
        return self._body(job, name, answered, build, bench.notes, None, {}, job.method.name)

    def _deliver(self, place: Path, predictor: Predictor, job: Job, name: str) -> None:
        predictor.save(place)
        rows = self.setting.split.test or self.setting.split.train
        write_checks(place, predictor, [example.input for example in rows])
        body = {"job": name, "spec": spec(job.method)}
        write_atomic(place / "method.json", json.dumps(body, indent=1))

    def judge(self, compared: Sequence[Comparison]) -> list[float]:
        """What the judge prefers; what it was asked before in this folder is not asked again."""
        ref = self.setting.judge
        if ref is None:
            raise RunFailed("no judge was named")

        def tell(done: int, total: int) -> None:
            self.tell({"event": "progress", "done": done, "total": total, "what": "judge"})

        here = json.dumps([asdict(ref), self.identity], sort_keys=True)
        return ask_once(Judge(self.models.open(ref)), compared, self.store, here, tell)

    def rates(self) -> dict[str, Any]:
        """Tokens a second of this machine with these models, and the lengths of the inputs.

        A picture counts one token: the encoder's rate is then in pictures.
        """
        rows = [e.input.text for e in self.setting.split.train[:64]]
        rates: dict[str, Any] = {
            "lm_tokens": 1.0, "encoder_tokens": 1.0, "tokens": 1.0, "longest": 1.0,
            "context": 0, "layers": 0, "parameters": 0, "architecture": "", "abilities": [],
        }  # fmt: skip
        if self.setting.encoder is not None and self.setting.task.pictures:
            seen = _pictures(self.setting.split.train[:SEEN])
            network = self.models.pictures(self.setting.encoder)
            rates["encoder_tokens"] = _rate(lambda: network.encode(seen), len(seen))
        elif self.setting.encoder is not None:
            encoder = self.models.encoder(self.setting.encoder)
            counts = encoder.count(rows)
            rates["encoder_tokens"] = _rate(lambda: encoder.encode(rows), sum(counts))
            rates["tokens"], rates["longest"] = sum(counts) / len(counts), max(counts)
        if self.setting.base is not None:
            model = self.models.open(self.setting.base)
            facts = model.facts
            rates["abilities"], rates["architecture"] = sorted(facts.can), facts.architecture
            rates["context"], rates["layers"] = facts.context, facts.layers
            rates["parameters"] = facts.parameters
            if self.setting.task.pictures:
                return rates
            counts = model.count(rows)
            rates["tokens"], rates["longest"] = sum(counts) / len(counts), max(counts)
            if "score" in facts.can:
                few = rows[:16]
                rates["lm_tokens"] = _rate(
                    lambda: model.logprobs(few, [[" yes", " no"]] * len(few)), sum(counts[:16])
                )
        return rates


def _pictures(examples: Sequence[Example]) -> list[Image]:
    return [image for example in examples for image in example.input.images]


def _rate(work: Callable[[], object], tokens: int) -> float:
    """Tokens a second of the faster of two runs: the first also warms."""
    seconds = []
    for _ in range(2):
        start = machine.cold_clock()
        work()
        seconds.append(machine.cold_clock() - start)
    return tokens / max(min(seconds), 1e-6)


class _Ledger:
    """Answers the search's candidates, each fold a stored job of its own: a kill loses one fold."""

    def __init__(self, worker: Worker, job: Job, name: str) -> None:
        self._worker, self._job, self._name = worker, job, name
        self._account: set[str] = set()
        self._models = CachedModels(worker.models)
        self.seconds = 0.0

    def answer(self, candidate: Method, fold: Fold, index: int) -> list[Prediction]:
        """Predictions of the fold's dev rows."""
        from nshot.data.rows import prediction_from_json

        trial = digest("trial", self._name, spec_hash(candidate), str(index))
        known = self._worker.store.get(trial)
        if known is None:
            known = self._keep(trial, candidate, fold)
        state, body = known
        self.seconds += body["seconds"]
        if state == "failed":
            raise CannotAdapt(body["reason"])
        return [prediction_from_json(row) for row in body["predictions"]]

    def _keep(self, trial: str, candidate: Method, fold: Fold) -> tuple[str, dict[str, Any]]:
        worker, start = self._worker, machine.cold_clock()
        machine.seed_everything(self._job.draw)
        bench = Bench(worker, trial, self._job.draw, self._account, self._models)
        body: dict[str, Any]
        try:
            predictor = candidate.adapt(worker.setting.task, fold.shots, bench)
            predictions = predictor.predict([example.input for example in fold.dev])
            state, body = "ok", {"predictions": [prediction_to_json(p) for p in predictions]}
        except (CannotAdapt, DidNotLearn, Diverged) as error:
            state, body = "failed", {"reason": str(error)}
        body["seconds"] = machine.cold_clock() - start + bench.charged
        worker.store.put(trial, "trial", state, body)
        shutil.rmtree(bench.folder, ignore_errors=True)
        return state, body


def _serve(root: Path) -> None:
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log, not between the events

    def tell(event: Mapping[str, Any]) -> None:
        events.write(json.dumps(event, ensure_ascii=True) + "\n")
        events.flush()

    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    worker: Worker | None = None
    while True:
        request = requests.get()
        try:
            worker = worker or Worker(root, tell)
            tell({"event": "done", "body": _handle(worker, request)})
        except (CannotAdapt, DidNotLearn, Diverged) as error:
            _keep_failure(worker, request, str(error))
            tell({"event": "failed", "final": True, "reason": str(error)})
        except Exception as error:
            traceback.print_exc()
            tell({"event": "failed", "final": False, "reason": _reason(error)})


def _listen(requests: queue.Queue[dict[str, Any]]) -> None:
    """Read requests; when the parent is gone there is nobody to work for."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


def _handle(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    if request["ask"] == "hello":
        return {"identity": worker.identity, "machine": machine.describe()}
    if request["ask"] == "rates":
        return worker.rates()
    if request["ask"] == "judge":
        with _logged(worker.store.log("judge")):
            compared = [Comparison(**one) for one in request["comparisons"]]
            return {"preferences": worker.judge(compared)}
    job = Job.read(request["job"])
    with _logged(worker.store.log(job.name(worker.context))):
        return worker.run(job)


def _keep_failure(worker: Worker | None, request: Mapping[str, Any], reason: str) -> None:
    """A method that cannot learn here will not tomorrow: the finding is kept like a score."""
    if worker is not None and "job" in request:
        job = Job.read(request["job"])
        worker.store.put(job.name(worker.context), job.do, "failed", {"reason": reason})


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Send what is printed (also by C libraries) to the job's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("a") as log:
        os.dup2(log.fileno(), 2)
        os.dup2(log.fileno(), 1)
    try:
        yield
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.dup2(kept, 1)
        os.close(kept)


def main() -> None:
    """``python -m nshot.bench.worker DIR``: started by the parent, never by hand."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _serve(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
