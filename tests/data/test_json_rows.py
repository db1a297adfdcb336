"""Every noun comes back from its JSON as it was."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.errors import InputError
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
    Trial,
    Turn,
)
from nshot.data import load
from nshot.data.rows import (
    dumps,
    example_from_json,
    example_to_json,
    measurement_from_json,
    measurement_to_json,
    prediction_from_json,
    prediction_to_json,
    read_rows,
    shots_from_json,
    shots_to_json,
    task_from_json,
    task_to_json,
    write_rows,
)

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
costs = st.builds(Cost, numbers, numbers, counts, counts, counts, counts, counts, numbers)
data = st.dictionaries(anything, st.integers() | anything | st.lists(st.integers()), max_size=3)
trials = st.builds(Trial, data, st.none() | numbers, st.booleans(), anything)
measurements = st.builds(
    Measurement,
    job=anything,
    method=anything,
    spec=data,
    rung=st.sampled_from(["trivial", "peft"]),
    form=anything,
    parent=st.none() | anything,
    fingerprint=anything,
    unit=st.sampled_from(["example", "pair"]),
    shots=st.none() | counts,
    draw=counts,
    ids=tuples(anything),
    predictions=tuples(predictions),
    statistics=tuples(tuples(numbers)),
    build=costs,
    use=costs,
    train_score=st.none() | numbers,
    tried=tuples(trials),
    notes=tuples(anything),
    extra=data,
)


def there_and_back(row: dict[str, object]) -> dict[str, object]:
    line = dumps(row)
    assert "\n" not in line
    line.encode("utf-8")
    return json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@given(examples)
def test_examples(example: Example) -> None:
    assert example_from_json(there_and_back(example_to_json(example))) == example


@given(st.lists(examples, max_size=2).map(tuple), st.lists(examples, max_size=2).map(tuple))
def test_shots(some: tuple[Example, ...], others: tuple[Example, ...]) -> None:
    shots = Shots(some, others, others, some)
    assert shots_from_json(there_and_back(shots_to_json(shots))) == shots


@given(tasks)
def test_tasks(task: Task) -> None:
    assert task_from_json(there_and_back(task_to_json(task))) == task


@given(predictions)
def test_predictions(prediction: Prediction) -> None:
    assert prediction_from_json(there_and_back(prediction_to_json(prediction))) == prediction


@given(measurements)
def test_measurements(measurement: Measurement) -> None:
    assert measurement_from_json(there_and_back(measurement_to_json(measurement))) == measurement


def test_files_hold_one_row_a_line_and_replace_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"b": "two\nlines\u2028\x85", "a": "한국어"}, {"half": "\ud83d"}]
    write_rows(path, rows)
    assert read_rows(path) == rows
    assert path.read_bytes().startswith('{"a":"한국어","b":'.encode())
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
        assert [example_from_json(there_and_back(example_to_json(row))) for row in train] == list(
            train
        )
