"""The contract of an export: a delivered predictor as files that something else answers from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nshot.core.types import Input, Prediction

if TYPE_CHECKING:  # an export's runtime needs neither predictors nor models
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved


class Export(Protocol):
    """One form in which delivered folders leave nshot."""

    form: str
    """Its name, as ``--to`` and the table `EXPORTS` have it."""

    def why_not(self, saved: Saved) -> str | None:
        """Why this folder cannot have this form, and which folders can; None where it can."""
        ...

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        """Fill the empty folder `into` with safetensors and JSON only; it needs nothing beside it.

        `saved` is one that `why_not` has nothing against.
        """
        ...

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, by the form's own runtime and nothing of a predictor's.

        Raises `InputError` where `folder` is none that `write` filled.
        """
        ...
