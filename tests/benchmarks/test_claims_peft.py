"""The claims: cells are measured once, taken up again, and a page says what is there."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

import claims_cells
import claims_page
import claims_peft
import result_page
import tiny
from claims_cells import RANKS, UNTRAINED, VARIANTS_OF, Cell, Record, Records, chosen, rates
from claims_data import Board, load
from claims_results import Labelled, difference, in_points
from nshot.audit.forgetting import General
from nshot.core.types import Example, Input, Label, ModelRef, Task
from nshot.models import open_models
from workbench import Shelf

LABELS = ("negative", "positive")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny.tiny_llama(tmp_path_factory.mktemp("tiny"))))


@pytest.fixture(scope="module")
def board() -> Board:
    rows = [
        Example(f"{i}", Input((("Review", f"{'dull' if i % 2 else 'warm'} film {i}"),)),
                (LABELS[(i + 1) % 2],))
        for i in range(40)
    ]  # fmt: skip
    task = Task("films", "classify", tuple(map(Label, LABELS)))
    cut = tuple(rows[:20]), tuple(rows[20:28]), tuple(rows[28:])
    return Board("sst2", "films", task, *cut, shots=4, draws=2, epochs=6)


@pytest.fixture(autouse=True)
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny context holds no paragraph, and a hundred questions are long for a test."""
    monkeypatch.setattr(claims_peft, "general", lambda model: General((True, False), 3.0))


def measuring(base: ModelRef, folder: Path) -> claims_peft.Measuring:
    return claims_peft.Measuring(base, Records(folder), open_models(), Shelf())


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}


def test_a_group_is_measured_once_and_taken_up_where_it_was(
    base: ModelRef, board: Board, tmp_path: Path
) -> None:
    measuring(base, tmp_path).group(board, "full")
    first = {record.cell: record for record in Records(tmp_path).all()}
    rate = chosen([record for cell, record in first.items() if cell.draw == 0])
    expected = [Cell("sst2", "full", tried, 0) for tried in rates("full")]
    assert set(first) == {*expected, Cell("sst2", "full", rate, 1)}
    done = first[Cell("sst2", "full", rate, 1)]
    assert done.trained == done.of > 0
    assert done.tokens > 0
    assert done.disk_bytes > 4 * done.trained
    assert len(done.points) == len(done.answers) == 12
    assert done.dev is None, "the further rows choose on the first draw only"
    assert done.general == {}
    assert first[expected[0]].general == {"score": 0.5, "nats": 3.0}

    before, lost = stamps(tmp_path), f"{Cell('sst2', 'full', rate, 1).name}.json"
    (tmp_path / "cells" / lost).unlink()
    measuring(base, tmp_path).group(board, "full")
    after = stamps(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {lost}
    again = {record.cell: record for record in Records(tmp_path).all()}
    assert {cell: r.answers for cell, r in again.items()} == {
        c: r.answers for c, r in first.items()
    }


def test_a_cell_of_another_plan_is_measured_anew(
    base: ModelRef, board: Board, tmp_path: Path
) -> None:
    cell = Cell("sst2", UNTRAINED, None, 0)
    known = measuring(base, tmp_path).cell(board, cell)
    assert known is not None
    assert (known.trained, known.tokens) == (0, 0)
    fewer = measuring(base, tmp_path).cell(replace(board, test=board.test[:5]), cell)
    assert fewer is not None
    assert len(fewer.points) == 5
    assert Records(tmp_path).get(cell) == fewer


def test_what_cannot_be_trained_is_a_record_with_its_reason(
    base: ModelRef, board: Board, tmp_path: Path
) -> None:
    record = measuring(base, tmp_path).cell(board, Cell("sst2", "lora", 0.0, 0))
    assert record is not None
    assert "did not learn" in record.failed
    assert chosen([record]) is None


def test_a_group_that_another_process_holds_is_left_to_it(
    base: ModelRef,
    board: Board,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(claims_peft, "resolve", lambda name, role: base)
    monkeypatch.setattr(claims_peft, "load", lambda name, data: replace(board, name=name))
    (tmp_path / "locks").mkdir()
    with FileLock(tmp_path / "locks" / "sst2.untrained"):
        claims_peft.run(tmp_path, ["sst2.untrained", "banking10.lora"], tmp_path)
    assert "sst2.untrained: another process has it" in capsys.readouterr().out
    named = Counter(record.cell.variant for record in Records(tmp_path).all())
    assert named == {"lora": 4, **{f"lora-rank{rank}": 1 for rank in RANKS}}
    assert not list((tmp_path / "scratch").iterdir())


def test_the_rate_is_chosen_on_the_further_rows_never_on_the_test() -> None:
    def of(rate: float, dev: tuple[float, float], test: float) -> Record:
        return Record(Cell("sst2", "lora", rate, 0), "", {}, points=(test,), dev=dev)

    records = [of(1.0, (0.5, -1.0), 1.0), of(2.0, (0.6, -2.0), 0.0), of(3.0, (0.6, -1.5), 0.0)]
    assert chosen(records) == 3.0, "equal scores: the surer one"


@pytest.mark.data
def test_no_row_is_drawn_and_chosen_on(data: Path) -> None:
    for name in VARIANTS_OF:
        board = load(name, data)
        apart = {row.id for row in (*board.dev, *board.test)}
        assert len(apart) == len(board.dev) + len(board.test)
        for draw in range(board.draws):
            assert not apart & {row.id for row in board.drawn(draw).labelled}


# ------------------------------------------------------------------------------------- the page


def record(cell: Cell, hits: int, **more: object) -> Record:
    """Twenty test rows, the first `hits` of them right."""
    points = tuple(float(i < hits) for i in range(20))
    answers = tuple("negative" if point else "positive" for point in points)
    return Record(cell, "", {}, points=points, answers=answers, **more)  # type: ignore[arg-type]


def everything(folder: Path) -> Records:
    """Cells of all variants, as a run would leave them."""
    records = Records(folder)
    took = {"trained": 1000, "of": 100_000, "tokens": 500, "build_seconds": 60.0,
            "build_work": 50.0, "peak_bytes": 2**30, "disk_bytes": 4000, "train": 1.0}  # fmt: skip
    for name in ("banking10", "sst2"):
        for i, variant in enumerate(VARIANTS_OF[name]):
            known = {"general": {"score": 0.4, "nats": 3.0 + i / 10}}
            if variant == UNTRAINED:
                knew = {"score": 0.5, "nats": 3.0}
                records.put(record(Cell(name, variant, None, 0), 8, general=knew))
                continue
            for k, rate in enumerate(rates(variant)):
                dev = (0.9 if k == 1 else 0.5, -1.0)
                records.put(record(Cell(name, variant, rate, 0), 10 + i, dev=dev, **known, **took))
            for draw in (1, 2):
                cell = Cell(name, variant, rates(variant)[1], draw)
                records.put(record(cell, 9 + i, **took))
    for rank in RANKS:
        records.put(record(Cell("banking10", f"lora-rank{rank}", rates("lora")[1], 0), 9, **took))
    given = ("name[The Punter], food[Indian]",) * 20
    for i, variant in enumerate(VARIANTS_OF["e2e"]):
        said = ("The Punter has Indian food .",) * (10 + i) + ("A pub .",) * (10 - i)
        expected = (("The Punter has Indian food .",),) * 20
        rate = None if variant == UNTRAINED else rates(variant)[0]
        kept = record(Cell("e2e", variant, rate, 0), 5, inputs=given, expected=expected, **took)
        records.put(replace(kept, answers=said))
    return records


def test_the_page_answers_every_question_with_figures(tmp_path: Path) -> None:
    everything(tmp_path / "run")
    page = tmp_path / "docs" / "peft.md"
    claims_page.write(tmp_path / "run", page)
    text = page.read_text(encoding="utf-8")
    assert "Not measured yet" not in text
    for words in (
        "one draw, score in % by rank: 1: 45.0, 2: 45.0, 4: 45.0, 8: 55.0, 64: 45.0",
        "Rank 1 against rank 8: −10.0 (",
        "`qlora` against `lora` +5.0 (",
        "% of the test rows alike",
        "`prefix` against `full`: BLEU ",
        "People's own texts cover 100.0 % of the slots",
        "`full` 40.0 % and 3.300, ",
    ):
        assert words in text, words
    for name in ("banking10", "sst2"):
        for ending in ("parameters", "rates", "forgetting"):
            file = page.with_name(f"peft-{name}-{ending}.svg")
            ET.fromstring(file.read_text(encoding="utf-8"))
            assert f"]({file.name})" in text
    tokens = 500 * (2 * 8 * 5 + len(RANKS) + len(VARIANTS_OF["e2e"]))
    assert f"{tokens:,} tokens" in text


def test_the_page_says_what_is_missing_and_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    records = everything(tmp_path / "run")
    for path in (records.folder / "cells").glob("*.qlora.*"):
        path.unlink()
    gone = Cell("sst2", "full", rates("full")[1], 2)
    failed = replace(record(gone, 1), failed="the loss was nan", points=())
    records.put(failed)
    page = tmp_path / "peft.md"
    page.write_text(f"# Mine\n\n{result_page.START}\nold\n{result_page.END}\n\nLast.\n")
    claims_page.write(tmp_path / "run", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Mine\n")
    assert text.endswith("Last.\n")
    assert "- **Does QLoRA reproduce LoRA?** Not measured yet." in text
    assert "`banking10.qlora (0 of 5)`, `sst2.qlora (0 of 5)`." in text
    assert f"`{gone.name}`: the loss was nan" in text
    claims_page.write(tmp_path / "empty", tmp_path / "none.md")
    assert "lora-rank64 (0 of 1)" in (tmp_path / "none.md").read_text(encoding="utf-8")


def test_a_difference_is_told_with_its_interval(tmp_path: Path) -> None:
    board = Labelled("sst2", tuple(r for r in everything(tmp_path).all() if r.cell.board == "sst2"))
    gap, low, high = difference(board.numbers, "full-top4", "lora")
    assert gap == pytest.approx(7 / 20)
    assert low < gap < high
    assert in_points((0.1, 0.05, 0.15)) == "**+10.0 (+5.0 to +15.0)**"
    assert in_points((0.1, -0.05, 0.25)) == "+10.0 (−5.0 to +25.0)"


def test_every_variant_is_a_group_once() -> None:
    named = list(claims_cells.groups([]))
    assert len(named) == len(set(named)) == sum(map(len, VARIANTS_OF.values()))
    assert list(claims_cells.groups(["e2e.full"])) == [("e2e", "full")]
