"""``nshot episodes`` from the command line: tables, files, refusals, and a kill in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glyphs import glyph_file, glyphs
from nshot.bench.jobs.episodes import require_gain
from nshot.cli.main import main
from nshot.core.errors import DidNotLearn

FAST = (
    "--way", "5", "--shot", "1,3", "--queries", "3", "--episodes", "60",
    "--set", "prototypical.filters=8", "--set", "prototypical.way=20",
    "--set", "prototypical.learning_rate=0.01",
)  # fmt: skip


def nshot(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "episodes.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return glyph_file(tmp_path_factory.mktemp("data") / "letters.npz", 80, 60, each=8)


def test_train_measure_and_find_it_again(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("episodes", "--data", str(letters), *FAST, "--set", "prototypical.steps=[60]")
    assert nshot(*words, "--out", str(tmp_path / "run")) == 0
    said = capsys.readouterr().out
    assert "5-way" in said
    assert "1-shot" in said
    found = result(tmp_path / "run")
    (row,) = found["methods"]
    assert [score["shot"] for score in row["scores"]] == [1, 3]
    for before, after in zip(row["untrained"], row["scores"], strict=True):
        assert after["mean"] > before["mean"] + 0.05
        assert after["mean"] == pytest.approx(np.mean(after["correct"]) / 15)
        assert f"{100 * after['mean']:.1f}" in said
        assert f"({100 * before['mean']:.1f})" in said
    assert len(row["training"]["losses"]) == 60
    assert (tmp_path / "run" / "learning.svg").read_text().startswith("<svg")
    assert (tmp_path / "run" / "learners" / "prototypical" / "config.json").exists()
    files = [path.suffix for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not {".pt", ".bin", ".pkl", ".npz"} & set(files)
    start = time.perf_counter()
    assert nshot(*words, "--out", str(tmp_path / "run")) == 0
    assert result(tmp_path / "run")["methods"] == found["methods"], "found, not made again"
    assert time.perf_counter() - start < 20


def test_who_did_not_learn_has_failed(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = ("--set", "prototypical.steps=[2]", "--set", "prototypical.learning_rate=1e-9")
    words = ("episodes", "--data", str(letters), *FAST, *slow, "--out", str(tmp_path / "run"))
    assert nshot(*words) == 3
    assert "failed: did not learn" in " ".join(capsys.readouterr().out.split())
    assert result(tmp_path / "run")["methods"][0]["status"] == "failed"


def test_what_is_left_to_gain_bounds_what_must_be_gained() -> None:
    def scores(mean: float) -> list[dict[str, Any]]:
        return [{"mean": mean - 0.02}, {"mean": mean + 0.02}]

    require_gain(scores(0.5), scores(0.61))
    require_gain(scores(0.9), scores(0.96))
    for before, after in ((0.5, 0.59), (0.9, 0.94), (0.2, 0.2)):
        with pytest.raises(DidNotLearn, match="did not learn"):
            require_gain(scores(before), scores(after))


def test_vectors_need_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(10), 6)
    vectors = rng.normal(size=(10, 12))[ids] + 0.3 * rng.normal(size=(60, 12))
    np.savez(tmp_path / "given.npz", features=vectors, class_id=ids)
    words = ("--methods", "prototypical,matching", "--queries", "3", "--episodes", "50")
    out = tmp_path / "run"
    assert nshot("episodes", "--data", str(tmp_path / "given.npz"), *words, "--out", str(out)) == 0
    rows = result(out)["methods"]
    assert [row["training"] for row in rows] == [None, None]
    assert all(row["scores"][0]["mean"] > 0.8 for row in rows)
    progress = capsys.readouterr().err
    for row in rows:
        assert f"{row['name']}: {100 * row['scores'][0]['mean']:.1f} in " in progress
    assert not (out / "learning.svg").exists()


def test_data_that_changes_under_its_name_is_measured_anew(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(10), 6)
    vectors = rng.normal(size=(10, 12))[ids] + 0.3 * rng.normal(size=(60, 12))
    other, out = tmp_path / "other.npz", tmp_path / "run"
    np.savez(tmp_path / "given.npz", features=vectors, class_id=ids)
    np.savez(other, features=vectors, class_id=ids)
    words = (
        "episodes",
        "--data",
        str(tmp_path / "given.npz"),
        "--queries",
        "3",
        "--episodes",
        "50",
    )
    words = (*words, "--across", str(other), "--out", str(out))
    assert nshot(*words) == 0
    given, before = result(out)["methods"][0]["scores"]
    np.savez(other, features=rng.normal(size=(60, 12)), class_id=ids)
    assert nshot(*words) == 0
    again, after = result(out)["methods"][0]["scores"]
    assert again == given
    assert after["mean"] < before["mean"] - 0.3


def test_other_data_is_measured_with_the_same_embedding(letters: Path, tmp_path: Path) -> None:
    large = np.kron(glyphs(8, 8, seed=9), np.ones((2, 2), dtype=np.uint8))
    colours = np.repeat(large[..., None], 3, axis=3)
    np.savez(tmp_path / "large.npz", images=colours, class_id=np.repeat(np.arange(8), 8))
    words = ("episodes", "--data", str(letters), *FAST, "--set", "prototypical.steps=[60]")
    across = ("--across", str(tmp_path / "large.npz"), "--out", str(tmp_path / "run"))
    assert nshot(*words, *across) == 0
    scores = result(tmp_path / "run")["methods"][0]["scores"]
    assert [score["set"] for score in scores] == ["letters", "letters", "large", "large"]
    assert scores[2]["mean"] > 0.4


def test_everything_wrong_is_told_at_once(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", str(tmp_path / "run"))
    assert nshot("episodes", "--data", str(letters), "--methods", "protoypical,knn", *out) == 2
    said = capsys.readouterr().err
    assert "did you mean 'prototypical'?" in said
    assert "knn takes no part in episodes" in said
    words = ("--shot", "40", "--across", str(tmp_path / "absent.npz"))
    assert nshot("episodes", "--data", str(letters), *words, *out) == 2
    said = capsys.readouterr().err
    for words_of in ("it is not said how long", "0 of 20 classes have 55 items", "no such file"):
        assert words_of in said
    assert nshot("episodes", "--data", str(letters), "--way", "five", *out) == 2
    assert nshot("episodes", "--data", str(letters), "--background", "80", *out) == 2
    said = capsys.readouterr().err
    assert "0 to 79: the file has 80 classes" in said
    assert not (tmp_path / "run").exists(), "nothing is written before all is right"


def test_what_does_not_go_together_is_told(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "v.npz", features=np.ones((4, 3)), class_id=np.array([0, 0, 1, 1]))
    words = ("--set", "prototypical.steps=[5,5]", "--across", str(tmp_path / "v.npz"))
    out = ("--out", str(tmp_path / "run"))
    assert nshot("episodes", "--data", str(letters), "--queries", "3", *words, *out) == 2
    said = capsys.readouterr().err
    assert "2 numbers of steps" in said
    assert "items of 3\n  expected: like the data's: 1 x 16 x 16" in said


def test_pictures_too_small_for_a_network_skip_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = np.repeat(np.arange(12), 4)
    np.savez(tmp_path / "x.npz", images=glyphs(12, 4)[:, :8, :8], class_id=ids)
    words = ("--background", "6", "--queries", "2", "--set", "prototypical.steps=[1]")
    out = ("--episodes", "5", "--out", str(tmp_path / "run"))
    assert nshot("episodes", "--data", str(tmp_path / "x.npz"), *words, *out) == 3
    assert "skipped: reads pictures of 16 x 16" in " ".join(capsys.readouterr().out.split())


def test_classes_to_learn_from_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "x.npz", images=glyphs(8, 4), class_id=np.repeat(np.arange(8), 4))
    words = ("--queries", "2", "--train-minutes", "1", "--out", str(tmp_path / "run"))
    assert nshot("episodes", "--data", str(tmp_path / "x.npz"), *words) == 2
    assert "no background classes to learn from" in capsys.readouterr().err


def _started(words: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "NSHOT_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "nshot.cli", *words], env=environment, stderr=subprocess.PIPE
    )


def test_a_killed_run_ends_as_if_it_had_not_been(letters: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    words = ["episodes", "--data", str(letters), *FAST, "--set", "prototypical.steps=[120]"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = _started([*words, "--out", str(killed)])
    try:
        deadline = time.monotonic() + 120
        while not list(killed.glob("scratch/*/checkpoint.safetensors")):
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (killed / "learners").exists()
    assert nshot(*words, "--out", str(killed)) == 0
    assert nshot(*words, "--out", str(whole)) == 0
    (again,), (once,) = result(killed)["methods"], result(whole)["methods"]
    assert again["training"]["resumed"] > 0
    assert once["training"]["resumed"] == 0
    assert again["training"]["losses"] == once["training"]["losses"]
    name = "learners/prototypical/model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()
    told = [[score["correct"] for score in row["scores"]] for row in (again, once)]
    assert told[0] == told[1]


def test_a_worker_that_dies_is_a_failed_row_and_the_next_run_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(10), 6)
    vectors = rng.normal(size=(10, 12))[ids] + 0.3 * rng.normal(size=(60, 12))
    np.savez(tmp_path / "given.npz", features=vectors, class_id=ids)
    words = ["episodes", "--data", str(tmp_path / "given.npz"), "--queries", "3",
             "--episodes", "50", "--out", str(tmp_path / "run")]  # fmt: skip
    sabotage = str(Path(__file__).parents[1] / "sabotage")
    environment = {**os.environ, "SABOTAGE": "kill:worker:put:1", "PYTHONPATH": sabotage}
    done = subprocess.run(
        [sys.executable, "-m", "nshot.cli", *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    (row,) = result(tmp_path / "run")["methods"]
    assert "killed by SIGKILL" in row["reason"]
    assert nshot(*words) == 0
    assert result(tmp_path / "run")["methods"][0]["status"] == "ok"
