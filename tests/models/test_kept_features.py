"""Features on disk: whole or not there, made again when broken, the oldest gone first."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nshot.models.wrap import kept_features
from nshot.models.wrap.kept_features import KeptFeatures

VALUES = {"head.mean": np.arange(100, dtype=np.float16)}


def test_what_was_put_is_found_by_a_later_run(tmp_path: Path) -> None:
    KeptFeatures(tmp_path, "engine").put("ab1-whole", VALUES)
    found = KeptFeatures(tmp_path, "engine").get("ab1-whole")
    assert found is not None
    assert found["head.mean"].tobytes() == VALUES["head.mean"].tobytes()
    assert KeptFeatures(tmp_path, "another").get("ab1-whole") is None
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".safetensors"]


def test_a_broken_file_counts_as_absent(tmp_path: Path) -> None:
    kept = KeptFeatures(tmp_path, "engine")
    kept.put("ab1", VALUES)
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-7])
    assert kept.get("ab1") is None
    kept.put("ab1", VALUES)
    assert kept.get("ab1") is not None


def test_those_used_longest_ago_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_features, "WRITES", 1)
    size = 0
    for i in range(10):
        KeptFeatures(tmp_path, "engine").put(f"ab{i}", VALUES)
        (file,) = tmp_path.rglob(f"ab{i}.safetensors")
        os.utime(file, (1000 + i, 1000 + i))
        size += file.stat().st_size
    again = KeptFeatures(tmp_path, "engine", limit=size)
    assert again.get("ab0") is not None, "and so it is used"
    again.put("last", VALUES)
    left = sorted(path.stem for path in tmp_path.rglob("*.safetensors"))
    assert sum(f.stat().st_size for f in tmp_path.rglob("*.safetensors")) <= 0.75 * size
    assert {"ab0", "last"} <= set(left)
    assert "ab1" not in left
