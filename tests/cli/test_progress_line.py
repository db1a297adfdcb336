"""The line of a long prediction: where it is, how fast, how long still."""

from __future__ import annotations

import pytest

from nshot.cli.progress_line import ProgressLine, in_words
from nshot.use.offline import Progress


def test_time_left_counts_what_was_read_since_it_began() -> None:
    begun = Progress(1000, 0.5)
    assert in_words(begun, Progress(2000, 0.75), 100) == "2,000 rows, 10 a second, 2 min left"
    assert in_words(begun, begun, 0.1) == "1,000 rows"
    assert in_words(Progress(0, None), Progress(500, None), 10) == "500 rows, 50 a second"


def test_it_is_shown_on_a_terminal_only_and_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProgressLine() as line:
        line.show(Progress(10, 0.5))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with ProgressLine() as line:
        line.show(Progress(10, 0.5))
        line.show(Progress(20, 0.6))
    shown = capsys.readouterr().err
    assert shown == "\r\033[K10 rows\r\033[K"
