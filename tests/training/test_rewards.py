"""What a text is worth: by the task's checks, by a function, and where that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import Check, Example, Input, Prediction, Task
from nshot.data.task_file import read_task
from nshot.metrics import METRICS, metric_of, misfits
from nshot.training.rewards import of_task, rewards

ROW = Example("1", Input(fields=(("text", "how much?"),)), ("18 apples", "eighteen"))
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def worth(answer: str, *checks: Check) -> float:
    (value,) = rewards(of_task(Task("t", "generate", reward=checks)), [ROW], [answer])
    return value


@pytest.mark.parametrize(
    ("check", "answer", "value"),
    [
        (Check("regex", "[0-9]+"), " 18\n", 1.0),
        (Check("regex", "[0-9]+"), "18 apples", 0.0),
        (Check("json_schema", json.dumps(SCHEMA)), '{"n": 1}', 1.0),
        (Check("json_schema", json.dumps(SCHEMA)), '{"n": true}', 0.0),
        (Check("json_schema", json.dumps(SCHEMA)), '{"n": 1', 0.0),
        (Check("exact_answer"), "The 18 Apples.", 1.0),
        (Check("exact_answer"), "Eighteen", 1.0),
        (Check("exact_answer"), "18", 0.0),
        (Check("length", "words", 2, 4), "one two three", 1.0),
        (Check("length", "words", 2, 4), "one", 0.5),
        (Check("length", "words", 2, 4), "1 2 3 4 5", 0.75),
        (Check("length", "words", 2, 4), "1 2 3 4 5 6 7 8 9", 0.0),
        (Check("length", "words", 2, None), "1 2 3 4 5 6 7 8 9", 1.0),
        (Check("length", "characters", 0, 10), "  가나다라마바사아자차 ", 1.0),
        (Check("length", "characters", 0, 10), "가나다라마바사아자차카", 0.9),
    ],
)
def test_one_check(check: Check, answer: str, value: float) -> None:
    assert worth(answer, check) == pytest.approx(value)


def test_several_checks_are_a_mean_by_their_weights() -> None:
    checks = (Check("exact_answer", weight=3), Check("length", "words", 0, 1, weight=1))
    assert worth("18 apples", *checks) == pytest.approx(0.75)
    assert worth("eighteen", *checks) == 1
    assert worth("none", *checks) == 0.25


@given(st.text(), st.integers(0, 9), st.integers(1, 9), st.sampled_from(["words", "characters"]))
def test_a_reward_is_between_0_and_1(answer: str, least: int, more: int, unit: str) -> None:
    checks = (Check("length", unit, least, least + more), Check("exact_answer", weight=0.1))
    assert 0 <= worth(answer, *checks) <= 1


def test_the_reward_is_a_metric_of_the_board() -> None:
    task = Task("t", "generate", metric="reward", reward=(Check("exact_answer"),))
    assert metric_of(task).statistics(ROW, Prediction("eighteen")) == (1.0,)
    assert misfits(task, [], [ROW]) == []
    (fault,) = misfits(Task("t", "generate", metric="reward"), [], [ROW])
    assert "task file" in fault.found
    assert read_metric(fault.do), "the cure is one"
    assert "reward" in METRICS
    assert from_data(Task, to_data(task)) == task


def read_metric(cure: str) -> bool:
    return cure.startswith("reward: [{length")


def failing(_: Any, __: Any) -> Any:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (failing, "raised ZeroDivisionError: division by zero"),
        (lambda _, texts: [float("nan") for _ in texts], "'a' is nan"),
        (lambda _, texts: [0.0, float("inf")], "'b' is inf"),
        (lambda _, texts: [0.5], "1 rewards came back for 2"),
        (lambda _, texts: [0.5] * 3, "3 rewards came back for 2"),
        (lambda _, texts: None, "TypeError"),
        (lambda _, texts: ["1", "2"], "'1' is no number"),
        (lambda _, texts: [True, False], "True is no number"),
    ],
)
def test_a_reward_that_is_none_says_what_is_wrong(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        rewards(function, [ROW, ROW], ["a", "b"])
    assert "2 finite numbers" in str(error.value)


def test_arrays_are_numbers() -> None:
    assert rewards(lambda _, texts: np.arange(2.0), [ROW, ROW], ["a", "b"]) == [0.0, 1.0]


def written(folder: Path, reward: str, kind: str = "generate") -> Path:
    (folder / "train.jsonl").write_text('{"text": "q", "answer": "a"}\n', encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    file = folder / "task.yaml"
    head = f"kind: {kind}\ndata: {{train: train.jsonl, text: text, label: answer}}\n"
    file.write_text(head + reward, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reward: {regex: '[0-9]+'}", (Check("regex", "[0-9]+"),)),
        ("reward:\n- exact_answer: true\n- length: {most: 20}\n  weight: 0.5\n",
         (Check("exact_answer"), Check("length", "words", 0, 20, 0.5))),
        ("reward: [{length: {least: 2, unit: characters}}]",
         (Check("length", "characters", 2, None),)),
        ("reward: {json_schema: schema.json}", (Check("json_schema", json.dumps(SCHEMA)),)),
        ("reward: {json_schema: {type: integer, maximum: 3}}",
         (Check("json_schema", '{"type": "integer", "maximum": 3}'),)),
        ("reward: [{json_schema: {const: true}}]", (Check("json_schema", '{"const": true}'),)),
        ("", ()),
    ],
)  # fmt: skip
def test_a_reward_is_read(text: str, expected: tuple[Check, ...], tmp_path: Path) -> None:
    assert read_task(written(tmp_path, text)).reward == expected


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("reward:\n- regex: '[0-9'", "not a regular expression", 4),
        ("reward:\n- regex: a\n  exact_answer: true", "2 kinds: regex, exact_answer", 4),
        ("reward:\n- weight: 1", "0 kinds: none", 4),
        ("reward:\n- exact_answer: true\n- regx: a", "unknown key 'regx'", 5),
        ("reward: []", "no check", 3),
        ("reward:\n- length: {}", "without bounds", 4),
        ("reward:\n- length: {least: 9, most: 2}", "least 9 is more than most 2", 4),
        ("reward:\n- exact_answer: true\n  weight: 0", "greater than 0", 5),
        ("reward:\n- json_schema: nowhere.json", "no such file", 4),
    ],
)  # fmt: skip
def test_a_wrong_reward_is_a_fault_with_its_line(
    text: str, words: str, line: int, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        read_task(written(tmp_path, text))
    fault = error.value.faults[0]
    assert words in fault.found + fault.expected
    assert fault.where.endswith(f"line {line}")


def test_labels_have_no_reward(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no reward"):
        read_task(written(tmp_path, "reward: {exact_answer: true}", "classify"))
