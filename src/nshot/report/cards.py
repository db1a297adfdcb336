"""Both cards of a run, written from its files."""

from __future__ import annotations

from pathlib import Path

from nshot.audit.carrying_out import FILE, FOLDER, AuditReport, read
from nshot.board.schema import Board
from nshot.core.energy import spent_of
from nshot.core.files import RECORD, write_atomic
from nshot.core.serial import read_json
from nshot.report.card import FILE as README
from nshot.report.card import Beside, card
from nshot.report.data_card import data_card

WINNER, DATA = "winner", "data"


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
