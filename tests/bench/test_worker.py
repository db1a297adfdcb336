"""Jobs as data, what a worker does with them, and what is said when it dies."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

import numpy as np
import pytest

from endpoint import serving
from nshot.bench.contenders import contenders
from nshot.bench.execute.base import Outcome
from nshot.bench.execute.local import LocalProcesses, Process
from nshot.bench.jobs import job as job_module
from nshot.bench.jobs import rates
from nshot.bench.jobs.job import Cut, Job, context, identity
from nshot.bench.jobs.place import Workplace
from nshot.bench.setting import Setting, cut_rows
from nshot.bench.store import Store
from nshot.bench.workbench import Shelf, bytes_of
from nshot.core.errors import CannotAdapt
from nshot.core.serial import from_data
from nshot.core.types import Example, Input, Label, Measurement, ModelRef, Shots, Split, Task
from nshot.data import split
from nshot.methods import TABLE
from nshot.methods.contract import Method, Workbench
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.methods.table import Nested
from nshot.models.catalog import resolve
from nshot.predictors.base import Predictor
from spine import tickets

SCORER, ENCODER = ModelRef("fake", "scorer"), ModelRef("fake", "encoder")


def examples(count: int, salt: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"{salt}{i}", Input(fields=(("text", row["text"]),)), (row["label"],))
        for i, row in enumerate(tickets(count, salt))
    )


TASK = Task("tickets", "classify", tuple(Label(n) for n in ("parcel", "refund", "로그인")))


def setting(mode: str = "file") -> Setting:
    test = examples(20, "t") if mode == "file" else None
    return Setting(TASK, split(TASK, examples(10, "a"), test), (SCORER,), (ENCODER,))


def worker(root: Path, of: Setting | None = None) -> Workplace:
    (of or setting()).write(root)
    return Workplace(root)


def do(
    kind: str, spec: dict[str, Any], shots: int | None = 4, draw: int = 0, cut: Cut | None = None
) -> Job:
    return Job.of(kind, TABLE.build(spec), shots, draw, cut, SCORER, ENCODER)


def searching(spec: dict[str, Any]) -> Job:
    (contender,) = contenders([TABLE.build(spec)], [SCORER], [ENCODER])
    return contender.search(4, 0, None)


def measure(spec: dict[str, Any], **more: Any) -> Job:
    return do("measure", spec, **more)


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
        measure({"method": "knn", "k": 1}, cut=Cut(5, 0)), do("deliver", {"method": "knn", "k": 1}),
    ]  # fmt: skip
    names = {one.name("c") for one in other} | {job.name("c"), job.name("other data")}
    assert len(names) == len(other) + 2
    assert measure({"k": 1, "method": "knn"}).name("c") == job.name("c")
    monkeypatch.setattr(TABLE["knn"], "version", 99)
    again = measure({"method": "knn", "k": 1})
    assert again.name("c") not in names, "a new version of the method is another job"


def test_a_job_is_of_the_models_that_its_method_needs_and_no_other() -> None:
    def named(spec: dict[str, Any], base: ModelRef | None, encoder: ModelRef | None) -> str:
        return Job.of("measure", TABLE.build(spec), 4, 0, None, base, encoder).name("c")

    zero_shot, counting = {"method": "zero_shot"}, {"method": "tfidf_lr"}
    assert named(zero_shot, SCORER, None) == named(zero_shot, SCORER, ENCODER)
    assert named(zero_shot, SCORER, None) != named(zero_shot, None, None)
    assert named(counting, SCORER, ENCODER) == named(counting, None, None), (
        "a method that asks no model is not run again for another one"
    )


def test_the_context_is_rows_machine_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    one = context("rows", identity())
    assert one == context("rows", identity())
    assert one != context("other rows", identity())
    assert one != context("rows", {**identity(), "threads": 99})
    real = job_module.version
    for new in ("nshot", "torch", "transformers", "peft"):
        with monkeypatch.context() as patch:
            patch.setattr(job_module, "version", lambda p, new=new: "99" if p == new else real(p))
            assert context("rows", identity()) != one, f"another {new} is another job"


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
    body = there.run(do("deliver", {"method": "nearest_mean"}, None))
    found = from_data(Measurement, body)
    assert (found.form, found.parent) == ("deployed", "nearest_mean")
    assert found.build.disk_bytes == sum(p.stat().st_size for p in (tmp_path / "winner").iterdir())
    again = there.load(tmp_path / "winner").predict([e.input for e in there.setting.test])
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
        return bench.adapt("inner", self.inner, task, shots)


class Refuses(Method):
    """Cannot adapt."""

    name: ClassVar = "refuses"
    rung: ClassVar = "fewshot"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        (bench.folder / "checkpoint").write_text("as large as a model")
        raise CannotAdapt("not today")


TOYS = {cls.name: f"{__name__}:{cls.__name__}" for cls in (Shares, Outer, Refuses)}


@pytest.fixture
def toys(tmp_path: Path) -> Workplace:
    Shares.made.clear()
    base = setting()
    return worker(tmp_path, Setting(TASK, base.split, (SCORER,), (ENCODER,), methods=TOYS))


def toy(method: Method, draw: int = 0) -> Job:
    return Job.of("measure", method, 4, draw, None, SCORER, ENCODER)


def test_what_is_shared_is_made_once_and_charged_to_each(toys: Workplace) -> None:
    toys.__dict__["models"] = toys.engines  # writing kept vectors is charged to nobody
    one = from_data(Measurement, toys.run(toy(Shares())))
    other = from_data(Measurement, toys.run(toy(Shares(k=2))))
    assert len(Shares.made) == 1
    assert one.build.seconds == one.build.spent_seconds >= 0.05
    charged = other.build.seconds - other.build.spent_seconds
    assert charged == pytest.approx(sum(toys.shelf.seconds.values()))
    assert charged >= 0.05, "though it asks twice, once"
    assert (one.notes, one.build.trained_params) == (("said once",), 500)


def test_a_full_shelf_forgets_what_was_used_longest_ago_and_charges_the_same(
    toys: Workplace,
) -> None:
    toys.shelf = Shelf(most=1)
    one = from_data(Measurement, toys.run(toy(Shares())))
    toys.shelf.get("another", lambda: 1)
    assert len(toys.shelf) == 1
    other = from_data(Measurement, toys.run(toy(Shares(k=2))))
    assert len(Shares.made) == 2
    first = toys.shelf.seconds["slow features"]
    assert one.build.seconds >= first
    again = other.build.seconds - other.build.spent_seconds
    assert again == pytest.approx(0, abs=0.03), "what it took now makes way for what it took first"
    assert other.build.seconds >= first


def test_a_shelf_is_bounded_in_bytes() -> None:
    shelf = Shelf(most_bytes=100_000)
    for number in range(10):
        shelf.get(str(number), lambda: (np.zeros(5_000), "x"))
    assert len(shelf) == 2
    assert shelf.get("9", lambda: None)[1] == 0.0, "the last stands there"
    assert bytes_of({"a": [np.zeros(10), b"123"]}) == 83


def test_a_nested_method_is_built_once_and_charged_to_each(toys: Workplace) -> None:
    one = from_data(Measurement, toys.run(toy(Outer())))
    other = from_data(Measurement, toys.run(toy(Outer(k=2))))
    assert len(Shares.made) == 1
    assert [kind for _, kind, _ in toys.store.jobs()].count("nested") == 1
    assert other.build.seconds - other.build.spent_seconds >= 0.05
    assert one.build.trained_params == other.build.trained_params == 500
    third = from_data(Measurement, toys.run(toy(Outer(k=3), draw=1)))
    assert third.predictions != one.predictions, "other shots are another nested job"


def test_no_scratch_is_left_of_a_finished_job(tmp_path: Path) -> None:
    there = worker(tmp_path)
    there.run(measure({"method": "nearest_mean"}))
    there.run(searching({"method": "knn"}))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_scratch_is_left_of_a_finding(toys: Workplace, tmp_path: Path) -> None:
    with pytest.raises(CannotAdapt):
        toys.run(toy(Refuses()))
    assert list((tmp_path / "scratch").iterdir()) == []
    assert toys.store.jobs()[-1][1:] == ("measure", "failed")


def test_a_search_keeps_every_fold_it_has_done(tmp_path: Path) -> None:
    there = worker(tmp_path)
    job = searching({"method": "knn"})
    body = there.run(job)
    trials = [one for one, kind, _ in there.store.jobs() if kind == "trial"]
    seen = [int(t["note"].split()[1]) if t["note"] else 4 for t in body["tried"]]
    assert len(trials) == sum(seen)
    again = worker(tmp_path).run(job)
    assert again["tried"] == body["tried"]
    assert again["seconds"] == pytest.approx(body["seconds"]), "charged as when it was done"
    assert sum(trial["chosen"] for trial in body["tried"]) == 1
    assert body["spec"]["method"] == "knn"


def test_a_machine_measures_a_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    job = Job("rates", encoder=ENCODER)
    first = worker(tmp_path / "one").run(job)
    monkeypatch.setattr(rates, "_rate", lambda work, tokens: pytest.fail("measured again"))
    assert worker(tmp_path / "two").run(job) == first


def test_rates_are_numbers(tmp_path: Path) -> None:
    there = worker(tmp_path)
    model, encoder = (there.run(Job("rates", **{role: ref}))  # type: ignore[arg-type]
                      for role, ref in (("base", SCORER), ("encoder", ENCODER)))  # fmt: skip
    assert model["context"] == 4096
    assert model["abilities"] == ["generate", "hidden", "logits", "score"]
    assert min(model["lm_tokens"], encoder["encoder_tokens"], model["tokens"]) > 0
    numbers = [v for v in (model | encoder).values() if isinstance(v, float)]
    assert all(np.isfinite(numbers))


def test_a_model_that_only_writes_is_measured_by_writing(tmp_path: Path) -> None:
    body = worker(tmp_path).run(Job("rates", base=ModelRef("fake", "remote")))
    assert body["lm_tokens"] > 2


def test_an_endpoint_is_not_asked_for_its_rate(tmp_path: Path) -> None:
    with serving(lambda messages: "yes") as endpoint:
        body = worker(tmp_path).run(Job("rates", base=resolve(endpoint.name, "lm")))
        assert body["lm_tokens"] == rates.ENDPOINT_TOKENS
        assert endpoint.bodies == []


def test_texts_beyond_the_context_are_told_on_the_row(tmp_path: Path) -> None:
    long = Example("long", Input(fields=(("text", "refund money " * 3000),)), ("refund",))
    base = setting()
    rows = Split(base.split.train, (*base.split.test, long), "file", "f")
    there = worker(tmp_path, Setting(TASK, rows, (SCORER,), (ENCODER,)))
    found = from_data(Measurement, there.run(measure({"method": "zero_shot"})))
    assert "texts longer than the language model's 4096 tokens lose their beginning" in found.notes
    assert from_data(Measurement, there.run(measure({"method": "nearest_mean"}))).notes == ()
    short = worker(tmp_path / "short").run(measure({"method": "zero_shot"}))
    assert from_data(Measurement, short).notes == ()


# ---------------------------------------------------------------- the process


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[LocalProcesses]:
    base = setting()
    Setting(TASK, base.split, (ModelRef("fake", "remote"),), (ENCODER,)).write(tmp_path)
    executor = LocalProcesses(tmp_path)
    yield executor
    executor.stop()


def ask(executor: LocalProcesses, *jobs: Job) -> list[Outcome]:
    queue = list(jobs)
    return list(executor.run(lambda: queue.pop(0) if queue else None, lambda *heard: None))


def test_a_process_answers_fails_dies_and_is_started_afresh(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    hello = processes.hello()
    assert hello.identity["device"]
    name = context(setting().split.fingerprint, hello.identity)
    (outcome,) = ask(processes, measure({"method": "nearest_mean"}))
    assert outcome.state == "ok"
    store = Store(tmp_path)
    assert store.get(outcome.job.name(name)) == ("ok", outcome.body)

    remote = Job.of("measure", TABLE.build({"method": "lm_probe"}), 4, 0, None,
                    ModelRef("fake", "remote"))  # fmt: skip
    (final,) = ask(processes, remote)
    assert final.state == "failed"
    assert "hidden states" in final.reason
    assert store.jobs()[-1][1:] == ("measure", "failed"), "a finding is kept"

    (wrong,) = ask(processes, measure({"method": "nearest_mean"}, shots=99))
    assert wrong.state == "broken"
    assert "99 are needed" in wrong.reason
    assert "99 are needed" in "".join(p.read_text() for p in (tmp_path / "logs").iterdir())

    (victim,) = processes.pids
    os.kill(victim, signal.SIGKILL)
    (outcome,) = ask(processes, measure({"method": "knn", "k": 1}))
    assert outcome.state == "ok", "a fresh one was given the job"
    processes.stop()
    processes.stop()


def test_two_processes_do_jobs_at_once_and_each_outcome_is_its_jobs(tmp_path: Path) -> None:
    setting().write(tmp_path)
    executor = LocalProcesses(tmp_path, workers=2)
    jobs = [measure({"method": "knn", "k": k}, draw=draw) for k in (1, 3) for draw in range(3)]
    try:
        outcomes = ask(executor, *jobs)
        assert len(executor.pids) == 2
    finally:
        executor.stop()
    assert sorted((o.body["spec"]["k"], o.body["draw"]) for o in outcomes) == [
        (k, draw) for k in (1, 3) for draw in range(3)
    ]
    for outcome in outcomes:
        assert outcome.body["spec"] == outcome.job.spec
        assert outcome.body["draw"] == outcome.job.draw


def test_half_a_line_of_a_killed_worker_is_no_line(tmp_path: Path) -> None:
    """The worker is killed while it writes its answer: what came of it ends in no newline."""
    heard: Any = SimpleQueue()
    writes = "import os, signal; print('{\"event\": \"progr', end='', flush=True);"
    process = Process(
        [sys.executable, "-c", writes + "os.kill(os.getpid(), signal.SIGKILL)"], heard, tmp_path
    )
    assert heard.get(timeout=20) == (process, None)
    assert process.epitaph() == "the worker process was killed by SIGKILL: perhaps out of memory"
