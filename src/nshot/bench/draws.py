"""Question 2, and all that is measured whole: every contender, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nshot.bench.contenders import Contender
from nshot.bench.ladder import Draw, Ladder
from nshot.bench.plan import Known, Piece, State
from nshot.board.reduce import Size


@dataclass(frozen=True)
class Measuring:
    """Every contender at the largest size, draw by draw; then the smaller sizes.

    Where nothing could be measured, the trivial method is: a pick is never null.
    """

    ladder: Ladder

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`. A draw waits for what decides whether it is worth anything."""
        left = False
        for draw in self.ladder.draws:
            if draw.title not in known.states and self._may(draw, known):
                left = True
                yield draw
        fallback = self.ladder.fallback
        if not left and not self.measured(known) and fallback.title not in known.states:
            yield fallback

    def measured(self, known: Known) -> bool:
        """Has any contender an answer at the largest size?"""
        ladder, largest = self.ladder, self.ladder.prepared.largest
        return any(
            known.states.get(ladder.draw(contender, largest, 0).title) == "ok"
            and not self._failed(contender, known)
            for contender in ladder.contenders
        )

    def _failed(self, contender: Contender, known: Known) -> bool:
        return "failed" in self._states(contender, self.ladder.prepared.largest, known)

    def _states(self, contender: Contender, size: Size, known: Known) -> list[State | None]:
        numbers = range(self.ladder.forecasts.repeats(contender.method))
        titles = [self.ladder.draw(contender, size, number).title for number in numbers]
        return [known.states.get(title) for title in titles]

    def _may(self, draw: Draw, known: Known) -> bool:
        """At the largest size every draw must go well; a smaller one is measured of those alone."""
        largest = self._states(draw.contender, self.ladder.prepared.largest, known)
        if "failed" in largest:
            return False
        at_size = self._states(draw.contender, draw.size, known)
        if draw.number and at_size[0] != "ok":
            return False
        if draw.size == self.ladder.prepared.largest:
            return True
        return largest[0] == "ok" and None not in largest
