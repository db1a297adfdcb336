"""A row of a finished run that takes part in another comparison: as it lies, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.bench.contenders import unique_names
from nshot.bench.prepare import Prepared
from nshot.bench.request import Request, read_request
from nshot.bench.setting import Setting
from nshot.board.schema import Board, Row
from nshot.core.errors import Fault, InputError, nearest
from nshot.core.types import ModelRef
from nshot.methods import TABLE
from nshot.methods.compress.from_folder import FromFolder
from nshot.methods.contract import Method
from nshot.methods.spec import parts, spec
from nshot.models.catalog import resolve
from nshot.models.embedded.packages import Role


def parent_request(folder: Path, verb: str) -> Request:
    """The request of the run. Raises `InputError` for what is no finished run."""
    path = folder / "nshot.yaml"
    if not path.exists() or not (folder / "leaderboard.json").exists():
        problem = "no run that has come to a board"
        do = f"nshot compare TASK, then {verb}"
        raise InputError(Fault(problem, "the folder of a finished run", do, str(folder)))
    return read_request(path)


@dataclass(frozen=True)
class ModelsOf:
    """The models that a method stands on, as one types them; () where it needs none."""

    model: tuple[str, ...] = ()
    encoder: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, method: Method, parent: Request, setting: Setting, row: Row | None, named: str = ""
    ) -> ModelsOf:
        """Those of its row on the run's board, else the one that is named, else the first."""
        inside = parts(method)
        base, encoder = (row.base, row.encoder) if row else (None, None)
        return cls(
            _typed(parent.model, setting.bases, "lm", base or named)
            if any(part.needs for part in inside)
            else (),
            _typed(parent.encoder, setting.encoders, _role(setting), encoder or named)
            if any(part.needs_encoder for part in inside)
            else (),
        )

    def and_those(self, teacher: ModelsOf) -> ModelsOf:
        """One of each for both. Raises `InputError` where they differ."""
        for own, other in ((self.model, teacher.model), (self.encoder, teacher.encoder)):
            if own and other and own != other:
                raise InputError(
                    Fault(
                        f"the student on {own[0]}, its teacher on {other[0]}",
                        "one model for both in a run without test rows, where folds measure",
                        "nshot compare TASK --test FILE, and distil from that run",
                    )
                )
        return ModelsOf(self.model or teacher.model, self.encoder or teacher.encoder)


def _role(setting: Setting) -> Role:
    return "features" if setting.task.pictures else "encoder"


def _typed(
    typed: tuple[str, ...], refs: tuple[ModelRef, ...], role: Role, named: str
) -> tuple[str, ...]:
    """The model called `named`, as one types it; without a name the first of the run."""
    words = {resolve(word, role): word for word in typed}
    short = {name: words.get(ref, ref.name) for ref, name in unique_names(refs).items()}
    if named:
        return (short.get(named, named),)
    return tuple(short.values())[:1]


def measured_row(board: Board, name: str | None, flag: str, faults: list[Fault]) -> Row | None:
    """The row that is taken, by default the pick; None, with a fault, where it was not measured.

    Recorded answers are to the rows of the run alone.
    """
    measured = {
        row.name: row for row in board.contest if row.status == "ok" and row.rung != "outside"
    }
    if name is None and board.advice is not None:
        name = board.advice.pick
    if name not in measured:
        expected = f"a measured row: {', '.join(measured) or 'the run has none'}"
        faults.append(Fault(f"{flag} {name}", expected, nearest(name or "", measured)))
        return None
    return measured[name]


def as_measured(folder: Path, setting: Setting, row: Row) -> Method:
    """A row as it lies in the run's folder, else with its settings, to be adapted anew."""
    place = folder / row.saved if row.saved else None
    if place is not None and place.is_dir() and setting.split.mode != "folds":
        return FromFolder(
            folder=str(place),
            title=row.name.removeprefix("from_folder:"),
            seconds=round(row.build_seconds or 0.0, 3),
        )
    if row.method not in TABLE:
        raise InputError(
            Fault(
                f"{row.name} is a method of your own, and is not kept in the run",
                "a run on all rows with test rows: it keeps what it measured",
                "nshot.compare(TASK, test=FILE, methods=[...])",
            )
        )
    return TABLE.build({"method": row.method, **row.settings})


def pins(method: Method) -> dict[str, Any]:
    """The settings of a method as one pins them."""
    return {name: value for name, value in spec(method).items() if name != "method"}


def require_same_rows(setting: Setting, prepared: Prepared, folder: Path) -> None:
    """Refuse rows that are others than those of the run: what it adapted may have seen the test."""
    before, now = setting.split, prepared.split
    if (before.train, before.test) != (now.train, now.test):
        raise InputError(
            Fault(
                "the files of this run have changed since: its rows are others now",
                "the rows that were learned from, and measured on",
                f"nshot compare {folder / 'nshot.yaml'} --out ANOTHER",
                str(folder),
            )
        )
