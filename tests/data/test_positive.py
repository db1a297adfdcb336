"""Which of two labels is looked for: by its name, or as it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.data.loading import load
from nshot.data.positive import guessed_positive

TOLD = [
    (("no", "yes"), "yes"),
    (("ham", "spam"), "spam"),
    (("0", "1"), "1"),
    (("-1", "1"), "1"),
    (("0.0", "1.0"), "1.0"),
    (("False", "TRUE"), "TRUE"),
    (("긍정", "부정"), "긍정"),
    (("아니오", "예"), "예"),
    (("negative", "positive"), "positive"),
]


@pytest.mark.parametrize(("names", "positive"), TOLD)
def test_names_that_tell(names: tuple[str, ...], positive: str) -> None:
    assert guessed_positive(names) == guessed_positive(names[::-1]) == positive


@pytest.mark.parametrize("names", [("cat", "dog"), ("1", "2"), ("yes", "true"), ("no", "yes", "?")])
def test_names_that_do_not_tell(names: tuple[str, ...]) -> None:
    assert guessed_positive(names) is None


def mails(folder: Path, labels: tuple[str, ...] = ("ham", "spam")) -> Path:
    path = folder / "mails.csv"
    rows = [f"text {label} number {i},{label}" for i in range(12) for label in labels]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_guess_is_a_note_and_what_was_given_is_none(tmp_path: Path) -> None:
    guess = load(mails(tmp_path))
    assert guess.task.positive == "spam"
    assert "positive label 'spam' (guessed by its name; --positive sets it)" in guess.notes
    given = load(mails(tmp_path), positive="ham")
    assert given.task.positive == "ham"
    assert not any("positive label" in note for note in given.notes)


def test_a_task_file_names_it(tmp_path: Path) -> None:
    mails(tmp_path)
    (tmp_path / "task.yaml").write_text(
        "data: {train: mails.csv}\npositive: ham\nmetric: f1\n", encoding="utf-8"
    )
    assert load(tmp_path / "task.yaml").task.positive == "ham"
    assert load(tmp_path / "task.yaml", positive="spam").task.positive == "spam"


def test_a_label_that_is_not_there_and_a_third_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as unknown:
        load(mails(tmp_path), positive="spma")
    (fault,) = unknown.value.faults
    assert fault.expected == "one of: ham, spam"
    assert "spam" in fault.do
    with pytest.raises(InputError, match="3 labels"):
        load(mails(tmp_path, ("a", "b", "c")), positive="a")
