"""A method of one's own: the tutorial's example as a package, compared, delivered and loaded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

import nshot
from nshot.bench.own import places_of
from nshot.bench.request import read_request
from nshot.core.errors import InputError
from nshot.core.types import Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.trivial.majority import Majority
from nshot.predictors.base import Predictor
from spine import board_of, jsonl, rows_of, tickets

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install` leaves of a package whose one module is the page's example."""
    site = tmp_path_factory.mktemp("site")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (code,) = (block for block in blocks if "class NaiveBayes(Method)" in block)
    (site / "naive_bayes.py").write_text(code, encoding="utf-8")
    info = site / "nshot_naive_bayes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nshot-naive-bayes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nshot.methods]\nnaive_bayes = naive_bayes:NaiveBayes\n"
    )
    return site


def nshot_command(package: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-m", "nshot.cli", *words],
        capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_package_takes_part_and_is_delivered(package: Path, tmp_path: Path) -> None:
    train = jsonl(tmp_path / "t.jsonl", tickets(12))
    test = jsonl(tmp_path / "u.jsonl", tickets(10, "u"))
    assert "naive_bayes" in nshot_command(package, "methods")
    out = str(tmp_path / "run")
    words = ["--test", test, "--methods", "majority,naive_bayes", "--seeds", "1", "--out", out]
    nshot_command(package, "compare", train, *words)
    row = rows_of(board_of(tmp_path / "run"))["naive_bayes"]
    assert (row["status"], row["trains"]) == ("ok", "head")
    assert len(row["trials"]) == 2, "its setting was searched"
    assert board_of(tmp_path / "run")["advice"]["pick"] == "naive_bayes"
    assert nshot.load(tmp_path / "run").check() == [], (
        "its predictor is one of ours: loads anywhere"
    )
    nshot_command(package, "compare", str(tmp_path / "run" / "nshot.yaml"), "--out", out)
    advice = json.loads(nshot_command(package, "advise", out, "--json"))
    assert advice["pick"] == "naive_bayes"


def test_from_python_a_value_stands_beside_names(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(package)
    from naive_bayes import NaiveBayes  # type: ignore[import-not-found]

    train = jsonl(tmp_path / "t.jsonl", tickets(12))
    result = nshot.compare(
        train, methods=["majority", NaiveBayes(smoothing=0.1)], seeds=1, out=tmp_path / "run"
    )
    row = rows_of(result.board)["naive_bayes"]
    assert row["status"] == "ok", row["reason"]
    assert row["settings"] == {"smoothing": 0.1}
    assert result.pick == "naive_bayes"
    assert nshot.load(result.folder).check() == []
    with pytest.raises(InputError) as caught:
        read_request(tmp_path / "run" / "nshot.yaml")
    (fault,) = caught.value.faults
    assert fault.found == "method 'naive_bayes' is not one of nshot's: naive_bayes:NaiveBayes"
    assert "methods=[NaiveBayes(), ...]" in fault.do
    assert fault.do.endswith(f"out='{tmp_path / 'run'}')")


class Mine(Majority):
    """Another name for majority."""

    name: ClassVar = "mine"


class Taken(Majority):
    """A name that is another's."""

    name: ClassVar = "knn"


def test_where_a_worker_could_not_import_it_the_fault_says_so() -> None:
    assert places_of([Mine(), Majority()]) == {"mine": "test_own_methods:Mine"}

    class Hidden(Majority):
        name: ClassVar = "hidden"

        def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
            raise NotImplementedError

    class Script(Majority):
        name: ClassVar = "script"

    Script.__module__ = "__main__"
    with pytest.raises(InputError) as caught:
        places_of([Hidden(), Script(), Taken()])
    said = str(caught.value)
    assert "Hidden cannot be imported by that name" in said
    assert "'script' is defined in the script that runs" in said
    assert "is named 'knn', as another method is" in said


def test_a_class_where_a_method_belongs_is_told_with_its_cure(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "t.jsonl", tickets(12))
    with pytest.raises(InputError, match=r"holds the class Mine(.|\n)*Mine\(\)"):
        nshot.compare(train, methods=["majority", Mine], out=tmp_path / "run")  # type: ignore[list-item]


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "t.jsonl", tickets(12))
    with pytest.raises(InputError, match="2 methods called 'mine'"):
        nshot.compare(train, methods=[Mine(), Mine()], out=tmp_path / "run")


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("nowhere:X", "No module named 'nowhere'"),
        ("json:X", "no attribute 'X'"),
        ("json", "cannot be read"),
        ("json:JSONDecoder", "is no method"),
    ],
)
def test_a_package_that_is_broken_is_named_and_the_others_are_listed(
    tmp_path: Path, place: str, problem: str
) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nshot.methods]\nbroken = {place}\n")
    done = subprocess.run(
        [sys.executable, "-m", "nshot.cli", "methods"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert "setfit" in done.stdout
