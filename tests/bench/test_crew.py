"""How many workers a run has: cores, memory, and what the folder began with."""

from __future__ import annotations

from pathlib import Path

import pytest

from nshot.bench.execute.crew import PROCESS_BYTES, crew, model_bytes
from nshot.core import machine
from nshot.core.errors import InputError
from nshot.core.types import ModelRef
from nshot.methods import TABLE
from nshot.models.hf.hf_engine import HFModels
from tiny import tiny_llama

COUNTING = [TABLE.build({"method": "tfidf_lr"})]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores and much memory."""
    monkeypatch.setenv("NSHOT_THREADS", "8")
    monkeypatch.setattr(machine, "device", lambda: "cpu")
    monkeypatch.setattr(machine, "free_bytes", lambda: 100 * PROCESS_BYTES)
    return monkeypatch


def test_the_cores_are_shared_out(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert crew(tmp_path / "a", None, [], COUNTING)[:2] == (4, 2)
    workers, threads, reason = crew(tmp_path / "b", 8, [], COUNTING)
    assert (workers, threads) == (8, 1)
    assert reason.startswith("8 workers of 1 thread: 8 cores, about 0.7 GB each")
    assert crew(tmp_path / "c", 1, [], COUNTING)[:2] == (1, 8)
    host.setenv("NSHOT_THREADS", "1")
    assert crew(tmp_path / "d", None, [], COUNTING)[:2] == (1, 1)


def test_a_folder_keeps_the_threads_it_began_with(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They stand in the jobs' names: with others, everything would be measured again."""
    assert crew(tmp_path, 8, [], COUNTING)[:2] == (8, 1)
    assert crew(tmp_path, None, [], COUNTING)[:2] == (8, 1)
    host.setattr(machine, "free_bytes", lambda: 3 * PROCESS_BYTES)
    assert crew(tmp_path, None, [], COUNTING)[:2] == (3, 1), "fewer workers, the same threads"
    assert crew(tmp_path, 2, [], COUNTING)[:2] == (2, 4)


def test_memory_is_forecast_before_anything_starts(
    host: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tiny_llama(tmp_path / "tiny")
    ref = ModelRef("hf", str(folder))
    assert model_bytes(ref) == 4 * HFModels().open(ref).facts.parameters
    assert model_bytes(ModelRef("openai", "m@http://localhost/v1")) == 0
    host.setattr(machine, "free_bytes", lambda: int(2.5 * PROCESS_BYTES))
    with pytest.raises(InputError, match="--workers 3 would hold about 2") as caught:
        crew(tmp_path, 3, [ref], COUNTING)
    assert "--workers 2" in str(caught.value)
    assert crew(tmp_path, None, [ref], COUNTING).workers == 2


def test_free_memory_is_a_number() -> None:
    assert machine.free_bytes() > 0
