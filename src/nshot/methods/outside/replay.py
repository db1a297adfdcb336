"""What another system answered, from a file, measured as every method is."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Cost, Kind, Rung, Shots, Task
from nshot.data.answers import KINDS
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.replayed import Replayed

UNKNOWN_SECONDS = 1.0
"""What an answer is planned with where the file does not say: about a request over a network."""


class Replay(Method):
    """Recorded answers of a system that stands already: today's, another tool's, people's.

    Thomas G. Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification
    Learning Algorithms", Neural Computation 1998, https://doi.org/10.1162/089976698300017197 - two
    systems are compared by what they answer to the same rows; neither need be at hand. A file of
    answers is enough (``--answers NAME=FILE``); `nshot.data.answers` reads it.

    Args:
        folder: where `nshot compare` has put the answers that belong to the rows of the run.
        sha256: of these; it stands in the job's hash.
        title: the system's name on the board.
        seconds: what an answer took on the mean, as recorded; None: not recorded.
    """

    name: ClassVar = "replay"
    rung: ClassVar[Rung] = "outside"
    kinds: ClassVar[frozenset[Kind]] = KINDS
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    learns: ClassVar[bool] = False
    learns_labels: ClassVar[bool] = False
    knows_rows: ClassVar[bool] = True
    """Its answers are to the measured rows; what it was tuned on nobody knows."""
    hands_over: ClassVar[bool] = False
    about: ClassVar[str] = "what another system answered: --answers NAME=FILE"

    folder: str
    sha256: str
    title: str
    seconds: float | None = Field(default=None, ge=0)

    @property
    def called(self) -> str:
        """As the system is."""
        return self.title

    @property
    def has_seconds(self) -> bool:
        """As the file says."""
        return self.seconds is not None

    def forecast(self, brief: Brief) -> Cost:
        """It stands already."""
        return Cost(seconds=0.01)

    def use_forecast(self, brief: Brief) -> Cost:
        """As recorded."""
        each = UNKNOWN_SECONDS if self.seconds is None else self.seconds
        return Cost(seconds=each * max(brief.test, 1))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """The answers. Raises `CannotAdapt` where they are others by now."""
        try:
            predictor = load(Path(self.folder), bench.models)
        except InputError as error:
            raise CannotAdapt(str(error)) from error
        if not isinstance(predictor, Replayed) or predictor.sha256 != self.sha256:
            raise CannotAdapt(f"{self.folder} holds other answers than when this was asked for")
        for note in predictor.notes:
            bench.note(note)
        return predictor
