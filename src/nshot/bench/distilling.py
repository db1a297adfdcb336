"""`nshot distil`: a row of a finished run teaches a smaller method, measured on the same rows.

It is a comparison of three on the run's rows, in a folder of its own: the teacher as it lies there,
the student that it taught, and the same student alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from nshot.bench.from_run import (
    ModelsOf,
    as_measured,
    measured_row,
    parent_request,
    pins,
    require_same_rows,
)
from nshot.bench.prepare import Prepared, prepare
from nshot.bench.request import Request
from nshot.bench.run import Result, carry_out
from nshot.bench.setting import Setting
from nshot.board.events import Message, Subscriber, ignore
from nshot.board.lesson import Lesson, lesson
from nshot.board.schema import Board, Row
from nshot.core.errors import Fault, InputError, nearest
from nshot.core.fields import ENCODING, Flag, Number, Place, Settings
from nshot.core.files import link, write_atomic
from nshot.core.serial import from_data
from nshot.methods import TABLE
from nshot.methods.compress.distil import Distil
from nshot.methods.contract import Method
from nshot.methods.spec import spec

LESSON = "distilled.json"


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Distillation:
    """What is asked for; the flags of `nshot distil` are these fields."""

    folder: Annotated[Place, Flag("a finished run folder", "DIR", name="folder")]
    student: Annotated[
        str,
        Flag(
            "the method that is to answer, such as tfidf_lr or linear_probe@MODEL", "NAME[@MODEL]"
        ),
    ]
    teacher: Annotated[
        str | None, Flag("the row of the run's board that teaches (default: its pick)", "ROW")
    ] = None
    unlabelled: Annotated[
        Place | None,
        Flag(
            "inputs without labels that the teacher answers (default: the labelled alone)", "FILE"
        ),
    ] = None
    encoding: Annotated[str | None, Flag(ENCODING, "NAME")] = None
    confidence: Annotated[
        Number | None,
        Flag("rows whose answer the teacher holds for less probable teach nothing (0 to 1)", "P"),
    ] = None
    settings: Annotated[
        Settings,
        Flag(
            "pin a setting of the student or of distil, as in tfidf_lr.C=1 or distil.hard=1",
            "METHOD.NAME=VALUE",
            name="--set",
            several="again",
        ),
    ] = Field(default_factory=dict)
    give_up: Annotated[
        Number | None,
        Flag("points that the student may lose and be delivered (default 2)", "POINTS"),
    ] = None
    minutes: Annotated[Number | None, Flag("time to spend", "M")] = None
    out: Annotated[Place | None, Flag("folder to write (default DIR/distil-STUDENT)", "DIR2")] = (
        None
    )


@dataclass(frozen=True)
class Taught:
    """What came out: the board of the three, its folder, the exit code it deserves, the lesson."""

    result: Result
    lesson: Lesson


@dataclass(frozen=True)
class Lessons:
    """A distillation that was found free of faults: the comparison, and who is who in it."""

    prepared: Prepared
    teacher: str
    taught: str
    alone: str
    run: Path
    notes: tuple[str, ...] = ()


def distil(
    folder: str | Path,
    student: str,
    *,
    teacher: str | None = None,
    unlabelled: str | Path | None = None,
    encoding: str | None = None,
    confidence: float | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    give_up: float | None = None,
    minutes: float | None = None,
    out: str | Path | None = None,
    on: Subscriber = ignore,
) -> Taught:
    """What ``nshot distil`` does, from Python.

    `Distillation` says what each argument is. Raises `InputError` with the faults of the request.
    """
    arguments = dict(locals())
    del arguments["on"]
    arguments["settings"] = settings or {}
    return teach(prepare_lessons(from_data(Distillation, arguments)), on, "nshot.distil(...)")


def teach(lessons: Lessons, on: Subscriber, command: str = "") -> Taught:
    """Measure teacher, taught student and student alone; write ``distilled.json``."""
    for note in lessons.notes:
        on(Message(note))
    _hand_on_vectors(lessons.run, lessons.prepared.out)
    result = carry_out(lessons.prepared, on, command)
    board = Board.read(result.folder)
    one = lesson(board, lessons.teacher, lessons.taught, lessons.alone)
    write_atomic(result.folder / LESSON, one.dumps())
    return Taught(result, one)


def _hand_on_vectors(run: Path, out: Path) -> None:
    """Link what encoders have read in the run, and in other lessons of it, into this one's folder.

    Each text keeps the seconds that it took: it is not encoded again, and costs what it cost.
    """
    for before in (run / "vectors", *sorted(run.glob("distil-*/vectors"))):
        for path in sorted(before.glob("*/*.safetensors")):
            place = out / "vectors" / path.relative_to(before)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                link(path, place)


def prepare_lessons(request: Distillation) -> Lessons:
    """Read the run and check everything the request names. Raises `InputError` with the faults."""
    folder = Path(request.folder).expanduser()
    parent = parent_request(folder, "nshot distil runs/TASK --student tfidf_lr")
    board = Board.read(folder)
    setting = Setting.read(folder)
    faults: list[Fault] = []
    if request.confidence is not None and not 0 <= request.confidence < 1:
        faults.append(Fault(f"--confidence {request.confidence:g}", "a probability below 1"))
    name, _, model = request.student.partition("@")
    name, model = name.strip(), model.strip()
    if fault := _student_fault(name):
        raise InputError([*faults, fault])
    rows = _rows_of(board, name, model)
    student = _student(name, rows, request.settings)
    row = measured_row(board, request.teacher, "--teacher", faults)
    if row is None or faults:
        raise InputError(faults)
    models = ModelsOf.of(student, parent, setting, rows[0] if rows else None, model)
    if row.method == student.name:
        _not_itself(row, models, ModelsOf.of(student, parent, setting, row))
    taught_by = as_measured(folder, setting, row)
    models = models.and_those(ModelsOf.of(taught_by, parent, setting, row))
    method = _distil(taught_by, student, request)
    prepared = prepare(_comparison(request, folder, parent, models, (student, taught_by, method)))
    require_same_rows(setting, prepared, folder)
    names = (taught_by.called, method.called, student.called)
    return Lessons(prepared, *names, folder, _warnings(row, rows))


def _student_fault(name: str) -> Fault | None:
    if name in ("distil", "from_folder"):
        return Fault(f"--student {name}", "a method that learns from rows", "--student tfidf_lr")
    if name not in TABLE:
        return Fault(f"--student {name}: no method", do=nearest(name, TABLE.ready))
    if not TABLE[name].learns_labels:
        return Fault(f"--student {name} learns nothing from rows", do="--student tfidf_lr")
    return None


def _rows_of(board: Board, name: str, model: str) -> list[Row]:
    """The run's rows of a method, on a model where one is named; the fastest first."""
    rows = [row for row in board.contest if row.method == name and row.score is not None]
    if model:
        rows = [row for row in rows if model in (row.encoder, row.base)]
    return sorted(rows, key=lambda row: row.use_seconds_per_1000 or 0.0)


def _student(name: str, rows: list[Row], pinned: Mapping[str, Mapping[str, Any]]) -> Method:
    """The student with the settings that the run chose for it, where it took part."""
    known = rows[0].settings if rows else {}
    settings = {**known, **pinned.get(name, {})}
    return TABLE.build({"method": name, **settings})


def _not_itself(row: Row, student: ModelsOf, teacher: ModelsOf) -> None:
    if student == teacher:
        raise InputError(
            Fault(
                f"{row.name} is teacher and student at once",
                "a teacher that is another method, or stands on another model",
                "--teacher ROW, or --student NAME@MODEL",
            )
        )


def _distil(teacher: Method, student: Method, request: Distillation) -> Distil:
    settings = dict(request.settings.get("distil", {}))
    if request.confidence is not None:
        settings["confidence"] = request.confidence
    for name in request.settings:
        if name not in ("distil", student.name):
            known = ("distil", student.name)
            raise InputError(Fault(f"--set {name}....", f"a setting of {' or '.join(known)}"))
    body = {"method": "distil", **settings, "teacher": spec(teacher), "student": spec(student)}
    method = TABLE.build(body)
    if not isinstance(method, Distil):
        raise InputError(Fault(f"distil is {type(method).__name__}", "nshot's own"))
    return method


def _comparison(
    request: Distillation,
    folder: Path,
    parent: Request,
    models: ModelsOf,
    methods: tuple[Method, ...],
) -> Request:
    """The comparison of the three on the rows of the run."""
    place = "distil-" + re.sub(r"[^\w.-]+", "-", request.student)
    prefer: Literal["serving"] = "serving"
    return replace(
        parent,
        unlabelled=request.unlabelled or parent.unlabelled,
        encoding=request.encoding or parent.encoding,
        model=models.model,
        encoder=models.encoder,
        methods=tuple(method.name for method in methods),
        adapters=(),
        answers={},
        shots=None,
        seeds=None,
        thorough=True,
        refit_on_all=False,
        minutes=request.minutes,
        workers=1,
        prefer=prefer,
        give_up=request.give_up,
        margin=None,
        judge=None,
        judge_pairs=None,
        settings={method.name: pins(method) for method in methods},
        out=request.out or str(folder / place),
    )


def _warnings(teacher: Row, students: list[Row]) -> tuple[str, ...]:
    """What the run's board says already of this pair."""
    alone = students[0] if students else None
    if alone is None or alone.score is None or teacher.score is None:
        return ()
    if alone.name != teacher.name and alone.score > teacher.score:
        return (
            f"{teacher.name} measured {100 * teacher.score:.1f} %, below {alone.name} without a"
            f" teacher ({100 * alone.score:.1f} %): it has little to teach",
        )
    return ()
