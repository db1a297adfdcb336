"""Layouts in which people keep labelled data, each with what nshot makes of it.

`docs/layouts.md` is made from this list, and `test_layouts.py` reads every one of them. The rows
are made up; the layouts are those of public sets, spreadsheets and labelling tools.
"""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENGLISH = [
    ("Where is my parcel?", "parcel"),
    ("I want my money back", "refund"),
    ("The parcel never came", "parcel"),
    ("Please return the payment", "refund"),
    ("Has the box been sent yet?", "parcel"),
    ("You charged me twice, repay me", "refund"),
    ("The courier lost my box", "parcel"),
    ("How do I get a refund?", "refund"),
    ("It should have come on Monday", "parcel"),
    ("Cancel it and refund me", "refund"),
    ("Tracking shows nothing", "parcel"),
    ("The amount is wrong, correct it", "refund"),
    ("Who has my delivery?", "parcel"),
    ("Give me the difference back", "refund"),
    ("Still waiting for the box", "parcel"),
    ("The shoes are torn, money back", "refund"),
]
KOREAN = [
    ("택배가 아직 안 왔어요", "배송"),
    ("환불해 주세요", "환불"),
    ("배송 조회가 안 됩니다", "배송"),
    ("결제가 두 번 되었어요", "환불"),
    ("언제 도착하나요?", "배송"),
    ("돈을 돌려받고 싶습니다", "환불"),
    ("상자가 찢어져서 왔네요", "배송"),
    ("취소하고 환불 부탁드려요", "환불"),
    ("기사님이 물건을 잃어버렸대요", "배송"),
    ("차액은 어떻게 받나요", "환불"),
    ("월요일에 온다고 했는데요", "배송"),
    ("신발이 작아서 반품하려고요", "환불"),
    ("운송장 번호를 알려 주세요", "배송"),
    ("카드 취소가 안 되었습니다", "환불"),
    ("문 앞에 없어요", "배송"),
    ("쿠폰 금액이 잘못되었어요", "환불"),
]
GERMAN = [
    ("Wo bleibt mein Päckchen?", "lieferung"),
    ("Ich möchte mein Geld zurück", "rückgabe"),
    ("Das Päckchen kam nie an", "lieferung"),
    ("Bitte die Zahlung rückgängig machen", "rückgabe"),
    ("Wurde es schon verschickt, für Köln?", "lieferung"),
    ("Doppelt abgebucht, bitte zurückzahlen", "rückgabe"),
    ("Der Bote fand die Tür nicht", "lieferung"),
    ("Wie läuft die Rückerstattung?", "rückgabe"),
    ("Es sollte früher kommen", "lieferung"),
    ("Stornieren und Geld zurück, bitte schön", "rückgabe"),
    ("Die Verfolgung zeigt überhaupt nichts", "lieferung"),
    ("Der Betrag wäre falsch, bitte ändern", "rückgabe"),
    ("Wer hat die Lieferung für Müller?", "lieferung"),
    ("Ich hätte gern die Differenz zurück", "rückgabe"),
    ("Ich warte noch auf das Päckchen", "lieferung"),
    ("Die Schuhe sind kaputt, Geld zurück für zwei", "rückgabe"),
]
JAPANESE = [
    ("荷物がまだ届きません", "配送"),
    ("返金してください", "返金"),
    ("追跡番号を教えてください", "配送"),
    ("二重に請求されました", "返金"),
    ("いつ届きますか", "配送"),
    ("お金を返してほしいです", "返金"),
    ("箱が破れていました", "配送"),
    ("キャンセルして返金をお願いします", "返金"),
    ("配達員が荷物をなくしました", "配送"),
    ("差額はどう受け取りますか", "返金"),
    ("月曜日に届くはずでした", "配送"),
    ("靴が小さいので返品したいです", "返金"),
]
CHINESE = [
    ("我的包裹还没有到", "物流"),
    ("请给我退款", "退款"),
    ("快递查询不到信息", "物流"),
    ("付款扣了两次", "退款"),
    ("什么时候可以送到", "物流"),
    ("我想把钱拿回来", "退款"),
    ("箱子送来的时候破了", "物流"),
    ("取消订单并且退款", "退款"),
    ("快递员把东西弄丢了", "物流"),
    ("差价怎么退给我", "退款"),
    ("说好星期一到的", "物流"),
    ("鞋子太小了我要退货", "退款"),
]

Content = bytes | str
Files = Mapping[str, Content]


@dataclass(frozen=True)
class Layout:
    """Files, what is typed after `nshot check`, and what comes of it."""

    name: str
    group: str
    files: Files
    kind: str = "classify"
    """Empty: refused."""
    rows: int = 16
    """Rows with an answer, of training and test together."""
    labels: tuple[str, ...] = ("parcel", "refund")
    first: str = ""
    """Text of one of the rows, as it must be read."""
    note: str = ""
    """What a printed note holds; of a refusal, what its message holds."""
    flags: tuple[str, ...] = ()
    where: str = ""
    """What of `files` is named; empty: the only file, or the folder of all."""


def joined(rows: Sequence[Sequence[object]], separator: str = ",", end: str = "\n") -> str:
    """Rows of cells without quotes."""
    return "".join(separator.join(str(c) for c in row) + end for row in rows)


def quoted(rows: Sequence[Sequence[object]], separator: str = ",", end: str = "\n") -> str:
    """Rows of cells, each in quotes."""
    return joined(
        [['"' + str(c).replace('"', '""') + '"' for c in row] for row in rows], separator, end
    )


def lines(rows: Sequence[Any]) -> str:
    """One JSON value a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def records(rows: Sequence[tuple[str, str]], text: str = "text", label: str = "label") -> list[Any]:
    """Objects with two keys."""
    return [{text: t, label: n} for t, n in rows]


def zipped(files: Files) -> bytes:
    """The files as a .zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


HEAD = ("text", "label")
PLAIN = [(t.replace(",", ""), n) for t, n in ENGLISH]
KO = {"labels": ("배송", "환불"), "first": "환불해 주세요"}


def tables() -> list[Layout]:
    """Rows of cells."""
    semicolons = [(t, n) for t, n in GERMAN]
    de = {"labels": ("lieferung", "rückgabe"), "first": "Wo bleibt mein Päckchen?"}
    ja = {"labels": ("返金", "配送"), "first": "返金してください", "rows": 12}
    zh = {"labels": ("物流", "退款"), "first": "请给我退款", "rows": 12}
    numbered = [(i, t, n) for i, (t, n) in enumerate(PLAIN)]
    one_hot = [(t, int(n == "parcel"), int(n == "refund")) for t, n in PLAIN]
    prices = [(f"flat number {i} with {i % 4 + 1} rooms", 310.5 + 17.25 * i) for i in range(24)]
    group = "tables"
    return [
        Layout("a header, commas", group, {"t.csv": joined([HEAD, *PLAIN])}),
        Layout(
            "quotes and doubled quotes",
            group,
            {
                "t.csv": quoted(
                    [HEAD, ('He said "no", twice', "refund"), *ENGLISH[2:], ("x y", "parcel")]
                )
            },
            first='He said "no", twice',
        ),
        Layout(
            "line ends inside a quoted cell",
            group,
            {"t.csv": quoted([HEAD, ("Hello,\nwhere is it?", "parcel"), *ENGLISH[1:]])},
            first="Hello,\nwhere is it?",
        ),
        Layout(
            "semicolons, as Excel writes them in Germany",
            group,
            {"t.csv": joined([HEAD, *semicolons], ";")},
            **de,
        ),
        Layout(
            "decimal commas",
            group,
            {
                "t.csv": joined(
                    [("text", "price"), *((t, f"{p:.2f}".replace(".", ",")) for t, p in prices)],
                    ";",
                )
            },
            kind="number",
            rows=24,
            labels=(),
            flags=("--label", "price"),
            note="comma",
        ),
        Layout("tabs", group, {"t.tsv": joined([HEAD, *ENGLISH], "\t")}),
        Layout(
            "tabs in a file called .csv",
            group,
            {"t.csv": joined([HEAD, *ENGLISH], "\t")},
            note="parted by tabs",
        ),
        Layout("bars", group, {"t.csv": joined([HEAD, *ENGLISH], "|")}, note="parted by bars"),
        Layout(
            "a first line sep=;",
            group,
            {"t.csv": "sep=;\r\n" + joined([HEAD, *ENGLISH], ";", "\r\n")},
        ),
        Layout(
            "spaces after the commas", group, {"t.csv": joined([HEAD, *PLAIN], ", ")}, note="space"
        ),
        Layout(
            "quotes after a space",
            group,
            {"t.csv": quoted([HEAD, *ENGLISH], ", ")},
            first="The amount is wrong, correct it",
            note="space",
        ),
        Layout(
            "commas in texts, no quotes anywhere",
            group,
            {
                "t.csv": joined(
                    [HEAD, *((f"{t}, {n}" if i % 3 else t, n) for i, (t, n) in enumerate(PLAIN))]
                )
            },
            note="without quotes in a text",
        ),
        Layout(
            "a title and a blank line above the header",
            group,
            {"t.csv": "Tickets of May\n\n" + joined([HEAD, *PLAIN])},
            note="above the header",
        ),
        Layout(
            "single quotes",
            group,
            {"t.csv": "".join(f"'{t}','{n}'\n" for t, n in [HEAD, *ENGLISH])},
            note="single quotes",
        ),
        Layout(
            "two colons", group, {"t.txt": joined([(n, t) for t, n in ENGLISH], "::")}, note="'::'"
        ),
        Layout(
            "a table drawn with bars",
            group,
            {"t.md": "".join(f"| {t} | {n} |\n" for t, n in [HEAD, ("---", "---"), *ENGLISH])},
            note="drawn with bars",
        ),
        Layout(
            "JSON lines in a file called .csv",
            group,
            {"t.csv": lines(records(ENGLISH))},
            note="this is JSON",
        ),
        Layout("no header", group, {"t.csv": quoted(ENGLISH)}, note="no header", flags=()),
        Layout(
            "no header, label first",
            group,
            {"t.csv": quoted([(n, t) for t, n in ENGLISH])},
            note="no header",
        ),
        Layout(
            "an index column without a name, as pandas writes it",
            group,
            {"t.csv": joined([("", *HEAD), *numbered])},
        ),
        Layout("a column Unnamed: 0", group, {"t.csv": joined([("Unnamed: 0", *HEAD), *numbered])}),
        Layout(
            "columns without name and content",
            group,
            {"t.csv": joined([("v1", "v2", "", "", ""), *((n, t, "", "", "") for t, n in PLAIN)])},
            flags=("--label", "v1", "--text", "v2"),
        ),
        Layout(
            "the same without a flag",
            group,
            {"t.csv": joined([("v1", "v2", "", "", ""), *((n, t, "", "", "") for t, n in PLAIN)])},
        ),
        Layout(
            "rows without content",
            group,
            {"t.csv": joined([HEAD, *PLAIN[:8], ("", ""), ("", ""), *PLAIN[8:]])},
            note="without content",
        ),
        Layout(
            "no label on some rows: nan, empty",
            group,
            {"t.csv": joined([HEAD, *PLAIN, ("nobody knows", "nan"), ("nor this", "")])},
            note="2",
        ),
        Layout(
            "class numbers, -1 where unlabelled, as SNLI's",
            group,
            {
                "t.csv": joined(
                    [
                        HEAD,
                        *((t, i % 3) for i, (t, n) in enumerate(PLAIN)),
                        ("nobody knows", -1),
                        ("no idea either", -1),
                    ]
                )
            },
            labels=("0", "1", "2"),
            note="-1",
        ),
        Layout(
            "tone: -1, 0, 1",
            group,
            {"t.csv": joined([HEAD, *((t, i % 3 - 1) for i, (t, n) in enumerate(PLAIN))])},
            labels=("-1", "0", "1"),
            note="order",
        ),
        Layout(
            "0.0 and 1.0 in one file, 0 and 1 in the other",
            group,
            {
                "train.csv": joined(
                    [HEAD, *((t, {"parcel": "0.0", "refund": "1.0"}[n]) for t, n in PLAIN[:10])]
                ),
                "test.csv": joined(
                    [HEAD, *((t, {"parcel": "0", "refund": "1"}[n]) for t, n in PLAIN[10:])]
                ),
            },
            labels=("0", "1"),
            where="train.csv",
            flags=("--test", "{}/test.csv"),
        ),
        Layout(
            "truth values",
            group,
            {
                "t.csv": joined(
                    [("text", "is_refund"), *((t, str(n == "refund")) for t, n in PLAIN)]
                )
            },
            labels=("False", "True"),
            flags=("--label", "is_refund"),
        ),
        Layout(
            "one column a label, one 1 in a row",
            group,
            {"t.csv": joined([("text", "parcel", "refund"), *one_hot])},
            note="one 1 a row",
        ),
        Layout(
            "labels written with composed and decomposed letters",
            group,
            {
                "t.csv": joined(
                    [
                        HEAD,
                        *(
                            (t, unicodedata.normalize("NFD", n) if i % 4 > 1 else n)
                            for i, (t, n) in enumerate(KOREAN)
                        ),
                    ]
                )
            },
            **KO,
            note="read as one",
        ),
        Layout(
            "labels with a space or a zero-width character behind",
            group,
            {
                "t.csv": joined(
                    [
                        HEAD,
                        *(
                            (t, n + ("", " ", "\u200b", "")[i % 4])
                            for i, (t, n) in enumerate(PLAIN)
                        ),
                    ]
                )
            },
            note="read as one",
        ),
        Layout(
            "labels as a list of one",
            group,
            {"t.csv": quoted([HEAD, *((t, f"['{n}']") for t, n in ENGLISH)])},
            note="",
        ),
        Layout(
            "a column's name with a comma",
            group,
            {"t.csv": quoted([("What, in your words?", "topic"), *ENGLISH])},
            flags=("--text", "What, in your words?", "--label", "topic"),
        ),
        Layout(
            "UTF-8 with a byte order mark",
            group,
            {"t.csv": ("\ufeff" + joined([HEAD, *KOREAN])).encode()},
            **KO,
        ),
        Layout(
            "UTF-16, Excel's Unicode text",
            group,
            {"t.txt": joined([HEAD, *KOREAN], "\t").encode("utf-16")},
            **KO,
        ),
        Layout(
            "CP949, as Excel writes it in Korea",
            group,
            {"t.csv": joined([HEAD, *KOREAN]).encode("cp949")},
            **KO,
            note="cp949",
        ),
        Layout(
            "Shift-JIS",
            group,
            {"t.csv": joined([HEAD, *JAPANESE]).encode("cp932")},
            **ja,
            note="cp932",
        ),
        Layout(
            "GB 18030",
            group,
            {"t.csv": joined([HEAD, *CHINESE]).encode("gb18030")},
            **zh,
            note="gb18030",
        ),
        Layout(
            "Windows code page 1252",
            group,
            {"t.csv": quoted([HEAD, *GERMAN]).encode("cp1252")},
            **de,
            note="cp125",
        ),
        Layout(
            "line ends of Windows and of old Macs",
            group,
            {"t.csv": joined([HEAD, *PLAIN], end="\r\n")},
        ),
        Layout("a workbook", group, {"t.xlsx": workbook([HEAD, *ENGLISH])}),
        Layout(
            "packed: .csv.gz",
            group,
            {"t.csv.gz": gzip.compress(joined([HEAD, *PLAIN]).encode(), mtime=0)},
        ),
        Layout(
            "packed: a .zip with one file",
            group,
            {"t.zip": zipped({"__MACOSX/._t.csv": "x", "data/t.csv": joined([HEAD, *PLAIN])})},
        ),
        Layout(
            "stars",
            group,
            {
                "t.csv": joined(
                    [
                        ("review", "stars"),
                        *((t, i % 5 + 1) for i, (t, _) in enumerate(PLAIN + KOREAN)),
                    ]
                )
            },
            labels=("1", "2", "3", "4", "5"),
            rows=32,
            kind="classify",
            note="order",
        ),
        Layout(
            "a price",
            group,
            {"t.csv": joined([("title", "price"), *((t, f"${p:.2f}") for t, p in prices)])},
            kind="number",
            rows=24,
            labels=(),
        ),
        Layout(
            "prices in millions and thousands",
            group,
            {
                "t.csv": joined(
                    [
                        ("title", "price"),
                        *(
                            (t, f"${p:.1f}K" if i % 2 else f"${p / 100:.2f}M")
                            for i, (t, p) in enumerate(prices)
                        ),
                    ]
                )
            },
            kind="number",
            rows=24,
            labels=(),
        ),
        Layout(
            "weights in kg and g",
            group,
            {
                "t.csv": joined(
                    [
                        ("title", "weight"),
                        *(
                            (t, f"{p:.1f} kg" if i % 2 else f"{p:.0f} g")
                            for i, (t, p) in enumerate(prices)
                        ),
                    ]
                )
            },
            kind="",
            note="several units",
        ),
        Layout(
            "a column that says train, val, test",
            group,
            {
                "t.csv": joined(
                    [
                        ("text", "label", "split"),
                        *(
                            (t, n, ["train", "train", "val", "test"][i % 4])
                            for i, (t, n) in enumerate(PLAIN)
                        ),
                    ]
                )
            },
            rows=12,
            note="says which rows are which",
        ),
        Layout(
            "Google AutoML: TRAIN, text, label, no header",
            group,
            {
                "t.csv": joined(
                    [(["TRAIN", "TRAIN", "TEST"][i % 3], *pair) for i, pair in enumerate(PLAIN)]
                )
            },
            note="says which rows are which",
        ),
        Layout(
            "a workbook with sheets train and test",
            group,
            {"t.xlsx": workbook([HEAD, *ENGLISH[:10]], test=[HEAD, *ENGLISH[10:]])},
            note="says which rows are which",
        ),
        Layout(
            "a workbook that begins with a page of notes",
            group,
            {
                "t.xlsx": workbook(
                    [("Read me",), ("The rows are on the next sheet",)], data=[HEAD, *ENGLISH]
                )
            },
            note="'data' is read",
        ),
        Layout(
            "carets, tildes, Hive's control character",
            group,
            {"t.csv": joined([HEAD, *PLAIN], "\x01")},
            note="parted by '\\x01'",
        ),
        Layout(
            "two bars with spaces, no header",
            group,
            {"t.txt": joined(PLAIN, " || ")},
            note="parted by '||'",
            first="I want my money back",
        ),
        Layout(
            "three bars, label first, no header",
            group,
            {"t.txt": joined([(n, t) for t, n in ENGLISH], " ||| ")},
            note="parted by '|||'",
            first="You charged me twice, repay me",
        ),
        Layout(
            "label: text",
            group,
            {"t.txt": joined([(n, t) for t, n in ENGLISH], ": ")},
            note="each line begins with its label",
            first="You charged me twice, repay me",
        ),
        Layout(
            "label, then text, set in columns by spaces",
            group,
            {"t.txt": "".join(f"{n:<9} {t}\n" for t, n in ENGLISH)},
            note="each line begins with its label",
        ),
        Layout(
            "a word in small letters, then the text",
            group,
            {"t.txt": joined([(n, t) for t, n in ENGLISH], " ")},
            note="each line begins with its label",
        ),
        Layout(
            "lines of text without labels",
            group,
            {"t.txt": joined([(t,) for t, _ in PLAIN])},
            kind="",
            note="without labels",
        ),
        Layout(
            "cells missing at the end of some rows",
            group,
            {
                "t.csv": joined(
                    [
                        (*HEAD, "seen"),
                        *((*r, "yes")[: 2 + (i % 3 > 0)] for i, r in enumerate(PLAIN)),
                    ]
                )
            },
            note="end early",
        ),
        Layout(
            "label first, the same words behind a comma without quotes",
            group,
            {
                "t.csv": joined(
                    [
                        ("label", "text"),
                        *((n, t + ", I said" * (i % 3 > 0)) for i, (t, n) in enumerate(PLAIN)),
                    ]
                )
            },
            note="10 rows have commas without quotes in a text",
            first="I want my money back, I said",
        ),
        Layout(
            "rows without a text",
            group,
            {"t.csv": joined([HEAD, *PLAIN, ("", "refund"), (" ", "parcel")])},
            note="2 rows have no text",
        ),
        Layout(
            "a line of totals below",
            group,
            {"t.csv": joined([("id", *HEAD), *numbered, ("Total", "", 16)])},
            note="1 rows have no text",
        ),
        Layout(
            "a column that stands twice, the same or empty",
            group,
            {"t.csv": joined([(*HEAD, "label", "text"), *((*r, r[1], "") for r in PLAIN)])},
            note="2 columns have the name 'label'",
        ),
        Layout(
            "two columns of one name that differ",
            group,
            {"t.csv": joined([(*HEAD, "label"), *((*r, r[1][::-1]) for r in PLAIN)])},
            kind="",
            note=r"'label \(1\)'|label \(1\)",
        ),
        Layout(
            "one column a label, Yes and No",
            group,
            {
                "t.csv": joined(
                    [
                        ("text", "parcel", "refund"),
                        *((t, *("Yes" if one else "No" for one in flags)) for t, *flags in one_hot),
                    ]
                )
            },
            note="one yes a row",
        ),
        Layout(
            "one column a label, x or nothing",
            group,
            {
                "t.csv": joined(
                    [
                        ("text", "parcel", "refund"),
                        *((t, *("x" if one else "" for one in flags)) for t, *flags in one_hot),
                    ]
                )
            },
            note="one x a row",
        ),
        Layout(
            "numbers of labels with commas between, as GoEmotions",
            group,
            {
                "train.tsv": joined(
                    [
                        (t, ("0", "1", "2", "3", "0,2", "1,3", "2", "3")[i % 8], f"id{i}")
                        for i, (t, _) in enumerate(PLAIN)
                    ],
                    "\t",
                )
            },
            kind="multilabel",
            labels=("0", "1", "2", "3"),
            note="labels with ',' between",
        ),
        Layout(
            "a column an annotator",
            group,
            {
                "t.csv": joined(
                    [
                        ("text", "annotator_1", "annotator_2", "annotator_3"),
                        *((t, n, n, "refund" if i % 4 else n) for i, (t, n) in enumerate(PLAIN)),
                    ]
                )
            },
            note="alpha",
        ),
        Layout(
            "a row an annotator",
            group,
            {
                "t.csv": joined(
                    [
                        ("item", "text", "worker_id", "label"),
                        *(
                            (i, t, f"w{k}", n if k else "refund")
                            for i, (t, n) in enumerate(PLAIN)
                            for k in range(3)
                        ),
                    ]
                )
            },
            note="'worker_id' names the annotators of 48 rows: 16 texts",
        ),
        Layout(
            "decoded wrongly before it became UTF-8",
            group,
            {"t.csv": quoted([HEAD, *GERMAN]).encode().decode("latin-1")},
            **de,
            note="decoded wrongly",
        ),
        Layout(
            "Korean bytes that became Latin letters",
            group,
            {"t.csv": quoted([HEAD, *KOREAN]).encode("cp949").decode("latin-1")},
            **KO,
            note="decoded wrongly",
        ),
        Layout(
            "a test file without labels",
            group,
            {
                "train.csv": joined([HEAD, *PLAIN]),
                "test.csv": joined([("text",), *((t,) for t, _ in PLAIN[:5])]),
            },
            kind="",
            where="train.csv",
            flags=("--test", "{}/test.csv"),
            note="nshot predict",
        ),
    ]


def workbook(rows: Sequence[Sequence[object]], **others: Sequence[Sequence[object]]) -> bytes:
    """A sheet ``train``, and others by their names."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "train"
    for row in rows:
        book.active.append([*row])
    for name, more in others.items():
        sheet = book.create_sheet(name)
        for row in more:
            sheet.append([*row])
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def public() -> list[Layout]:
    """Layouts of public sets."""
    group = "public sets"
    pairs = [
        (t, f"{t} (again)", ("entailment", "neutral", "contradiction")[i % 3])
        for i, (t, _) in enumerate(KOREAN)
    ]
    three = ("contradiction", "entailment", "neutral")
    nsmc = [(9_000_000 + i, t, i % 2) for i, (t, _) in enumerate(KOREAN)]
    named = [{"id": str(i), "document": t, "label": i % 2} for i, (t, _) in enumerate(KOREAN)]
    return [
        Layout(
            "NSMC: ratings_train.txt and ratings_test.txt",
            group,
            {
                f"ratings_{part}.txt": joined([("id", "document", "label"), *rows], "\t")
                for part, rows in (("train", nsmc[:10]), ("test", nsmc[10:]))
            },
            labels=("0", "1"),
            first="환불해 주세요",
        ),
        Layout(
            "KLUE-NLI: one JSON list",
            group,
            {
                "train.json": json.dumps(
                    [
                        {
                            "guid": f"n{i}",
                            "source": "news",
                            "premise": p,
                            "hypothesis": h,
                            "gold_label": n,
                            "author": "a",
                        }
                        for i, (p, h, n) in enumerate(pairs)
                    ],
                    ensure_ascii=False,
                )
            },
            labels=three,
        ),
        Layout(
            "KLUE-YNAT: guid, title, label",
            group,
            {
                "train.json": json.dumps(
                    [
                        {
                            "guid": f"y{i}",
                            "title": t,
                            "predefined_news_category": n,
                            "label": n,
                            "date": "2016.06.01",
                        }
                        for i, (t, n) in enumerate(KOREAN)
                    ],
                    ensure_ascii=False,
                )
            },
            **KO,
        ),
        Layout(
            "korean-hate-speech: comments, contain_gender_bias, bias, hate",
            group,
            {
                "train.tsv": joined(
                    [
                        ("comments", "contain_gender_bias", "bias", "hate"),
                        *(
                            (t, "False", "none", "none" if n == "환불" else "hate")
                            for t, n in KOREAN
                        ),
                    ],
                    "\t",
                )
            },
            labels=("hate", "none"),
            flags=("--text", "comments", "--label", "hate"),
        ),
        Layout(
            "GLUE SST-2: sentence, label",
            group,
            {
                "train.tsv": joined(
                    [("sentence", "label"), *((t, i % 2) for i, (t, _) in enumerate(PLAIN))], "\t"
                )
            },
            labels=("0", "1"),
        ),
        Layout(
            "BANKING77: text, category",
            group,
            {"train.csv": joined([("text", "category"), *PLAIN])},
        ),
        Layout(
            "AG News: class number, title, description, no header",
            group,
            {
                "train.csv": quoted(
                    [
                        (i % 4 + 1, f"News {i}: {t}", f"{t}, said a customer on day {i}.")
                        for i, (t, _) in enumerate(ENGLISH * 2)
                    ]
                )
            },
            labels=("1", "2", "3", "4"),
            rows=32,
            first="News 0: Where is my parcel?\nWhere is my parcel?, said a customer on day 0.",
            note="no header",
        ),
        Layout(
            "SMSSpamCollection: ham or spam, a tab, the text",
            group,
            {
                "SMSSpamCollection.txt": joined(
                    [("ham" if n == "parcel" else "spam", t) for t, n in ENGLISH], "\t"
                )
            },
            labels=("ham", "spam"),
            first="The amount is wrong, correct it",
        ),
        Layout(
            "fastText: __label__name text",
            group,
            {"train.txt": "".join(f"__label__{n} {t}\n" for t, n in ENGLISH)},
        ),
        Layout(
            "TREC: NUM:date text",
            group,
            {
                "train.txt": "".join(
                    f"{'NUM:date' if n == 'parcel' else 'DESC:def'} {t}\n" for t, n in PLAIN
                )
            },
            labels=("DESC:def", "NUM:date"),
            note="each line begins with its label",
        ),
        Layout(
            "Amazon reviews: rating, title, text",
            group,
            {
                "r.jsonl": lines(
                    [
                        {
                            "rating": float(i % 5 + 1),
                            "title": t[:9],
                            "text": t,
                            "asin": f"B{i:04}",
                            "verified_purchase": True,
                        }
                        for i, (t, _) in enumerate(ENGLISH * 2)
                    ]
                )
            },
            flags=("--label", "rating"),
            labels=("1", "2", "3", "4", "5"),
            rows=32,
        ),
        Layout(
            "Kaggle's Twitter sentiment: tweet_id, airline_sentiment, text",
            group,
            {
                "Tweets.csv": joined(
                    [
                        ("tweet_id", "airline_sentiment", "name", "text"),
                        *(
                            (5703 + i, ("negative", "positive")[i % 2], "jo", t)
                            for i, (t, _) in enumerate(PLAIN)
                        ),
                    ]
                )
            },
            flags=("--label", "airline_sentiment", "--text", "text"),
            labels=("negative", "positive"),
        ),
        Layout(
            "GSM8K: question, answer",
            group,
            {
                "train.jsonl": lines(
                    [
                        {
                            "question": f"What is {i} and {i}?",
                            "answer": f"{i} and {i} are {2 * i}. #### {2 * i}",
                        }
                        for i in range(20)
                    ]
                )
            },
            kind="generate",
            labels=(),
            rows=20,
            flags=("--kind", "generate"),
        ),
        Layout(
            "E2E NLG: mr, ref",
            group,
            {
                "trainset.csv": quoted(
                    [
                        ("mr", "ref"),
                        *(
                            (f"name[Inn {i}], food[Thai]", f"Inn {i} serves Thai food.")
                            for i in range(20)
                        ),
                    ]
                )
            },
            kind="generate",
            labels=(),
            rows=20,
            flags=("--text", "mr", "--label", "ref", "--kind", "generate"),
        ),
        Layout(
            "NSMC as JSON lines with class numbers",
            group,
            {"train.jsonl": lines(named)},
            labels=("0", "1"),
            first="환불해 주세요",
        ),
    ]


def json_files() -> list[Layout]:
    """JSON in its shapes."""
    rows, group = records(ENGLISH), "JSON"
    by_number = {key: {str(i): row[key] for i, row in enumerate(rows)} for key in ("text", "label")}
    by_label = {n: [t for t, m in ENGLISH if m == n] for n in ("parcel", "refund")}
    by_label["parcel"] = by_label["parcel"][:7]
    return [
        Layout("one object a line", group, {"t.jsonl": lines(rows)}),
        Layout(
            "a byte order mark, empty lines between",
            group,
            {"t.jsonl": "\ufeff" + lines(rows).replace("\n", "\n\n")},
        ),
        Layout("an array", group, {"t.json": json.dumps(rows)}),
        Layout(
            "columns",
            group,
            {"t.json": json.dumps({key: [row[key] for row in rows] for key in ("text", "label")})},
        ),
        Layout(
            "columns by row number, as pandas writes them", group, {"t.json": json.dumps(by_number)}
        ),
        Layout(
            "rows by number",
            group,
            {"t.json": json.dumps({str(i): row for i, row in enumerate(rows)})},
        ),
        Layout(
            "one list of rows beside other keys",
            group,
            {"t.json": json.dumps({"version": "1.1", "data": rows})},
            note="the list 'data'",
        ),
        Layout(
            "texts by label",
            group,
            {"t.json": json.dumps(by_label)},
            rows=15,
            note="each key is a label",
        ),
        Layout(
            "arrays, the names first",
            group,
            {"t.json": json.dumps([["text", "label"], *map(list, ENGLISH)])},
        ),
        Layout(
            "arrays without names",
            group,
            {"t.json": json.dumps([[*pair] for pair in ENGLISH])},
            note="no names",
        ),
        Layout(
            "CLINC150: train, val and test in one document, pairs in each",
            group,
            {
                "data_full.json": json.dumps(
                    {"val": ENGLISH[:4], "train": ENGLISH[4:12], "test": ENGLISH[12:]}
                )
            },
            rows=12,
            note="says which rows are which",
        ),
        Layout(
            "packed: .jsonl.gz", group, {"t.jsonl.gz": gzip.compress(lines(rows).encode(), mtime=0)}
        ),
        Layout(
            "texts of each intent in a list",
            group,
            {
                "intents.json": json.dumps(
                    {
                        "intents": [
                            {
                                "tag": name,
                                "patterns": [t for t, n in ENGLISH if n == name],
                                "responses": ["We will look."],
                            }
                            for name in ("parcel", "refund")
                        ]
                    }
                )
            },
            note="each 'tag' is a label, its 'patterns' the texts; not used: responses",
        ),
        Layout(
            "text: label",
            group,
            {"t.json": json.dumps(dict(ENGLISH))},
            note="each key is a text",
        ),
        Layout(
            "a page of Hugging Face's data set viewer",
            group,
            {
                "rows.json": json.dumps(
                    {
                        "features": [
                            {"name": "text", "type": {"dtype": "string"}},
                            {"name": "label", "type": {"names": ["parcel", "refund"]}},
                        ],
                        "rows": [
                            {"row_idx": i, "row": {"text": t, "label": int(n == "refund")}}
                            for i, (t, n) in enumerate(ENGLISH)
                        ],
                    }
                )
            },
            note="a page of a data set's rows",
        ),
        Layout(
            "texts inside objects, as Elasticsearch gives them",
            group,
            {
                "hits.json": json.dumps(
                    {
                        "hits": {
                            "total": 16,
                            "hits": [
                                {"_id": str(i), "_source": {"text": t, "label": n}}
                                for i, (t, n) in enumerate(ENGLISH)
                            ],
                        }
                    }
                )
            },
            note="'_source' holds objects",
        ),
        Layout(
            "labels as objects with a name",
            group,
            {
                "t.jsonl": lines(
                    [{"text": t, "label": {"id": len(n), "name": n}} for t, n in ENGLISH]
                )
            },
            note="read by their 'name'",
        ),
        Layout(
            "SQuAD: questions about paragraphs",
            group,
            {
                "train.json": json.dumps(
                    {
                        "version": "1.1",
                        "data": [
                            {
                                "title": "T",
                                "paragraphs": [
                                    {
                                        "context": f"{t} It is {n}.",
                                        "qas": [
                                            {
                                                "id": str(i),
                                                "question": f"What is text {i}?",
                                                "answers": [{"text": n, "answer_start": 9}],
                                            }
                                        ],
                                    }
                                    for i, (t, n) in enumerate(ENGLISH)
                                ],
                            }
                        ],
                    }
                )
            },
            kind="generate",
            labels=(),
            note="format squad",
        ),
        Layout(
            "SQuAD as Hugging Face keeps it",
            group,
            {
                "train.jsonl": lines(
                    [
                        {
                            "id": str(i),
                            "context": f"{t} It is {n}.",
                            "question": f"What is text {i}?",
                            "answers": {"text": [n] * (i > 0), "answer_start": [9]},
                        }
                        for i, (t, n) in enumerate(ENGLISH)
                    ]
                )
            },
            kind="generate",
            labels=(),
            rows=15,
            note="1 rows left out: the text does not answer the question",
        ),
        Layout(
            "truth values as labels",
            group,
            {"t.jsonl": lines([{"text": t, "label": n == "refund"} for t, n in ENGLISH])},
            labels=("false", "true"),
        ),
        Layout(
            "nothing but null as label on two rows",
            group,
            {"t.jsonl": lines([*rows, {"text": "a", "label": None}, {"text": "b", "label": None}])},
            note="2",
        ),
    ]


def tools() -> list[Layout]:
    """Exports of labelling tools."""
    group, ko = "labelling tools", dict(KO)
    studio = [
        {
            "id": i,
            "data": {"text": t},
            "annotations": [
                {
                    "completed_by": 1,
                    "was_cancelled": False,
                    "result": [
                        {
                            "from_name": "topic",
                            "to_name": "text",
                            "type": "choices",
                            "value": {"choices": [n]},
                        }
                    ],
                }
            ],
        }
        for i, (t, n) in enumerate(KOREAN)
    ]
    mini = [
        {
            "id": i,
            "text": t,
            "topic": n,
            "annotator": 1,
            "annotation_id": i,
            "created_at": "2024-01-01T00:00:00Z",
            "updated_at": "2024-01-01T00:00:00Z",
            "lead_time": 2.5,
        }
        for i, (t, n) in enumerate(KOREAN)
    ]
    prodigy = [
        {
            "text": t,
            "_input_hash": i,
            "_task_hash": i,
            "label": n,
            "answer": "reject" if i == 3 else "ignore" if i == 4 else "accept",
            "_view_id": "classification",
        }
        for i, (t, n) in enumerate(KOREAN)
    ]
    return [
        Layout(
            "Label Studio, two questions a text",
            group,
            {
                "project.json": json.dumps(
                    [
                        {
                            "data": {"text": t},
                            "annotations": [
                                {
                                    "result": [
                                        {"from_name": name, "value": {"choices": [value]}}
                                        for name, value in (
                                            ("topic", n),
                                            ("urgent", str(len(t) % 2)),
                                        )
                                    ]
                                }
                            ],
                        }
                        for t, n in ENGLISH
                    ]
                )
            },
            kind="",
            note="2 questions were answered: topic, urgent",
        ),
        Layout(
            "Argilla, two questions a record",
            group,
            {
                "records.json": json.dumps(
                    [
                        {
                            "fields": {"text": t},
                            "responses": {
                                name: [{"value": value, "status": "submitted"}]
                                for name, value in (("topic", n), ("quality", len(t) % 3))
                            },
                        }
                        for t, n in ENGLISH
                    ]
                )
            },
            flags=("--label", "topic"),
            note="an export of Argilla",
        ),
        Layout(
            "SageMaker Ground Truth",
            group,
            {
                "output.manifest": lines(
                    [
                        {"source": t, "job": len(n), "job-metadata": {"class-name": n}}
                        for t, n in ENGLISH
                    ]
                )
            },
            note="SageMaker Ground Truth",
        ),
        Layout(
            "Vertex AI",
            group,
            {
                "v.jsonl": lines(
                    [
                        {"textContent": t, "classificationAnnotation": {"displayName": n}}
                        for t, n in ENGLISH
                    ]
                )
            },
            note="Vertex AI",
        ),
        Layout(
            "doccano 1: annotations by user",
            group,
            {
                "d.jsonl": lines(
                    [
                        {"text": t, "annotations": [{"label": n, "user": 1}], "meta": {}}
                        for t, n in ENGLISH
                    ]
                )
            },
            note="doccano 1",
        ),
        Layout(
            "Prodigy: one label, accepted or rejected",
            group,
            {
                "p.jsonl": lines(
                    [
                        {
                            "text": t,
                            "label": "refund",
                            "answer": "accept" if n == "refund" else "reject",
                            "_task_hash": i,
                        }
                        for i, (t, n) in enumerate(ENGLISH)
                    ]
                )
            },
            labels=("not refund", "refund"),
            note="rows that were rejected have the label 'not refund'",
        ),
        Layout(
            "Rasa: intents beside entities",
            group,
            {
                "nlu.json": json.dumps(
                    {
                        "rasa_nlu_data": {
                            "common_examples": [
                                {
                                    "text": t,
                                    "intent": n,
                                    "entities": [{"start": 0, "end": 3, "entity": "w"}] * (i % 2),
                                }
                                for i, (t, n) in enumerate(ENGLISH)
                            ]
                        }
                    }
                )
            },
            kind="",
            note="two tasks",
        ),
        Layout(
            "Label Studio, JSON",
            group,
            {"project.json": json.dumps(studio, ensure_ascii=False)},
            **ko,
            note="Label Studio",
        ),
        Layout(
            "Label Studio, JSON-MIN",
            group,
            {"project.json": json.dumps(mini, ensure_ascii=False)},
            **ko,
            note="Label Studio",
        ),
        Layout(
            "doccano, JSONL",
            group,
            {
                "all.jsonl": lines(
                    [{"id": i, "text": t, "label": [n]} for i, (t, n) in enumerate(KOREAN)]
                )
            },
            **ko,
            note="",
        ),
        Layout(
            "Prodigy: accept, reject, ignore",
            group,
            {"p.jsonl": lines(prodigy)},
            labels=("배송", "환불"),
            rows=14,
            note="Prodigy",
        ),
        Layout(
            "Argilla, records",
            group,
            {
                "a.json": json.dumps(
                    [
                        {
                            "id": str(i),
                            "fields": {"text": t},
                            "responses": {
                                "topic": [{"value": n, "user_id": "u", "status": "submitted"}]
                            },
                            "suggestions": {},
                            "metadata": {},
                            "status": "completed",
                        }
                        for i, (t, n) in enumerate(KOREAN)
                    ],
                    ensure_ascii=False,
                )
            },
            **ko,
            note="Argilla",
        ),
        Layout(
            "spaCy: cats",
            group,
            {
                "s.jsonl": lines(
                    [
                        {
                            "text": t,
                            "cats": {"배송": float(n == "배송"), "환불": float(n == "환불")},
                        }
                        for t, n in KOREAN
                    ]
                )
            },
            **ko,
            note="spaCy",
        ),
    ]


def conversations() -> list[Layout]:
    """Instructions, conversations and preferences."""
    group = "conversations"
    asks = [
        (f"Say {word} in Korean.", f"{word}!")
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    ]
    n = {"kind": "generate", "labels": (), "rows": 10}
    pairs = [(q, a, f"not {a}") for q, a in asks]
    return [
        Layout(
            "Gemini: contents with parts",
            group,
            {
                "g.jsonl": lines(
                    [
                        {
                            "systemInstruction": {"parts": [{"text": "Be brief."}]},
                            "contents": [
                                {"role": "user", "parts": [{"text": q}]},
                                {"role": "model", "parts": [{"text": a}]},
                            ],
                        }
                        for q, a in asks
                    ]
                )
            },
            **n,
            note="format messages",
        ),
        Layout(
            "Cohere: User and Chatbot",
            group,
            {
                "c.jsonl": lines(
                    [
                        {
                            "messages": [
                                {"role": "User", "content": q},
                                {"role": "Chatbot", "content": a},
                            ]
                        }
                        for q, a in asks
                    ]
                )
            },
            **n,
            note="format messages",
        ),
        Layout(
            "answers with reasoning_content",
            group,
            {
                "r.jsonl": lines(
                    [
                        {
                            "messages": [
                                {"role": "user", "content": q},
                                {"role": "assistant", "reasoning_content": "So.", "content": a},
                            ]
                        }
                        for q, a in asks
                    ]
                )
            },
            **n,
            note="10 rows: reasoning beside an answer",
        ),
        Layout(
            "texts of a dialogue in a list",
            group,
            {"d.jsonl": lines([{"dialog": [q, a]} for q, a in asks])},
            **n,
            note="by turns the user's and the assistant's",
        ),
        Layout(
            "question and answer, in Korean",
            group,
            {"q.csv": quoted([("질문", "답변"), *((q, f"{a} 입니다") for q, a in asks)])},
            **n,
            note="kind generate",
        ),
        Layout(
            "CNN/DailyMail: article, highlights",
            group,
            {"a.csv": quoted([("article", "highlights"), *asks])},
            **n,
            note="kind generate",
        ),
        Layout(
            "Alpaca: instruction, input, output",
            group,
            {"a.json": json.dumps([{"instruction": q, "input": "", "output": a} for q, a in asks])},
            **n,
        ),
        Layout(
            "Alpaca with system and history",
            group,
            {
                "a.json": json.dumps(
                    [
                        {
                            "instruction": q,
                            "input": "",
                            "output": a,
                            "system": "Be brief.",
                            "history": [["Hello", "Hi"]],
                        }
                        for q, a in asks
                    ]
                )
            },
            **n,
        ),
        Layout(
            "ShareGPT: conversations with from and value",
            group,
            {
                "s.jsonl": lines(
                    [
                        {
                            "conversations": [
                                {"from": "human", "value": q},
                                {"from": "gpt", "value": a},
                            ]
                        }
                        for q, a in asks
                    ]
                )
            },
            **n,
        ),
        Layout(
            "OpenAI: messages",
            group,
            {
                "m.jsonl": lines(
                    [
                        {
                            "messages": [
                                {"role": "system", "content": "Be brief."},
                                {"role": "user", "content": q},
                                {"role": "assistant", "content": a},
                            ]
                        }
                        for q, a in asks
                    ]
                )
            },
            **n,
        ),
        Layout(
            "prompt and completion",
            group,
            {"c.jsonl": lines([{"prompt": q, "completion": a} for q, a in asks])},
            **n,
        ),
        Layout(
            "preferences: prompt, chosen, rejected",
            group,
            {"p.jsonl": lines([{"prompt": q, "chosen": c, "rejected": r} for q, c, r in pairs])},
            kind="rank",
            labels=(),
            rows=10,
        ),
        Layout(
            "hh-rlhf: two whole dialogues as strings",
            group,
            {
                "h.jsonl": lines(
                    [
                        {
                            "chosen": f"\n\nHuman: {q}\n\nAssistant: {c}",
                            "rejected": f"\n\nHuman: {q}\n\nAssistant: {r}",
                        }
                        for q, c, r in pairs
                    ]
                )
            },
            kind="rank",
            labels=(),
            rows=10,
        ),
        Layout(
            "arenas: response_a, response_b, winner",
            group,
            {
                "a.csv": quoted(
                    [
                        ("prompt", "response_a", "response_b", "winner"),
                        *((q, c, r, ["a", "b", "tie"][i % 3]) for i, (q, c, r) in enumerate(pairs)),
                    ]
                )
            },
            kind="rank",
            labels=(),
            rows=7,
            note="two answers and which is better",
        ),
        Layout(
            "AlpacaFarm: output_1, output_2, preference",
            group,
            {
                "a.json": json.dumps(
                    [
                        {
                            "instruction": q,
                            "input": "",
                            "output_1": c,
                            "output_2": r,
                            "preference": 1 + i % 2,
                        }
                        for i, (q, c, r) in enumerate(pairs)
                    ]
                )
            },
            kind="rank",
            labels=(),
            rows=10,
            note="two answers and which is better",
        ),
        Layout(
            "KTO: prompt, completion, label",
            group,
            {
                "k.jsonl": lines(
                    [
                        {"prompt": q, "completion": x, "label": good}
                        for q, c, r in pairs
                        for x, good in ((c, True), (r, False))
                    ]
                )
            },
            kind="",
            note="two answers to choose from",
        ),
    ]


def marked_tokens() -> list[Layout]:
    """Rows of tokens with a tag each."""
    group = "spans"
    sentences = [
        (f"{person} flew to {place} on Monday".split(), person.split(), place.split())
        for person in ("Ann Lee", "Kim", "Jo Ann Fox", "Max")
        for place in ("Rome", "New York")
    ]

    def tags(words: Sequence[str], person: Sequence[str], place: Sequence[str]) -> list[str]:
        marks = ["O"] * len(words)
        for own, label in ((person, "PER"), (place, "LOC")):
            start = words.index(own[0])
            marks[start : start + len(own)] = [f"B-{label}", *[f"I-{label}"] * (len(own) - 1)]
        return marks

    number = {"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3, "I-LOC": 4}
    rows = [{"tokens": words, "ner_tags": tags(words, *own)} for words, *own in sentences]
    numbers = [row | {"ner_tags": [number[tag] for tag in row["ner_tags"]]} for row in rows]
    shifted = [row | {"ner_tags": [4 - tag for tag in row["ner_tags"]]} for row in numbers]
    signs = [
        {"tokens": [*f"{name}가 왔다"], "ner_tags": ["B-PS", "I-PS", "I-PS", "O", "O", "O", "O"]}
        for name in ("김철수", "이영희", "박민수", "최지우", "정다운", "강하늘", "윤소라", "임가람")
    ]
    common = {"kind": "spans", "rows": 8, "labels": ("LOC", "PER")}
    return [
        Layout(
            "Hugging Face: tokens and ner_tags as text",
            group,
            {"n.jsonl": lines(rows)},
            **common,
            first="Ann Lee flew to New York on Monday",
            note="'tokens' joined to texts, 'ner_tags' read as spans",
        ),
        Layout(
            "tokens and ner_tags as numbers, without their names",
            group,
            {"n.jsonl": lines(numbers)},
            **(common | {"labels": ("1", "2")}),
            note="0 read as outside, 1 and 2 as the first and a further token of label 1",
        ),
        Layout(
            "Kaggle: Sentence #, Word, POS, Tag, a token a row",
            group,
            {
                "ner.csv": quoted(
                    [
                        ("Sentence #", "Word", "POS", "Tag"),
                        *(
                            ("" if k else f"Sentence: {i + 1}", word, "NN", tag)
                            for i, row in enumerate(rows)
                            for k, (word, tag) in enumerate(zip(*row.values(), strict=True))
                        ),
                    ]
                )
            },
            **common,
            first="Ann Lee flew to New York on Monday",
            note="a token a line: put together by 'Sentence #'; not used: POS",
        ),
        Layout(
            "spans as Python prints them, in a cell",
            group,
            {
                "n.csv": quoted(
                    [
                        ("sentence", "entities"),
                        *(
                            (
                                f"{p} flew to {q}",
                                [(0, len(p), "PER"), (len(p) + 9, len(p) + 9 + len(q), "LOC")],
                            )
                            for p in ("Ann", "Kim", "Jo", "Max")
                            for q in ("Rome", "New York")
                        ),
                    ]
                )
            },
            **common,
            first="Ann flew to Rome",
        ),
        Layout(
            "sentence_id, word, label, a token a row",
            group,
            {
                "ner.csv": quoted(
                    [
                        ("sentence_id", "word", "label"),
                        *(
                            (i, word, tag)
                            for i, row in enumerate(rows)
                            for word, tag in zip(*row.values(), strict=True)
                        ),
                    ]
                )
            },
            **common,
            first="Kim flew to Rome on Monday",
            note="put together by 'sentence_id'",
        ),
        Layout(
            "the same, named in task.yaml",
            group,
            {
                "d/n.jsonl": lines(numbers),
                "d/task.yaml": "data: {train: n.jsonl, tags: [O, B-PER, I-PER, B-LOC, I-LOC]}\n",
            },
            **common,
            where="d",
        ),
        Layout(
            "numbers in another order, without their names",
            group,
            {"n.jsonl": lines(shifted)},
            kind="",
            note="nothing says which tags they are",
        ),
        Layout(
            "KLUE-NER: a sign a token, spaces too",
            group,
            {"k.jsonl": lines(signs)},
            kind="spans",
            rows=8,
            labels=("PS",),
            first="김철수가 왔다",
        ),
        Layout(
            "CoNLL: a token and its tag a line",
            group,
            {
                "n.conll": "\n".join(
                    "".join(f"{w} {t}\n" for w, t in zip(r["tokens"], r["ner_tags"], strict=True))
                    for r in rows
                )
            },
            **common,
            note="tokens joined by spaces",
        ),
    ]


def folders() -> list[Layout]:
    """Folders."""
    group = "folders"

    def texts(where: str, rows: Sequence[tuple[str, str]]) -> dict[str, Content]:
        return {f"{where}{n}/{i}.txt": t for i, (t, n) in enumerate(rows)}

    return [
        Layout("a folder a label, a file a text", group, texts("d/", ENGLISH), where="d"),
        Layout(
            "train and val, in capitals",
            group,
            {**texts("d/Train/", ENGLISH[:10]), **texts("d/Val/", ENGLISH[10:])},
            where="d",
            note="Val",
        ),
        Layout(
            "training, validation, testing",
            group,
            {
                **texts("d/training/", ENGLISH[:8]),
                **texts("d/validation/", ENGLISH[8:12]),
                **texts("d/testing/", ENGLISH[12:]),
            },
            where="d",
            rows=12,
            note="validation",
        ),
        Layout(
            "__MACOSX, .DS_Store, .ipynb_checkpoints, Thumbs.db",
            group,
            {
                **texts("d/", ENGLISH),
                "d/__MACOSX/x.txt": "x",
                "d/.DS_Store": "x",
                "d/parcel/.ipynb_checkpoints/0.txt": "x",
                "d/refund/Thumbs.db": "x",
            },
            where="d",
        ),
        Layout(
            "folders' names decomposed, as macOS writes them",
            group,
            {**texts("d/", [(t, unicodedata.normalize("NFD", n)) for t, n in KOREAN])},
            where="d",
            **KO,
        ),
        Layout(
            "one folder with everything in it",
            group,
            texts("d/tickets/", ENGLISH),
            where="d",
            note="tickets in d is read",
        ),
        Layout(
            "train and test in each class",
            group,
            {
                f"d/{n}/{'test' if i > 11 else 'train'}/{i}.txt": t
                for i, (t, n) in enumerate(ENGLISH)
            },
            where="d",
            note="says which rows are which",
        ),
        Layout(
            "folds with the classes in them",
            group,
            {f"d/fold{i % 4 // 2}/{n}/{i}.txt": t for i, (t, n) in enumerate(ENGLISH)},
            where="d",
            note="folds",
        ),
        Layout(
            "IMDb: train/pos, train/neg, train/unsup",
            group,
            {
                **texts("d/train/", ENGLISH[:12]),
                "d/train/unsup/1.txt": "who knows",
                **texts("d/test/", ENGLISH[12:]),
            },
            where="d",
            note="unsup",
        ),
        Layout(
            "20 Newsgroups: files named by numbers",
            group,
            {f"d/{n}/{50000 + i}": t for i, (t, n) in enumerate(ENGLISH)},
            where="d",
        ),
        Layout(
            "train/data.csv and test/data.csv",
            group,
            {
                "d/train/data.csv": joined([HEAD, *PLAIN[:10]]),
                "d/test/data.csv": joined([HEAD, *PLAIN[10:]]),
            },
            where="d",
        ),
        Layout(
            "train.csv and test.csv",
            group,
            {"d/train.csv": joined([HEAD, *PLAIN[:10]]), "d/test.csv": joined([HEAD, *PLAIN[10:]])},
            where="d",
        ),
    ]


MAKERS: tuple[Callable[[], list[Layout]], ...] = (
    tables,
    public,
    json_files,
    tools,
    conversations,
    marked_tokens,
    folders,
)
LAYOUTS: tuple[Layout, ...] = tuple(layout for make in MAKERS for layout in make())
