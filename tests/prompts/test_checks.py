"""Thirty planted faults are reported, thirty clean prompts are not: `nshot prompt check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_sets import CLEAN, LEAKS, PLANTED, Case

from nshot.data import load
from nshot.prompts.checks import Draft, Finding, check
from nshot.prompts.checks.wording import placeholder

EVERY = {**PLANTED, **LEAKS}


def findings(case: Case, folder: Path) -> list[Finding]:
    path = case.write(folder)
    loaded = load(path)
    return check(Draft(loaded.task, loaded.train, path, test=loaded.test or ()))


def test_there_are_thirty_of_each() -> None:
    assert len(PLANTED) == len(CLEAN) == 30
    assert sum(any("가" <= c <= "힣" for c in one.case) for one in PLANTED.values()) >= 12


@pytest.mark.parametrize("name", EVERY)
def test_a_planted_fault_is_reported(name: str, tmp_path: Path) -> None:
    planted = EVERY[name]
    reported = findings(planted.made(), tmp_path)
    hits = [f for f in reported if f.heading == planted.heading and planted.words in f.problem]
    assert hits, reported
    assert hits[0].do
    assert hits[0].where


@pytest.mark.parametrize("text", ["TO DO: describe", "T.B.D.", "to come: TBA", "XXXX", "FIX ME"])
def test_words_for_what_is_to_come(text: str) -> None:
    assert placeholder(text)
    assert placeholder("What is there to do in Daegu?") is None


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_prompt_has_no_findings(name: str, tmp_path: Path) -> None:
    assert findings(CLEAN[name], tmp_path) == []
