"""`task.yaml`: what is wanted, and where its examples lie. Read with every fault at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.fields import Names
from nshot.core.files import RECORD, content_hash, unsafe_files
from nshot.core.serial import Loc, Yaml, read_json, read_yaml
from nshot.core.types import NAMED, Check, Delimiter, Grammar, Kind, Label, Parts

TASK_FILE = "task.yaml"
_REWARD = "nshot adapt pairs.jsonl --method reward --out FOLDER"


@dataclass(frozen=True)
class DataKeys:
    """The ``data:`` part: files (resolved beside the task file) and the columns' names.

    `background` holds examples of other classes or of other tasks, `pictures` is the folder of
    those that a column names, `tags` are the names of tags that are numbers, from 0.
    """

    train: Path | None = None
    test: Path | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    id: str | None = None
    background: tuple[Path, ...] = ()
    pictures: Path | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskFile:
    """A task file as it was written; what it leaves open is None or empty.

    `field_words` are pairs (column, word shown in a prompt), `answer_word` names the answer there.
    `also` are metrics to show beside the one that decides, `positive` is the label looked for.
    """

    path: Path
    name: str
    kind: Kind | None = None
    instruction: str = ""
    metric: str | None = None
    also: tuple[str, ...] = ()
    system: str = ""
    data: DataKeys = DataKeys()
    labels: tuple[Label, ...] = ()
    field_words: tuple[tuple[str, str], ...] = ()
    answer_word: str | None = None
    parts: Parts = field(default_factory=Parts)
    answer_format: Grammar | None = None
    reward: tuple[Check, ...] = ()
    positive: str | None = None


# ----------------------------------------------------------------- the file's keys, as they stand


def _named(value: Any) -> Any:
    """A label may be its name alone."""
    return {"name": value} if isinstance(value, str) or value is None else value


def _one_or_more(value: Any) -> Any:
    """One line may stand without a list."""
    return (value,) if isinstance(value, str) else value or ()


_Lines: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]


class _Part(BaseModel):
    """Keys of which those without a value count as left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Data(_Part):
    train: str | None = None
    test: str | None = None
    background: Names = ()
    text: Names = ()
    label: str | None = None
    group: str | None = None
    id: str | None = None
    pictures: str | None = None
    tags: Names = ()


class _Label(_Part):
    name: str | None = None
    description: str | None = None


class _Prompt(_Part):
    fields: Mapping[str, str | None] = Field(default_factory=dict)
    answer: str | None = None
    persona: str | None = None
    context: str | None = None
    constraints: _Lines = ()
    output_format: str | None = None
    delimiter: Delimiter | None = None


def _parts(prompt: _Prompt) -> Parts:
    """What the prompt says beside the instruction."""
    return Parts(
        persona=(prompt.persona or "").strip(),
        context=(prompt.context or "").strip(),
        constraints=tuple(line.strip() for line in prompt.constraints if line.strip()),
        output_format=(prompt.output_format or "").strip(),
        delimiter=prompt.delimiter or "none",
    )


class _Format(_Part):
    regex: str | None = None
    json_schema: str | Mapping[str, Any] | None = None
    choices: tuple[str | None, ...] | None = None


class _Length(_Part):
    least: int = Field(default=0, ge=0)
    most: int | None = Field(default=None, ge=1)
    unit: Literal["words", "characters"] = "words"


class _Check(_Part):
    regex: str | None = None
    json_schema: str | Mapping[str, Any] | None = None
    length: _Length | None = None
    exact_answer: bool | None = None
    model: str | None = None
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


def _listed(value: Any) -> Any:
    """One check may stand without a list."""
    return [value] if isinstance(value, Mapping) else value


_Checks: TypeAlias = Annotated[tuple[_Check, ...], BeforeValidator(_listed)]
_Labels: TypeAlias = tuple[Annotated[_Label, BeforeValidator(_named)], ...]


class _File(_Part):
    name: str | None = None
    kind: Literal["classify", "score", "multilabel", "number", "spans", "generate"] | None = None
    instruction: str | None = None
    metric: str | None = None
    also: Names = ()
    system: str | None = None
    data: _Data | None = None
    labels: _Labels | None = None
    positive: str | None = None
    prompt: _Prompt | None = None
    answer_format: _Format | None = None
    reward: _Checks | None = None


# ------------------------------------------------------------------------------ reading and checks


def read_task(path: str | Path) -> TaskFile:
    """Read a task file.

    Nothing in it is executed, and every value is taken as it is written. Raises `InputError` with
    every fault (unknown or repeated keys, wrong shapes, missing files, labels that clash), each
    with its line.
    """
    path = Path(path)
    content = read_yaml(path, f"keys: {', '.join(_File.model_fields)}")
    file, faults = content.read(_File, content.texts)
    reader = _Reader(content, faults)
    task = reader.task(file)
    if reader.faults:
        raise InputError(reader.faults)
    return task


def reward_folder(folder: Path) -> Path:
    """Where a reward model lies: here, as a run's winner, or as the ``reward`` of an alignment.

    Raises `InputError` where there is none, and where a file can run code when it is read.
    """
    places = [folder, folder / "winner", folder / "reward"]
    place = next((one.resolve() for one in places if (one / RECORD).is_file()), None)
    if place is None:
        problem = f"no reward model in {folder}: {RECORD} is missing"
        raise InputError(Fault(problem, "what `nshot adapt` wrote", _REWARD))
    if unsafe := unsafe_files(place):
        problem = f"{unsafe[0]} in {folder} can run code when it is read"
        raise InputError(Fault(problem, "safetensors and JSON only", "delete it"))
    record = read_json(place / RECORD)
    kind = record.get("kind") if isinstance(record, dict) else None
    if kind != "rewarded":
        problem = f"{folder} holds a predictor of kind {kind}"
        raise InputError(Fault(problem, "a reward model, of kind rewarded", _REWARD))
    return place


def label_key(name: str) -> str:
    """What two labels share when they differ only by case or white space."""
    return "".join(name.casefold().split())


class _Reader:
    """Turns a file's keys into what they mean and gathers what is wrong with them."""

    def __init__(self, content: Yaml, faults: list[Fault]) -> None:
        self.content = content
        self.faults = faults

    def fault(self, loc: Loc, problem: str, expected: str = "", do: str = "") -> None:
        """Note a fault at the line of `loc`."""
        self.faults.append(Fault(problem, expected, do, self.content.where(loc)))

    def task(self, file: _File) -> TaskFile:
        """The whole file."""
        path, prompt = self.content.path, file.prompt or _Prompt()
        data = self.data(file.data or _Data(), file.data is not None)
        return TaskFile(
            path=path,
            name=file.name or path.resolve().parent.name,
            kind=file.kind,
            instruction=file.instruction or "",
            metric=file.metric,
            also=file.also,
            system=file.system or "",
            data=data,
            labels=self.labels(file.labels or (), file),
            field_words=self.field_words(prompt.fields, data.text),
            answer_word=prompt.answer,
            parts=_parts(prompt),
            answer_format=self.grammar(file.answer_format, file.kind),
            reward=self.reward(file.reward, file.kind),
            positive=file.positive,
        )

    def data(self, data: _Data, given: bool) -> DataKeys:
        """The files and the columns."""
        if data.train is None:
            self.fault(
                ("data",) if given else (),
                "data.train is missing",
                expected="the file with the examples to learn from",
                do="data: {train: train.csv}",
            )
        names = [*data.text, *(name for name in (data.label, data.group, data.id) if name)]
        for column in sorted({name for name in names if names.count(name) > 1}):
            self.fault(("data", "text"), f"column '{column}' has two uses")
        return DataKeys(
            train=self.file(("data", "train"), data.train),
            test=self.file(("data", "test"), data.test),
            background=tuple(
                path
                for name in data.background
                if (path := self.file(("data", "background"), name))
            ),
            pictures=self.file(("data", "pictures"), data.pictures),
            text=data.text,
            label=data.label,
            group=data.group,
            id=data.id,
            tags=data.tags,
        )

    def file(self, loc: Loc, name: str | None) -> Path | None:
        """A path, taken from the task file's folder; one that is not there is a fault."""
        if name is None:
            return None
        path = self.content.path.parent / name
        if not path.exists():
            self.fault(loc, f"{'.'.join(map(str, loc))}: no such file: {path}")
        return path

    def labels(self, labels: _Labels, file: _File) -> tuple[Label, ...]:
        """Two labels or more, none twice."""
        if file.labels is None:
            return ()
        if file.kind not in (None, *NAMED):
            problem = f"a task of kind {file.kind} has no labels"
            self.fault(("labels",), problem, do="leave `labels` out")
        seen: dict[str, str] = {}
        for index, label in enumerate(labels):
            name, loc = label.name or "", ("labels", index)
            other = seen.get(label_key(name), "")
            if not name:
                do = "- {name: refund, description: ...}"
                self.fault(loc, "a label without a name", do=do)
            elif other == name:
                self.fault(loc, f"the label '{name}' stands twice")
            elif other:
                self.fault(loc, f"labels '{other}' and '{name}' differ only by case or space")
            seen[label_key(name)] = name
        alone = file.kind in ("spans", "multilabel")
        least, words = (1, "a label") if alone else (2, "two labels or more")
        if len(labels) < least:
            self.fault(("labels",), f"{len(labels)} label", expected=words)
        return tuple(Label(label.name or "", label.description) for label in labels)

    def field_words(
        self, fields: Mapping[str, str | None], columns: tuple[str, ...]
    ) -> tuple[tuple[str, str], ...]:
        """Words for columns that are there, where it is said which are."""
        for name in fields:
            if columns and name not in columns:
                problem = f"unknown key '{name}' in prompt.fields"
                self.fault(("prompt", "fields", name), problem, do=nearest(name, columns))
        return tuple((name, word or "") for name, word in fields.items())

    def grammar(self, form: _Format | None, kind: Kind | None) -> Grammar | None:
        """What an answer must look like."""
        loc = ("answer_format",)
        if form is None:
            return None
        if kind in NAMED:
            problem = f"a task of kind {kind} answers with its labels"
            self.fault(loc, problem, do="leave `answer_format` out")
        if len(form.model_fields_set) != 1:
            known = f"one of: {', '.join(_Format.model_fields)}"
            self.fault(loc, f"answer_format has {len(form.model_fields_set)} keys", expected=known)
            return None
        if form.choices is not None:
            if not form.choices or not all(form.choices):
                problem = "answer_format.choices holds an empty answer"
                self.fault((*loc, "choices"), problem, "texts: [yes, no]")
            return Grammar("choices", json.dumps(form.choices, ensure_ascii=False))
        if form.json_schema is not None:
            schema = self.schema((*loc, "json_schema"), form.json_schema)
            return Grammar("json_schema", json.dumps(schema, ensure_ascii=False))
        self.expression((*loc, "regex"), form.regex or "")
        return Grammar("regex", form.regex or "")

    def expression(self, loc: Loc, text: str) -> None:
        """A regular expression that can be read."""
        try:
            re.compile(text)
        except re.error as error:
            self.fault(loc, f"not a regular expression: {error}")

    def reward(self, checks: tuple[_Check, ...] | None, kind: Kind | None) -> tuple[Check, ...]:
        """By what an answer is worth something."""
        if checks is None:
            return ()
        if kind not in (None, "generate"):
            problem = f"a task of kind {kind} has no reward: its right answers are known"
            self.fault(("reward",), problem, do="leave `reward` out")
        if not checks:
            self.fault(("reward",), "reward holds no check", do="reward: [{length: {most: 20}}]")
        return tuple(
            made
            for at, check in enumerate(checks)
            if (made := self.check(("reward", at), check)) is not None
        )

    def check(self, loc: Loc, check: _Check) -> Check | None:
        """One check: of exactly one kind, which can be made."""
        kinds = [name for name in _Check.model_fields if name != "weight"]
        given = [name for name in kinds if getattr(check, name) is not None]
        if len(given) != 1:
            problem = f"a check of {len(given)} kinds: {', '.join(given) or 'none'}"
            self.fault(loc, problem, expected=f"one of: {', '.join(kinds)}, and a weight")
            return None
        if check.length is not None:
            return self.length(loc, check.length, check.weight)
        if check.model is not None:
            return self.reward_model((*loc, "model"), check.model, check.weight)
        if check.exact_answer is False:
            self.fault((*loc, "exact_answer"), "a check that is not made", do="leave it out")
        if check.exact_answer is not None:
            return Check("exact_answer", weight=check.weight)
        if check.json_schema is not None:
            schema = self.schema((*loc, "json_schema"), check.json_schema)
            return Check("json_schema", json.dumps(schema, ensure_ascii=False), weight=check.weight)
        self.expression((*loc, "regex"), check.regex or "")
        return Check("regex", check.regex or "", weight=check.weight)

    def reward_model(self, loc: Loc, name: str, weight: float) -> Check | None:
        """A trained reward model, by its folder or that of the run that delivered it."""
        folder = self.file(loc, name)
        if folder is None or not folder.exists():
            return None
        try:
            place = reward_folder(folder)
        except InputError as error:
            self.faults += [replace(one, where=self.content.where(loc)) for one in error.faults]
            return None
        return Check("model", str(place), weight=weight, sha256=content_hash(place))

    def length(self, loc: Loc, length: _Length, weight: float) -> Check:
        """A check of a length, which some length passes and some does not."""
        where = (*loc, "length")
        if length.most is None and not length.least:
            self.fault(where, "a length without bounds", do="length: {least: 3, most: 20}")
        elif length.most is not None and length.least > length.most:
            self.fault(where, f"least {length.least} is more than most {length.most}")
        return Check("length", length.unit, length.least, length.most, weight)

    def schema(self, loc: Loc, schema: str | Mapping[str, Any]) -> Any:
        """A schema that stands here, or in a file beside the task file."""
        if not isinstance(schema, str):
            return self.as_written(loc)
        file = self.file(loc, schema)
        try:
            content = read_json(file) if file and file.is_file() else None
        except InputError:
            self.fault(loc, f"{'.'.join(map(str, loc))} is no JSON: {file}")
            return {}
        if not isinstance(content, dict) and file and file.exists():
            self.fault(loc, f"{file} holds no JSON object")
        return content

    def as_written(self, loc: Loc) -> Any:
        """The value there, its numbers and truth values as YAML has them."""
        value = self.content.data
        for key in loc:
            # One check may stand without a list.
            value = value if isinstance(key, int) and isinstance(value, dict) else value[key]
        return value
