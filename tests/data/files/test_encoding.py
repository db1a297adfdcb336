"""An encoding is told from what the text looks like, or both readings are shown."""

from __future__ import annotations

import codecs
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.cli.main import main
from nshot.core.errors import InputError
from nshot.data import load
from nshot.data.files.encoding import decoded

MARKS = (
    codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
)  # fmt: skip


def nshot(*words: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    return int(str(caught.value.code))


TEXTS = {
    "korean": (
        "환불해 주세요. 제품이 고장났어요\n배송이 언제 오나요? ㅋㅋㅋ\n로그인이 안 됩니다",
        ["cp949", "euc_kr", "utf-16", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"],
    ),
    "japanese": (
        "返金してください。商品が壊れています\nいつ届きますか\nログインできません",
        ["cp932", "shift_jis", "euc_jp", "utf-16", "utf-16-le"],
    ),
    "chinese": (
        "请给我退款，产品坏了\n什么时候能到货？\n无法登录我的账户，是不是坏了",
        ["gbk", "gb2312", "gb18030"],
    ),
    "taiwan": ("請給我退款，產品壞了\n什麼時候能到貨？\n無法登入我的帳戶", ["big5"]),
    "french": (
        "Le café était très froid, à éviter\nle garçon était désagréable, j'ai été déçu",
        ["cp1252", "latin-1"],
    ),
    "german": ("Das Gerät ist größer als gedacht\nÄrger mit der Rückgabe", ["cp1252", "latin-1"]),
    "spanish": ("¿Dónde está mi pedido?\n¡Qué mal! El niño no llegó mañana", ["cp1252"]),
    "italian": ("Il caffè è freddo, perché non è più possibile? La città", ["cp1252"]),
    "quotes": ("It’s “great” – really\nI don’t know…", ["cp1252"]),
    "polish": ("Proszę o zwrot pieniędzy, produkt jest zepsuty\nKiedy dotrze paczka?", ["cp1250"]),
    "czech": ("chci vrátit peníze, zboží je zničené\nkdy přijde balík", ["cp1250"]),
    "turkish": ("Paramı geri istiyorum, ürün bozuk çıktı\nŞifremi unuttum ağır", ["cp1254"]),
    "russian": ("Верните деньги, товар сломан\nКогда приедет посылка?", ["cp1251", "koi8-r"]),
    "greek": ("Θέλω επιστροφή χρημάτων, το προϊόν είναι χαλασμένο", ["cp1253"]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(text, encoding) for text, encodings in TEXTS.values() for encoding in encodings],
    ids=[f"{name}-{one}" for name, (_, encodings) in TEXTS.items() for one in encodings],
)
def test_a_text_is_read_as_it_was_written(text: str, encoding: str) -> None:
    written = "text,label\n" + text + "\nplain words,good\n"
    read, note = decoded(written.encode(encoding), Path("a.csv"))
    assert read == written
    assert bool(note) == (encoding not in ("utf-8", "utf-8-sig", "utf-16"))
    assert decoded(written.encode(encoding), Path("a.csv"), encoding) == (written, "")


@pytest.mark.parametrize("encoding", ["cp949", "cp932", "gbk", "cp1252", "cp1251"])
def test_short_texts_are_read_rightly_or_refused(encoding: str) -> None:
    words = {
        "cp949": ["환불", "배송", "가", "좋음", "쀍"],
        "cp932": ["返金", "配送", "です", "ﾊﾝｶｸ", "東京"],
        "gbk": ["退款", "物流", "好", "坏了", "请退款"],
        "cp1252": ["café", "für", "naïve", "å", "È"],
        "cp1251": ["да", "нет", "я", "Верните"],
    }
    for word in words[encoding]:
        for line in (word, f"text,label\nfine,{word}\n", f"{word},{word}\n"):
            assert read_or_cure(line.encode(encoding)) in (line, "--encoding")


def read_or_cure(raw: bytes) -> str:
    """The text, or what the refusal says to type."""
    try:
        return decoded(raw, Path("a.csv"))[0]
    except InputError as error:
        return re.match(r"--encoding|iconv", error.faults[0].do)[0]  # type: ignore[index]


def test_two_plausible_readings_are_both_shown() -> None:
    with pytest.raises(InputError) as caught:
        decoded("fine,good\nnaïve,bad\n".encode("cp1252"), Path("a.csv"))
    message = str(caught.value)
    assert "cp1252: 'naïve,bad', or cp1250: 'naďve,bad'" in message
    assert "--encoding cp1252, or --encoding cp1250" in message


def test_a_broken_byte_in_utf8_is_no_other_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    raw = "text,label\n아주 좋은 영화,좋음\n별로예요,나쁨\n".encode()
    path.write_bytes(raw[:20] + b"\xff" + raw[20:])
    with pytest.raises(
        InputError, match=r"line 2: byte 0xec at offset 18 .* is not UTF-8, as"
    ) as caught:
        decoded(path.read_bytes(), path)
    command = caught.value.faults[0].do.split("   ")[0]
    subprocess.run(["bash", "-c", command])  # its exit code tells that bytes were left out
    text, _ = decoded((tmp_path / "a.utf8.csv").read_bytes(), path)
    assert "별로예요,나쁨" in text


def test_what_is_given_is_kept_to() -> None:
    with pytest.raises(InputError, match="is not cp949"):
        decoded("だ".encode() + b"\xff\xff", Path("a.csv"), "cp949")
    with pytest.raises(InputError, match="unknown encoding 'klingon'"):
        decoded(b"abc", Path("a.csv"), "klingon")
    with pytest.raises(InputError, match="unknown encoding 'base64'"):
        decoded(b"abc", Path("a.csv"), "base64")


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    assert read_or_cure(raw) or raw in MARKS, "nothing but a mark is an empty file"


def folder(path: Path, texts: dict[str, list[bytes]]) -> Path:
    for label, raws in texts.items():
        (path / label).mkdir(parents=True)
        for i, raw in enumerate(raws):
            (path / label / f"{i}.txt").write_bytes(raw)
    return path


def test_files_of_a_folder_are_told_together(tmp_path: Path) -> None:
    texts = {
        "refund": ["환불", "plain", "돈을 돌려주세요"],
        "delivery": ["배송", "언제 오나요", "늦어요"],
    }
    place = folder(
        tmp_path / "mail", {k: [one.encode("cp949") for one in v] for k, v in texts.items()}
    )
    loaded = load(place)
    assert sorted(row.input.text for row in loaded.train) == sorted(
        [*texts["refund"], *texts["delivery"]]
    )
    assert any("6 files of mail: read as cp949" in note for note in loaded.notes)


def test_very_many_files_of_one_fault_are_one_fault(tmp_path: Path) -> None:
    raw = "아주 좋은 영화".encode()
    place = folder(tmp_path / "mail", {"a": [raw[:-1]] * 150, "b": [raw[:-1]] * 150})
    with pytest.raises(InputError, match="300 files have bytes that are not UTF-8") as caught:
        load(place)
    assert len(str(caught.value).splitlines()) == 3


def test_the_flag_settles_what_was_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nfine,good\nnaïve,bad\nnice,good\nawful,bad\n".encode("cp1252"))
    assert nshot("check", str(path)) == 2
    assert "--encoding cp1252" in capsys.readouterr().err
    assert nshot("check", str(path), "--encoding", "cp1252") == 0
    assert "naïve" in capsys.readouterr().out
