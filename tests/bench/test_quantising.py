"""A row of a finished run in fewer bits: measured on the run's rows, delivered or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nshot
from nshot.bench.quantising import Quantisation, prepare_shrinking
from nshot.board.schema import Board
from nshot.cli.main import main
from nshot.core.errors import InputError
from nshot.core.types import Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.hf.merged import merged
from nshot.models.llamacpp.write_gguf import file_bytes
from spine import jsonl, stay_here, tickets
from tiny import tiny_llama
from toys import Bench

ROWS = 8
pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")


PINS = {"zero_shot": {"format": "plain", "calibration": "none"}}


def as_answered(base: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows with the labels that the model gives them: whoever answers otherwise has lost."""
    task = Task("tickets", "classify", tuple(Label(row["label"]) for row in rows[::ROWS]))
    bench = Bench(base, resolve(str(base), "lm"), models=open_models())
    method = TABLE.build({"method": "zero_shot", **PINS["zero_shot"]})
    inputs = [Input((("text", row["text"]),)) for row in rows]
    answers = method.adapt(task, Shots(), bench).predict(inputs)
    return [{**row, "label": one.answer} for row, one in zip(rows, answers, strict=True)]


def least_bytes(run: Path) -> int:
    """Bytes of the run's model as a file of Q4_0."""
    module, tokenizer = merged(resolve(str(run.parent / "llama"), "lm"))
    return file_bytes(module, tokenizer, "Q4_0", str(run.parent / "llama"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a prompt on a tiny language model, and of a method without one."""
    folder = tmp_path_factory.mktemp("tickets")
    base = tiny_llama(folder / "llama", width=64, context=256)
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        nshot.compare(
            jsonl(folder / "train.jsonl", tickets(2)),
            test=jsonl(folder / "test.jsonl", as_answered(base, tickets(ROWS, "t"))),
            methods=("majority", "zero_shot"),
            settings=PINS,
            model=str(base),
            out=folder / "run",
        )
    return folder / "run"


def test_both_stand_on_a_board_of_the_runs_rows_and_the_file_answers(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    out = nshot.quantise(run, "Q8_0", row="zero_shot", give_up=50)
    folder, one = out.result.folder, out.shrinking
    assert folder == run / "quantise-Q8_0"
    board, before = Board.read(folder), Board.read(run)
    names = ("from_folder:zero_shot", "quantise:Q8_0:from_folder:zero_shot")
    assert tuple(row.name for row in board.contest) == names
    assert board.points.ids == before.points.ids, "the test rows of the run"
    assert one.before.score == before.row("zero_shot").score, "as it lay there"
    assert one.difference is not None
    assert not one.refused
    assert one.bytes_after is not None
    assert one.bytes_after < one.bytes_before
    place = folder / "quantised"
    assert out.delivered == place, "whichever of the two is the pick"
    assert list(place.rglob("model.gguf"))
    (answer,) = nshot.load(place).predict(["refund money card please"])
    assert answer.answer in {"refund", "parcel", "로그인"}
    assert json.loads((folder / "quantised.json").read_text(encoding="utf-8"))["bits"] == "Q8_0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": "Q3_K"}, "one of: F16, Q8_0, Q5_0, Q4_0, mixed"),
        ({"bits": "mixed"}, "--bits mixed --megabytes 100"),
        ({"megabytes": 90.0}, "--bits mixed --megabytes 90"),
        ({"bits": "mixed", "megabytes": 0.0}, "more than 0"),
        ({"row": "zero_shots"}, "did you mean 'zero_shot'"),
        ({"row": "majority"}, "answers without a language model"),
    ],
)
def test_what_cannot_be_is_said_at_once(changes: dict[str, Any], message: str, run: Path) -> None:
    request = {"folder": str(run), "row": "zero_shot", **changes}
    with pytest.raises(InputError, match=message):
        prepare_shrinking(Quantisation(**request))  # type: ignore[arg-type]


def test_the_model_is_counted_before_in_every_form(run: Path) -> None:
    sizes = {
        bits: prepare_shrinking(Quantisation(str(run), bits, row="zero_shot")).bytes_before
        for bits in ("Q8_0", "int8", "nf4")
    }
    assert len(set(sizes.values())) == 1, sizes
    assert sizes["int8"] > least_bytes(run), "also where a run has one model, which has no name"


def test_mixed_bits_fill_a_size_and_the_board_says_how(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    least = least_bytes(run)
    out = nshot.quantise(run, "mixed", megabytes=1.1 * least / 1e6, row="zero_shot", give_up=100)
    form = f"mixed-{1.1 * least / 1e6:g}MB"
    assert out.result.folder == run / f"quantise-{form}"
    assert out.shrinking.bits == form
    assert out.delivered is not None
    (file,) = out.delivered.rglob("model.gguf")
    assert least <= file.stat().st_size <= 1.1 * least
    assert any("lowest loss of the right answer" in note for note in out.shrinking.notes)
    assert any(note.startswith("more than Q4_0") for note in out.shrinking.notes)


def test_a_head_in_eight_bits_stands_beside_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stay_here(monkeypatch)
    nshot.compare(
        jsonl(tmp_path / "train.jsonl", tickets(4)),
        test=jsonl(tmp_path / "test.jsonl", tickets(ROWS, "t")),
        methods=("majority", "tfidf_lr"),
        settings={"tfidf_lr": {"C": 1.0}},
        out=tmp_path / "run",
    )
    out = nshot.quantise(tmp_path / "run", "int8", row="tfidf_lr", give_up=10)
    one = out.shrinking
    assert one.after.row == "quantise:int8:from_folder:tfidf_lr"
    assert not one.refused
    assert one.bytes_after is not None
    assert one.bytes_after < one.bytes_before, "the head alone is counted"
    assert out.delivered is not None
    assert nshot.load(out.delivered).predict(["refund money card please"])[0].answer


def test_the_command_refuses_what_lost_too_much(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stay_here(monkeypatch)
    words = ["quantise", str(run), "--row", "zero_shot", "--bits", "Q4_0", "--give-up", "0"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--out", str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert end.value.code == 3, out
    assert "lost: " in out
    assert "refused as the winner: more than the 0 points" in out
    assert not (tmp_path / "out" / "quantised").exists()
    assert "the quantised model lies in" not in out
