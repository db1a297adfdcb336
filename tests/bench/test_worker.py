"""Jobs as data, what a worker does with them, and what is said when it dies."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from nshot.bench.job import Cut, Job, Setting, WorkerProcess, cut_rows
from nshot.bench.store import Store
from nshot.bench.worker import Worker
from nshot.core.errors import CannotAdapt, WorkerLost
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Split, Task
from nshot.data import split
from nshot.data.rows import measurement_from_json
from nshot.methods import TABLE
from nshot.methods.contract import Method, Nested, Table, Workbench
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.predictors.base import Predictor
from spine import tickets, use_table

SCORER, ENCODER = ModelRef("fake", "scorer"), ModelRef("fake", "encoder")


def examples(count: int, salt: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"{salt}{i}", Input(fields=(("text", row["text"]),)), (row["label"],))
        for i, row in enumerate(tickets(count, salt))
    )


TASK = Task("tickets", "classify", tuple(Label(n) for n in ("parcel", "refund", "로그인")))


def setting(mode: str = "file") -> Setting:
    test = examples(20, "t") if mode == "file" else None
    return Setting(TASK, split(TASK, examples(10, "a"), test), SCORER, ENCODER)


def worker(root: Path, of: Setting | None = None) -> Worker:
    (of or setting()).write(root)
    return Worker(root, lambda event: None)


def measure(method: dict[str, Any], **more: Any) -> Job:
    return Job("measure", {**method}, **{"shots": 4, "draw": 0, **more})


# ---------------------------------------------------------------- jobs


def test_a_setting_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = setting()
    one.write(tmp_path)
    assert Setting.read(tmp_path) == one


def test_a_job_is_plain_data() -> None:
    from dataclasses import asdict

    job = measure({"method": "knn"}, cut=Cut(5, 2))
    assert Job.read(json.loads(json.dumps(asdict(job)))) == job


def test_a_jobs_name_depends_on_all_that_its_result_depends_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = measure({"method": "knn", "k": 1})
    other = [
        measure({"method": "knn", "k": 3}), measure({"method": "knn", "k": 1}, draw=1),
        measure({"method": "knn", "k": 1}, shots=None), measure({"method": "knn", "k": 1}, shots=8),
        measure({"method": "knn", "k": 1}, cut=Cut(5, 0)), Job("deploy", job.spec, 4, 0),
        measure({"method": "knn", "k": 1}, form="deployed"),
    ]  # fmt: skip
    here, there = (lambda method: "c"), (lambda method: "other data")
    names = {one.name(here) for one in other} | {job.name(here), job.name(there)}
    assert len(names) == len(other) + 2
    assert measure({"k": 1, "method": "knn"}).name(here) == job.name(here)
    monkeypatch.setattr(type(job.method), "version", 99)
    assert job.name(here) not in names, "a new version of the method is another job"


def test_the_context_is_data_models_and_machine() -> None:
    one, method = setting(), TABLE.build({"method": "zero_shot"})

    def context(of: Setting, threads: int = 1, asked: Method = method) -> str:
        return of.context({"threads": threads})(asked)

    assert context(one) == context(setting())
    assert context(one) != context(one, threads=2)
    bare = Setting(one.task, one.split, None, ENCODER)
    assert context(one) != context(bare)
    fewer = Split(one.split.train[1:], one.split.test, "file", "other fingerprint")
    assert context(one) != context(Setting(one.task, fewer, SCORER, ENCODER))
    counting = TABLE.build({"method": "tfidf_lr"})
    assert context(one, asked=counting) == context(bare, asked=counting), (
        "a method that asks no model is not run again for another one"
    )


def test_folds_answer_every_row_once_and_learn_from_none_of_them() -> None:
    one = setting("folds")
    for repeat in (0, 1):
        parts = [cut_rows(one, Cut(5, index), repeat) for index in range(5)]
        answered = [e.id for _, inside in parts for e in inside]
        assert sorted(answered) == sorted(e.id for e in one.split.train)
        for outside, inside in parts:
            assert not {e.id for e in outside} & {e.id for e in inside}
            assert len(outside) + len(inside) == len(one.split.train)


# ---------------------------------------------------------------- the worker


def test_the_same_job_gives_the_same_points_in_another_folder(tmp_path: Path) -> None:
    job = measure({"method": "few_shot"}, draw=1)
    one, other = (worker(tmp_path / name).run(job) for name in ("a", "b"))
    assert (one["statistics"], one["predictions"]) == (other["statistics"], other["predictions"])
    assert one["job"] == other["job"]


def test_draws_are_of_the_size_asked_and_without_test_rows(tmp_path: Path) -> None:
    there = worker(tmp_path)
    shots, answered = there.shots(measure({"method": "knn"}, shots=3))
    assert len(shots.labelled) == 9
    assert all(not e.targets for e in shots.unlabelled)
    assert {e.id for e in answered} == {e.id for e in there.setting.split.test}
    learned = {e.input for e in (*shots.labelled, *shots.unlabelled)}
    assert not learned & {e.input for e in answered}


def test_a_deployed_predictor_is_measured_as_it_was_saved(tmp_path: Path) -> None:
    there = worker(tmp_path)
    body = there.run(Job("deploy", {"method": "nearest_mean"}, None, 0, form="deployed"))
    found = measurement_from_json(body)
    assert (found.form, found.parent) == ("deployed", "nearest_mean")
    assert found.build.disk_bytes == sum(p.stat().st_size for p in (tmp_path / "winner").iterdir())
    again = there.load(tmp_path / "winner").predict([e.input for e in there.setting.split.test])
    assert tuple(again) == found.predictions
    told = json.loads((tmp_path / "winner" / "method.json").read_text())
    assert told == {"job": body["job"], "spec": {"method": "nearest_mean"}}


class Shares(Method):
    """Reads features through the bench, and is told what they cost."""

    name: ClassVar = "shares"
    rung: ClassVar = "fewshot"
    needs_encoder: ClassVar = True
    made: ClassVar[list[str]] = []

    k: int = 1

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        for _ in range(2):
            bench.shared("slow features", self._make)
        bench.note("said once")
        bench.note("said once")
        bench.trained(500)
        bench.trained(2)
        return NearestMean().adapt(task, shots, bench)

    def _make(self) -> int:
        self.made.append("x")
        time.sleep(0.05)
        return 1


class Outer(Shares):
    """Is made of another method."""

    name: ClassVar = "outer"

    inner: Nested = Shares()

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return bench.adapt("inner", self.inner, task, shots).predictor


class Refuses(Method):
    """Cannot adapt."""

    name: ClassVar = "refuses"
    rung: ClassVar = "fewshot"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        raise CannotAdapt("not today")


TOYS = Table({"shares": lambda: Shares, "outer": lambda: Outer, "refuses": lambda: Refuses})


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_table(monkeypatch, TOYS)
    Shares.made.clear()


@pytest.mark.usefixtures("toys")
def test_what_is_shared_is_made_once_and_charged_to_each(tmp_path: Path) -> None:
    there = worker(tmp_path)
    one = measurement_from_json(there.run(measure({"method": "shares"})))
    other = measurement_from_json(there.run(measure({"method": "shares", "k": 2})))
    assert len(Shares.made) == 1
    assert one.build.seconds == one.build.spent_seconds >= 0.05
    charged = other.build.seconds - other.build.spent_seconds
    assert charged == pytest.approx(sum(seconds for _, seconds in there.shelf.values()))
    assert charged >= 0.05, "though it asks twice, once"
    assert (one.notes, one.build.trained_params) == (("said once",), 500)


@pytest.mark.usefixtures("toys")
def test_a_nested_method_is_built_once_and_charged_to_each(tmp_path: Path) -> None:
    there = worker(tmp_path)
    one = measurement_from_json(there.run(measure({"method": "outer"})))
    other = measurement_from_json(there.run(measure({"method": "outer", "k": 2})))
    assert len(Shares.made) == 1
    assert [kind for _, kind, _ in there.store.jobs()].count("nested") == 1
    assert other.build.seconds - other.build.spent_seconds >= 0.05
    assert one.build.trained_params == other.build.trained_params == 500
    third = measurement_from_json(there.run(measure({"method": "outer", "k": 3}, draw=1)))
    assert third.predictions != one.predictions, "other shots are another nested job"


def test_no_scratch_is_left_of_a_finished_job(tmp_path: Path) -> None:
    there = worker(tmp_path)
    there.run(measure({"method": "nearest_mean"}))
    there.run(Job("search", {"method": "knn"}, 4, 0))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_search_keeps_every_fold_it_has_done(tmp_path: Path) -> None:
    there = worker(tmp_path)
    job = Job("search", {"method": "knn"}, 4, 0)
    body = there.run(job)
    trials = [one for one, kind, _ in there.store.jobs() if kind == "trial"]
    seen = [int(t["note"].split()[1]) if t["note"] else 4 for t in body["tried"]]
    assert len(trials) == sum(seen)
    again = worker(tmp_path).run(job)
    assert again["tried"] == body["tried"]
    assert again["seconds"] == pytest.approx(body["seconds"]), "charged as when it was done"
    assert sum(trial["chosen"] for trial in body["tried"]) == 1
    assert body["spec"]["method"] == "knn"


def test_rates_are_numbers(tmp_path: Path) -> None:
    rates = worker(tmp_path).rates()
    assert rates["context"] == 4096
    assert rates["abilities"] == ["generate", "hidden", "score"]
    assert min(rates["lm_tokens"], rates["encoder_tokens"], rates["tokens"]) > 0
    assert all(np.isfinite(v) for v in rates.values() if isinstance(v, float))


def test_texts_beyond_the_context_are_told_on_the_row(tmp_path: Path) -> None:
    long = Example("long", Input(fields=(("text", "refund money " * 3000),)), ("refund",))
    base = setting()
    rows = Split(base.split.train, (*base.split.test, long), "file", "f")
    there = worker(tmp_path, Setting(TASK, rows, SCORER, ENCODER))
    found = measurement_from_json(there.run(measure({"method": "zero_shot"})))
    assert "texts longer than the language model's 4096 tokens lose their beginning" in found.notes
    assert measurement_from_json(there.run(measure({"method": "nearest_mean"}))).notes == ()
    short = worker(tmp_path / "short").run(measure({"method": "zero_shot"}))
    assert not short["notes"]


# ---------------------------------------------------------------- the process


@pytest.fixture
def process(tmp_path: Path) -> Iterator[WorkerProcess]:
    base = setting()
    Setting(TASK, base.split, ModelRef("fake", "remote"), ENCODER).write(tmp_path)
    process = WorkerProcess(tmp_path)
    yield process
    process.stop()


def ask(process: WorkerProcess, job: Job, on_progress: Callable[..., None] = print) -> Any:
    from dataclasses import asdict

    return process.ask({"ask": "job", "job": asdict(job)}, on_progress)


def test_a_process_answers_fails_dies_and_is_started_afresh(
    process: WorkerProcess, tmp_path: Path
) -> None:
    hello = process.ask({"ask": "hello"})
    assert hello["body"]["identity"]["device"]
    event = ask(process, measure({"method": "nearest_mean"}))
    assert event["event"] == "done"
    store = Store(tmp_path)
    assert store.get(event["body"]["job"]) == ("ok", event["body"])

    final = ask(process, measure({"method": "lm_probe"}))
    assert (final["event"], final["final"]) == ("failed", True)
    assert "shows no hidden states" in final["reason"]
    assert store.jobs()[-1][1:] == ("measure", "failed"), "a finding is kept"

    wrong = ask(process, measure({"method": "nearest_mean"}, shots=99))
    assert (wrong["event"], wrong["final"]) == ("failed", False)
    assert "99 are needed" in wrong["reason"]
    assert "99 are needed" in "".join(p.read_text() for p in (tmp_path / "logs").iterdir())

    victim = process._process
    assert victim is not None
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="killed by SIGKILL: perhaps out of memory"):
        ask(process, measure({"method": "knn", "k": 1}))
    assert ask(process, measure({"method": "knn", "k": 1}))["event"] == "done"
    process.stop()
    process.stop()
