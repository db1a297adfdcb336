"""Names to models: what is embedded, what lies in a folder, what a hub has.

Nothing is fetched unless a Hub id is asked for by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core import network
from nshot.core.errors import Fault, InputError, ModelNotFound, nearest
from nshot.core.files import UNSAFE
from nshot.core.types import ModelRef
from nshot.models.embedded.conversion import (
    CONVERSIONS,
    converted,
    converted_folder,
    is_converted,
)
from nshot.models.embedded.packages import DEFAULTS, EMBEDDED, ROLES, Embedded, Role
from nshot.models.engines import ENDPOINTS

FAKES: dict[str, Role] = {
    "scorer": "lm",
    "remote": "lm",
    "slow": "lm",
    "encoder": "encoder",
    "pictures": "features",
}
_FETCHED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True)
class Listed:
    """One line of `nshot models`: `install` is what to type where it is not `ready`, "" in vain."""

    name: str
    role: Role
    where: str
    bytes: int
    ready: bool
    install: str = ""


def resolve(name: str | None, role: Role) -> ModelRef:
    """The model a user's word means; None is the embedded default of the role.

    `name` is an embedded name, ``fake:NAME``, an endpoint (``openai:MODEL@ADDRESS``), a local
    folder, a GGUF file, or a Hub id (``org/name`` or ``org/name@revision``), which is fetched if it
    is not in the local Hub cache. Raises `ModelNotFound` for what is not at hand and `InputError`
    for weights that are pickled.
    """
    name = name or DEFAULTS[role]
    engine, _, place = name.partition(":")
    if engine in ENDPOINTS:
        return _endpoint(engine, place, role)
    if name.startswith("fake:"):
        return _fake(name.removeprefix("fake:"), role)
    if name in EMBEDDED:
        return _embedded(EMBEDDED[name], role)
    folder = Path(name).expanduser()
    if folder.is_file() and folder.suffix.lower() == ".gguf":
        return _gguf(folder.resolve(), role)
    if (folder / "encoder.json").is_file() and role == "encoder":
        return _gguf_encoder(folder.resolve())
    if folder.exists():
        _check_folder(folder)
        return ModelRef("hf", str(folder.resolve()))
    if re.match("https?://", name):
        problem, do = f"'{name}' is an address", f"openai:MODEL@{name}"
        raise InputError(Fault(problem, "a model's name before the address of its endpoint", do))
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
    if ref.name in CONVERSIONS:
        return converted(EMBEDDED[ref.name])
    if ref.name in EMBEDDED:
        return EMBEDDED[ref.name].require().parent
    folder = Path(ref.name)
    if folder.is_dir():
        _check_folder(folder)
        return folder
    cached = _in_hub_cache(ref.name, ref.revision or None) or _not_at_hand(ref.name)
    _check_folder(cached)
    return Path(cached)


def needs_conversion(ref: ModelRef) -> bool:
    """Whether `locate` will convert an embedded model first: once on a machine, for a minute."""
    return ref.name in CONVERSIONS and not is_converted(EMBEDDED[ref.name])


def listing() -> list[Listed]:
    """What is at hand, for `nshot models`: embedded models, then the local Hub cache."""
    return [_listed(e) for e in EMBEDDED.values()] + _hub_cache()


def _listed(e: Embedded) -> Listed:
    if not e.pieces and not is_converted(e):
        install = e.install if e.installs else ""
        return Listed(e.name, e.role, e.origin, 0, False, install)
    places = e.pieces or (converted_folder(e),)
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


def _endpoint(engine: str, name: str, role: Role) -> ModelRef:
    """A model behind an endpoint that is there now."""
    from nshot.models import open_models
    from nshot.models.openai import endpoint

    if role != "lm":
        at_hand = DEFAULTS[role]
        raise InputError(Fault(f"'{engine}:{name}' is no {ROLES[role]}", do=f"give '{at_hand}'"))
    ref = endpoint.parse(name, engine)
    open_models().open(ref)
    return ref


def _gguf(file: Path, role: Role) -> ModelRef:
    """A GGUF file whose header llama.cpp has read."""
    from nshot.models.llamacpp.llamacpp_engine import gguf_ref

    if role != "lm":
        at_hand = DEFAULTS[role]
        raise InputError(Fault(f"'{file.name}' is no {ROLES[role]}", do=f"give '{at_hand}'"))
    return gguf_ref(file)


def _gguf_encoder(folder: Path) -> ModelRef:
    """A sentence encoder that ``nshot gguf`` has quantised."""
    from nshot.models.llamacpp.llamacpp_engine import encoder_ref

    return encoder_ref(folder)


def _embedded(e: Embedded, role: Role) -> ModelRef:
    if e.role != role:
        at_hand = DEFAULTS[role]
        raise InputError(Fault(f"'{e.name}' is no {ROLES[role]}", do=f"give '{at_hand}'"))
    if not is_converted(e):
        e.require()
    return ModelRef("hf", e.name)


def _check_folder(folder: Path) -> None:
    """Raises `InputError` unless `folder` holds a configuration and safetensors weights."""
    if folder.is_file():
        do = "give the folder that holds config.json and *.safetensors, or a .gguf file"
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
