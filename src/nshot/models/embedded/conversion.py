"""Embedded models that do not come as safetensors are converted once on a machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from nshot.core.files import write_folder
from nshot.models.embedded.e5 import convert_e5
from nshot.models.embedded.gguf import convert_gemma, convert_smollm2
from nshot.models.embedded.lite0 import convert_lite0
from nshot.models.embedded.packages import E5, FEATURES, GEMMA, LM, Embedded

CONVERSIONS: dict[str, Callable[[Path], None]] = {
    LM.name: convert_smollm2,
    GEMMA.name: convert_gemma,
    E5.name: convert_e5,
    FEATURES.name: convert_lite0,
}
"""What fills an empty folder with a model's safetensors, configuration and tokenizer."""


def cache_folder() -> Path:
    """Where converted models are kept: $NSHOT_CACHE, else nshot in the user's cache."""
    if given := os.environ.get("NSHOT_CACHE"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "nshot"


def converted_folder(e: Embedded) -> Path:
    """Where the converted model is, or will be."""
    again = f"-{e.conversion}" if e.conversion > 1 else ""
    return cache_folder() / "models" / f"{e.name}-{e.install.rsplit('==')[-1]}{again}"


def is_converted(e: Embedded) -> bool:
    """Whether it is one to convert, and that is done."""
    return e.name in CONVERSIONS and converted_folder(e).is_dir()


def converted(e: Embedded) -> Path:
    """An embedded model as a safetensors folder; made by the first process to ask.

    Raises `ModelNotFound` where there is nothing to convert.
    """
    from filelock import FileLock

    folder = converted_folder(e)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            for stale in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed
                shutil.rmtree(stale, ignore_errors=True)
            write_folder(folder, CONVERSIONS[e.name])
    return folder
