"""Texts that were decoded wrongly before they became UTF-8 are mended, and sound ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import CHINESE, ENGLISH, GERMAN, JAPANESE, KOREAN, lines, quoted

from nshot.core.types import Task
from nshot.data import load, read_inputs
from nshot.data.mojibake import mending_of

RUSSIAN = ["Где моя посылка?", "Верните мне деньги", "Изменить заказ", "Курьер не приехал"]
FRENCH = ["Où est mon colis ?", "Ça ne marche pas", "déjà vu", "« l’été à Nîmes »"]
SOUND = {
    "German": [text for text, _ in GERMAN],
    "Korean": [text for text, _ in KOREAN],
    "Japanese": [text for text, _ in JAPANESE],
    "Chinese": [text for text, _ in CHINESE],
    "Russian": RUSSIAN,
    "French": FRENCH,
}


def misread(text: str, written: str = "utf-8", read: str = "cp1252") -> str:
    """Bytes of `written` as a program shows them that takes them for `read`."""
    raw = text.encode(written)
    return "".join(bytes([b]).decode(read, "ignore") or chr(b) for b in raw)


def mended(texts: list[str]) -> list[str]:
    mending = mending_of(texts)
    return texts if mending is None else [mending.of(text) for text in texts]


@pytest.mark.parametrize("language", SOUND)
@pytest.mark.parametrize("read", ["cp1252", "latin-1"])
def test_utf8_that_was_read_as_latin_letters_goes_back(language: str, read: str) -> None:
    texts = SOUND[language]
    assert mended([misread(text, read=read) for text in texts]) == texts


@pytest.mark.parametrize(
    ("language", "written", "read"),
    [("Korean", "cp949", "cp1252"), ("Japanese", "cp932", "cp1252"),
     ("Chinese", "gb18030", "latin-1"), ("Russian", "cp1251", "latin-1"),
     ("Russian", "utf-8", "cp1251"), ("Korean", "utf-8", "mac_roman")],
)  # fmt: skip
def test_other_ways_go_back(language: str, written: str, read: str) -> None:
    texts = SOUND[language]
    assert mended([misread(text, written, read) for text in texts]) == texts


@pytest.mark.parametrize("language", SOUND)
def test_sound_texts_stay(language: str) -> None:
    assert mending_of(SOUND[language]) is None


@pytest.mark.parametrize(
    "text",
    ["CAFÉ»", "AMANHÃ”", "« thé\xa0» et café\xa0»", "Er macht Spaß“", "联通", "DÉJÀ”", "Ä“", "50 €",
     "naïve — ‘so’", "É…", "ÂME", "Ñandú »", "ÀÉÈ", "ŠÝ Ž", "日本語", "Ω…"],
)  # fmt: skip
def test_a_single_sound_text_stays(text: str) -> None:
    assert mending_of([text]) is None


@given(st.lists(st.text(st.characters(codec="cp1252", categories=("L", "P", "Zs"))), min_size=1))
@settings(max_examples=200, deadline=None)
def test_a_sound_text_among_misread_ones_stays(texts: list[str]) -> None:
    """Where most texts are sound only those are mended that cannot be anything else."""
    misread_ones = [misread(text) for text in FRENCH]
    sound = [text for text in texts if text.isascii()]
    mending = mending_of([*misread_ones, *sound])
    assert mending is not None
    assert [mending.of(text) for text in sound] == sound


def test_of_a_file_that_was_put_together_the_misread_rows_are_mended() -> None:
    sound = SOUND["German"]
    broken = [misread(text) for text in FRENCH]
    assert mended([*sound, *broken]) == [*sound, *FRENCH]


def test_it_is_noted_with_an_example_and_undone_by_the_flag(tmp_path: Path) -> None:
    rows = [(misread(text), misread(name)) for text, name in GERMAN]
    path = tmp_path / "t.csv"
    path.write_text(quoted([("text", "label"), *rows]), encoding="utf-8")
    loaded = load(path)
    assert [(row.input.text, row.label) for row in loaded.train] == GERMAN
    (note,) = [note for note in loaded.notes if "decoded wrongly" in note]
    assert "'rÃ¼ckgabe'" in note or "PÃ¤ckchen" in note
    assert "--encoding utf-8" in note
    assert load(path, encoding="utf-8").train[0].input.text == rows[0][0]


def test_escapes_in_json_are_looked_at_too(tmp_path: Path) -> None:
    rows = [{"text": misread(text), "label": misread(name)} for text, name in KOREAN]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(row.input.text, row.label) for row in load(path).train] == KOREAN


def test_predict_mends_what_check_mends(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        lines([{"text": misread(text)} for text, _ in KOREAN]), encoding="utf-8"
    )
    (tmp_path / "rows.txt").write_text("\n".join(misread(t) for t, _ in KOREAN), encoding="utf-8")
    (tmp_path / "train.csv").write_text(quoted([("text", "label"), *ENGLISH]))
    task: Task = load(tmp_path / "train.csv").task
    for name in ("rows.jsonl", "rows.txt"):
        read = [one.text for _, one in read_inputs(tmp_path / name, task)]
        assert read == [text for text, _ in KOREAN]
