"""The benchmark of workers with runs that take no time: turns, what is kept, the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import workers
from nshot.methods import WHERE
from table import BENCHMARKS, ROOT, mark
from workers import SETTINGS, Setting


class Runs:
    """Takes down what it is asked to run."""

    def __init__(self) -> None:
        self.timed: list[str] = []
        self.warmed: list[str] = []

    def __call__(self, setting: Setting, runs: Path, flags: Sequence[str]) -> None:
        assert not (runs / "demo").exists()
        (self.warmed if "--dry-run" in flags else self.timed).append(setting.name)


def test_settings_take_turns_and_a_second_run_goes_on(tmp_path: Path) -> None:
    run = Runs()
    first = workers.measure(tmp_path, 2, run)
    assert run.timed == run.warmed == ["1 of 2", "2 of 1", "2 of 1", "1 of 2"]
    again = workers.measure(tmp_path, 3, run)
    assert run.timed[4:] == ["1 of 2", "2 of 1"]
    assert {setting: times[:2] for setting, times in again.items()} == first


def test_what_another_demo_took_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.measure(tmp_path, 1, Runs())
    monkeypatch.setattr(workers, "DEMO", ("compare", "another"))
    run = Runs()
    workers.measure(tmp_path, 1, run)
    assert len(run.timed) == 2


def test_the_ratio_is_of_medians_and_a_goal_that_is_missed_is_said() -> None:
    one, two = SETTINGS
    text = workers.table({one: [300.0, 280.0, 900.0], two: [200.0, 190.0, 210.0]})
    assert "| 1 | 2 | 300 | 280 to 900 | 1.00x |" in text
    assert "| 2 | 1 | 200 | 190 to 210 | **1.50x** (goal 1.3x) |" in text
    assert "1.25x, missed" in workers.table({one: [300.0], two: [240.0]})


def test_it_measures_methods_that_are_there_on_the_demos_rows_and_its_page_has_a_block() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert " ".join(workers.DEMO[:2]) in makefile
    assert {*workers.DEMO[-1].split(",")} <= {*WHERE}
    assert mark("workers.py") in BENCHMARKS.read_text(encoding="utf-8")
