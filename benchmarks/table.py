"""What the benchmarks share: where the data lies, and a page's block that a program writes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nshot.core.files import write_atomic

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
END = "<!-- end of table -->"


def data_folder() -> Path:
    """The data sets: NSHOT_DATA, else beside the checkout."""
    return Path(os.environ.get("NSHOT_DATA") or ROOT.parent / "shared" / "data")


def read(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def line(*cells: str) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def mark(script: str) -> str:
    """Where the block of `benchmarks/script` begins."""
    return f"<!-- table of benchmarks/{script} -->"


def write(script: str, text: str, page: Path = BENCHMARKS, end: str = END) -> None:
    """Put `text` between the mark of `benchmarks/script` on the page and the `end` after it."""
    begin = mark(script)
    before, rest = page.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end, 1)
    write_atomic(page, f"{before}{begin}\n{text}\n{end}{after}")


def timed(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Seconds of a run of `nshot compare`, and until its first row; `SystemExit` where it fails."""
    start, first = time.perf_counter(), 0.0
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)  # fmt: skip
    for text in process.stderr or ():
        if not first and text.startswith("    "):
            first = time.perf_counter() - start
    if process.wait():
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - start, first


def checkout(revision: str, into: Path, *folders: str) -> None:
    """Write the named folders of the repository, as they were, below `into`."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision, *folders], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(into, filter="data")
