"""The model card of a delivered folder: the Hub reads it, and it says what the board says."""

from __future__ import annotations

from pathlib import Path

import pytest
import sample_board
from huggingface_hub import DatasetCard, ModelCard

from nshot.audit.carrying_out import AuditReport, write
from nshot.audit.contract import AuditResult, Finding
from nshot.board.schema import Board
from nshot.core.energy import Meter, Spent, add_spent, spent_of
from nshot.core.files import RECORD
from nshot.report.card import FILE, Beside, card
from nshot.report.cards import audit_of, write_cards
from nshot.report.data_card import data_card


@pytest.fixture
def board() -> Board:
    return Board.model_validate(sample_board.board())


def run_folder(root: Path) -> Path:
    """As much of a run as its cards look at."""
    (root / "winner").mkdir()
    (root / "winner" / RECORD).write_text("{}")
    return root


def test_the_hub_reads_its_metadata(board: Board, tmp_path: Path) -> None:
    write_cards(run_folder(tmp_path), board)
    read = ModelCard.load(tmp_path / "winner" / FILE)
    assert read.data.library_name == "nshot"
    assert read.data.pipeline_tag == "text-classification"
    assert read.data.model_name == board.task.name
    (result,) = read.data.eval_results
    assert result.metric_value == pytest.approx(board.row(board.advice.pick).score, abs=1e-4)
    assert result.metric_type == board.task.metric


def test_it_says_board_data_labels_and_limits(board: Board) -> None:
    text = card(board, board.advice)
    assert board.fingerprint in text
    for row in board.contest:
        assert (f"| {row.name} |" in text) == (row.score is not None)
    for label in board.task.labels:
        assert f"`{label.name}`" in text
    for reason in board.advice.reasons:
        assert f"- {reason}" in text
    assert f"expect {board.advice.corrected_score:.3f}" in text
    assert "another origin, time or language" in text


def test_rows_stand_best_first_and_the_same_board_gives_the_same_bytes(board: Board) -> None:
    text = card(board, board.advice)
    scores = [float(line.split("|")[2]) for line in text.splitlines() if line.startswith("| ")
              and line.split("|")[2].strip()[:1].isdigit()]  # fmt: skip
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 3
    assert card(Board.model_validate(sample_board.board()), board.advice) == text


def test_a_base_is_named_where_the_hub_can_know_it(board: Board) -> None:
    row = board.row(board.advice.pick)
    for base, named in (("org/model", True), ("/models/mine", False), ("smollm2", False)):
        other = board.model_copy(
            update={
                "rows": tuple(
                    one.model_copy(update={"base": base}) if one is row else one
                    for one in board.rows
                )
            }
        )
        assert ("base_model: org/model" in card(other, board.advice)) == named


def test_without_a_pick_there_is_a_card_of_the_data_alone(board: Board, tmp_path: Path) -> None:
    write_cards(run_folder(tmp_path), board.model_copy(update={"advice": None}))
    assert not (tmp_path / "winner" / FILE).exists()
    assert (tmp_path / "data" / FILE).exists()
    write_cards(tmp_path, board, has_winner=False)
    assert not (tmp_path / "winner" / FILE).exists(), "of another pick, which lies there still"


def test_the_card_of_the_data_has_no_row_and_asks_its_owner(board: Board, tmp_path: Path) -> None:
    write_cards(run_folder(tmp_path), board)
    read = DatasetCard.load(tmp_path / "data" / FILE)
    assert read.data.pretty_name == board.task.name
    assert read.data.task_categories == ["text-classification"]
    text = data_card(board)
    assert board.fingerprint in text
    assert f"{board.task.train} to learn from" in text
    assert text.count("not stated") == 4
    for label in board.task.labels:
        assert f"`{label.name}`" in text


def test_audits_stand_on_both_cards_with_their_alarms(board: Board, tmp_path: Path) -> None:
    alarm = Finding("한국어 rows are answered worse", -0.2, -0.3, -0.1, "points", alarm=True)
    results = (
        AuditResult("slices", summary="1 of 9 slices is worse", findings=(alarm,)),
        AuditResult("sets", "no set was named"),
    )
    write(AuditReport("mail", results, winner="a job"), run_folder(tmp_path) / "audit")
    (tmp_path / "winner" / "method.json").write_text('{"job": "a job"}')
    write_cards(tmp_path, board)
    model = (tmp_path / "winner" / FILE).read_text(encoding="utf-8")
    data = (tmp_path / "data" / FILE).read_text(encoding="utf-8")
    for text in (model, data):
        assert "**한국어 rows are answered worse**: -20.0 points (-30.0 to -10.0)" in text
    assert "sets: not looked at: no set was named" in model
    assert "sets" not in data
    (tmp_path / "winner" / "method.json").write_text('{"job": "another"}')
    assert audit_of(tmp_path) is None, "an audit of an earlier winner"
    write_cards(tmp_path, board)
    assert "Not audited" in (tmp_path / "winner" / FILE).read_text(encoding="utf-8")


def test_what_a_run_took_is_told_and_what_is_unknown_too(board: Board, tmp_path: Path) -> None:
    assert "Energy: not counted" in card(board, board.advice)
    text = card(board, board.advice, Beside(spent=Spent(7200.0)))
    assert "7,200 seconds of the processor" in text
    assert "Energy: unknown" in text
    assert "1.0000 kWh" in card(board, board.advice, Beside(spent=Spent(1.0, 3.6e6)))
    add_spent(tmp_path, Spent(2.0, 10.0))
    add_spent(tmp_path, Spent(3.0, 5.0))
    assert spent_of(tmp_path) == Spent(5.0, 15.0)
    add_spent(tmp_path, Spent(1.0))
    assert spent_of(tmp_path) == Spent(6.0), "a sitting without a counter leaves the sum unknown"


def counter(root: Path, name: str, value: int, limit: int = 1_000_000) -> None:
    place = root / name
    place.mkdir(exist_ok=True)
    (place / "energy_uj").write_text(f"{value}\n")
    (place / "max_energy_range_uj").write_text(f"{limit}\n")


def test_counters_of_whole_processors_are_added_and_may_wrap(tmp_path: Path) -> None:
    """200,000 and 300,000 of two; then the first wraps: 400,000 more. Microjoules."""
    counter(tmp_path, "intel-rapl:0", 500_000)
    counter(tmp_path, "intel-rapl:1", 100_000)
    counter(tmp_path, "intel-rapl:0:0", 0)
    meter = Meter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 700_000)
    counter(tmp_path, "intel-rapl:1", 400_000)
    counter(tmp_path, "intel-rapl:0:0", 900_000)
    meter.tick()
    counter(tmp_path, "intel-rapl:0", 100_000)
    spent = meter.spent()
    assert spent.joules == pytest.approx(0.9)
    assert spent.kwh == pytest.approx(0.9 / 3.6e6)
    assert spent.processor_seconds >= 0


def test_a_machine_without_counters_knows_nothing(tmp_path: Path) -> None:
    assert Meter(tmp_path / "absent").spent().joules is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert Meter(tmp_path).spent().kwh is None
