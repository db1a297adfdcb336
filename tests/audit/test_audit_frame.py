"""The frame of audits: what cannot run says why, the rest goes on, and what is written is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nshot.audit.carrying_out import carry_out, read, write
from nshot.audit.contract import AuditResult, Finding, Need, Sheet, Subject, lacks
from nshot.audit.table import AUDITS, audits
from nshot.audit.words import markdown, terminal
from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Example, Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.predictors.constant import Constant

TASK = Task("mail", "classify", labels=(Label("spam"), Label("ham")))
ROWS = tuple(Example(f"r{i}", Input((("text", f"row {i}"),)), ("spam",)) for i in range(4))


def subject(**changes: object) -> Subject:
    return replace(Subject("mail", open_models(), TASK), **changes)  # type: ignore[arg-type]


class Counting:
    name = "counting"
    about = "how many rows there are"
    needs: frozenset[Need] = frozenset({"rows"})

    def why_not(self, subject: Subject) -> str | None:
        return "four rows are one too many" if len(subject.rows) == 4 else None

    def run(self, subject: Subject) -> AuditResult:
        many = Finding("rows | of it", len(subject.rows), unit="count", alarm=True, rows=("r0",))
        sheet = Sheet("By label", ("label", "share %"), (("spam", 0.25), ("햄", None)))
        return AuditResult(self.name, summary="counted", findings=(many,), sheets=(sheet,))


class Breaking(Counting):
    name = "breaking"

    def run(self, subject: Subject) -> AuditResult:
        raise CannotAdapt("this model\n  cannot")


def test_one_that_cannot_run_says_why_and_the_rest_goes_on(tmp_path: Path) -> None:
    report = carry_out(subject(rows=ROWS[:3]), [Breaking(), Counting()])
    assert [one.reason for one in report.results] == ["this model cannot", ""]
    assert report.results[1].alarms[0].value == 3
    write(report, tmp_path)
    assert read(tmp_path) == report
    page = (tmp_path / "audit.md").read_text(encoding="utf-8")
    assert "| spam | 25.0 |" in page
    assert "| 햄 | – |" in page
    assert "Not run: this model cannot." in page
    assert "! rows | of it: 3" in terminal(report.results)


def test_what_a_subject_lacks_is_a_sentence() -> None:
    bare = subject()
    assert "no labelled rows" in (carry_out(bare, [Counting()]).results[0].reason)
    assert carry_out(subject(rows=ROWS), [Counting()]).results[0].reason.startswith("four rows")
    assert "no language model" in (lacks(bare, frozenset({"scores"})) or "")


def test_a_remote_model_without_scores_is_told_of() -> None:
    remote = subject(ref=ModelRef("fake", "remote"))
    assert "gives no log-probabilities" in (lacks(remote, frozenset({"scores"})) or "")
    assert lacks(subject(ref=ModelRef("fake", "scorer")), frozenset({"scores"})) is None


def test_unknown_names_are_refused_all_at_once() -> None:
    with pytest.raises(InputError) as error:
        audits(["calibratoin", "nothing"])
    assert len(error.value.faults) == 2
    assert "did you mean 'calibration'?" in str(error.value)
    assert [one.name for one in audits()] == list(AUDITS)


def test_answers_that_are_known_are_not_asked_again() -> None:
    predictor = Constant(TASK, (0.9, 0.1))
    known = predictor.predict([ROWS[0].input])[0]
    one = subject(rows=ROWS, predictor=predictor, predictions={"r0": replace(known, answer="ham")})
    assert [answer.answer for answer in one.answers(ROWS[:2])] == ["ham", "spam"]


def test_a_page_of_nothing_has_its_heading() -> None:
    assert markdown("mail", (), ()) == "# Audit of mail\n"
