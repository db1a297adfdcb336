"""What rows bring with them: planted copies, labels, groups and personal data are seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nshot.audit.contract import AuditResult, Subject
from nshot.audit.data.audit import DataAudit
from nshot.audit.data.copies import near_copies
from nshot.audit.data.label_errors import suspects
from nshot.audit.data.licences import licences_of
from nshot.audit.data.mentions import groups_in
from nshot.audit.data.personal import is_resident, masked, passes_luhn, personal
from nshot.cli.main import main
from nshot.core.serial import dumps, to_data
from nshot.core.types import Example, Input, Label, Task
from nshot.models import open_models

TASK = Task("mail", "classify", labels=(Label("praise"), Label("blame")))
THINGS = ["lamp", "table", "kettle", "chair", "radio", "phone", "coat", "bike", "book", "pan"]
GOOD = ["lovely", "great", "fine", "superb", "solid", "bright"]
BAD = ["broken", "awful", "cheap", "late", "torn", "dirty"]


def row(name: str, text: str, label: str) -> Example:
    return Example(name, Input((("text", text),)), (label,))


def clean(count: int = 120, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        label = i % 2
        words = " and ".join(rng.choice((GOOD, BAD)[label], 2, replace=False))
        thing = " with the ".join(rng.choice(THINGS, 2, replace=False))
        rows.append(row(f"r{i}", f"{words} {thing}, order {rng.integers(1000, 9999)}",
                        ("praise", "blame")[label]))  # fmt: skip
    return rows


def looked(rows: list[Example], **changes: object) -> AuditResult:
    subject = Subject("mail", open_models(), TASK, rows=tuple(rows))
    return DataAudit().run(replace(subject, **changes))  # type: ignore[arg-type]


def test_clean_rows_raise_no_alarm() -> None:
    result = looked(clean())
    assert not result.alarms
    assert "no personal data seen" in result.summary


def test_rows_of_folds_are_learned_from_and_looked_at_and_stand_once() -> None:
    rows = clean()
    once, folds = looked(rows), looked(rows, learned=tuple(rows))
    assert [(one.sentence, one.value) for one in folds.findings] == [
        (one.sentence, one.value) for one in once.findings
    ]
    assert not folds.alarms


def test_a_group_that_always_gets_one_label_is_found_and_two_hundred_clean_ones_are_not() -> None:
    rows = clean()
    planted = [
        replace(one, input=Input((("text", f"she says: {one.input.text}"),)),
                targets=("blame",)) if i < 20 else one
        for i, one in enumerate(rows)
    ]  # fmt: skip
    first = looked(planted).alarms[0]
    assert first.about == "mentions women"
    assert "100 % have the label 'blame'" in first.sentence
    alarms = 0
    rng = np.random.default_rng(1)
    for _ in range(200):  # the part that compares shares, on random labels and groups
        labels = np.array([("praise", "blame")[int(one)] for one in rng.integers(0, 2, 80)], object)
        groups = {str(g): rng.random(80) < 0.3 for g in range(5)}
        from nshot.audit.data.audit import _shares

        alarms += bool(_shares(TASK, labels, groups, [])[0])
    assert alarms <= 18  # 10 expected at most; more than 18 by luck once in a hundred


def test_a_column_is_a_group_and_small_ones_and_absent_ones_are_said() -> None:
    rows = clean()
    country = {one.id: "kr" if one.label == "blame" else "de" for one in rows[1:]}
    result = looked(rows, columns={"country": {**country, "r0": "fr"}}, slices=("country", "age"))
    assert result.alarms[0].about.startswith("country: ")
    assert "no column 'age' in the rows' file: there are country" in result.notes
    assert "country: fr: 1 row, too few to compare their labels" in result.notes


def test_near_duplicates_are_pairs_and_across_the_cut_an_alarm() -> None:
    text = "the delivery came three days later than promised to us"
    pairs = near_copies([text, "something else altogether here", text + "!!", text[:-3]])
    assert [(i, j) for i, j, _ in pairs] == [(0, 2), (0, 3), (2, 3)]
    assert pairs[0][2] == pytest.approx(1.0)
    # Jaccard by hand: 50 and 47 pieces of five letters, those of the shorter all in the longer.
    assert pairs[1][2] == pytest.approx((len(text) - 7) / (len(text) - 4), abs=1e-6)
    assert near_copies(["?", "ab"]) == []
    rows = clean()
    learned = (row("copy", rows[5].input.text + " .", "praise"),)
    alarms = looked(rows, learned=learned).alarms
    assert any("one row to learn from and one to test on" in one.sentence for one in alarms)


def test_confident_learning_by_hand() -> None:
    """Thresholds are the means of each label's own probabilities: .7 and .6 here."""
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9],
                              [0.8, 0.2]])  # fmt: skip
    given = np.array([0, 0, 0, 1, 1, 1])
    # Row 2 (label 0) reaches label 1's .6; row 5 (label 1) reaches label 0's .7.
    doubted = suspects(probabilities, given)
    assert [(one.place, one.label) for one in doubted] == [(5, 0), (2, 1)]
    assert [one.margin for one in doubted] == pytest.approx([0.6, 0.2])


def test_wrong_labels_are_doubted() -> None:
    rows = clean(200)
    flipped = {f"r{i}" for i in range(0, 200, 25)}
    other = {"praise": "blame", "blame": "praise"}
    planted = [replace(one, targets=(other[one.label],)) if one.id in flipped else one
               for one in rows]  # fmt: skip
    result = looked(planted)
    sheet = next(one for one in result.sheets if one.title.startswith("Doubtful"))
    assert len(flipped & {line[0] for line in sheet.lines}) >= 7


def test_luhn_and_the_resident_number_have_their_check_digits() -> None:
    assert passes_luhn("79927398713")  # the example of ISO/IEC 7812-1's annex
    assert not passes_luhn("79927398710")
    assert not passes_luhn("0000000000000000")
    # By hand: 8 0 0 1 0 1 1 2 3 4 5 6 times 2 3 4 5 6 7 8 9 2 3 4 5 is 122; 11 - 122 % 11 = 10.
    assert is_resident("8001011234560")
    assert not is_resident("8001011234568")
    assert not is_resident("8013011234560")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to jane.doe@example.org please", ["mail address"]),
        ("제 번호는 010-1234-5678 입니다", ["phone number"]),
        ("call +49 170 1234567 or (212) 555-0123", ["phone number", "phone number"]),
        ("card 4111 1111 1111 1111, order 4111 1111 1111 1112", ["card number"]),
        ("주민번호 800101-1234560", ["resident number"]),
        ("invoice 20231101, 2 of 3, 12.50 EUR, 2026-11-29", []),
    ],
)
def test_personal_data_by_kind_and_never_whole(text: str, kinds: list[str]) -> None:
    pieces = personal(text)
    assert [one.kind for one in pieces] == kinds
    for one in pieces:
        assert text[one.start : one.end] not in masked(text)


def test_no_personal_data_stands_in_what_is_written() -> None:
    secret = "4111 1111 1111 1111"
    rows = [*clean(), row("mine", f"my card {secret} and jane.doe@example.org", "blame"),
            row("yours", f"my card {secret} and jane.doe@example.org!", "praise")]  # fmt: skip
    result = looked(rows)
    text = dumps(to_data(result))
    assert secret not in text
    assert "jane.doe" not in text
    assert any(one.rows == ("mine", "yours") for one in result.alarms)


def test_groups_are_named_in_both_languages() -> None:
    assert groups_in("My mother asked a refugee") == ["women", "migrants"]
    assert groups_in("어머니는 외국인과 왔다") == ["women", "migrants"]
    assert groups_in("딸기를 샀다, a black coat and a window blind") == []
    assert groups_in("a black man spoke") == ["men", "Black people"]


def test_check_audit_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": one.input.text, "label": one.label, "country": "kr"} for one in clean()]
    lines = map(dumps, rows)
    path = tmp_path / "nsmc-mail.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["check", str(path), "--text", "text", "--label", "label"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--audit", "--slice", "age"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "data: 120 rows" in shown
    assert f"note: {path} is called by NSMC: if its rows are, their licence is CC0 1.0" in shown
    assert "no column 'age' in the rows' file: there are" in shown
    with pytest.raises(SystemExit) as end:
        main([*words, "--slice", "age"])
    assert end.value.code == 2


def test_rows_without_texts_or_none_are_said() -> None:
    empty = Subject("mail", open_models(), TASK)
    assert DataAudit().why_not(empty) == "mail has no rows (--data FILE)"


@pytest.mark.parametrize(("path", "title", "licence"), [
    ("data/nsmc/train.tsv", "NSMC", "CC0 1.0"),
    ("alpaca/ratings-nsmc.csv", "NSMC", "CC0 1.0"),
    ("sets/CrowS-Pairs_v1/test.jsonl", "CrowS-Pairs", "CC BY-SA 4.0"),
    ("SST-2/dev.tsv", "SST-2", "none is stated: made for research"),
    ("klue-nli.jsonl", "KLUE", "CC BY-SA 4.0"),
    ("nsmc_2024/train.tsv", "NSMC", "CC0 1.0"),
])  # fmt: skip
def test_the_licence_of_a_set_is_told_where_a_file_is_called_by_it(
    path: str, title: str, licence: str
) -> None:
    assert licences_of([Path(path)]) == [
        f"{path} is called by {title}: if its rows are, their licence is {licence}"
    ]


def test_names_that_only_hold_a_sets_letters_are_none(tmp_path: Path) -> None:
    names = ["bbqueue.csv", "알파카.csv", "alpacas/train.csv", "gsm8k/a/b/c.csv", "tickets.csv"]
    assert licences_of(map(Path, names)) == []
