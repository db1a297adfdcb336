"""A reward model in a task file: its folder is looked at when the file is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.data.task_file import read_task


def task_file(folder: Path, reward: str) -> Path:
    (folder / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    path = folder / "task.yaml"
    path.write_text(f"data: {{train: rows.jsonl}}\nkind: generate\nreward: {reward}\n")
    return path


def record(folder: Path, kind: str = "rewarded") -> Path:
    folder.mkdir(parents=True)
    (folder / "nshot.json").write_text(json.dumps({"kind": kind}))
    return folder


@pytest.mark.parametrize("inner", ["", "winner", "reward"])
def test_a_folder_beside_the_file_or_a_run_that_holds_one(tmp_path: Path, inner: str) -> None:
    place = record(tmp_path / "run" / inner)
    (check,) = read_task(task_file(tmp_path, "{model: run, weight: 2}")).reward
    assert (check.kind, Path(check.text), check.weight) == ("model", place.resolve(), 2.0)
    (place / "nshot.json").write_text('{"kind": "rewarded", "more": 1}')
    (changed,) = read_task(task_file(tmp_path, "{model: run}")).reward
    assert changed.sha256 != check.sha256, "another content is another reward"


def test_what_is_no_reward_model_is_refused_where_it_stands(tmp_path: Path) -> None:
    record(tmp_path / "other", "prompted")
    (tmp_path / "empty").mkdir()
    (record(tmp_path / "unsafe") / "head.pt").write_text("")
    names = ("nowhere", "empty", "other", "unsafe")
    with pytest.raises(InputError) as error:
        read_task(task_file(tmp_path, str([{"model": name} for name in names])))
    problems = [fault.found for fault in error.value.faults]
    assert "no such file" in problems[0]
    assert "nshot.json is missing" in problems[1]
    assert "kind prompted" in problems[2]
    assert "head.pt" in problems[3]
    assert all(fault.where.endswith("task.yaml, line 3") for fault in error.value.faults)
    assert "--method reward" in error.value.faults[1].do
