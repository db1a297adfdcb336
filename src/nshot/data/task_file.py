"""`task.yaml`: what is wanted, and where its examples lie. Read with every fault at once."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.files import decode
from nshot.core.types import Grammar, Kind, Label

TASK_FILE = "task.yaml"
_KINDS: dict[str, Kind] = {"classify": "classify", "generate": "generate"}
_KEYS = ("name", "kind", "instruction", "metric", "also", "system", "data", "labels", "prompt",
         "answer_format")  # fmt: skip
_DATA_KEYS = ("train", "test", "background", "text", "label", "group", "id")
_LABEL_KEYS = ("name", "description")
_FORMAT_KEYS = ("regex", "json_schema", "choices")
_PROMPT_KEYS = ("fields", "answer")
_SCALAR_TAGS = ("str", "int", "float", "bool", "null", "timestamp")


@dataclass(frozen=True)
class DataKeys:
    """The ``data:`` part: files (resolved beside the task file) and the columns' names.

    `background` holds examples of other classes.
    """

    train: Path | None = None
    test: Path | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    id: str | None = None
    background: Path | None = None


@dataclass(frozen=True)
class TaskFile:
    """A task file as it was written; what it leaves open is None or empty.

    `field_words` are pairs (column, word shown in a prompt), `answer_word` names the answer there.
    `also` are metrics to show beside the one that decides.
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
    answer_format: Grammar | None = None


def read_task(path: str | Path) -> TaskFile:
    """Parse a task file.

    Nothing in it is executed: YAML is read as plain nodes. Raises `InputError` with every fault
    (unknown or repeated keys, wrong shapes, missing files, labels that clash), each with its line.
    """
    path = Path(path)
    root = _compose(path)
    reader = _Reader(path)
    task = _task(reader, root)
    if reader.faults:
        raise InputError(reader.faults)
    return task


def label_key(name: str) -> str:
    """What two labels share when they differ only by case or white space."""
    return "".join(name.casefold().split())


def _compose(path: Path) -> Node:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", where=str(path))) from None
    try:
        root = yaml.compose(decode(raw, path), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error) or "nested too deeply"
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError(Fault(f"not YAML: {problem}", where=where)) from None
    if root is None:
        raise InputError(
            Fault("the file is empty", expected=f"keys: {', '.join(_KEYS)}", where=str(path))
        )
    return root


class _Reader:
    """Takes values out of YAML nodes and gathers what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []

    def fault(self, node: Node, found: str, expected: str = "", do: str = "") -> None:
        """Note a fault at the node's line."""
        line = node.start_mark.line + 1
        self.faults.append(Fault(found, expected, do, where=f"{self.path}, line {line}"))

    def mapping(
        self, node: Node | None, where: str, known: Collection[str] | None = None
    ) -> dict[str, Node]:
        """Key -> node; repeated keys and keys not in `known` are faults."""
        if node is None or _is_null(node):
            return {}
        if not isinstance(node, MappingNode):
            self.fault(node, f"{where} is not a mapping", expected="lines of the form `key: value`")
            return {}
        found: dict[str, Node] = {}
        for key_node, value in node.value:
            key = self.text(key_node, f"a key of {where}")
            if key in found:
                self.fault(key_node, f"the key '{key}' stands twice in {where}")
            elif known is not None and key not in known:
                self.fault(key_node, f"unknown key '{key}' in {where}", do=nearest(key, known))
            found[key] = value
        return found

    def text(self, node: Node | None, where: str) -> str:
        """A scalar as it is written (`yes` stays ``yes``); "" when absent or null."""
        if node is None or _is_null(node):
            return ""
        if not isinstance(node, ScalarNode) or node.tag.rpartition(":")[2] not in _SCALAR_TAGS:
            self.fault(node, f"{where} is not a text", expected="one plain value")
            return ""
        return str(node.value).strip()

    def texts(self, node: Node | None, where: str) -> tuple[str, ...]:
        """One text, or a list of them."""
        if isinstance(node, SequenceNode):
            return tuple(self.text(item, f"an entry of {where}") for item in node.value)
        one = self.text(node, where)
        return (one,) if one else ()

    def file(self, node: Node | None, where: str) -> Path | None:
        """A path, taken from the task file's folder; one that is not there is a fault."""
        name = self.text(node, where)
        if node is None or not name:
            return None
        file = self.path.parent / name
        if not file.exists():
            self.fault(node, f"{where}: no such file: {file}")
        return file


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == ""


def _task(reader: _Reader, root: Node) -> TaskFile:
    top = reader.mapping(root, "the task file", _KEYS)
    prompt = reader.mapping(top.get("prompt"), "prompt", _PROMPT_KEYS)
    data = _data(reader, root, top.get("data"))
    kind = _kind(reader, top.get("kind"))
    return TaskFile(
        path=reader.path,
        name=reader.text(top.get("name"), "name") or reader.path.resolve().parent.name,
        kind=kind,
        instruction=reader.text(top.get("instruction"), "instruction"),
        metric=reader.text(top.get("metric"), "metric") or None,
        also=reader.texts(top.get("also"), "also"),
        system=reader.text(top.get("system"), "system"),
        data=data,
        labels=_labels(reader, top.get("labels"), kind),
        field_words=_field_words(reader, prompt.get("fields"), data.text),
        answer_word=reader.text(prompt.get("answer"), "prompt.answer") or None,
        answer_format=_answer_format(reader, top.get("answer_format"), kind),
    )


def _kind(reader: _Reader, node: Node | None) -> Kind | None:
    said = reader.text(node, "kind")
    if node is not None and said and said not in _KINDS:
        reader.fault(node, f"unknown kind '{said}'", do=nearest(said, _KINDS))
    return _KINDS.get(said)


def _data(reader: _Reader, root: Node, node: Node | None) -> DataKeys:
    data = reader.mapping(node, "data", _DATA_KEYS)
    if "train" not in data:
        reader.fault(
            root if node is None else node,
            "data.train is missing",
            expected="the file with the examples to learn from",
            do="data: {train: train.csv}",
        )
    keys = DataKeys(
        train=reader.file(data.get("train"), "data.train"),
        test=reader.file(data.get("test"), "data.test"),
        background=reader.file(data.get("background"), "data.background"),
        text=reader.texts(data.get("text"), "data.text"),
        label=reader.text(data.get("label"), "data.label") or None,
        group=reader.text(data.get("group"), "data.group") or None,
        id=reader.text(data.get("id"), "data.id") or None,
    )
    named = [*keys.text, *(c for c in (keys.label, keys.group, keys.id) if c)]
    for column in sorted({c for c in named if named.count(c) > 1}):
        reader.fault(data.get("text", root), f"column '{column}' has two uses")
    return keys


def _labels(reader: _Reader, node: Node | None, kind: Kind | None) -> tuple[Label, ...]:
    if node is None or _is_null(node):
        return ()
    if kind == "generate":
        reader.fault(node, "a task of kind generate has no labels", do="leave `labels` out")
    if not isinstance(node, SequenceNode):
        reader.fault(node, "labels is not a list", do="labels: [first, second]")
        return ()
    labels = [_label(reader, item) for item in node.value]
    seen: dict[str, str] = {}
    for item, label in zip(node.value, labels, strict=True):
        other = seen.setdefault(label_key(label.name), "")
        if other == label.name:
            reader.fault(item, f"the label '{label.name}' stands twice")
        elif other:
            reader.fault(item, f"labels '{other}' and '{label.name}' differ only by case or space")
        seen[label_key(label.name)] = label.name
    if len(labels) < 2:
        reader.fault(node, f"{len(labels)} label", expected="two labels or more")
    return tuple(labels)


def _label(reader: _Reader, node: Node) -> Label:
    if not isinstance(node, MappingNode):
        name, description = reader.text(node, "a label"), ""
    else:
        keys = reader.mapping(node, "a label", _LABEL_KEYS)
        name = reader.text(keys.get("name"), "a label's name")
        description = reader.text(keys.get("description"), "a label's description")
    if not name:
        reader.fault(node, "a label without a name", do="- {name: refund, description: ...}")
    return Label(name, description or None)


def _field_words(
    reader: _Reader, node: Node | None, columns: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    fields = reader.mapping(node, "prompt.fields", columns or None)
    return tuple((c, reader.text(word, f"prompt.fields.{c}")) for c, word in fields.items())


def _answer_format(reader: _Reader, node: Node | None, kind: Kind | None) -> Grammar | None:
    keys = reader.mapping(node, "answer_format", _FORMAT_KEYS)
    if node is None or not {*keys} <= {*_FORMAT_KEYS}:
        return None
    if kind == "classify":
        reader.fault(node, "a task of kind classify answers with its labels",
                     do="leave `answer_format` out")  # fmt: skip
    if len(keys) != 1:
        reader.fault(node, f"answer_format has {len(keys)} keys",
                     expected=f"one of: {', '.join(_FORMAT_KEYS)}")  # fmt: skip
        return None
    ((name, value),) = keys.items()
    if name == "regex":
        return _regex(reader, value)
    return _schema(reader, value) if name == "json_schema" else _choices(reader, value)


def _regex(reader: _Reader, node: Node) -> Grammar:
    text = reader.text(node, "answer_format.regex")
    try:
        re.compile(text)
    except re.error as error:
        reader.fault(node, f"not a regular expression: {error}")
    return Grammar("regex", text)


def _choices(reader: _Reader, node: Node) -> Grammar:
    texts = reader.texts(node, "answer_format.choices")
    if not all(texts) or not texts:
        reader.fault(node, "answer_format.choices holds an empty answer", "texts: [yes, no]")
    return Grammar("choices", json.dumps(texts, ensure_ascii=False))


def _schema(reader: _Reader, node: Node) -> Grammar:
    """A schema that stands here, or in a file beside the task file."""
    schema: object = None
    try:
        if isinstance(node, MappingNode):
            schema = yaml.safe_load(yaml.serialize(node))
        elif file := reader.file(node, "answer_format.json_schema"):
            schema = json.loads(decode(file.read_bytes(), file)) if file.is_file() else None
            if not isinstance(schema, dict):
                reader.fault(node, f"{file} holds no JSON object")
        return Grammar("json_schema", json.dumps(schema, ensure_ascii=False))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reader.fault(node, f"answer_format.json_schema is no JSON: {error}")
        return Grammar("json_schema", "{}")
