"""A run as what audits look at: its winner, rows that this did not learn from, columns beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nshot.audit.carrying_out import FOLDER, PAGE, AuditReport, carry_out, write
from nshot.audit.contract import Audit, Member, Subject
from nshot.audit.data.licences import licences_of
from nshot.audit.subject import of_folder
from nshot.audit.table import audits
from nshot.bench.files import ANSWERS
from nshot.bench.jobs.deliver import WINNER, delivered
from nshot.bench.purses import REPLIES, read_purse
from nshot.bench.request import Request, read_request
from nshot.bench.setting import Setting
from nshot.board.events import Message, Subscriber
from nshot.board.schema import Board, Details
from nshot.core.errors import Fault, InputError
from nshot.core.files import RECORD, sizes_in
from nshot.core.types import Example, Prediction, Split, Task
from nshot.data.beside import columns_beside
from nshot.data.json_lines import read_rows
from nshot.data.loading import files_of
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.wrap.kept_answers import KeptAnswers
from nshot.report import write as write_report
from nshot.report.cards import audit_of, write_cards


def is_run(root: Path) -> bool:
    """Whether `root` is the folder of a run that has measured something."""
    return (root / "leaderboard.json").is_file() and (root / "data" / "setting.json").is_file()


def subject_of(root: Path, models: Models) -> Subject:
    """The pick of a run as it is delivered.

    Its rows are the test rows; where the winner has learned from all, every row, with the answers
    of the models of the folds. Raises `InputError` for a run without a winner.
    """
    board, setting = Board.read(root), Setting.read(root)
    if board.advice is None or not (root / WINNER / RECORD).is_file():
        problem, do = "a run without a winner", f"nshot compare {root / 'nshot.yaml'}"
        raise InputError(Fault(problem, "one that has delivered a model", do, str(root)))
    pick = board.row(board.advice.pick)
    learned_all = board.task.mode == "folds" or board.task.refit is not None
    rows = setting.test or setting.split.train
    answers = _answers(root, pick.name, rows) if board.task.question == 1 else {}
    if learned_all and not answers:
        notes: tuple[str, ...] = (
            "the winner has learned from every row, and its answers before that were not kept:"
            " `nshot compare` again keeps them",
        )
        rows = ()
    else:
        notes = ("answers of the models of the folds",) if board.task.mode == "folds" else ()
    columns, beside = _columns(root, setting, rows)
    if (root / REPLIES).is_file():  # what asks elsewhere has the run's answers, and its limit
        models = KeptAnswers(models, root / REPLIES, read_purse(root))
    whole = of_folder(root / WINNER, models)
    return Subject(
        name=board.task.name,
        models=models,
        task=setting.task,
        predictor=whole.predictor,
        folder=root / WINNER,
        ref=whole.ref,
        rows=rows,
        learned=setting.split.train,
        predictions=answers,
        columns=columns,
        members=tuple(
            Member(row.name, root / row.saved)
            for row in board.contest
            if row.saved and (root / row.saved / RECORD).is_file()
        ),
        measured=pick.model_dump(mode="json"),
        notes=(f"the pick {pick.name} of {root.name}", *whole.notes, *notes, *beside),
    )


def subject_of_rows(
    request: Request, task: Task, rows: Split, slices: Sequence[str] = ()
) -> Subject:
    """The rows of a task before anything has learned from them."""
    every = (*rows.train, *rows.test)
    files = files_of(request.task, request.test)
    columns, notes = columns_beside(files, task, every, request.encoding)
    return Subject(
        name=task.name,
        models=open_models(),
        task=task,
        rows=rows.test,
        learned=rows.train,
        columns=columns,
        slices=tuple(slices),
        notes=(*licences_of(files), *notes),
    )


def _answers(root: Path, name: str, rows: Sequence[Example]) -> dict[str, Prediction]:
    """What the row of this name answered; {} where it was not kept, or not of all rows."""
    path = root / ANSWERS
    lines = read_rows(path) if path.is_file() else []
    kept = {
        line["id"]: Prediction(line["answer"], tuple(line["scores"]))
        for line in lines
        if line["row"] == name
    }
    return kept if all(row.id in kept for row in rows) else {}


def _columns(
    root: Path, setting: Setting, rows: Sequence[Example]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Further columns of the files of the run, where they are still there."""
    request = read_request(root / "nshot.yaml")
    try:
        files = files_of(request.task, request.test)
    except InputError as error:
        return {}, [f"the run's files are not read again: {str(error).splitlines()[0]}"]
    files = (*files, *map(Path, request.more_test))
    columns, notes = columns_beside(files, setting.task, rows, request.encoding)
    return columns, [*licences_of(files), *notes]


def audit_winner(root: Path, on: Subscriber) -> None:
    """Every audit that fits, of what a run has just delivered; why not, where there is no model."""
    try:
        subject = subject_of(root, open_models())
    except InputError as error:
        on(Message(f"no audit: {str(error).splitlines()[0]}"))
        return
    report = audit_run(root, subject, audits(), lambda name: on(Message(f"audit: {name}")))
    alarms = sum(len(result.alarms) for result in report.results)
    on(Message(f"audit: {alarms} alarms, {root / FOLDER / PAGE}"))


def audit_run(
    root: Path,
    subject: Subject,
    chosen: Sequence[Audit],
    on: Callable[[str], None],
    out: Path | None = None,
) -> AuditReport:
    """Audit the winner of a run and write what was measured; its page gets a section.

    What other audits measured of this winner stays. With `out` it is written there instead, and the
    page stays as it is.
    """
    report = carry_out(subject, chosen, delivered(root) or "", on)
    before = audit_of(root) if out is None else None
    results = {one.audit: one for one in (*(before.results if before else ()), *report.results)}
    write(replace(report, results=tuple(results.values())), out or root / FOLDER)
    if out is None:
        write_cards(root, Board.read(root))
        _list_again(root)
        write_report(root)
    return report


def _list_again(root: Path) -> None:
    """The card has other bytes than when the files of the winner were listed."""
    details = Details.read(root)
    if details.delivered is not None:
        listed = details.delivered.model_copy(update={"files": sizes_in(root / WINNER)})
        details.model_copy(update={"delivered": listed}).write(root)
