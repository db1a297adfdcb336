"""What this computer has: threads, device, and a meter that sees memory."""

from __future__ import annotations

import json
import mmap
import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from nshot.core import machine
from nshot.core.errors import InputError

needs_reset = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="no peak to reset on this system"
)
MB = 2**20


def touch(megabytes: int) -> None:
    """Use fresh memory: an array may be given what earlier tests freed, and nothing grows."""
    with mmap.mmap(-1, megabytes * MB) as pages:
        for _ in range(megabytes):
            pages.write(b"\1" * MB)


def test_threads_are_as_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_THREADS", "3")
    assert machine.threads() == 3
    assert machine.environment()["OMP_NUM_THREADS"] == "3"
    assert machine.identity()["threads"] == 3
    for wrong in ("0", "two", "-1"):
        monkeypatch.setenv("NSHOT_THREADS", wrong)
        with pytest.raises(InputError, match=f"NSHOT_THREADS is '{wrong}'"):
            machine.threads()
    monkeypatch.delenv("NSHOT_THREADS")
    assert machine.threads() >= 1


@pytest.mark.parametrize(
    ("device", "native", "expected"),
    [("cpu", True, "float32"), ("cuda", True, "bfloat16"), ("cuda", False, "float32")],
)
def test_a_card_without_bfloat16_is_not_given_it(device: str, native: bool, expected: str) -> None:
    assert machine.dtype_of(device, lambda: native) == expected


@pytest.mark.parametrize("name", ["nvidiactl", "dxg", "kfd"])
def test_each_drivers_device_file_makes_torch_be_asked(name: str, tmp_path: Path) -> None:
    """NVIDIA's, the one under WSL2 and ROCm's: laid into an empty folder in place of /dev."""
    assert f"/dev/{name}" in machine.DRIVERS
    code = (
        "import sys, nshot.core.machine as m;"
        f" m.DRIVERS = tuple(d.replace('/dev', {str(tmp_path)!r}) for d in m.DRIVERS);"
        " before = m.device(), 'torch' in sys.modules;"
        f" open({str(tmp_path / name)!r}, 'w').close(); m.device();"
        " print(*before, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["cpu", "False", "True"], done.stderr


@pytest.mark.skipif(any(map(os.path.exists, machine.DRIVERS)), reason="a GPU is here")
def test_without_a_gpu_torch_is_not_asked() -> None:
    code = (
        "import sys, nshot.core.machine as m; print(m.device(), m.dtype(), m.identity()['device'],"
        " 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["cpu", "float32", "cpu", "False"], done.stderr


def test_seeds_make_all_sources_of_chance_repeat() -> None:
    def drawn() -> tuple[float, float]:
        machine.seed_everything(7)
        return random.random(), float(np.random.rand())

    assert drawn() == drawn()
    machine.seed_everything(2**40)


def test_the_description_is_json_and_names_versions() -> None:
    body = json.loads(json.dumps(machine.describe()))
    assert body["versions"]["numpy"] == np.__version__
    assert body["memory_bytes"] > MB
    assert body["processor"]


def test_a_meter_counts_seconds_also_of_what_raises() -> None:
    meter = machine.Meter()
    with suppress(ZeroDivisionError), meter.running():
        time.sleep(0.02)
        _ = 1 / 0
    assert 0.02 <= meter.seconds < 5
    with meter.running():
        time.sleep(0.02)
    assert meter.seconds >= 0.04


@needs_reset
def test_a_meter_sees_memory_that_came_and_went() -> None:
    meter, after = machine.Meter(), machine.Meter()
    with meter.running():
        touch(64)
    assert 60 * MB < meter.grown_bytes < 200 * MB
    assert meter.peak_bytes > meter.grown_bytes
    with after.running():
        touch(1)
    assert after.grown_bytes < 20 * MB, "the peak is reset for each stretch"


@needs_reset
def test_a_meter_inside_does_not_hide_the_outer_peak() -> None:
    outer, inner = machine.Meter(), machine.Meter()
    with outer.running():
        touch(64)
        with inner.running():
            touch(8)
    assert outer.grown_bytes > 60 * MB
    assert inner.grown_bytes < 30 * MB
    with outer.running(), inner.running():
        touch(64)
    assert min(outer.grown_bytes, inner.grown_bytes) > 60 * MB, "the outer meter holds the inner"


def test_what_a_cache_saved_is_in_the_cost_and_not_in_the_time_spent() -> None:
    outer, inner = machine.Meter(), machine.Meter()
    with outer.running():
        with inner.running():
            machine.saved(100.0)
        machine.saved(1000.0)
    assert 100 < inner.seconds < 101
    assert 1100 < outer.seconds < 1101
    assert 0 < inner.spent_seconds < outer.spent_seconds < 1
    start = machine.cold_clock()
    machine.saved(10.0)
    assert 10 < machine.cold_clock() - start < 11


def test_what_is_the_same_for_all_is_charged_to_nobody() -> None:
    outer, inner = machine.Meter(), machine.Meter()
    start = machine.cold_clock()
    with outer.running(), inner.running():
        with machine.unmetered():
            time.sleep(0.2)
            with machine.unmetered():
                time.sleep(0.2)
            machine.saved(100.0)
        machine.saved(10.0)
    assert 10 <= inner.seconds <= outer.seconds < 10.1
    assert outer.spent_seconds < 0.1
    assert machine.cold_clock() - start < 10.1


@needs_reset
def test_memory_that_stays_with_what_nobody_is_charged_for_counts_as_taken_before() -> None:
    meter = machine.Meter()
    with meter.running():
        touch(32)
        with machine.unmetered():
            touch(128)
            pages = mmap.mmap(-1, 64 * MB)
            for _ in range(64):
                pages.write(b"\1" * MB)
        touch(8)
    pages.close()
    assert 28 * MB < meter.grown_bytes < 60 * MB
