"""What a contender that lets an endpoint write is thought to cost, before it does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nshot.bench.search import trials
from nshot.core.types import Cost, ModelRef
from nshot.methods.contract import Brief, Method
from nshot.models.openai.service import guess
from nshot.models.wrap.purse import Purse

if TYPE_CHECKING:
    from nshot.bench.contenders import Contender
    from nshot.bench.ladder import Ladder

SPARE = 2
"""Tokens that a label may have beside its own (`nshot.predictors.prompted`)."""


def written_money(ladder: Ladder, contender: Contender, ref: ModelRef, purse: Purse) -> float:
    """Money of its search and all its draws, from the tokens that its method forecasts."""
    from nshot.bench.jobs.search import search_rows  # late: the jobs read the purse

    seconds, size = ladder.forecasts, ladder.prepared.largest
    method, brief = contender.method, seconds.brief(contender, size)
    if seconds.why_not(contender, size) is not None:
        return 0.0
    one = _cost(method, brief)
    cuts = len(seconds.cuts(method)) if ladder.prepared.split.mode == "folds" else 1
    draws = _times(one, seconds.repeats(contender, size))
    count = trials(method, brief.task.kind) if brief.per_label > 1 else 1
    searched = Cost()
    if count > 1:
        rows = min(brief.labelled, search_rows(brief.task.drawn_labels))
        folds = max(2, min(method.search_folds, brief.per_label))
        part = replace(brief, labelled=rows * (folds - 1) // folds, test=rows // folds)
        searched = _times(_cost(method, part), count * folds * cuts)
    whole = draws.then(searched)
    return purse.cost(ref.name, whole.tokens_in, whole.tokens_out)


def _cost(method: Method, brief: Brief) -> Cost:
    """Of one adaptation and the answers after it: a label is written, not scored."""
    use = method.use_forecast(brief)
    if brief.task.has_labels:
        longest = max((guess(label.words) for label in brief.task.labels), default=0) + SPARE
        use = replace(use, tokens_out=use.tokens_out + brief.test * longest)
    built = method.forecast(brief)
    return built.then(use)


def _times(cost: Cost, count: int) -> Cost:
    return replace(cost, tokens_in=cost.tokens_in * count, tokens_out=cost.tokens_out * count)
