"""What ``nshot align`` is asked for: its flags, the keys of ``chat.yaml`` and `nshot.align`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from nshot.core.errors import Fault, InputError
from nshot.core.fields import ENCODING, Flag, Place, Settings, Whole
from nshot.core.serial import read_yaml

_EXPECTED = "preferences: pairs.jsonl, and demonstrations: chats.jsonl"
FILES = ("preferences", "demonstrations", "test")
"""Fields that hold a file."""
PLACES = (*FILES, "start", "model")
"""Fields that hold a path, or a name that may be one: read from the folder of ``chat.yaml``."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class AlignRequest:
    """An alignment as it was asked for: types are checked here, all the rest by `prepare`."""

    source: Annotated[
        Place, Flag("chat.yaml, or a file of preferences alone", "CHAT", name="source")
    ]
    preferences: Annotated[
        Place | None,
        Flag("which answers people preferred: pairs or rankings (docs/formats.md)", "FILE"),
    ] = None
    demonstrations: Annotated[
        Place | None,
        Flag("answers to imitate (default: the best answers of the preferences)", "FILE"),
    ] = None
    test: Annotated[
        Place | None,
        Flag("preferences to measure on (default: a fifth of the prompts is held out)", "FILE"),
    ] = None
    policy: Annotated[
        Literal["ppo", "grpo", "dpo", "kto"], Flag("the last step", name="--with")
    ] = "ppo"
    start: Annotated[
        Place | None,
        Flag(
            "what to begin from in place of the first step: a folder that nshot delivered, a PEFT"
            " adapter of the language model, or a whole model",
            "FOLDER",
            name="--from",
        ),
    ] = None
    model: Annotated[Place | None, Flag("language model: a folder or a Hub id", "M")] = None
    settings: Annotated[
        Settings,
        Flag("a setting of a step, as in ppo.updates=80", "STEP.NAME=VALUE", "--set", "again"),
    ] = Field(default_factory=dict)
    single: Annotated[
        bool, Flag("train no second reward model to look whether the first is deceived")
    ] = False
    seed: Annotated[Whole, Flag("of everything random", "N")] = 0
    encoding: Annotated[str | None, Flag(ENCODING, "NAME")] = None
    out: Annotated[Place | None, Flag("run folder (default runs/CHAT)", "DIR")] = None

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        path = Path(self.source)
        name = path.resolve().parent.name if path.stem in ("chat", "align") else path.stem
        return Path(self.out) if self.out else Path("runs") / (name or "chat")


def is_chat_file(path: Path) -> bool:
    """Does this hold a request, and no preferences?"""
    return path.suffix in (".yaml", ".yml")


def read_chat(path: Path, typed: Mapping[str, Any], faults: list[Fault]) -> AlignRequest:
    """The request in a ``chat.yaml``, what was `typed` beside it going before it.

    Paths in the file are read from its folder. Raises `InputError` where it cannot be read at all;
    other faults go to `faults`, each with its line.
    """
    content = read_yaml(path, _EXPECTED)
    if not isinstance(content.data, dict):
        raise InputError(Fault("no keys", _EXPECTED, where=str(path)))
    data = {**content.data, "source": str(path)}
    if "source" in content.data:
        faults.append(Fault("unknown key 'source'", _EXPECTED, where=content.where(("source",))))
    request, wrong = content.read(AlignRequest, data)
    faults += wrong
    places: dict[str, Any] = {key: _placed(path, getattr(request, key)) for key in PLACES}
    request = replace(request, **places)
    settings = {**request.settings}
    for name, own in typed.get("settings", {}).items():
        settings[name] = {**settings.get(name, {}), **own}
    return replace(request, **{**typed, "settings": settings, "source": str(path)})


def _placed(path: Path, name: str | None) -> str | None:
    """A path of the file, read from that file's folder; what is no path there as it is."""
    if name is None:
        return None
    place = path.parent / Path(name).expanduser()
    return str(place) if place.exists() else name
