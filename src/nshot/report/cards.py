"""Both cards of a run, written from its files."""

from __future__ import annotations

from pathlib import Path

from nshot.audit.carrying_out import FILE, FOLDER, AuditReport, read
from nshot.board.schema import Board
from nshot.core.energy import Spent
from nshot.core.files import RECORD, write_atomic
from nshot.core.serial import dumps, from_data, read_json
from nshot.report.card import FILE as README
from nshot.report.card import Beside, card
from nshot.report.data_card import data_card

WINNER, DATA, SPENT = "winner", "data", "energy.json"


def write_cards(root: Path, board: Board, has_winner: bool = True) -> None:
    """``winner/README.md`` where the run `has_winner`, and ``data/README.md``."""
    audit = audit_of(root)
    if has_winner and board.advice is not None and (root / WINNER / RECORD).is_file():
        text = card(board, board.advice, Beside(audit, spent_of(root)))
        write_atomic(root / WINNER / README, text)
    write_atomic(root / DATA / README, data_card(board, audit))


def audit_of(root: Path) -> AuditReport | None:
    """The audit of the winner that lies in a run's folder; None of none, or of an earlier one."""
    if not (root / FOLDER / FILE).is_file():
        return None
    report = read(root / FOLDER)
    origin = root / WINNER / "method.json"
    job = read_json(origin).get("job") if origin.is_file() else None
    return report if report.winner == job else None


def add_spent(root: Path, spent: Spent) -> None:
    """Add to what the run has taken so far, in all its sittings."""
    before = spent_of(root)
    whole = spent if before is None else before + spent
    write_atomic(root / SPENT, dumps(whole) + "\n")


def spent_of(root: Path) -> Spent | None:
    """What the run has taken; None where nobody counted."""
    path = root / SPENT
    return from_data(Spent, read_json(path), str(path)) if path.is_file() else None
