"""Answers kept on disk: the same, computed once, whoever asks and whatever is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nshot
from nshot.core.errors import InputError
from nshot.core.types import Image, Input, Prediction, Turn
from nshot.use.answers import BLOCK, Answers, Cached, fingerprint, key_of, listed_as


def text(words: str) -> Input:
    return Input((("text", words),))


@dataclass
class Counting:
    """Answers with the text in capitals, and counts what it was asked."""

    asked: list[str] = field(default_factory=list)
    dies_after: int | None = None

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        if self.dies_after is not None and len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        self.asked += [one.text for one in inputs]
        return [Prediction(one.text.upper(), (0.1, -2.5), 3, 1) for one in inputs]


def test_an_answer_is_computed_once_and_comes_back_whole(tmp_path: Path) -> None:
    inner = Counting()
    cached = Cached(inner.predict, Answers(tmp_path / "a.sqlite"), "f", "folder")
    asked = [text("배송이 늦어요"), text("late"), text("배송이 늦어요"), text("\ud800")]
    first = cached.predict(asked)
    assert first == Counting().predict(asked)
    assert inner.asked == ["배송이 늦어요", "late", "\ud800"], "a repeated input once"
    again = Cached(Counting(dies_after=0).predict, Answers(tmp_path / "a.sqlite"), "f", "folder")
    assert again.predict(asked) == first
    assert (again.hits, again.misses) == (4, 0)


def test_another_folder_or_input_is_another_question(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "a.sqlite")
    Cached(Counting().predict, answers, "one", "one").predict([text("a")])
    other = Cached(Counting().predict, answers, "two", "two")
    other.predict([text("a")])
    assert other.misses == 1
    assert answers.statistics().folders == {"one": 1, "two": 1}


INPUTS = st.builds(
    Input,
    fields=st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=2).map(tuple),
    turns=st.lists(
        st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=3)), max_size=2
    ).map(tuple),
    answers=st.lists(st.text(max_size=3), max_size=2).map(tuple),
)


@given(INPUTS, INPUTS)
def test_keys_are_equal_exactly_where_inputs_are(a: Input, b: Input) -> None:
    assert (key_of("f", a) == key_of("f", b)) == (a == b)
    assert key_of("f", a) != key_of("g", a)


def test_a_picture_is_its_content() -> None:
    here, there = (Input(images=(Image(path, "0" * 64),)) for path in ("a.png", "b/c.png"))
    assert key_of("f", here) == key_of("f", there)
    assert key_of("f", here) != key_of("f", Input(images=(Image("a.png", "1" * 64),)))


def test_what_was_put_before_an_end_is_kept(tmp_path: Path) -> None:
    asked = [text(f"row {i}") for i in range(3 * BLOCK)]
    inner = Counting(dies_after=2 * BLOCK)
    with pytest.raises(KeyboardInterrupt):
        Cached(inner.predict, Answers(tmp_path / "a.sqlite"), "f", "folder").predict(asked)
    rest = Counting()
    cached = Cached(rest.predict, Answers(tmp_path / "a.sqlite"), "f", "folder")
    assert cached.predict(asked) == Counting().predict(asked)
    assert rest.asked == [one.text for one in asked[2 * BLOCK :]]


WRITER = """
import sys
from pathlib import Path
from nshot.core.types import Input, Prediction
from nshot.use.answers import Answers, key_of
answers = Answers(Path(sys.argv[1]))
for i in range(10**6):
    keys = [key_of(sys.argv[2], Input((("text", f"{i} {j}"),))) for j in range(5)]
    answers.put(sys.argv[2], [(key, Prediction(f"{i}")) for key in keys])
    print(i, flush=True)
"""


def test_processes_write_at_once_and_a_killed_one_loses_no_block_it_had_put(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.sqlite"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
    time.sleep(0.2)
    puts = {}
    for name, writer in zip("ab", writers, strict=True):
        os.kill(writer.pid, signal.SIGKILL)
        lines = writer.communicate()[0].split("\n")[:-1]
        puts[name] = 1 + len(lines)
    answers = Answers(file)
    counts = answers.statistics().folders
    for name, count in puts.items():
        keys = [key_of(name, text(f"{i} {j}")) for i in range(count) for j in range(5)]
        assert len(answers.get(keys)) == len(keys), "what was said to be put is there"
        assert counts[name] % 5 == 0, "a put is whole or absent"
    with sqlite3.connect(file) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)


def test_prune_deletes_what_is_old_or_of_a_folder(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "a.sqlite")
    for name in ("one", "two"):
        Cached(Counting().predict, answers, name, name).predict([text("a"), text("b")])
    assert answers.prune(days=1) == 0
    assert answers.prune(folder="one") == 2
    assert answers.statistics().folders == {"two": 2}
    assert answers.prune() == 2
    assert answers.statistics().oldest is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_text("some words, which are no database" * 100)
    with pytest.raises(InputError, match="not a file of kept answers"):
        Answers(tmp_path / "a.sqlite")


# ------------------------------------------------------------------------ of a delivered folder


@pytest.fixture(scope="module")
def winner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kept")
    rows = [("broken, 고장", "bad"), ("lovely, 좋아요", "good")] * 30
    lines = [f'"{words} {i}",{label}\n' for i, (words, label) in enumerate(rows)]
    file = root / "rows.csv"
    file.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    nshot.compare(file, methods=("tfidf_lr",), out=root / "run", encoder="fake:encoder")
    return root / "run" / "winner"


def test_the_fingerprint_is_of_the_content(winner: Path, tmp_path: Path) -> None:
    before = fingerprint(winner)
    assert fingerprint(winner) == before
    (winner / "more.json").write_text("{}")
    assert fingerprint(winner) != before
    (winner / "more.json").unlink()


def test_load_answers_from_what_is_kept(
    winner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path))
    asked = ["broken glass", "lovely day", "고장 났어요"]
    plain = nshot.load(winner).predict(asked)
    first, again = (nshot.load(winner, cache=True) for _ in range(2))
    assert first.predict(asked) == again.predict(asked) == plain
    assert again.cached is not None
    assert (again.cached.hits, again.cached.misses) == (3, 0)
    assert Answers().statistics().folders == {listed_as(winner): 3}
    held = nshot.load(winner, abstain_below=0.999, cache=True).predict(asked)
    assert all(one.abstained for one in held), "a threshold looks at kept answers too"
    with pytest.raises(InputError, match="cache with several folders"):
        nshot.load([winner], cache=True)
