"""A result is whole or absent; a folder is one run's at a time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nshot.bench.store import FORMAT, Store, locked, sweep
from nshot.core.errors import DiskFull, Locked
from nshot.core.files import folder_bytes, write_atomic, write_folder


class Broken(Exception):
    """Raised in the middle of a write."""


def test_a_result_comes_back_as_it_went(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    body = {"text": "돈 \U0001f600 <b>", "numbers": [0.1, 1e-300, -3], "nothing": None}
    store.put("one", "measure", "ok", body)
    assert store.get("one") == ("ok", body)
    assert Store(tmp_path / "run").get("one") == ("ok", body), "also after opening it again"
    assert store.get("two") is None


def test_the_last_result_of_a_job_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("one", "measure", "failed", {"reason": "x"})
    store.put("one", "measure", "ok", {"n": 2})
    store.put("two", "search", "ok", {})
    assert store.get("one") == ("ok", {"n": 2})
    assert store.jobs() == [("one", "measure", "ok"), ("two", "search", "ok")]


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(TypeError):
        store.put("one", "measure", "ok", {"x": object()})
    assert store.get("one") is None
    assert store.jobs() == []


def test_writers_in_several_threads_lose_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def write(who: int) -> None:
        for i in range(10):
            Store(tmp_path).put(f"{who}-{i}", "measure", "ok", {"i": i})

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.jobs()) == 40


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).put("one", "measure", "ok", {})
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute("update meta set value = ? where key = 'format'", (str(FORMAT + 1),))
    with pytest.raises(Locked, match=rf"newer nshot \(format {FORMAT + 1}\)"):
        Store(tmp_path)
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        assert db.execute("select count(*) from results").fetchone() == (1,)


def test_a_file_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep" / "file.json"
    write_atomic(path, "old")

    def breaks(*names: object) -> None:
        raise Broken

    for call in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, breaks)
            with pytest.raises(Broken):
                write_atomic(path, "new")
        assert path.read_text() == "old"
        assert os.listdir(path.parent) == ["file.json"], "no half-written file stays"
    write_atomic(path, "새")
    assert path.read_text(encoding="utf-8") == "새"


def test_a_folder_takes_the_place_of_another_whole(tmp_path: Path) -> None:
    folder = tmp_path / "winner"
    write_folder(folder, lambda place: (place / "a").write_text("1") and None)
    write_folder(folder, lambda place: (place / "b").write_text("22") and None)
    assert [p.name for p in folder.iterdir()] == ["b"]
    assert folder_bytes(folder) == 2
    assert os.listdir(tmp_path) == ["winner"]


def test_a_folder_that_breaks_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "winner"
    write_folder(folder, lambda place: (place / "a").write_text("1") and None)

    def half(place: Path) -> None:
        (place / "b").write_text("2")
        raise Broken

    with pytest.raises(Broken):
        write_folder(folder, half)
    assert [p.name for p in folder.iterdir()] == ["a"]
    assert os.listdir(tmp_path) == ["winner"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "winner"
    write_folder(folder, lambda place: (place / "a").write_text("1") and None)
    original, calls = os.replace, []

    def second_breaks(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        original(source, target)

    monkeypatch.setattr(os, "replace", second_breaks)
    with pytest.raises(DiskFull, match="No space"):
        write_folder(folder, lambda place: (place / "b").write_text("2") and None)
    assert [p.name for p in folder.iterdir()] == ["a"]


def test_a_held_folder_is_refused_with_the_holder(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "run"),
        pytest.raises(Locked, match=f"in use by process {os.getpid()}") as caught,
        locked(tmp_path / "run"),
    ):
        pass
    assert caught.value.exit_code == 2
    with locked(tmp_path / "run"):
        pass


def test_a_lock_goes_with_its_last_holder(tmp_path: Path) -> None:
    """As in a run: the worker shares the descriptor, and may outlive its parent by a moment."""
    with locked(tmp_path) as descriptor:
        sleep = "import sys; sys.stdin.read()"
        child = subprocess.Popen(
            [sys.executable, "-c", sleep], stdin=subprocess.PIPE, pass_fds=[descriptor]
        )
    with pytest.raises(Locked), locked(tmp_path):
        pass
    threading.Timer(0.3, child.kill).start()
    with locked(tmp_path):
        child.wait()
    child.stdin.close()  # type: ignore[union-attr]


def test_what_a_killed_run_left_half_written_is_swept_and_nothing_else(tmp_path: Path) -> None:
    half = (".report.html.123.tmp", ".report.html.77", "data/.train.jsonl.9.tmp", "jobs/.a.9.old/x")
    whole = ("report.html", "data/train.jsonl", "jobs/a/x", "scratch/b/checkpoint.safetensors")
    for name in (*half, *whole):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    sweep(tmp_path)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(whole)
