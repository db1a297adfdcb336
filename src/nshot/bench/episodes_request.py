"""What ``nshot episodes`` is asked for; its flags are these fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from nshot.core.errors import Fault
from nshot.core.fields import Flag, Names, Settings
from nshot.data.collections import SIDE
from nshot.data.episodes import EpisodeShape

_SEVERAL = "several are measured one after the other"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EpisodesRequest:
    """Episodes as they were asked for: types are checked here, all the rest by `prepare`."""

    data: Annotated[Path, Flag("items of many classes (docs/episodes.md)", "FILE.npz|FOLDER")]
    methods: Annotated[Names, Flag("methods to train and measure", "A,B", several=",")] = (
        "prototypical",
    )
    way: Annotated[
        tuple[int, ...], Flag(f"classes of an episode; {_SEVERAL}", "N,M", several=",")
    ] = (5,)
    shot: Annotated[
        tuple[int, ...], Flag(f"examples of each class; {_SEVERAL}", "N,M", several=",")
    ] = (1,)
    queries: Annotated[int, Flag("items to be told of each class", "N")] = 15
    episodes: Annotated[int, Flag("how many", "N")] = 1000
    train_minutes: Annotated[
        float | None,
        Flag("training granted to each method: measured once, then a fixed number of steps", "M"),
    ] = None
    background: Annotated[
        int | None,
        Flag(
            "classes to learn from, drawn at random and always the same (default: as FILE says)",
            "N",
        ),
    ] = None
    rotations: Annotated[bool, Flag("turned by 90, 180, 270 degrees: further classes")] = False
    side: Annotated[int, Flag("pixels to which a folder's pictures are brought", "N")] = SIDE
    across: Annotated[
        tuple[Path, ...],
        Flag(
            "other data, to measure the trained methods on as well; repeatable",
            "FILE.npz|FOLDER",
            several="again",
        ),
    ] = ()
    seed: Annotated[int, Flag("of all that is drawn", "N")] = 0
    settings: Annotated[
        Settings,
        Flag(
            "a method's setting, as in prototypical.steps=[1000]",
            "METHOD.NAME=VALUE",
            "--set",
            "again",
        ),
    ] = Field(default_factory=dict)
    out: Annotated[Path, Flag("folder to write", "DIR")]

    @property
    def shapes(self) -> tuple[EpisodeShape, ...]:
        """Of every number of classes with every number of examples."""
        return tuple(EpisodeShape(w, s, self.queries) for w in self.way for s in self.shot)

    def faults(self) -> list[Fault]:
        """Counts that are none."""
        counts = [("--way", self.way), ("--shot", self.shot), ("--queries", (self.queries,)),
                  ("--episodes", (self.episodes,))]  # fmt: skip
        return [
            Fault(f"{flag} {','.join(map(str, numbers))}", "whole numbers from 1 up", f"{flag} 5")
            for flag, numbers in counts
            if not numbers or min(numbers) < 1
        ]
