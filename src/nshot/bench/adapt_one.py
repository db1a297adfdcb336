"""One method adapted and saved, without a comparison."""

from __future__ import annotations

from nshot.bench.deliver import Adapting
from nshot.bench.ladder import Ladder
from nshot.bench.prepare import Prepared
from nshot.bench.run import Run, opened
from nshot.board.events import Subscriber
from nshot.board.reduce import row_outside
from nshot.board.schema import Row
from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic


def adapt_one(prepared: Prepared, on: Subscriber, command: str = "") -> Row:
    """Search, adapt and save the one method of a request; its row, measured as saved.

    The row's score is None without test rows. Raises `InputError` where the method cannot work
    here, and `RunFailed`.
    """
    names = [contender.name for contender in Ladder.of(prepared).contenders]
    if len(names) > 1:
        problem = f"several models: {', '.join(names)}"
        raise InputError(
            Fault(problem, "one method on one model", "nshot compare measures several")
        )
    with opened(prepared, on, command) as run:
        run.rate()
        return _adapt(run)


def _adapt(run: Run) -> Row:
    (contender, *_), size = run.ladder.contenders, run.prepared.largest
    if reason := run.ladder.forecasts.why_not(contender, size):
        raise InputError(Fault(f"{contender.name} cannot be adapted here: {reason}"))
    plan = Adapting(run.ladder)
    run.schedule.do(plan)
    entry = run.collector.adapted(plan.piece(run.known))
    row = row_outside(run.collector.facts, entry)
    write_atomic(run.prepared.out / "adapted.json", row.dumps())
    return row
