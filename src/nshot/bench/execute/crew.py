"""How many workers a run has, with how many threads each: what cores and memory allow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.types import ModelRef, Trains
from nshot.methods.contract import Method
from nshot.models.catalog import locate

MOST = 4
"""Workers unless the user names a number: a ladder has few jobs that wait for nothing."""
PROCESS_BYTES = 700_000_000
"""What a worker holds before its first model: Python, torch, transformers, the rows."""
_COPIES: dict[Trains, int] = {"nothing": 1, "head": 1, "adapter": 2, "weights": 5}
"""A model's bytes, times this: with gradients, optimiser and activations of what trains it."""


class Crew(NamedTuple):
    """Workers, threads of each, and the sentence that says why."""

    workers: int
    threads: int
    reason: str


def crew(
    root: Path, workers: int | None, models: Iterable[ModelRef | None], methods: Iterable[Method]
) -> Crew:
    """The workers of a run in the folder `root`; `workers` where the user named a number.

    Threads stand in every job's name, so a folder keeps those that it began with, whatever memory
    is free later. Raises `InputError` where the workers named would not fit into memory.
    """
    cores, free = machine.threads(), machine.free_bytes()
    copies = max((_COPIES[method.trains] for method in methods), default=1)
    each = PROCESS_BYTES + copies * sum(model_bytes(ref) for ref in models if ref)
    fit = max(1, free // each)
    path = root / "data" / "crew.json"
    if workers is not None and workers > fit:
        problem = f"--workers {workers} would hold about {_gb(workers * each)}"
        raise InputError(Fault(problem, f"the {_gb(free)} that are free", f"--workers {fit}"))
    most = 1 if machine.device() != "cpu" else min(MOST, cores)
    threads = max(1, cores // (workers or most))
    if workers is None and path.exists():
        threads = min(int(json.loads(path.read_text())["threads"]), cores)
        most = max(1, cores // threads)
    count = workers or min(most, fit)
    write_atomic(path, json.dumps({"threads": threads}))
    words = f"{count} worker{'s' * (count > 1)} of {threads} thread{'s' * (threads > 1)}"
    need = f"about {_gb(each)} each, {_gb(free)} free"
    return Crew(count, threads, f"{words}: {cores} core{'s' * (cores > 1)}, {need}")


def model_bytes(ref: ModelRef) -> int:
    """Bytes of a model in memory, from the heads of its files; 0 for one that is elsewhere."""
    if ref.engine == "llamacpp":
        return _file_bytes(ref)
    if ref.engine != "hf":
        return 0
    width = 2 if machine.dtype() == "bfloat16" else 4
    return sum(_weights(path, width) for path in sorted(locate(ref).iterdir()))


def _file_bytes(ref: ModelRef) -> int:
    from nshot.models.llamacpp.llamacpp_engine import file_of

    return file_of(ref).stat().st_size


def _weights(path: Path, width: int) -> int:
    if path.suffix != ".safetensors":
        return path.stat().st_size if path.suffix == ".pth" else 0
    with path.open("rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    head.pop("__metadata__", None)
    return sum(width * math.prod(tensor["shape"]) for tensor in head.values())


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
