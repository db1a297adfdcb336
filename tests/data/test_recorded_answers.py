"""Files of recorded answers: matched, checked, and told in words."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.types import Example, Input, Kind, Label, Scale, Task
from nshot.data.answers import Replies, read_answers
from nshot.data.same import exact

TASK = Task(
    "t", "classify", (Label("card_arrival"), Label("refund")), field_names=(("text", "Text"),)
)


def rows(count: int = 4) -> list[Example]:
    texts = ["where is my card", "money back", "still no card", "refund me", "a", "b"]
    return [
        Example(f"r{i}", Input((("text", texts[i]),)), (TASK.label_names[i % 2],))
        for i in range(count)
    ]


def lines(tmp_path: Path, *body: dict[str, Any], name: str = "a.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in body))
    return path


def read(path: Path, task: Task = TASK, some: list[Example] | None = None) -> Replies:
    every = some or rows()
    return read_answers(path, task, every, every)


def answered(replies: Replies, some: list[Example] | None = None) -> list[str]:
    return [replies.answers[exact(row.input)].answer for row in some or rows()]


def faults(path: Path, **more: Any) -> str:
    with pytest.raises(InputError) as error:
        read(path, **more)
    assert error.value.exit_code == 2
    return str(error.value)


def test_by_id_and_by_text_and_loosely_written_labels(tmp_path: Path) -> None:
    by_id = lines(tmp_path, *({"id": f"r{i}", "answer": "refund"} for i in range(4)))
    assert answered(read(by_id)) == ["refund"] * 4
    texts = ["Where is my card?", "MONEY  back!", "still no card", "refund me"]
    labels = ["Card arrival", "refund", "card-arrival", " refund "]
    by_text = tmp_path / "a.csv"
    by_text.write_text("text,answer\n" + "".join(
        f'"{text}",{label}\n' for text, label in zip(texts, labels, strict=True)
    ))  # fmt: skip
    assert answered(read(by_text)) == ["card_arrival", "refund"] * 2


def test_probabilities_seconds_and_cost(tmp_path: Path) -> None:
    body = [
        {"id": f"r{i}", "answer": "refund", "probabilities": {"refund": 0.75, "card arrival": 0.25},
         "seconds": 0.1 * (i + 1), "cost": 0.01}
        for i in range(4)
    ]  # fmt: skip
    replies = read(lines(tmp_path, *body))
    assert replies.seconds == pytest.approx(0.25)
    assert replies.notes == ()
    one = replies.answers[exact(rows()[1].input)]
    assert np.exp(one.scores) == pytest.approx([0.25, 0.75])
    assert (one.seconds, one.money) == (0.2, 0.01)


def test_answers_outside_the_labels_and_none_count_as_wrong_and_are_told(tmp_path: Path) -> None:
    body = [{"id": "r0", "answer": "Other"}, {"id": "r1", "answer": ""},
            {"id": "r2", "answer": "Other"}, {"id": "r3", "answer": "refund"}]  # fmt: skip
    replies = read(lines(tmp_path, *body))
    assert answered(replies) == ["", "", "", "refund"]
    told = " ".join(replies.notes)
    assert "2 of 4 answers are no labels of the task and count as wrong: 'Other' (2)" in told
    assert "what its answers take was not recorded" in told
    assert replies.seconds is None


def test_lines_that_answer_nothing_or_twice_are_counted(tmp_path: Path) -> None:
    body = [{"id": f"r{i}", "answer": "refund"} for i in (0, 1, 2, 3, 3, 77)]
    told = " ".join(read(lines(tmp_path, *body)).notes)
    assert "1 rows stand twice in a.jsonl" in told
    assert "1 lines of a.jsonl answer no row of the task" in told


def test_an_answer_that_is_not_the_most_probable_counts(tmp_path: Path) -> None:
    body = [{"id": f"r{i}", "answer": "refund", "seconds": 1,
             "probabilities": {"refund": 0.1, "card_arrival": 0.9}} for i in range(4)]  # fmt: skip
    replies = read(lines(tmp_path, *body))
    assert answered(replies) == ["refund"] * 4
    assert replies.notes == ("4 answers are not the most probable label: the answer counts",)


def test_rows_without_an_answer_are_a_fault_with_a_cure(tmp_path: Path) -> None:
    told = faults(lines(tmp_path, {"id": "r0", "answer": "refund"}))
    assert "3 of 4 rows that are measured have no answer: 'money back'" in told
    assert 'answer ""' in told


def test_what_is_wrong_is_told_all_at_once(tmp_path: Path) -> None:
    bad = [
        {"id": "r0", "answer": "refund", "probabilities": {"refund": math.nan, "card_arrival": 1}},
        {"id": "r1", "answer": "refund", "probabilities": {"refund": 0.2, "card_arrival": 0.2}},
        {"id": "r2", "answer": "refund", "probabilities": {"refunds": 1.0}, "seconds": -1},
        {"id": "r0", "answer": "card_arrival"},
    ]
    told = faults(lines(tmp_path, *bad))
    assert "the probability of 'refund' is no number" in told
    assert "probabilities that sum to 0.4" in told
    assert "a probability of 'refunds', which is no label" in told
    assert "did you mean 'refund'?" in told
    assert "seconds is -1" in told
    assert "1 rows are answered more than once, and differently" in told
    assert "1 of 4 rows that are measured have no answer" in told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"id": "x9", "answer": "refund"}, "no row of this file has the id or the text"),
        ({"id": "r0", "label": "refund"}, "no column 'answer'"),
        ({"id": "r0", "answer": "refund", "probabilities": "90 %"}, "probabilities is '90 %'"),
        ({"id": "r0", "answer": "refund", "cost": "cheap"}, "cost is 'cheap'"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, body: dict[str, Any], words: str
) -> None:
    assert words in faults(lines(tmp_path, body), some=rows(1))


def test_a_file_that_is_not_there_and_a_kind_without_answers(tmp_path: Path) -> None:
    assert "absent.csv" in faults(tmp_path / "absent.csv")
    ranked = Task("t", "rank")
    assert "kind rank" in faults(lines(tmp_path, {"id": "r0", "answer": "x"}), task=ranked)


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("multilabel", ["refund", "card_arrival"], "card_arrival | refund"),
        ("multilabel", "refund; Card arrival", "card_arrival | refund"),
        ("multilabel", "", ""),
        ("number", "₩1,200", "1200"),
        ("number", "many", ""),
        ("generate", " as it is ", "as it is"),
    ],
)
def test_other_kinds(tmp_path: Path, kind: Kind, answer: Any, expected: str) -> None:
    task = Task("t", kind, TASK.labels if kind == "multilabel" else (), scale=Scale(1, 1))
    replies = read(lines(tmp_path, {"id": "r0", "answer": answer}), task, rows(1))
    assert answered(replies, rows(1)) == [expected]


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=2))
def test_probabilities_come_back_scaled_to_one(weights: list[float]) -> None:
    import tempfile

    total = sum(weights)
    shares = {name: w / total for name, w in zip(TASK.label_names, weights, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        path = lines(Path(folder), {"id": "r0", "answer": "refund", "probabilities": shares})
        (one,) = read(path, some=rows(1)).answers.values()
    assert np.exp(one.scores).sum() == pytest.approx(1)
    assert np.exp(one.scores) == pytest.approx([*shares.values()], abs=1e-6)
