"""What this computer has: device, dtype, threads, memory. The only room that names a device."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MEMINFO = Path("/proc/meminfo")
_GROUP = tuple(Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
"""The limit of this process's control group, and what is taken of it."""


DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""A device file of each driver: NVIDIA's on Linux, Windows' under WSL2, AMD's (ROCm)."""


def device() -> str:
    """Where models run: ``cuda`` (ROCm goes by this name too) when there is one, else ``cpu``.

    Without a driver's device file there is no GPU, and torch need not be loaded to say so.
    """
    if platform.system() == "Linux" and not any(map(os.path.exists, DRIVERS)):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype() -> str:
    """The dtype models are loaded in; see `dtype_of`."""

    def has_bfloat16() -> bool:
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))

    return dtype_of(device(), has_bfloat16)


def dtype_of(device: str, has_bfloat16: Callable[[], bool]) -> str:
    """The dtype of a device: float32 on a CPU (6x faster there than bfloat16), else bfloat16.

    A card that only emulates bfloat16 (before Ampere) gets float32: emulated it is slower than
    that, and float16, whose largest number is 65,504, overflows in models that were trained in
    bfloat16 and in a loss that is not scaled.
    """
    return "bfloat16" if device == "cuda" and has_bfloat16() else "float32"


def threads() -> int:
    """Cores this process may use; `NSHOT_THREADS` sets another number.

    Raises `InputError` where that is none.
    """
    if text := os.environ.get("NSHOT_THREADS"):
        if not (text.isdecimal() and int(text)):
            raise InputError(Fault(f"NSHOT_THREADS is '{text}'", "a number from 1 up"))
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(count: int | None = None) -> dict[str, str]:
    """What a worker of `count` threads (None: all) starts with.

    The math libraries read their number of threads when they are loaded.

    Threads that wait spin for some microseconds, then sleep. Without an end to the spinning two of
    them took 5x the time on two cores that were shared with other work (80 prompts scored: 107 s
    of wall time against 23 s); asleep at once they take a tenth longer on quiet ones.
    """
    names = ("NSHOT_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        "GOMP_SPINCOUNT": "10000",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's: the small fits of the heads gain nothing from two
        **os.environ,
        **dict.fromkeys(names, str(count or threads())),
        "TOKENIZERS_PARALLELISM": "false",
    }


def seed_everything(seed: int) -> None:
    """Seed Python and numpy, and torch if it is loaded."""
    import random

    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's random numbers inside follow from `seed`; outside, on every device, they go on."""
    import torch

    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield


def identity() -> dict[str, Any]:
    """What must be equal for the same bytes to come out: it stands in every job's hash."""
    return {"device": device(), "dtype": dtype(), "threads": threads()}


def describe() -> dict[str, Any]:
    """The machine and the versions, for the report."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in ("nshot", "torch", "transformers", "peft", "scikit-learn", "numpy", "pillow"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {
        **identity(),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": versions,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def free_bytes() -> int:
    """Memory that can still be taken: what the system has, or less where a control group says so.

    Where the system does not say, half of what is built in.
    """
    if not _MEMINFO.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    line = next(one for one in _MEMINFO.read_text().splitlines() if one.startswith("MemAvailable"))
    free = int(line.split()[1]) * 1024
    limits = [path.read_text().strip() for path in _GROUP if path.exists()]
    if len(limits) == len(_GROUP) and limits[0] != "max":
        free = min(free, int(limits[0]) - int(limits[1]))
    return max(free, 0)


def resident_bytes() -> int:
    """Resident memory of this process now."""
    if not _STATUS.exists():
        return _peak_bytes()
    return _status("VmRSS")


def _status(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _peak_bytes() -> int:
    if _STATUS.exists():
        return _status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def _reset_peak() -> None:
    """Linux forgets the high-water mark on request; elsewhere the peak is the process's."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return


def saved(seconds: float) -> None:
    """Say what a cache on disk has just saved: `cold_clock` runs as if it had been spent."""
    global _saved
    _saved += seconds


def cold_clock() -> float:
    """Seconds of a clock that goes on as if no cache on disk had helped.

    It stands still where nobody is charged: see `unmetered`.
    """
    return _clock() + _saved


def _clock() -> float:
    """Seconds of a clock that stands still where nobody is charged."""
    return time.perf_counter() - _unmetered


@contextmanager
def unmetered() -> Iterator[None]:
    """Charge what happens inside to nobody: what is the same for all, or only waits.

    Models and libraries load inside, another process's work is waited for. Of running meters the
    clocks stand still, and memory that stays taken counts as taken before they began.
    """
    global _unmetered, _saved
    _note_peak()
    _reset_peak()
    before, start, kept = resident_bytes(), time.perf_counter(), (_unmetered, _saved)
    try:
        yield
    finally:
        _reset_peak()
        grown = max(0, resident_bytes() - before)
        for stretch in _stretches:
            stretch.before += grown
            stretch.peak += grown
        _unmetered, _saved = kept[0] + time.perf_counter() - start, kept[1]


_saved = 0.0
"""Seconds that caches on disk have saved this process."""
_unmetered = 0.0
"""Seconds of this process that nobody is charged."""


@dataclass
class _Stretch:
    """Memory of a stretch of work: when it began, and its peak so far."""

    before: int
    peak: int


class Meter:
    """Seconds and peak memory of one stretch of work, which may hold others.

    `spent_seconds` went by; `seconds` would have, had no cache on disk helped.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.spent_seconds = 0.0
        self.peak_bytes = 0
        self.grown_bytes = 0

    @contextmanager
    def running(self) -> Iterator[Meter]:
        """Measure what happens inside: `peak_bytes`, and `grown_bytes` above where it began."""
        _note_peak()
        _reset_peak()
        start, helped, held = _clock(), _saved, resident_bytes()
        stretch = _Stretch(held, held)
        _stretches.append(stretch)
        try:
            yield self
        finally:
            spent = _clock() - start
            self.spent_seconds += spent
            self.seconds += spent + (_saved - helped)
            _note_peak()
            _stretches.pop()
            self.peak_bytes = max(self.peak_bytes, stretch.peak)
            self.grown_bytes = max(self.grown_bytes, stretch.peak - stretch.before)


_stretches: list[_Stretch] = []
"""What each running meter measures, the outermost first."""


def _note_peak() -> None:
    """Tell every running meter: the process has one high-water mark, and an inner one resets it."""
    for stretch in _stretches:
        stretch.peak = max(stretch.peak, _peak_bytes())
