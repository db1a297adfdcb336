"""The study of alignment: pairs whose lengths tell nothing."""

from __future__ import annotations

from alignment_study import matching


def row(chosen: int, rejected: int) -> dict[str, str]:
    return {"prompt": "why?", "chosen": "a" * chosen, "rejected": "b" * rejected}


def test_as_many_longer_as_shorter_the_closest_first() -> None:
    longer = [row(20, 10), row(11, 10), row(50, 10)]
    matched = matching([*longer, row(10, 12), row(5, 50), row(7, 7)])
    assert matched == [longer[1], longer[0], row(10, 12), row(5, 50)]
