"""The engine of GGUF files: llama.cpp answers, and nothing here can be trained."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from pathlib import Path

from nshot.core.errors import CannotAdapt, Fault, InputError, ModelNotFound
from nshot.core.types import ModelRef
from nshot.models.base import Encoder, LanguageModel, Models
from nshot.models.llamacpp.gguf_encoder import GgufEncoder
from nshot.models.llamacpp.gguf_model import GgufModel
from nshot.models.llamacpp.llama_api import library, load

FILE = "model.gguf"
"""What a delta of kind ``gguf`` holds: it takes its base's place."""
_OPEN = 2
"""Files in memory, the last ones asked."""


class LlamaCppModels(Models):
    """`Models` over GGUF files: each is a language model that can be asked, and lends nothing."""

    def __init__(self) -> None:
        self._open: dict[ModelRef, GgufModel] = {}
        self._encoders: dict[ModelRef, GgufEncoder] = {}
        self._opening = threading.Lock()

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model in the file; raises `InputError` for one that llama.cpp cannot read."""
        with self._opening:
            if ref not in self._open:
                path = file_of(ref)
                for old in list(self._open)[: max(0, len(self._open) + 1 - _OPEN)]:
                    del self._open[old]
                self._open[ref] = GgufModel(ref, path)
            return self._open[ref]

    def encoder(self, ref: ModelRef) -> Encoder:
        """The sentence encoder in a folder that ``nshot gguf`` has written."""
        with self._opening:
            if ref not in self._encoders:
                self._encoders[ref] = GgufEncoder(ref, file_of(ref).parent)
            return self._encoders[ref]

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 of the file."""
        path = file_of(ref)
        return _sha256(path, path.stat().st_mtime_ns, path.stat().st_size)

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by `ModelRef.form`."""
        models = {ref.form: model.bytes for ref, model in self._open.items()}
        return models | {ref.form: encoder.bytes for ref, encoder in self._encoders.items()}


def file_of(ref: ModelRef) -> Path:
    """The file that a reference names: that of its delta of kind ``gguf``, else its own.

    Of an encoder the reference names the folder.

    Raises `CannotAdapt` for adapters, which are merged before a file is written, and
    `ModelNotFound` where the file is no longer there.
    """
    files = [Path(delta.folder) / FILE for delta in ref.deltas if delta.kind == "gguf"]
    if len(files) < len(ref.deltas):
        raise CannotAdapt("a GGUF file takes no adapters: merge them first (nshot gguf FOLDER)")
    path = files[-1] if files else Path(ref.name)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        do = "give the file where it lies now, or copy the whole folder again"
        raise ModelNotFound(Fault(f"no file {path}", "a GGUF file", do))
    return path


def gguf_ref(path: Path) -> ModelRef:
    """The reference of a GGUF file, its content in it.

    Raises `InputError` for a file that llama.cpp cannot read, whose header is looked at, and
    `ModelNotFound` where llama.cpp is missing.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"GGUF":
        problem = f"begins with {magic!r}, as no GGUF file does"
        raise InputError(Fault(problem, "a GGUF file", "copy it again", str(path)))
    library().llama_model_free(load(path, weights=False))
    stat = path.stat()
    return ModelRef("llamacpp", str(path), _sha256(path, stat.st_mtime_ns, stat.st_size)[:16])


def encoder_ref(folder: Path) -> ModelRef:
    """The reference of a quantised encoder's folder, its content in it. Raises as `gguf_ref`."""
    ref = gguf_ref(folder / FILE)
    return ModelRef(ref.engine, str(folder), ref.revision)


@lru_cache(maxsize=8)
def _sha256(path: Path, changed: int, size: int) -> str:
    """Of a file as it was when it was last changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
