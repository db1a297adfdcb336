"""A disk that fills: one error that says so, the old file whole, nothing half-written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from full_disk import room
from nshot.core.errors import DiskFull
from nshot.core.files import replacing, write_atomic, write_folder

MUCH = 100_000


def by_python(draft: Path) -> None:
    draft.write_bytes(b"x" * MUCH)


def by_numpy(draft: Path) -> None:
    with draft.open("wb") as file:
        np.zeros(MUCH, np.uint8).tofile(file)


def by_safetensors(draft: Path) -> None:
    save_file({"x": np.zeros(MUCH, np.uint8)}, draft)


@pytest.mark.parametrize("write", [by_python, by_numpy, by_safetensors])
def test_whoever_writes_it_is_one_error_and_the_old_file_stays(
    write: object, tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    write_atomic(path, "old")
    with (
        pytest.raises(DiskFull, match="no room to write it") as full,
        room(20_000),
        replacing(path) as draft,
    ):
        write(draft)  # type: ignore[operator]
    assert str(path) in str(full.value)
    assert "MB that are free" in str(full.value)
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["kept"])


def test_a_folder_is_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "winner"
    write_folder(folder, lambda place: write_atomic(place / "a", "1"))
    with pytest.raises(DiskFull, match="kept/x"), room(20_000):
        write_folder(folder, lambda place: write_atomic(place / "kept" / "x", "x" * MUCH))
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert os.listdir(tmp_path) == ["winner"]


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    for error in (OSError("12 rows"), PermissionError(13, "no"), ValueError("(os error 2)")):
        with pytest.raises(type(error)), replacing(tmp_path / "x"):
            raise error
    assert not os.listdir(tmp_path)
