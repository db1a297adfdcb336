"""What a quantised model lost: refused beyond the tolerance, and said."""

from __future__ import annotations

import pytest

from nshot.board.lesson import Side
from nshot.board.schema import Estimate
from nshot.board.shrinking import Shrinking, shrinking_lines


def one(points: float | None, give_up: float = 0.02) -> Shrinking:
    gap = None if points is None else Estimate(score=points, low=points - 0.01, high=points + 0.01)
    return Shrinking(
        bits="Q4_0",
        before=Side(row="lora", score=0.9, rows_per_second=10.0),
        after=Side(row="quantise:Q4_0:lora", score=0.9 + (points or 0.0), reason="it broke"),
        difference=gap,
        bytes_before=540_000_000,
        bytes_after=90_000_000,
        give_up=give_up,
    )


@pytest.mark.parametrize(
    ("points", "give_up", "refused"),
    [(0.01, 0.02, False), (0.0, 0.0, False), (-0.02, 0.02, False), (-0.021, 0.02, True),
     (-0.021, 0.05, False), (-0.001, 0.0, True), (None, 0.02, True)],
)  # fmt: skip
def test_a_loss_beyond_the_tolerance_is_refused(
    points: float | None, give_up: float, refused: bool
) -> None:
    result = one(points, give_up)
    assert result.refused is refused
    text = "\n".join(shrinking_lines(result))
    assert "90 MB on disk, 540 MB before: 6.0x as small" in text
    if points is None:
        assert "was not measured, and is not delivered" in text
    elif refused:
        assert f"lost: {-100 * points:.1f} points (95 % interval" in text
        assert f"refused as the winner: more than the {100 * give_up:g} points" in text
    else:
        assert "refused" not in text
