"""Examples of other classes: read, checked, kept apart from the rows, and learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nshot
from nshot.bench.prepare import Prepared, prepare
from nshot.bench.request import Request
from nshot.core.errors import InputError
from nshot.data import load
from scenes import shelf
from spine import stay_here

TASK = """\
data: {{train: train, test: test, background: {background}}}
labels:
  - {{name: red, description: a red scene}}
  - {{name: green, description: a green scene}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shelf(tmp_path / "train", {"red": 4, "green": 4})
    shelf(tmp_path / "test", {"red": 3, "green": 3}, 50)
    shelf(tmp_path / "others", {"blue": 4, "grey": 4, "pink": 4}, 20)
    return tmp_path


def task(place: Path, background: str = "others") -> str:
    (place / "task.yaml").write_text(TASK.format(background=background), encoding="utf-8")
    return str(place / "task.yaml")


def prepared(place: Path, background: str = "others") -> Prepared:
    return prepare(
        Request(task(place, background), encoder="fake:pictures", out=str(place / "run"))
    )


def test_a_folder_of_other_classes_goes_into_the_split(place: Path) -> None:
    rows = prepared(place).split
    assert {row.label for row in rows.background} == {"blue", "grey", "pink"}
    assert len(rows.background) == 12
    assert "background: 12 examples of 3 other classes" in rows.notes
    plain = place / "plain.yaml"
    plain.write_text("data: {train: train, test: test}\n", encoding="utf-8")
    without = prepare(Request(str(plain), encoder="fake:pictures", out=str(place / "run"))).split
    assert without.background == ()
    fewer = shelf(place / "fewer", {"blue": 3, "grey": 4, "pink": 4}, 20)
    prints = {rows.fingerprint, without.fingerprint, prepared(place, fewer.name).split.fingerprint}
    assert len(prints) == 3
    assert prepared(place).split.fingerprint == rows.fingerprint


def test_a_file_may_describe_the_classes(place: Path) -> None:
    lines = [
        f"others/{label}/{i}.png,{label},all {label}"
        for label in ("blue", "grey")
        for i in (20, 21)
    ]
    (place / "others.csv").write_text("\n".join(["image,label,description", *lines]))
    rows = load(task(place, "others.csv")).background
    assert [row.label for row in rows] == ["blue", "blue", "grey", "grey"]
    assert [row.input.text for row in rows] == ["all blue", "all blue", "all grey", "all grey"]
    assert all(len(row.input.images) == 1 for row in rows)


def test_what_the_task_asks_is_not_learned_under_another_label(place: Path) -> None:
    (place / "others" / "blue" / "x.png").write_bytes((place / "test/red/50.png").read_bytes())
    rows = prepared(place).split
    assert len(rows.background) == 12
    assert "; 1 that the task's own rows repeat were left out" in rows.notes[-1]


def test_labels_of_the_task_texts_and_absent_files_are_refused(place: Path) -> None:
    with pytest.raises(InputError, match="the label 'red' is known already"):
        load(task(shelf(place / "both", {"red": 2, "blue": 2}, 70).parent, "both"))
    (place / "texts.csv").write_text("text,label\na scene,blue\n")
    with pytest.raises(InputError, match="these are texts"):
        load(task(place, "texts.csv"))
    with pytest.raises(InputError, match=r"data\.background: no such file"):
        load(task(place, "nowhere"))


def test_texts_have_a_background_too_and_generate_tasks_none(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nwarm,good\ncold,bad\n")
    (tmp_path / "others.csv").write_text("text,label\nlate,delay\nlost,parcel\n")
    data = "data: {train: train.csv, background: others.csv, label: label}\n"
    (tmp_path / "task.yaml").write_text(data)
    assert [row.label for row in load(tmp_path).background] == ["delay", "parcel"]
    (tmp_path / "task.yaml").write_text(f"kind: generate\n{data}")
    with pytest.raises(InputError, match="a generate task has none"):
        load(tmp_path)


def test_compare_measures_a_method_that_learns_from_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    result = nshot.compare(
        task(place), encoder="fake:pictures", shots=(2,), seeds=1, out=place / "run",
        methods=("majority", "description_match"),
        settings={"description_match": {"sentence_encoder": "fake:encoder"}},
    )  # fmt: skip
    assert result.exit_code == 0
    told = (place / "run" / "leaderboard.json").read_text(encoding="utf-8")
    board = json.loads(told)
    row = next(one for one in board["rows"] if one["name"] == "description_match")
    assert 0 <= row["score"] <= 1
    assert "background: 12 examples of 3 other classes" in told


def words(folder: Path, name: str, labels: tuple[str, str], more: str = "") -> Path:
    """A task of texts: four rows a label, and a test row."""
    folder.mkdir()
    rows = [f"{name} 글 {label} {i},{label}" for label in labels for i in range(4)]
    (folder / "train.csv").write_text("\n".join(["comment,kind", *rows]) + "\n", encoding="utf-8")
    (folder / "test.csv").write_text(f"comment,kind\na test of {name},{labels[0]}\n", "utf-8")
    (folder / "task.yaml").write_text(
        f"data: {{train: train.csv, test: test.csv, text: comment, label: kind{more}}}\n"
        f"prompt: {{fields: {{comment: {name}}}, answer: Kind}}\n",
        encoding="utf-8",
    )
    return folder


def test_other_tasks_are_read_with_the_words_of_their_own_prompts(tmp_path: Path) -> None:
    words(tmp_path / "spam", "편지", ("spam", "mail"))
    words(tmp_path / "mood", "Post", ("good", "bad"), ", background: [../spam]")
    more = ", background: [../spam/task.yaml, ../mood]"
    own = words(tmp_path / "films", "Review", ("good", "bad"), more)
    loaded = load(own)
    groups = [row.group for row in loaded.background]
    assert groups == ["task spam"] * 8 + ["task mood"] * 8, "a task's own background is not read"
    first = loaded.background[0]
    assert first.id.startswith("spam:")
    assert first.input.fields == (("편지", "편지 글 spam 0"),)
    assert not any("a test of" in row.input.text for row in loaded.background)
    ready = prepare(
        Request(task=str(own), out=str(tmp_path / "run"), model="fake:scorer", encoder=None)
    )
    assert len(ready.split.background) == 16
    assert "16 examples of 4 other classes, 2 other tasks among them" in " ".join(ready.split.notes)


def test_another_task_must_be_of_labels(tmp_path: Path) -> None:
    other = words(tmp_path / "says", "Text", ("one", "two"))
    text = (other / "task.yaml").read_text(encoding="utf-8")
    (other / "task.yaml").write_text(f"kind: generate\n{text}", encoding="utf-8")
    own = words(tmp_path / "films", "Review", ("good", "bad"), ", background: ../says")
    with pytest.raises(InputError, match="a task of kind generate"):
        load(own)
    with pytest.raises(InputError, match="no such file"):
        load(words(tmp_path / "more", "Review", ("good", "bad"), ", background: [../none.yaml]"))
