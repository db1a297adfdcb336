"""A ledger loses nothing that it has said it keeps, wherever it was cut."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError, Locked
from nshot.models.base import Completion
from nshot.synthesis.ledger import Ledger

COUNT = st.integers(0, 9)
ANSWERS = st.lists(
    st.builds(Completion, st.text(max_size=12), COUNT, COUNT, st.booleans()), max_size=5
)


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.floats(0, 1))
def test_any_beginning_of_a_ledger_can_be_gone_on_with(
    answers: list[Completion], where: float
) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "o.ledger.jsonl"
        ends = [0]
        with Ledger(path) as ledger:
            for i, answer in enumerate(answers):
                ledger.put(f"k{i}", answer)
                ends.append(path.stat().st_size)
        whole = path.read_bytes() if answers else b""
        cut = round(where * len(whole))
        path.write_bytes(whole[:cut])
        kept = sum(end - 1 <= cut for end in ends[1:])  # a line is whole without its newline
        with Ledger(path) as ledger:
            assert [ledger.get(f"k{i}") for i in range(kept)] == answers[:kept]
            assert len(ledger) == kept
            for i, answer in enumerate(answers[kept:], start=kept):
                ledger.put(f"k{i}", answer)
        assert not answers or path.read_bytes() == whole


def test_what_is_no_ledger_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "o.ledger.jsonl"
    path.write_text('{"key": "a"}\nsomething\n')
    with pytest.raises(InputError, match="line 1: not a line of a ledger"):
        Ledger(path)
    assert path.read_text() == '{"key": "a"}\nsomething\n'


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l"), pytest.raises(Locked, match="in use"):
        Ledger(tmp_path / "l")


def test_an_empty_ledger_leaves_no_file(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l"):
        pass
    assert list(tmp_path.iterdir()) == []
