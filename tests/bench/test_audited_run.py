"""A run is audited by its own rows: the section on its page, folds, columns, rows side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nshot.audit.carrying_out import read
from nshot.audit.subject import of_folder
from nshot.bench.audited import subject_of
from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.run import carry_out
from nshot.board.events import ignore
from nshot.board.schema import Details
from nshot.cli.main import main
from nshot.core.files import sizes_in
from nshot.core.types import ModelRef
from nshot.data.json_lines import read_rows
from nshot.models import open_models
from nshot.predictors.pattern_vote import PatternVote
from nshot.predictors.prompted import Prompted
from spine import jsonl, stay_here, tickets

METHODS = ("majority", "tfidf_lr")


def rows(count: int, salt: str = "") -> list[dict[str, str]]:
    """Every second row of one country."""
    return [{**row, "country": ("de", "kr")[i % 2]} for i, row in enumerate(tickets(count, salt))]


def run(folder: Path, files: dict[str, str], audit: bool) -> Path:
    request = Request(
        **files, methods=METHODS, text=("text",), label="label", out=str(folder / "run"),
        encoder=("fake:encoder",), model=("fake:scorer",), audit=audit, seeds=1,
    )  # type: ignore[arg-type]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        assert carry_out(prepare(request), ignore, "a command").exit_code == 0
    return folder / "run"


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    files = {"task": jsonl(folder / "train.jsonl", rows(12)),
             "test": jsonl(folder / "test.jsonl", rows(20, "t"))}  # fmt: skip
    return run(folder, files, audit=True)


def test_compare_with_audit_ends_in_a_section_of_the_page(audited: Path) -> None:
    report = read(audited / "audit")
    by_name = {one.audit: one for one in report.results}
    assert not by_name["slices"].reason
    assert not by_name["data"].reason
    assert not by_name["counterfactuals"].reason
    page = (audited / "report.html").read_text(encoding="utf-8")
    assert '<section id="audit">' in page
    assert "script: " in page or "length: " in page
    assert json.loads((audited / "audit" / "audit.json").read_text())["winner"] == report.winner


def test_the_page_lists_the_card_as_the_audit_left_it(audited: Path) -> None:
    delivered = Details.read(audited).delivered
    assert delivered is not None
    card = (audited / "winner" / "README.md").read_bytes()
    assert b"audit" in card
    assert delivered.files["README.md"] == len(card)
    assert delivered.files == sizes_in(audited / "winner")


def test_that_the_first_of_several_models_is_looked_at_is_said_of_a_run_too(
    audited: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(audited, tmp_path / "run")
    shutil.rmtree(root / "winner")
    models = open_models()
    task = of_folder(audited / "winner", models).task
    assert task is not None
    members = [Prompted(task, models, ModelRef("fake", name)) for name in ("scorer", "other")]
    PatternVote(task, tuple(members)).save(root / "winner")
    notes = subject_of(root, models).notes
    assert "2 models vote, one for each pattern: the first one is looked at" in notes


def test_an_audit_of_another_winner_is_not_shown(audited: Path) -> None:
    from nshot.report import write

    origin = audited / "winner" / "method.json"
    before = origin.read_text(encoding="utf-8")
    origin.write_text(json.dumps({**json.loads(before), "job": "another"}), encoding="utf-8")
    try:
        assert '<section id="audit">' not in write(audited).read_text(encoding="utf-8")
    finally:
        origin.write_text(before, encoding="utf-8")


def test_a_run_without_held_out_rows_is_audited_on_the_answers_of_its_folds(
    tmp_path: Path,
) -> None:
    folder = run(tmp_path, {"task": jsonl(tmp_path / "train.jsonl", rows(12))}, audit=False)
    subject = subject_of(folder, open_models())
    assert len(subject.rows) == 36
    lines = read_rows(folder / "answers.jsonl")
    assert {line["id"] for line in lines} == {row.id for row in subject.rows}
    assert subject.predictions.keys() == {row.id for row in subject.rows}
    assert "answers of the models of the folds" in subject.notes
    (folder / "answers.jsonl").unlink()
    assert subject_of(folder, open_models()).rows == ()


def test_from_the_command_line_with_a_column_and_the_rows_beside(
    audited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(audited), "--only", "slices", "--only", "counterfactuals"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--slice", "country", "--slice", "age", "--beside"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "country: kr (30 rows)" in shown
    assert "no column 'age' in the rows' file: there are" in shown
    page = (audited / "audit" / "audit.md").read_text(encoding="utf-8")
    assert "Every row of the board: answers changed by a swap, by the control" in page
    assert "| majority | 0.0 | 0.0 |" in page
    by_name = {one.audit: one for one in read(audited / "audit").results}
    assert not by_name["data"].reason, "what was audited before stays"
    assert any("country" in one.about for one in by_name["slices"].findings)


def test_what_is_no_run_no_folder_and_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["audit", str(tmp_path / "none")], ["audit", "fake:scorer", "--data", "x.csv"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 2
    assert "--data for a language model, which has no task" in capsys.readouterr().err


def test_a_delivered_folder_with_rows_of_its_own(audited: Path, tmp_path: Path) -> None:
    data = jsonl(tmp_path / "more.jsonl", rows(10, "m"))
    with pytest.raises(SystemExit) as end:
        main(["audit", str(audited / "winner"), "--data", data, "--out", str(tmp_path / "out")])
    assert end.value.code == 0
    by_name = {one.audit: one for one in read(tmp_path / "out").results}
    assert "against the rest" in by_name["slices"].findings[0].sentence
    assert "no run has measured" in by_name["calibration"].reason
