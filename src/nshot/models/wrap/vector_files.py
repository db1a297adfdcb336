"""Vectors of texts on disk, to which several processes add: none is lost, none is made twice.

``FOLDER/DIGEST.safetensors`` holds the vectors of some texts, each file written whole or not at
all. Who is going to encode texts claims them first, in ``FOLDER/claims``: a file that its process
keeps locked, so that a claim ends with the process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.core.types import digest

PIECE = 256
"""Texts that a process claims at once: another takes the next."""
_KEY = 16
_PAUSE = "pause"


@dataclass(frozen=True)
class Vectors:
    """Of n texts: ``vectors`` (n, width), ``tokens`` (n,), and ``seconds`` (n, 2).

    The seconds are those that encoding and counting the text took when it was done. ``held`` (1,):
    bytes of the encoder's weights.
    """

    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]
    seconds: NDArray[np.float64]
    held: NDArray[np.int64]


class VectorFiles:
    """The vectors in a folder, as far as this process has read them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._claims = folder, folder / "claims"
        self._files: set[str] = set()
        self._parts: list[Vectors] = []
        self._places: dict[bytes, tuple[int, int]] = {}

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those without a vector, each once, the shortest first; the folder is read if need be."""
        unknown = self._unknown(texts)
        if unknown and self._read():
            unknown = self._unknown(unknown)
        return sorted(unknown, key=lambda text: (len(text), text))

    def _unknown(self, texts: Sequence[str]) -> list[str]:
        return [text for text in dict.fromkeys(texts) if _key(text) not in self._places]

    def of(self, texts: Sequence[str]) -> Vectors:
        """Of texts none of which is missing, at least one."""
        places = [self._places[_key(text)] for text in texts]
        rows = [(self._parts[part], row) for part, row in places]
        return Vectors(
            np.stack([part.vectors[row] for part, row in rows]),
            np.array([part.tokens[row] for part, row in rows]),
            np.stack([part.seconds[row] for part, row in rows]),
            rows[0][0].held,
        )

    def add(self, texts: Sequence[str], made: Vectors) -> None:
        """Keep the vectors of `texts`."""
        from safetensors.numpy import save

        keys = np.frombuffer(b"".join(map(_key, texts)), np.uint8).reshape(-1, _KEY)
        name = f"{digest(keys.tobytes())}.safetensors"
        # A broken file counts as absent: its texts are encoded again.
        write_atomic(self._folder / name, save({"keys": keys, **vars(made)}), sync=False)
        self._enter(name, keys, made)

    def _enter(self, name: str, keys: NDArray[np.uint8], made: Vectors) -> None:
        self._files.add(name)
        self._parts.append(made)
        for row, key in enumerate(keys):
            self._places.setdefault(key.tobytes(), (len(self._parts) - 1, row))

    def _read(self) -> bool:
        """Read what others have added; whether they have."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        names = {path.name for path in self._folder.glob("*.safetensors")} - self._files
        before = len(self._parts)
        for name in sorted(names):
            with suppress(OSError, SafetensorError, KeyError):
                arrays = load((self._folder / name).read_bytes())
                keys = arrays.pop("keys")
                self._enter(name, keys, Vectors(**{key: arrays[key] for key in _COLUMNS}))
        return len(self._parts) > before

    # ---------------------------------------------------------------- who encodes what

    @contextmanager
    def claimed(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Some of the missing `texts` that this process is to encode and `add` in the block.

        None where others are at work on all of them: one of these has ended by then.
        """
        with self._alone():
            others = self._claims_of_others()
            taken = frozenset[bytes]().union(*others.values())
            mine = [text for text in self.missing(texts) if _key(text) not in taken][:PIECE]
            claim = self._claim(mine) if mine else None
        if claim is None:
            of_texts = {_key(text) for text in texts}
            for path in [path for path, keys in others.items() if keys & of_texts][:1]:
                _wait(path)
            yield []
            return
        descriptor, path = claim
        try:
            yield mine
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._claims.mkdir(parents=True, exist_ok=True)
        with (self._claims / _PAUSE).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _claim(self, texts: Sequence[str]) -> tuple[int, Path]:
        """A locked file with the texts' keys, and its descriptor."""
        descriptor, name = tempfile.mkstemp(dir=self._claims)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, b"".join(map(_key, texts)))
        return descriptor, Path(name)

    def _claims_of_others(self) -> dict[Path, frozenset[bytes]]:
        """The claims of processes that are alive; those of others go."""
        alive = {}
        for path in sorted(self._claims.iterdir()):
            if path.name == _PAUSE:
                continue
            with suppress(FileNotFoundError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
                except BlockingIOError:
                    keys = file.read()
                    parts = range(0, len(keys), _KEY)
                    alive[path] = frozenset(keys[at : at + _KEY] for at in parts)
        return alive


_COLUMNS = ("vectors", "tokens", "seconds", "held")


def _wait(path: Path) -> None:
    """Until who holds a claim has ended, at nobody's charge."""
    with machine.unmetered(), suppress(FileNotFoundError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY]
