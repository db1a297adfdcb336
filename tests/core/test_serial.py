"""Every noun comes back from its JSON as it was."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.serial import dumps, from_data, read_yaml, to_data
from nshot.core.types import (
    Cost,
    Example,
    Image,
    Input,
    Label,
    Measurement,
    Prediction,
    Shots,
    Task,
    Turn,
)
from nshot.data import load
from nshot.data.json_lines import read_rows, write_rows

unhurried = settings(deadline=None)
anything = st.text(st.characters(exclude_categories=()), max_size=12)  # halves of pairs too
numbers = st.floats(allow_nan=False)
counts = st.integers(0, 2**60)
images = st.builds(Image, anything, anything)
turns = st.builds(
    Turn, st.sampled_from(["system", "user", "assistant"]), anything, st.tuples(images)
)


def tuples(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=3).map(tuple)


inputs = st.builds(
    Input,
    tuples(st.tuples(anything, anything)),
    tuples(turns),
    tuples(images),
    tuples(anything),
)
examples = st.builds(
    Example, anything, inputs, tuples(anything), tuples(numbers), st.none() | anything
)
tasks = st.builds(
    Task,
    anything,
    st.sampled_from(["classify", "generate", "rank"]),
    tuples(st.builds(Label, anything, st.none() | anything.filter(bool))),
    anything,
    anything,
    anything,
    tuples(st.tuples(anything, anything)),
    anything,
)
predictions = st.builds(Prediction, anything, tuples(numbers), counts, counts)
costs = st.builds(Cost, numbers, numbers, counts, counts, counts, counts, counts)
data = st.dictionaries(anything, st.integers() | anything | st.lists(st.integers()), max_size=3)
measurements = st.builds(
    Measurement,
    job=anything,
    method=anything,
    spec=data,
    rung=st.sampled_from(["trivial", "peft"]),
    form=anything,
    parent=st.none() | anything,
    fingerprint=anything,
    shots=st.none() | counts,
    draw=counts,
    ids=tuples(anything),
    predictions=tuples(predictions),
    statistics=tuples(tuples(numbers)),
    build=costs,
    use=costs,
    train_score=st.none() | numbers,
    notes=tuples(anything),
    extra=data,
)


def there_and_back(row: dict[str, object]) -> dict[str, object]:
    line = dumps(row)
    assert "\n" not in line
    line.encode("utf-8")
    return json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@unhurried
@given(examples)
def test_examples(example: Example) -> None:
    assert from_data(Example, there_and_back(to_data(example))) == example


@unhurried
@given(st.lists(examples, max_size=2).map(tuple), st.lists(examples, max_size=2).map(tuple))
def test_shots(some: tuple[Example, ...], others: tuple[Example, ...]) -> None:
    shots = Shots(some, others, others, some)
    assert from_data(Shots, there_and_back(to_data(shots))) == shots


@unhurried
@given(tasks)
def test_tasks(task: Task) -> None:
    assert from_data(Task, there_and_back(to_data(task))) == task


@unhurried
@given(predictions)
def test_predictions(prediction: Prediction) -> None:
    assert from_data(Prediction, there_and_back(to_data(prediction))) == prediction


@unhurried
@given(measurements)
def test_measurements(measurement: Measurement) -> None:
    assert from_data(Measurement, there_and_back(to_data(measurement))) == measurement


def test_files_hold_one_row_a_line_and_replace_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"b": "two\nlines\u2028\x85", "a": "한국어"}, {"half": "\ud83d"}]
    write_rows(path, rows)
    assert read_rows(path) == rows
    assert path.read_bytes().endswith('"a": "한국어"}\n{"half": "\\ud83d"}\n'.encode())
    with pytest.raises(ValueError, match="JSON"):
        write_rows(path, [{"a": 1}, {"b": float("nan")}])
    assert read_rows(path) == rows
    assert list(tmp_path.iterdir()) == [path]


def test_a_broken_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a":1}\n{"a":')
    with pytest.raises(InputError, match=r"rows\.jsonl, line 2"):
        read_rows(tmp_path / "rows.jsonl")


cells = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
table_rows = st.lists(st.tuples(cells, st.sampled_from(["a", "b"])), min_size=1, max_size=8)


@unhurried
@given(rows=table_rows)
def test_any_row_that_parses_round_trips(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    both = [*rows, ("first", "a"), ("second", "b")]
    lines = [json.dumps({"text": text, "label": label}) for text, label in both]
    (folder / "train.jsonl").write_text("\n".join(lines))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *both])
    (folder / "train.csv").write_bytes(out.getvalue().encode())
    for name in ("train.jsonl", "train.csv"):
        train = load(folder / name).train
        assert [(row.input.text, row.label) for row in train] == both
        assert [from_data(Example, there_and_back(to_data(row))) for row in train] == list(train)


@dataclass(frozen=True)
class Inner:
    size: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    inner: Inner
    score: float = 0.0


def test_every_fault_of_data_is_told_with_its_place() -> None:
    with pytest.raises(InputError) as caught:
        from_data(Outer, {"inner": {"size": "q", "names": 3}, "score": "x"}, "a.json")
    assert [(f.where, f.found) for f in caught.value.faults] == [
        ("a.json", "inner.size: 'q'"), ("a.json", "inner.names is not a list"),
        ("a.json", "score: 'x'"),
    ]  # fmt: skip
    assert from_data(Outer, to_data(Outer(Inner(0, ("a",)), float("inf")))).score == float("inf")
    assert to_data(Outer(Inner(0))) == {"inner": {"size": 0}}


def test_numbers_that_are_none_are_refused_and_typed_values_are_lines() -> None:
    assert dumps({"b": Inner(1), "a": [None]}) == '{"a":[null],"b":{"size":1}}'
    with pytest.raises(ValueError, match="JSON"):
        dumps([float("inf")])
    with pytest.raises(TypeError, match="a set is no JSON"):
        dumps({1})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "a.yaml: the file is empty"),
        ("a: [", "a.yaml, line 1: not YAML"),
        ("a: 1\nb: 2\na: 3\n", "a.yaml, line 3: the key 'a' stands twice"),
        ("a: 1\n? [b]\n: 2\n", "line 2: a key is not a text"),
        ("a: &a [*a]", "a value holds itself"),
        ("a: !!python/object/apply:os.abort []", "is no plain data"),
    ],
)
def test_yaml_that_is_no_plain_data_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    try:
        message = "\n".join(map(str, read_yaml(tmp_path / "a.yaml").faults))
    except InputError as error:
        message = str(error)
    assert fault in message


def test_yaml_knows_its_lines_and_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# first\na:\n  - yes\n  - 01\nb: {c: 2}\n")
    content = read_yaml(tmp_path / "a.yaml")
    assert content.texts == {"a": ["yes", "01"], "b": {"c": "2"}}
    assert content.data == {"a": [True, 1], "b": {"c": 2}}
    lines = {(): 2, ("a",): 2, ("a", 1): 4, ("b", "c"): 5, ("b", "d"): 5, ("e",): 2}
    for loc, line in lines.items():
        assert content.where(loc).endswith(f"a.yaml, line {line}"), loc
