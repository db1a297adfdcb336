"""A delivered model behind an address: the same, scattered, or another one by now."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

import nshot
from deciding import SECRET, Mind, deciding
from nshot.core.types import Prediction
from nshot.metrics.binomial import exact_interval
from nshot.use.drift import ERROR, Drift, drift
from spine import WORDS, command, jsonl, stay_here, tickets


def answers(*names: str, p: float = 0.8) -> list[Prediction]:
    return [Prediction(name, (math.log(p), math.log(1 - p))) for name in names]


def test_the_interval_is_the_exact_one() -> None:
    assert exact_interval(0, 20) == (0.0, pytest.approx(0.1684, abs=1e-4))
    assert exact_interval(20, 20)[1] == 1
    low, high = exact_interval(10, 50)
    assert (low, high) == (pytest.approx(0.1003, abs=1e-4), pytest.approx(0.3372, abs=1e-4))


def test_what_counts_as_another_answer() -> None:
    then = answers("a", "a", "b", "b")
    now = [*answers("a"), *answers("a", p=0.7), *answers("a"), Prediction("b")]
    one = drift(then, now, now)
    assert (one.rows, one.moved, one.scattered) == (4, 3, 0)
    assert one.is_seen
    told = "\n".join(one.lines)
    assert "'a' as it was, a probability moved by 0.10" in told
    assert "was 'b', is 'a'" in told
    assert "1 of 4 answers as delivered, 75 % (19 to 99) moved: it has drifted" in told


def test_one_that_is_the_same_has_not_drifted() -> None:
    same = drift(answers("a", "b"), answers("a", "b"), answers("a", "b"))
    assert not same.is_seen
    assert "2 of 2 answers as delivered" in same.lines[-1]


def test_one_that_only_scatters_is_seldom_taken_for_one_that_drifted() -> None:
    rng = random.Random(0)
    worlds = 2000

    def scatter() -> int:
        return sum(rng.random() < 0.2 for _ in range(50))

    alarms = sum(Drift(50, scatter(), scatter()).is_seen for _ in range(worlds))
    assert alarms / worlds < ERROR
    assert Drift(50, 30, 10).is_seen, "and one that drifted is seen"


def test_check_asks_again_and_its_exit_code_says_whether_it_is_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stay_here(monkeypatch)
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)
    train = jsonl(tmp_path / "t.jsonl", tickets(12))
    test = jsonl(tmp_path / "u.jsonl", tickets(18, "t"))
    mind = Mind(WORDS, noise=0.3)
    with deciding(mind) as service:
        nshot.compare(
            train, test=test, methods=["decide"], model=service.name(), out=tmp_path / "r"
        )
        capsys.readouterr()
        assert command(["check", str(tmp_path / "r")]) == 0
        assert "50 of 50 answers as delivered" in capsys.readouterr().out
        mind.words = {**WORDS, "refund": WORDS["parcel"]}
        assert command(["check", str(tmp_path / "r")]) == 1
        assert "it has drifted" in capsys.readouterr().out
