"""Names of data sets: from the cache if it has them, else told what to do within seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from nshot.core import network
from nshot.core.errors import InputError
from nshot.data import load


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache, and a hub that is off."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def held(cache: Path, name: str, text: str) -> None:
    """A file of the data set org/films in the cache, laid out as huggingface_hub does."""
    repo = cache / "datasets--org--films"
    file = repo / "snapshots" / ("a" * 40) / name
    (repo / "refs").mkdir(parents=True, exist_ok=True)
    (repo / "refs" / "main").write_text("a" * 40)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


PAIRS = '{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d"}\n'


def test_a_cached_data_set_is_read_by_its_name(cache: Path) -> None:
    held(cache, "data/train.jsonl", PAIRS)
    held(cache, "data/test.jsonl", PAIRS.replace("a", "z"))
    held(cache, "README.md", "films")
    loaded = load("org/films", test="org/films:data/test.jsonl")
    assert loaded.task.name == "films"
    assert [row.input.text for row in loaded.train] == ["a", "c"]
    assert loaded.test is not None


def test_several_files_of_train_rows_are_named(cache: Path) -> None:
    for part in "01":
        held(cache, f"train-{part}.jsonl", PAIRS)
    with pytest.raises(InputError, match=r"2 files of train rows(.|\n)*org/films:train-0.jsonl"):
        load("org/films")
    assert len(load("org/films:train-1.jsonl").train) == 2


def test_an_offline_hub_is_not_asked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    asked: list[Any] = []
    monkeypatch.setattr(HfApi, "list_repo_files", lambda *_, **__: asked.append(1))
    with pytest.raises(InputError, match="hf download --repo-type dataset org/films") as caught:
        load("org/films")
    assert caught.value.exit_code == 2
    assert not asked


def test_a_hub_that_says_nothing_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(network, "SECONDS", 0.3)
    monkeypatch.setattr(HfApi, "list_repo_files", lambda *_, **__: time.sleep(60))
    start = time.perf_counter()
    with pytest.raises(InputError, match="no hub gave a data set"):
        load("org/films")
    assert time.perf_counter() - start < 3


def test_a_path_is_no_name(cache: Path) -> None:
    (cache / "data").mkdir()
    for path in ("data/trian", "films/train.csv", "nowhere.csv", "a/b/c"):
        with pytest.raises(InputError, match="no such file"):
            load(path)
