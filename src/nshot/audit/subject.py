"""What is audited, from a delivered folder or the name of a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nshot.audit.contract import Subject
from nshot.audit.data.licences import licences_of
from nshot.core.errors import Fault, InputError
from nshot.core.files import RECORD
from nshot.core.serial import read_json
from nshot.core.types import Example, ModelRef, Task
from nshot.data import load as load_rows
from nshot.data import read_inputs
from nshot.data.beside import columns_beside
from nshot.data.inputs import columns_of
from nshot.models.base import Models
from nshot.models.catalog import resolve
from nshot.predictors import calibrated, label_sets, load, rationale, sampled_vote
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import bare
from nshot.predictors.folder import ref_from_json, require_intact
from nshot.predictors.pattern_vote import PatternVote, member_folder
from nshot.use.ready import delivered


def of_folder(place: Path, models: Models, name: str = "") -> Subject:
    """A predictor's folder: what answers, and the language model that it stands on, if any.

    Raises `InputError` for files that are not as they were saved.
    """
    require_intact(place)
    predictor = load(place, models)
    ref = language_model_of(place)
    notes = _first_of_several(predictor)
    return Subject(name or place.name, models, predictor.task, predictor, place, ref, notes=notes)


def _first_of_several(predictor: Predictor) -> tuple[str, ...]:
    """That the patterns of a vote have a model each, where they do."""
    inner = bare(predictor)
    models = {member.ref for member in inner.members} if isinstance(inner, PatternVote) else ()
    if len(models) < 2:
        return ()
    return (f"{len(models)} models vote, one for each pattern: the first one is looked at",)


def of_model(name: str, models: Models) -> Subject:
    """A language model by the name that `--model` takes. Raises `ModelNotFound`."""
    ref = resolve(name, "lm")
    return Subject(ref.form, models, ref=ref)


def reference(name: str) -> ModelRef:
    """The language model that another is compared with: of a delivered folder, or by its name.

    Raises `InputError` for a folder whose predictor asks none, `ModelNotFound` for another name.
    """
    place = delivered(Path(name)) if Path(name).is_dir() else Path(name)
    if not (place / RECORD).is_file():
        return resolve(name, "lm")
    ref = language_model_of(place)
    if ref is None:
        problem = f"--against {name}, which asks no language model"
        raise InputError(Fault(problem, "a folder of an adapted model, or a model's name"))
    return ref


def language_model_of(place: Path) -> ModelRef | None:
    """The language model of a predictor's folder with what was put on it; None without one.

    Of what stands around another predictor (`_INSIDE`), that of the one inside; of patterns that
    vote, the first one's; of a head on a language model's states, that model. A cascade has
    several, and none that speaks for it.
    """
    record = read_json(place / RECORD)
    kind, settings = record.get("kind"), record.get("settings", {})
    if kind in _INSIDE:
        return language_model_of(place / _INSIDE[kind])
    if kind == "pattern_vote":
        return ref_from_json(settings["models"][0], member_folder(place, 0))
    if kind in _ASK:
        return ref_from_json(settings["ref"], place)
    source = settings.get("source")
    if isinstance(source, dict) and source.get("source") == "hidden":
        return ref_from_json(source["ref"], place)
    return None


_ASK = frozenset({"prompted", "decided", "implicit", "rewarded", "ranker"})
"""Kinds of predictors whose record names a language model."""
_INSIDE: Mapping[str, str] = {
    "calibrated": calibrated.INNER,
    "sampled_vote": sampled_vote.INNER,
    "rationale": rationale.INNER,
    "asked_labels": label_sets.INNER,
}
"""Kinds that hold another predictor, and its folder."""


def with_data(subject: Subject, path: Path, encoding: str | None = None) -> Subject:
    """The subject with the rows of a file: labelled where the file has the task's answers.

    Raises `InputError` for a subject without a task, and for a file that has not its columns.
    """
    if subject.task is None:
        problem = "--data for a language model, which has no task"
        raise InputError(Fault(problem, "rows of a delivered folder's task", "leave --data out"))
    rows, notes = _rows(subject.task, path, encoding)
    columns, beside = columns_beside([path], subject.task, rows, encoding)
    return replace(
        subject,
        rows=tuple(rows),
        predictions={},
        columns=columns,
        notes=(*subject.notes, *licences_of([path]), *notes, *beside),
    )


def _rows(task: Task, path: Path, encoding: str | None) -> tuple[Sequence[Example], Sequence[str]]:
    """Labelled rows; where the file has no answers, its inputs."""
    try:
        kind = None if task.kind == "rank" else task.kind
        loaded = load_rows(path, text=columns_of(task), kind=kind, encoding=encoding)
    except InputError:
        inputs = read_inputs(path, task, encoding)
        return [Example(name, one) for name, one in inputs], ["the rows of --data have no labels"]
    if not task.has_labels:
        return loaded.train, ()
    known = [row for row in loaded.train if set(row.targets) <= set(task.label_names)]
    left = len(loaded.train) - len(known)
    return known, [f"{left} rows of --data have labels that the task does not know"] * bool(left)
