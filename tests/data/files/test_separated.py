"""Cells parted by whatever parts them; what cannot be told is refused with a cure that works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.cli.main import main
from nshot.core.errors import InputError
from nshot.data import load
from nshot.data.faults import Faults
from nshot.data.files import read_file
from nshot.data.files.separator import named_by_excel, tell_separator
from nshot.data.table import Table

SHOP = [
    ("the phone was charged twice, refund me", "refund"),
    ("when will the lamp be delivered", "delivery"),
    ("two factor code for sofa never comes", "login"),
    ("a refund is due, please, on lamp 8315", "refund"),
]


def nshot(*words: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    return int(str(caught.value.code))


def table(path: Path, content: str) -> Table:
    path.write_text(content, encoding="utf-8")
    faults = Faults()
    read = read_file(path, faults)
    if faults or read is None:
        raise faults.error()
    return read


def shop(mark: str) -> str:
    return "".join(f"{text}{mark}{label}\n" for text, label in [("text", "label"), *SHOP])


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_separators_are_told_from_the_content(tmp_path: Path, mark: str) -> None:
    read = table(tmp_path / "shop.csv", shop(mark))
    assert [(row["text"], row["label"]) for row in read.rows] == SHOP
    assert read.notes[0].startswith("shop.csv: parted by ")


def test_a_tsv_of_commas(tmp_path: Path) -> None:
    read = table(tmp_path / "shop.tsv", "text,label\nfine,good\nawful,bad\n")
    assert read.columns == ("text", "label")
    assert read.notes == ["shop.tsv: parted by commas"]


def test_a_separator_inside_quotes_is_text(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", 'text,label\n"a; b",x\n"c; d",y\n')
    assert [row["text"] for row in read.rows] == ["a; b", "c; d"]
    assert read.notes == []


def test_decimal_commas_are_no_separators(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", "text;price, EUR;label\nfine;1,50;good\nawful;2,75;bad\n")
    assert read.columns == ("text", "price, EUR", "label")
    assert read.rows[0]["price, EUR"] == "1,50"


def test_the_line_that_excel_writes(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", "sep=;\r\ntext;label\r\na,b;x\r\nc,d;y\r\n")
    assert read.columns == ("text", "label")
    assert read.places == [3, 4]
    assert named_by_excel("sep=\\t\na\tb\n") == ("\t", "a\tb\n")


def test_spaces_after_separators_and_quotes_after_a_space(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", 'text, label\n"so, he said", "refund"\nfine, "late"\n')
    assert read.columns == ("text", "label")
    assert read.rows == [
        {"text": "so, he said", "label": "refund"},
        {"text": "fine", "label": "late"},
    ]
    assert "a.csv: spaces after separators are left out" in read.notes


def test_single_spaces_are_text(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", "label,text\nx, leading\ny,none\n")
    assert read.rows[0]["text"] == " leading"


def test_backslashes_before_quotes(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", 'text,label\n"he said \\"no\\", twice",x\nfine,y\n')
    assert read.rows[0]["text"] == 'he said "no", twice'


def test_empty_cells_beyond_the_header_do_not_count(tmp_path: Path) -> None:
    read = table(tmp_path / "a.csv", "text,label\na b,x,,\nc d,y,,\n")
    assert read.rows == [{"text": "a b", "label": "x"}, {"text": "c d", "label": "y"}]


@pytest.mark.parametrize("name", ["semi.csv", "semi.txt"])
def test_the_cure_of_two_separators_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("text;part,label\nfine;a,good\nawful;b,bad\n")
    with pytest.raises(InputError, match="commas or by semicolons") as caught:
        read_file(path, Faults())
    for command in caught.value.faults[0].do.split(" , or "):
        subprocess.run(["bash", "-c", command], check=True)
    assert table_columns(tmp_path / "semi.semicolons.csv") == ("text", "part,label")
    assert table_columns(tmp_path / "semi.commas.csv") == ("text;part", "label")


def table_columns(path: Path) -> tuple[str, ...]:
    read = read_file(path, Faults())
    assert read is not None
    return read.columns


CELL = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters='"\ufeff'), max_size=12
)


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=12),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_is_quoted_is_told_with_any_separator(
    rows: list[tuple[str, str, str]], mark: str
) -> None:
    lines = [("one", "two", "three"), *rows]
    text = "".join(mark.join(f'"{cell}"' for cell in line) + "\n" for line in lines)
    assert tell_separator(text, ",", Path("a.csv")) == mark


def test_shared_case_of_nsmc_as_txt(tmp_path: Path) -> None:
    (tmp_path / "ratings.txt").write_text(
        "id\tdocument\tlabel\n" + "".join(f"{i}\tthe words, of {i}\t{i % 2}\n" for i in range(8))
    )
    loaded = load(tmp_path / "ratings.txt")
    assert loaded.task.label_names == ("0", "1")
    assert loaded.train[3].input.text == "the words, of 3"
    assert [row.id for row in loaded.train][:2] == ["0", "1"]


def test_fasttexts_lines(tmp_path: Path) -> None:
    read = table(
        tmp_path / "ft.txt",
        "__label__refund the phone, refund me\n__label__a __label__b both of them\n"
        "at the end __label__a\n",
    )
    assert read.rows == [
        {"text": "the phone, refund me", "label": "refund"},
        {"text": "both of them", "label": ["a", "b"]},
        {"text": "at the end", "label": "a"},
    ]
    assert read.notes == ["ft.txt: fastText's lines, __label__LABEL TEXT"]


def test_lines_of_text_alone_are_no_rows_of_a_task(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lines of text without labels"):
        table(tmp_path / "lines.txt", "one thing\nanother thing, and more\na third\n")


FORMS = 'Timestamp,"What went wrong, in your own words?","Which team, do you think?"\n' + "".join(
    f'2024/01/05,"the words, number {i}",{"ab"[i % 2]}\n' for i in range(8)
)


@pytest.mark.parametrize(
    "text", ["What went wrong, in your own words?", '"What went wrong, in your own words?"']
)
def test_a_comma_in_a_columns_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "forms.csv").write_text(FORMS)
    words = ["check", str(tmp_path / "forms.csv"), "--text", text]
    assert nshot(*words, "--label", "Which team, do you think?") == 0
    assert "'the words, number 0' -> a" in capsys.readouterr().out


def test_a_comma_in_one_of_several_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"a, b",c,label\nx y,u v,1\nz w,t s,2\n')
    loaded = load(tmp_path / "a.csv", text=["c", "a", "b"], label="label")
    assert loaded.train[0].input.fields == (("c", "u v"), ("a, b", "x y"))
