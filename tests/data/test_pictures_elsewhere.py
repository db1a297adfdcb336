"""A column of pictures' names, with the pictures in another folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.core.types import Label, Task
from nshot.data.inputs import read_table_of_inputs
from nshot.data.loading import load
from scenes import shelf


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """``tables/labels.csv`` names pictures that are in ``photos``."""
    shelf(tmp_path / "photos", {"red": 4, "blue": 4})
    names = [f"{kind}/{i}.png" for i in range(4) for kind in ("red", "blue")]
    (tmp_path / "tables").mkdir()
    path = tmp_path / "tables" / "labels.csv"
    rows = [f"{name},{name.split('/')[0]}" for name in names]
    path.write_text("file,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_folder_is_given(table: Path, tmp_path: Path) -> None:
    loaded = load(table, pictures=tmp_path / "photos")
    assert loaded.task.pictures
    places = {Path(row.input.images[0].path) for row in loaded.train}
    assert places == set((tmp_path / "photos").rglob("*.png"))
    assert all(Path(row.input.images[0].path).parent.name == row.label for row in loaded.train)


def test_a_task_file_may_name_it(table: Path, tmp_path: Path) -> None:
    body = "data: {train: labels.csv, pictures: ../photos}"
    (table.parent / "task.yaml").write_text(body, encoding="utf-8")
    assert len(load(table.parent / "task.yaml").train) == 8


def test_files_that_are_not_there_are_one_fault(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        load(table, pictures=tmp_path / "tables")
    (fault,) = refusal.value.faults
    assert fault.found.startswith("8 of 8 pictures are not there: 'red/0.png', 'blue/0.png', ")
    assert fault.found.endswith(" and 5 more")
    assert "--pictures" in fault.do


def test_inputs_are_looked_for_there_too(table: Path, tmp_path: Path) -> None:
    task = Task("t", "classify", (Label("red"), Label("blue")), pictures=True)
    inputs = read_table_of_inputs(table, task, pictures=tmp_path / "photos")
    assert len(inputs.rows) == 8
    assert inputs.cells[0] == {"file": "red/0.png", "label": "red"}
    with pytest.raises(InputError, match="8 of 8 pictures are not there"):
        read_table_of_inputs(table, task)
