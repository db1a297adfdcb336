"""What was adapted before, as it lies in its folder: a teacher, or a row on the board."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.files import RECORD, content_hash
from nshot.core.types import NAMED, Cost, Kind, Rung, Shots, Task
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.folder import read

_ROW_SECONDS = 0.05
"""What a row is forecast to take: which models answer it is not known before they are asked."""


class FromFolder(Method):
    """A folder that `nshot compare`, `nshot adapt` or `nshot distil` has written, taken as it is.

    Cristian Bucila, Rich Caruana, Alexandru Niculescu-Mizil, "Model Compression", KDD 2006,
    https://doi.org/10.1145/1150402.1150464 - a large model that stands already teaches a small one
    what it answers; nothing of the large one is trained again.

    Args:
        folder: a run folder, its winner, or any adapted folder.
        sha256: of its content, read when the method is made; it stands in the job's hash, and a
            folder that has changed since is refused.
        title: its name on the board after ``from_folder:``; by default the folder's.
        seconds: what building it took, which is charged to whoever uses it.

    Raises `InputError` when it is made from a folder that is not whole or not safe.
    """

    name: ClassVar = "from_folder"
    rung: ClassVar[Rung] = "compress"
    kinds: ClassVar[frozenset[Kind]] = NAMED | {"number", "generate", "rank"}
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    fast: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    learns_labels: ClassVar[bool] = False
    knows_rows: ClassVar[bool] = True
    about: ClassVar[str] = "what was adapted before, as it lies in its folder"

    folder: str
    sha256: str = ""
    title: str = ""
    seconds: float = Field(default=0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _hashed(cls, settings: Any) -> Any:
        """The folder's content hash and name, unless they are given already."""
        given = settings if isinstance(settings, Mapping) else {}
        if not given.get("folder") or given.get("sha256"):
            return settings
        folder = Path(str(given["folder"])).expanduser().resolve()
        place = folder if (folder / RECORD).exists() else folder / "winner"
        read(place if place.is_dir() else folder)
        content = {"folder": str(place), "sha256": content_hash(place)}
        return {"title": folder.name, **given, **content}

    @property
    def called(self) -> str:
        """Which of several folders."""
        return f"{self.name}:{self.title}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where the folder answers another task."""
        if reason := super().why_not(brief):
            return reason
        return self._misfit(brief.task)

    def _misfit(self, task: Task) -> str | None:
        saved = read(Path(self.folder)).task
        if (saved.kind, saved.pictures) != (task.kind, task.pictures):
            return f"{self.folder} answers a task of kind {saved.kind}, not {task.kind}"
        if saved.label_names != task.label_names:
            return f"{self.folder} answers other labels: {', '.join(saved.label_names[:5])}"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """What it took when it was built."""
        return Cost(seconds=max(self.seconds, 0.01))

    def use_forecast(self, brief: Brief) -> Cost:
        """See `_ROW_SECONDS`."""
        return Cost(seconds=_ROW_SECONDS * max(brief.test, 1))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """The predictor in the folder. Raises `CannotAdapt` where it is another one by now."""
        place = Path(self.folder)
        if not place.is_dir() or content_hash(place) != self.sha256:
            raise CannotAdapt(f"{self.folder} is not what it was when this was asked for")
        if reason := self._misfit(task):
            raise CannotAdapt(reason)
        bench.charge(self.seconds)
        try:
            return load(place, bench.models)
        except InputError as error:
            raise CannotAdapt(str(error)) from error
