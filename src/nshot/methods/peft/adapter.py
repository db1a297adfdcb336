"""An adapter that was trained elsewhere, as a row on the board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import model_validator

from nshot.core.errors import CannotAdapt, Fault, InputError
from nshot.core.types import Delta, ModelRef, Rung, Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.prompting import Prompting, base_of, calibrated, prompted
from nshot.models.hf import peft_folder
from nshot.predictors.base import Predictor


class GivenAdapter(Prompting):
    """The language model with an adapter of the user's own, asked without examples.

    Jonas Pfeiffer et al., "AdapterHub: A Framework for Adapting Transformers", 2020,
    https://arxiv.org/abs/2007.07779 - what was learned for a task is handed on as a small module.
    The shots choose only how it is asked: `format` and `calibration`, as for `zero_shot`.

    Args:
        folder: what PEFT's ``save_pretrained`` wrote.
        sha256: of its content, read from the folder when the method is made; it stands in the
            job's hash, and a folder that has changed since is refused.
        title: its name on the board after ``adapter:``; the folder's name unless two are alike.

    Raises `InputError` when it is made from a folder that is not whole or not safe.
    """

    name: ClassVar = "adapter"
    rung: ClassVar[Rung] = "peft"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "format": ("plain", "instruction", "chat"),
        "calibration": ("batch", "content_free", "none"),
    }
    about: ClassVar = "an adapter trained elsewhere: --adapter DIR"

    folder: str
    sha256: str = ""
    title: str = ""

    @model_validator(mode="before")
    @classmethod
    def _hashed(cls, settings: Any) -> Any:
        """The folder's content hash and name, unless they are given already."""
        given = settings if isinstance(settings, Mapping) else {}
        if not given.get("folder") or given.get("sha256"):
            return settings
        folder = Path(str(settings["folder"])).expanduser().resolve()
        content = {"folder": str(folder), "sha256": peft_folder.read(folder).sha256}
        return {"title": folder.name, **settings, **content}

    @property
    def called(self) -> str:
        """Which of several adapters."""
        return f"{self.name}:{self.title}"

    def misfits(self, base: ModelRef) -> list[Fault]:
        """Why it cannot be put on `base`; see `nshot.models.hf.peft_folder`."""
        return peft_folder.read(Path(self.folder)).misfits(base)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Calibrate on unlabelled rows; raises `CannotAdapt` where it does not fit the model."""
        base = base_of(bench)
        if peft_folder.read(Path(self.folder)).sha256 != self.sha256:
            raise CannotAdapt(f"{self.folder} holds another adapter than when this was asked for")
        ref = replace(base, deltas=(*base.deltas, Delta("peft", self.folder, self.sha256)))
        predictor = prompted(task, shots, bench, ref, self.format, self.constrained)
        try:
            return calibrated(predictor, self.calibration, shots, (), bench)
        except InputError as error:
            raise CannotAdapt(str(error)) from error
