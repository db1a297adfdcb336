"""Task files: what may stand in them, and that nothing in them runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.core.types import Label, Parts
from nshot.data.task_file import DataKeys, TaskFile, read_task


def write(folder: Path, text: str) -> Path:
    (folder / "train.csv").write_text("text,label\nfine,good\nawful,bad\n")
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return folder / "task.yaml"


def test_everything_that_may_be_said(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
name: films
kind: classify
instruction: >
  Say whether
  the film is good.
metric: macro_f1
system: You are a critic.
data: {train: train.csv, test: train.csv, text: [title, text], label: y, group: by, id: n}
labels:
  - yes
  - {name: "no", description: not at all}
  - 좋음
prompt:
  fields: {title: Film, text: Review}
  answer: Verdict
""",
    )
    train = tmp_path / "train.csv"
    assert read_task(path) == TaskFile(
        path=path,
        name="films",
        kind="classify",
        instruction="Say whether the film is good.",
        metric="macro_f1",
        system="You are a critic.",
        data=DataKeys(train, train, ("title", "text"), "y", "by", "n"),
        labels=(Label("yes"), Label("no", "not at all"), Label("좋음")),
        field_words=(("title", "Film"), ("text", "Review")),
        answer_word="Verdict",
    )


def test_what_is_left_out_stays_open(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: train.csv\n  test:\n  text: text\n")
    task = read_task(path)
    assert task.name == tmp_path.name
    assert (task.kind, task.metric, task.labels, task.answer_word) == (None, None, (), None)
    assert task.data == DataKeys(tmp_path / "train.csv", text=("text",))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1500,
        "a: &a [*a]",
        "- a\n- b\n",
        "just words",
        "{? [a, b] : c}",
        "name: a\n---\nname: b\n",
        "name: \x07",
        "data: {train: train.csv}\nlabels: {good: 1, bad: 2}\n",
        "data: {train: train.csv}\nkind: generate\nlabels: [a, b]\n",
        "data: {train: train.csv}\nlabels: [a]\n",
        "data: {train: train.csv}\nlabels: [a, [b]]\n",
        "data: {train: [train.csv]}\n",
        "data: train.csv\n",
        "name: !!python/object/apply:os.abort []\ndata: {train: train.csv}\n",
    ],
)
def test_what_is_no_task_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_task(path)
    assert all("task.yaml" in fault.where for fault in caught.value.faults)


def test_a_key_of_a_part_that_stands_at_the_top_is_told_where_it_belongs(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {train: train.csv}\nlabel: a\ntext: b\ntest: c\nanswer: d\n")
    with pytest.raises(InputError) as caught:
        read_task(path)
    assert [fault.do for fault in caught.value.faults] == [
        "data: {label: ...}", "data: {text: ...}", "data: {test: ...}", "prompt: {answer: ...}",
    ]  # fmt: skip


def test_a_task_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_task(tmp_path / "task.yaml")


def test_the_parts_of_a_prompt(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "data: {train: train.csv}\nprompt:\n  persona: You are a critic.\n  context: ''\n"
        "  constraints: Irony counts.\n  output_format: One word.\n  delimiter: tags\n",
    )
    assert read_task(path).parts == Parts(
        "You are a critic.", "", ("Irony counts.",), "One word.", "tags"
    )
    path = write(tmp_path, "data: {train: train.csv}\nprompt: {delimiter: stars}\n")
    with pytest.raises(InputError, match="'stars'") as caught:
        read_task(path)
    assert "line 2" in caught.value.faults[0].where
