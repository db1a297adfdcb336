"""What a quantised model lost against the one that it was made of, in numbers and in words."""

from __future__ import annotations

from pydantic import Field, FiniteFloat

from nshot.board.lesson import Side, difference, interval, side_of
from nshot.board.schema import Board, Estimate, Part


class Shrinking(Part):
    """`quantised.json`: how a quantisation came out, measured through llama.cpp."""

    bits: str = Field(description="Q8_0, Q5_0, Q4_0, F16, int8, nf4, or mixed-100MB with the limit")
    before: Side = Field(description="the row that was quantised, as it lies in its run")
    after: Side = Field(description="the file, loaded in a new process")
    difference: Estimate | None = Field(
        None, description="the file less what it was made of, on the same rows; 95 % interval"
    )
    bytes_before: int = Field(description="on disk: the base in float32 and what was learned")
    bytes_after: int | None = Field(None, description="on disk: the delivered folder, all in it")
    give_up: FiniteFloat = Field(description="the loss that is accepted")
    notes: tuple[str, ...] = Field((), description="what the file has to say")

    @property
    def lost(self) -> float:
        """Score lost against what it was made of, 0 where none was."""
        return max(0.0, -(self.difference.score or 0.0)) if self.difference else 0.0

    @property
    def refused(self) -> bool:
        """Whether it lost more than may be given up, or was not measured at all."""
        return self.difference is None or self.lost > self.give_up + 1e-9


def shrinking(
    board: Board, before: str, after: str, bits: str, bytes_before: int, give_up: float
) -> Shrinking:
    """The two rows of a board put side by side."""
    row = board.row(after)
    return Shrinking(
        bits=bits,
        before=side_of(board.row(before)),
        after=side_of(row),
        difference=difference(board, after, before),
        bytes_before=bytes_before,
        bytes_after=row.disk_bytes,
        give_up=give_up,
        notes=row.notes,
    )


def shrinking_lines(one: Shrinking) -> list[str]:
    """What came out, a sentence a line."""
    lines = [
        f"{role:<7} {_line(side)}" for role, side in (("before", one.before), ("after", one.after))
    ]
    if one.bytes_after:
        share = one.bytes_before / one.bytes_after
        lines.append(
            f"{one.bytes_after / 1e6:,.0f} MB on disk, {one.bytes_before / 1e6:,.0f} MB before:"
            f" {share:.1f}x as small"
        )
    if one.difference is None:
        return [*lines, f"{one.after.row} was not measured, and is not delivered"]
    points = 100 * (one.difference.score or 0.0)
    if points >= 0:
        return [*lines, f"nothing lost: {points:+.1f} points ({interval(one.difference)})"]
    lines.append(f"lost: {-points:.1f} points ({interval(one.difference)})")
    if one.refused:
        lines.append(
            f"refused as the winner: more than the {100 * one.give_up:g} points that may be given"
            " up; --give-up says how many may, and more bits lose less"
        )
    return lines


def _line(side: Side) -> str:
    if side.score is None:
        return f"{side.row:<44} not measured: {side.reason or 'not reached'}"
    speed = f"  {side.rows_per_second:,.1f} rows a second" if side.rows_per_second else ""
    return f"{side.row:<44} {100 * side.score:5.1f} %{speed}"
