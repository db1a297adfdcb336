"""What learns (`nshot.training.recipe.Part`), where several methods share it."""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files: what names a delta's content."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()
