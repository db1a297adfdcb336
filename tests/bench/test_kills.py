"""A run killed with kill -9 and started again ends as if it had never been killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nshot.bench.store import Store

HERE = Path(__file__).parents[1]
METHODS = "majority,nearest_mean,knn,zero_shot,few_shot"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 train and 160 test rows in two labels, in Korean and English, most of them easy."""
    folder = tmp_path_factory.mktemp("rows")
    rng = random.Random(5)
    words = {
        "배송": "parcel late courier 택배 배송 도착",
        "환불": "refund money card 환불 카드 결제",
    }
    for name, count in (("train", 60), ("test", 80)):
        lines = [
            {"text": " ".join(rng.sample(text.split(), 3)) + f" {name} {i}", "label": label}
            for label, text in words.items()
            for i in range(count)
        ]
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(body, encoding="utf-8")
    return folder


def command(rows: Path, out: Path, methods: str = METHODS) -> list[str]:
    return [
        sys.executable, "-m", "nshot.cli", "compare", str(rows / "train.jsonl"),
        "--test", str(rows / "test.jsonl"), "--shots", "4", "--seeds", "2", "--out", str(out),
        "--model", "fake:scorer", "--encoder", "fake:encoder", "--methods", methods,
    ]  # fmt: skip


def with_two_workers(rows: Path, out: Path) -> list[str]:
    return [*command(rows, out), "--workers", "2"]


def run(
    rows: Path, out: Path, sabotage: str = "", methods: str = METHODS, two: bool = False
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SABOTAGE": sabotage, "PYTHONPATH": str(HERE / "sabotage")}
    words = with_two_workers(rows, out) if two else command(rows, out, methods)
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment)


def written(out: Path) -> dict[str, float]:
    """When each finished job was kept."""
    path = out / "store.sqlite"
    if not path.exists():
        return {}
    with sqlite3.connect(path) as db:
        if not db.execute("select 1 from sqlite_master where name = 'results'").fetchone():
            return {}
        return dict(db.execute("select id, written from results"))


@pytest.fixture(scope="module")
def whole(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    done = run(rows, out)
    assert done.returncode == 0, done.stderr
    return out


def points(out: Path) -> Any:
    return json.loads((out / "points.json").read_text())["rows"]


MOMENTS = [
    *(f"kill:worker:put:{n}" for n in (1, 3, 9, 17, 30)),
    *(f"kill:worker:replace:{n}" for n in (1, 2, 5, 9)),
    *(f"kill:main:replace:{n}" for n in (1, 2, 4, 6)),
    *(f"kill:main:fsync:{n}" for n in (3, 7)),
    *(f"after:{seconds:.2f}" for seconds in (random.Random(s).uniform(0.6, 4) for s in range(5))),
]


def test_killed_at_twenty_moments_it_ends_like_the_run_that_was_not(
    rows: Path, whole: Path, tmp_path: Path
) -> None:
    out, kept, killed = tmp_path / "run", {}, 0
    assert len(MOMENTS) == 20
    for moment in MOMENTS:
        killed += _strike(rows, out, moment)
        now = written(out)
        again = {job for job, when in kept.items() if now.get(job) != when}
        assert not again, f"{moment}: finished jobs were run again: {again}"
        kept = now
    assert killed >= 10, "most of the moments lie inside the run"
    last = run(rows, out)
    assert last.returncode == 0, last.stderr
    _equal(out, whole)


@pytest.mark.parametrize("moment", ["put:14", "replace:8"])
def test_a_run_whose_workers_are_killed_again_and_again_ends_like_one_whose_were_not(
    rows: Path, whole: Path, tmp_path: Path, moment: str
) -> None:
    """Each worker dies at its nth write, the next one is given the job: nobody notices."""
    done = run(rows, tmp_path / "run", f"kill:worker:{moment}")
    assert done.returncode == 0, done.stderr
    _equal(tmp_path / "run", whole)


def _equal(out: Path, whole: Path) -> None:
    assert points(out) == points(whole)
    assert {j[0] for j in Store(out).jobs()} >= {
        job for job, kind, _ in Store(whole).jobs() if kind in ("search", "trial")
    }
    scores = [
        [(r["name"], r["score"], r["low"], r["high"], r["per_seed"]) for r in board["rows"]]
        for board in (json.loads((o / "leaderboard.json").read_text()) for o in (out, whole))
    ]
    assert scores[0] == scores[1]
    assert not list(out.rglob(".*.tmp")), "nothing half-written is left"
    assert (out / "winner" / "nshot.json").exists()


def _strike(rows: Path, out: Path, moment: str, two: bool = False) -> bool:
    """Start the command, kill it at the moment; False when it ended before."""
    if not moment.startswith("after:"):
        return run(rows, out, moment, two=two).returncode != 0
    words = with_two_workers(rows, out) if two else command(rows, out)
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(float(moment.partition(":")[2]))
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return not ended


WITH_TWO = [
    *(f"kill:main:replace:{n}" for n in (1, 3, 8)),
    *(f"kill:worker:put:{n}" for n in (2, 7, 12)),
    *(f"after:{seconds:.2f}" for seconds in (random.Random(s).uniform(2, 6) for s in range(3))),
]


def test_two_workers_killed_at_many_moments_end_like_one_that_was_not(
    rows: Path, whole: Path, tmp_path: Path
) -> None:
    out, kept, killed = tmp_path / "run", {}, 0
    for moment in WITH_TWO:
        killed += _strike(rows, out, moment, two=True)
        now = written(out)
        again = {job for job, when in kept.items() if now.get(job) != when}
        assert not again, f"{moment}: finished jobs were run again: {again}"
        kept = now
    assert killed >= 4, "most of the moments lie inside the run"
    last = run(rows, out, "kill:worker:put:14", two=True)
    assert last.returncode == 0, last.stderr
    assert "2 workers of 1 thread: 1 core" in last.stderr
    assert points(out) == points(whole), "the same numbers from any number of workers"
    names = {row["name"]: row["per_seed"] for row in _rows(out)}
    assert names == {row["name"]: row["per_seed"] for row in _rows(whole)}
    assert not list(out.rglob(".*.tmp")), "nothing half-written is left"


def _rows(out: Path) -> list[Any]:
    return list(json.loads((out / "leaderboard.json").read_text())["rows"])


def test_one_of_two_workers_dies_while_the_other_writes(
    rows: Path, whole: Path, tmp_path: Path
) -> None:
    done = run(rows, tmp_path / "run", "die:knn", two=True)
    assert done.returncode == 3, done.stderr
    by_name = {row["name"]: row for row in _rows(tmp_path / "run") if row["form"] == "trained"}
    assert "SIGKILL" in by_name["knn"]["reason"]
    assert all(by_name[name]["score"] is not None for name in by_name if name != "knn")
    mended = run(rows, tmp_path / "run", two=True)
    assert mended.returncode == 0, mended.stderr
    assert points(tmp_path / "run") == points(whole)


def test_a_worker_that_dies_costs_one_row_and_exit_code_3(rows: Path, tmp_path: Path) -> None:
    done = run(rows, tmp_path / "run", "die:knn")
    assert done.returncode == 3
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    by_name = {row["name"]: row for row in board["rows"] if row["form"] == "trained"}
    assert by_name["knn"]["status"] == "failed"
    assert "twice: the worker process was killed by SIGKILL" in by_name["knn"]["reason"]
    assert all(by_name[name]["score"] is not None for name in by_name if name != "knn")
    assert board["advice"]["pick"] in by_name
    mended = run(rows, tmp_path / "run")
    assert mended.returncode == 0, "a lost worker is no finding: the same command tries again"


def test_a_method_that_raises_is_a_failed_row(rows: Path, tmp_path: Path) -> None:
    done = run(rows, tmp_path / "run", "raise:nearest_mean", "majority,nearest_mean")
    assert done.returncode == 3
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    row = next(row for row in board["rows"] if row["name"] == "nearest_mean")
    assert (row["status"], row["score"]) == ("failed", None)
    assert "sabotaged on purpose" in row["reason"]
    assert board["advice"]["pick"] == "majority"
    logs = "".join(p.read_text() for p in (tmp_path / "run" / "logs").glob("*.log"))
    assert "RuntimeError: sabotaged on purpose" in logs, "the traceback is in the job's log"


def test_a_full_disk_keeps_the_partial_board(rows: Path, tmp_path: Path) -> None:
    done = run(rows, tmp_path / "run", "full:12", "majority,nearest_mean,knn")
    assert done.returncode == 3
    assert "No space left on device" in done.stdout + done.stderr
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    assert any(row["status"] == "ok" for row in board["rows"])


def test_every_method_failing_still_gives_a_pick(rows: Path, tmp_path: Path) -> None:
    done = run(rows, tmp_path / "run", "raise:knn", "knn")
    assert done.returncode == 3
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    assert board["advice"]["pick"] == "majority"


def hear_ctrl_c() -> None:
    """A shell's background jobs ignore it, and what they start inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_a_usable_board(rows: Path, tmp_path: Path) -> None:
    slow = [arg.replace("fake:scorer", "fake:slow") for arg in command(rows, tmp_path / "run")]
    process = subprocess.Popen(
        slow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    seen = ""
    for line in process.stdout or ():
        seen += line
        if "few_shot" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, seen + rest
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    assert (tmp_path / "run" / "report.html").exists()
    status = {row["name"]: row["status"] for row in board["rows"]}
    assert status["majority"] == "ok"
    assert status["few_shot"] == status["zero_shot"] == "skipped"
    assert board["advice"]["pick"]


def test_two_runs_in_one_folder_are_refused(rows: Path, tmp_path: Path) -> None:
    from nshot.bench.store import locked

    with locked(tmp_path / "run"):
        done = run(rows, tmp_path / "run", methods="majority")
    assert done.returncode == 2
    assert "in use by process" in done.stderr
