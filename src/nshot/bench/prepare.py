"""A request, read and checked whole before anything is written."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from nshot.bench.encoders import default_encoders
from nshot.bench.long_texts import long_notes
from nshot.bench.own import places_of
from nshot.bench.purses import purse_faults
from nshot.bench.replays import replays
from nshot.bench.request import PLACE_LISTS, PLACES, Request
from nshot.bench.setting import Setting
from nshot.bench.task_rows import DRAWS, load_files, read_rows, row_faults
from nshot.board.judge import Comparison, read_pairs
from nshot.board.reduce import Size, shown
from nshot.core.errors import Fault, InputError, ModelNotFound, collected, nearest
from nshot.core.files import RECORD, content_hash
from nshot.core.serial import read_json, to_data
from nshot.core.types import OF_LABELS, RUNGS, Check, Example, Kind, ModelRef, Split, Task
from nshot.data.same import sameness
from nshot.data.task_file import reward_folder
from nshot.methods import PICTURES, STANDARD, TABLE
from nshot.methods.contract import Method, Taken
from nshot.methods.spec import parts
from nshot.methods.writing import CONSTRAINED, Writing
from nshot.models.catalog import resolve
from nshot.models.embedded.packages import Role
from nshot.models.engines import DECIDING
from nshot.models.hf.grammar import fault


@dataclass(frozen=True)
class Prepared:
    """A request that was found free of faults; nothing has been written."""

    request: Request
    setting: Setting
    methods: tuple[Method, ...]
    sizes: tuple[Size, ...]
    out: Path
    also: tuple[str, ...] = ()
    pairs: tuple[Comparison, ...] = ()
    """What the judge is admitted by; people's choice first."""

    @property
    def task(self) -> Task:
        """The task."""
        return self.setting.task

    @property
    def split(self) -> Split:
        """The rows."""
        return self.setting.split

    @property
    def question(self) -> Literal[1, 2]:
        """1: what shall I deliver, with all rows; 2: how does it go with so many per label?"""
        return 1 if self.request.shots is None else 2

    @property
    def draws(self) -> int:
        """Draws of the shots; of question 1 one fit, or the repeats of the folds."""
        if self.question == 1 and self.split.mode != "folds":
            return 1
        return self.request.seeds or DRAWS

    @property
    def refit(self) -> int | None:
        """Rows that the pick of question 1 is fitted on anew; None: it is delivered as measured."""
        if self.question == 2 or not self.request.refit_on_all or self.split.mode == "folds":
            return None
        held_out = self.split.mode == "holdout"
        return len(self.split.train) + len(self.split.test) * held_out

    @property
    def largest(self) -> Size:
        """Where the board stands."""
        return self.sizes[-1]


def prepare(
    request: Request,
    hold_out: bool = True,
    own: Sequence[Method] = (),
    faults: Sequence[Fault] = (),
) -> Prepared:
    """Read and check everything the request names. Raises `InputError` with all faults at once.

    Without `hold_out` and without test rows nothing is set apart: all rows are to learn from.
    `own` are methods beside those that the request names; `faults` were found before.
    """
    faults = [*faults, *_number_faults(request)]
    pairs, pair_faults = _pairs(request)
    try:
        task, also, rows = read_rows(request, hold_out)
    except InputError as error:
        before = [*faults, *_model_faults(request, "encoder", "features"), *pair_faults]
        raise InputError([*_method_faults(request), *before, *error.faults]) from None
    faults += [*_model_faults(request, _encoder_role(task)), *pair_faults]
    methods: tuple[Method, ...] = ()
    places: Mapping[str, str] = {}
    try:
        methods = chosen_methods(request, task.kind, task.pictures, own)
        places = places_of(methods)
    except InputError as error:
        faults = [*error.faults, *faults]
    faults += purse_faults(methods, request) if methods else []
    faults += [*_format_faults(task, methods), *_judge_faults(request, task)]
    out = Path(request.out or Path("runs") / task.name)
    faults += [*row_faults(request, task, also, rows), *_folder_faults(out, rows)]
    faults += _look_faults(request, rows)
    others = collected(faults, partial(replays, request, task, rows, methods, out.resolve()))
    if faults or others is None:
        raise InputError(faults)
    inside = [part for method in methods for part in parts(method)]
    bases = _bases(request, inside)
    encoders, rows = _encoders(request, methods, task, rows, single=not hold_out)
    if foreign := _misfits(methods, bases):
        raise InputError(foreign)
    if not task.pictures:
        rows = replace(rows, notes=(*rows.notes, *long_notes(rows, encoders, bases)))
    judge = _judge(request.judge) if request.judge else None
    more = _more(request, task, rows)
    if request.answers and more:
        others = replays(request, task, rows, methods, out.resolve(), more)
    setting = Setting(
        task, rows, bases, encoders, judge, places, more,
        {Path(method.folder).name: predictor for method, predictor in others},
    )  # fmt: skip
    methods = (*methods, *(method for method, _ in others))
    return Prepared(request, setting, methods, _sizes(request), out.resolve(), also, pairs)


def _look_faults(request: Request, rows: Split) -> list[Fault]:
    """What cannot be looked at again: only what was saved can answer new rows."""
    if not request.more_test:
        return []
    problem = "--more-test for a run "
    if request.shots is not None:
        why = "with --shots: its draws are not kept"
    elif rows.mode == "folds":
        why = "without test rows: what folds measured is not kept"
    else:
        return []
    return [Fault(problem + why, "a run on all rows with test rows", "--test FILE in a new run")]


def _more(request: Request, task: Task, rows: Split) -> tuple[tuple[Example, ...], ...]:
    """The test rows that came later, file by file; none that a row of the run already says."""
    seen = {sameness(row.input) for row in (*rows.train, *rows.test)}
    looks = []
    for number, name in enumerate(request.more_test):
        loaded = load_files(request, name)
        fresh = [row for row in loaded.test or () if sameness(row.input) not in seen]
        seen |= {sameness(row.input) for row in fresh}
        looks.append(tuple(replace(row, id=f"more{number}:{row.id}") for row in fresh))
        if not fresh:
            problem = f"{name}: every row says the same as a row of the run"
            raise InputError(Fault(problem, "new rows of the same source"))
    return tuple(looks)


def _pairs(request: Request) -> tuple[tuple[Comparison, ...], list[Fault]]:
    """The pairs that the judge is admitted by, and what is wrong with them."""
    faults = []
    if bool(request.judge) != bool(request.judge_pairs):
        given = "--judge" if request.judge else "--judge-pairs"
        do = "--judge MODEL --judge-pairs FILE.jsonl"
        expected = "both: a judge speaks only where it agrees with people"
        faults.append(Fault(f"{given} alone", expected, do))
    if not request.judge_pairs:
        return (), faults
    try:
        return read_pairs(Path(request.judge_pairs).expanduser()), faults
    except InputError as error:
        return (), [*faults, *error.faults]


def _judge(name: str) -> ModelRef | Check:
    """A reward model where the name is the folder of one or of a run that delivered it."""
    if not _is_delivered(name):
        return resolve(name, "lm")
    folder = reward_folder(Path(name).expanduser())
    return Check("model", str(folder), sha256=content_hash(folder))


def _is_delivered(name: str) -> bool:
    """Is this a folder that nshot wrote, and no model?"""
    folder = Path(name).expanduser()
    return any((folder / part / RECORD).is_file() for part in ("", "winner", "reward"))


def _judge_faults(request: Request, task: Task) -> list[Fault]:
    """A judge compares written answers."""
    if not (request.judge or request.judge_pairs):
        return []
    if task.kind != "generate":
        return [Fault(f"--judge for a task of kind {task.kind}", "kind generate", "leave it out")]
    try:
        if request.judge and _is_delivered(request.judge):
            reward_folder(Path(request.judge).expanduser())
    except InputError as error:
        return list(error.faults)
    return []


def _format_faults(task: Task, methods: Sequence[Method]) -> list[Fault]:
    """A format that answers are to be kept in, and cannot be."""
    kept = any(isinstance(method, Writing) and method.constrained for method in methods)
    wrong = fault(task.answer_format) if kept and task.answer_format else None
    return [wrong] if wrong else []


def _method_faults(request: Request) -> Sequence[Fault]:
    """What is wrong with the methods named, where the task's kind is not known."""
    if request.methods is None:
        return []
    try:
        chosen_methods(request, "classify")
    except InputError as error:
        return error.faults
    return []


def chosen_methods(
    request: Request, kind: Kind, pictures: bool = False, own: Sequence[Method] = ()
) -> tuple[Method, ...]:
    """The methods of a request, with what the user pinned, in the table's order; `own` last."""
    standard = PICTURES if pictures else STANDARD[kind]
    if not pictures and kind in OF_LABELS and any(map(_decides, request.model)):
        standard = (*standard, "decide")
    words = standard if request.methods is None else request.methods
    names = dict.fromkeys(_named(words, kind, standard, "pictures" if pictures else "text"))
    specs = [_spec(name, request.settings) for name in names]
    specs += _given(request)
    faults = []
    if not specs and not own:
        faults.append(Fault("no method is named", do="--methods majority,linear_probe"))
    faults += [
        _row_named(name, "--set")
        or Fault(
            f"a setting for '{name}', which is not among the methods",
            do=nearest(name, (spec["method"] for spec in specs)),
        )
        for name in request.settings
        if name not in {spec["method"] for spec in specs}
    ]
    built = []
    for spec in specs:
        if wrong := _row_named(spec["method"], "--methods"):
            faults.append(wrong)
        elif method := collected(faults, partial(TABLE.build, spec)):
            built.append(method)
    counts = Counter(method.called for method in (*built, *own))
    faults += [
        Fault(f"{count} methods called '{name}'", "names of their own")
        for name, count in counts.items()
        if count > 1
    ]
    if faults:
        raise InputError(faults)
    order = list(TABLE)
    return (*sorted(built, key=lambda method: order.index(method.name)), *own)


def _decides(model: str) -> bool:
    """Does its name say that it answers typed questions?"""
    return model.partition(":")[0] in DECIDING


def _row_named(name: str, flag: str) -> Fault | None:
    """A row of a board with several models, named where a method is meant; or what is made of a
    file of answers, without one."""
    if name == "replay" and flag == "--methods":
        return Fault("--methods replay", "a file of recorded answers", "--answers NAME=FILE")
    if " @ " not in name:
        return None
    method = name.split(" @ ")[0]
    do = f"{flag} {method}.NAME=VALUE" if flag == "--set" else f"{flag} {method}"
    expected = f"a method's name: {method} is put on every model that --model and --encoder name"
    return Fault(f"{flag} names a row, '{name}'", expected, do)


def _spec(word: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A method by its name, or ``name:constrained``."""
    name = word.removesuffix(CONSTRAINED)
    kept = {} if name == word else {"constrained": True}
    return {"method": name, **settings.get(name, {}), **kept}


def _given(request: Request) -> list[dict[str, Any]]:
    """The adapters trained elsewhere; those of the same name are told apart by their parents."""
    from nshot.use.many import unique_names

    folders = unique_names([Path(name).expanduser() for name in request.adapters])
    settings = request.settings.get("adapter", {})
    return [
        {"method": "adapter", "title": title, **settings, "folder": str(folder)}
        for title, folder in folders.items()
    ]


def _named(words: Sequence[str], kind: Kind, standard: Sequence[str], taken: Taken) -> list[str]:
    """The methods' names; ``all``, ``standard`` or a rung stands for all that answer the task."""
    many = {"standard": list(standard)}
    if {*words} & {"all", *RUNGS}:
        ready = [n for n in TABLE.ready if kind in TABLE[n].kinds and taken in TABLE[n].takes]
        many |= {"all": ready}
        many |= {rung: [name for name in ready if TABLE[name].rung == rung] for rung in RUNGS}
    return [name for word in words for name in many.get(word, [word])]


def _number_faults(request: Request) -> list[Fault]:
    numbers: list[tuple[str, float | None]] = [
        ("--seeds", request.seeds),
        ("--test-limit", request.test_limit),
        ("--minutes", request.minutes),
        ("--workers", request.workers),
        *[("--shots", size) for size in request.shots or ()],
    ]
    faults = [
        Fault(f"{flag} {number}", expected="a number above 0")
        for flag, number in numbers
        if number is not None and not number > 0
    ]
    if request.shots == ():
        faults.append(Fault("no shots are named", do="--shots 4,8"))
    if request.give_up is not None and not 0 <= request.give_up < float("inf"):
        faults.append(Fault(f"--give-up {request.give_up:g}", expected="points, 0 or more"))
    if request.margin is not None and not 0 < request.margin < 100:
        faults.append(Fault(f"--margin {request.margin:g}", "points, more than 0", "--margin 2"))
    if request.margin is not None and request.shots is not None:
        expected = "a run on all rows: its curve says from how many on"
        faults.append(Fault("--margin with --shots", expected, "leave --shots out"))
    return faults


def _encoder_role(task: Task) -> Role:
    """What the encoder of a task is to read."""
    return "features" if task.pictures else "encoder"


def _model_faults(request: Request, *encoders: Role) -> list[Fault]:
    """What is wrong with the models named, as far as it can be told without asking a hub.

    The encoder must be one of a role in `encoders`.
    """
    named: list[tuple[str, tuple[Role, ...]]] = [
        *[(name, ("lm",)) for name in request.model],
        *[(name, encoders) for name in request.encoder],
        *[(name, ("lm",)) for name in (request.judge,) if name and not _is_delivered(name)],
    ]
    faults: list[Fault] = []
    for name, roles in named:
        if "/" not in name or "://" in name or Path(name).expanduser().exists():
            wrong = [_unresolved(name, role) for role in roles]
            faults += wrong[0] if all(wrong) else []
    return faults


def _unresolved(name: str, role: Role) -> list[Fault]:
    try:
        resolve(name, role)
    except InputError as error:
        return list(error.faults)
    return []


def _sizes(request: Request) -> tuple[Size, ...]:
    sizes = {None} if request.shots is None else set(request.shots)
    return tuple(sorted(sizes, key=lambda n: float("inf") if n is None else n))


def _encoders(
    request: Request, methods: Sequence[Method], task: Task, rows: Split, single: bool
) -> tuple[tuple[ModelRef, ...], Split]:
    """The encoders that were named, or those for these texts; the rows, with a note of these.

    With `single` one at most is taken for the texts.
    """
    needed = any(part.needs_encoder for method in methods for part in parts(method))
    if request.encoder or task.pictures or not needed:
        return _named_models(request.encoder, _encoder_role(task), needed), rows
    encoders, note = default_encoders(rows.train, single)
    return encoders, replace(rows, notes=(*rows.notes, *([note] if note else [])))


def usual_long_notes(task: Task, rows: Split) -> tuple[str, ...]:
    """What `nshot.bench.long_texts.long_notes` says of the models taken where none are named."""
    if task.pictures:
        return ()
    return long_notes(rows, default_encoders(rows.train).encoders, _named_models((), "lm", True))


def _named_models(names: Sequence[str], role: Role, needed: bool) -> tuple[ModelRef, ...]:
    """The models named, which must be at hand, or else the default where it is needed and at hand.

    Without it the methods that need one are left out.
    """
    if names:
        return tuple(dict.fromkeys(resolve(name, role) for name in names))
    try:
        return (resolve(None, role),) if needed else ()
    except ModelNotFound:
        return ()


def _bases(request: Request, inside: Sequence[Method]) -> tuple[ModelRef, ...]:
    """The language models. One that only decides takes the place of none: they stand side by side.

    `inside` are the methods of the request and those in them.
    """
    named = _named_models(request.model, "lm", any(part.needs for part in inside))
    other = any(part.needs - {"decide"} for part in inside)
    if request.model and other and all(ref.engine in DECIDING for ref in named):
        return (*_named_models((), "lm", True), *named)
    return named


def _misfits(methods: Sequence[Method], bases: Sequence[ModelRef]) -> list[Fault]:
    """Adapters trained elsewhere that are of none of the language models."""
    from nshot.methods.peft.adapter import GivenAdapter

    given = [method for method in methods if isinstance(method, GivenAdapter)]
    faults = [[method.misfits(base) for base in bases] for method in given]
    return [fault for each in faults if each and all(each) for fault in each[0]]


def _folder_faults(out: Path, rows: Split) -> list[Fault]:
    """A folder holds runs on one set of rows; the same request again continues it."""
    if out.exists() and not out.is_dir():
        return [Fault(f"{out} is a file", expected="a folder", do="--out DIR")]
    setting = out / "data" / "setting.json"
    if setting.exists():
        other = str(read_json(setting)["fingerprint"])
        if other != rows.fingerprint:
            these = f"{other[:8]}, these are {rows.fingerprint[:8]}"
            do = "give another --out, or remove that folder"
            return [Fault(f"{out} holds a run on other rows ({these})", do=do)]
    elif out.exists() and any(out.iterdir()) and not (out / "lock").exists():
        return [Fault(f"{out} is not empty and is no nshot run", do="give another --out")]
    return []


def request_yaml(prepared: Prepared) -> str:
    """The request as YAML that `nshot compare` takes back; paths relative to the run folder."""
    request, out = prepared.request, prepared.out
    body = to_data(request)
    body.pop("out", None)
    for key in PLACES:
        if key in body:
            body[key] = _relative(body[key], out)
    for key in PLACE_LISTS:
        if key in body:
            body[key] = [_relative(name, out) for name in body[key]]
    if request.adapters:
        body["adapters"] = [_relative(folder, out, True) for folder in request.adapters]
    if request.answers:
        body["answers"] = {n: _relative(file, out, True) for n, file in request.answers.items()}
    if not prepared.task.pictures and prepared.setting.encoders and not request.encoder:
        # The texts chose: what is installed later must not add contenders to this run.
        body["encoder"] = [ref.name for ref in prepared.setting.encoders]
    if prepared.question == 2:
        body["shots"] = [shown(size) for size in prepared.sizes]
    body["methods"] = [m.called if isinstance(m, Writing) and m.constrained else m.name
                       for m in prepared.methods
                       if m.name != "adapter" or not request.adapters
                       if m.name != "replay"]  # fmt: skip
    return yaml.safe_dump({"compare": body}, sort_keys=False, allow_unicode=True)


def _relative(name: str, out: Path, absent: bool = False) -> str:
    """A path as it is from `out`; what is no path here as it is, unless it may be `absent`."""
    place = Path(name).expanduser()
    return os.path.relpath(place.resolve(), out) if absent or place.exists() else name
