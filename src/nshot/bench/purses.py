"""What models that decide cost a run: forecast, limited by `--money`, and added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.bench.search import ASKED, open_settings
from nshot.board.schema import MoneyCell
from nshot.core.errors import Fault, NshotError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json, to_data
from nshot.core.types import Example, Shots
from nshot.data.drawing import sample
from nshot.methods.compose.cascade import SLOW_ROWS
from nshot.methods.contract import Method
from nshot.methods.prompt.decide import Decide
from nshot.methods.spec import parts
from nshot.models import open_models
from nshot.models.base import TypedRequest
from nshot.models.wrap.kept_replies import Bill, KeptReplies, Replies, tokens_of
from nshot.models.wrap.purse import Purse
from nshot.predictors.calibration import LEAST
from nshot.predictors.decided import Decided
from nshot.predictors.reliance import ORDERED, PLANTED, planted

if TYPE_CHECKING:
    from nshot.bench.contenders import Contender
    from nshot.bench.ladder import Ladder

REPLIES, PURSE = "replies.sqlite", "data/purse.json"
"""In a run's folder: what was answered and billed; what may be spent."""
PROBED = 16
"""Test rows whose bill says how many tokens the model counts for those that we guess."""


def purse_of(methods: Sequence[Method], money: float | None) -> Purse:
    """The prices that methods are given, the dearest where they differ, and what may be spent."""
    asking = [part for one in methods for part in parts(one) if isinstance(part, Decide)]
    return Purse(
        max((one.price_in for one in asking), default=0.0),
        max((one.price_out for one in asking), default=0.0),
        money,
    )


def purse_faults(methods: Sequence[Method], money: float | None) -> list[Fault]:
    """A limit that nothing counts towards."""
    if money is None:
        return []
    if not money > 0:
        return [Fault(f"--money {money:g}", expected="a number above 0")]
    purse = purse_of(methods, money)
    if purse.price_in or purse.price_out:
        return []
    expected = "a price for a million tokens of a model that decides"
    return [Fault("--money without a price", expected, "--set decide.price_in=0.042")]


def write_purse(root: Path, purse: Purse) -> None:
    """Put it where the workers of a run read it."""
    write_atomic(root / PURSE, dumps(to_data(purse)))


def read_purse(root: Path) -> Purse | None:
    """That of a run; None of a folder that has none."""
    path = root / PURSE
    return from_data(Purse, read_json(path), str(path)) if path.exists() else None


@dataclass(frozen=True)
class Requests:
    """What a contender asks at most: each request, and how often it is billed."""

    counts: Mapping[str, tuple[TypedRequest, int]]

    @cached_property
    def tokens(self) -> float:
        """That we guess they have."""
        return sum(count * tokens_of(one) for one, count in self.counts.values())

    @property
    def number(self) -> int:
        """Of those that are billed."""
        return sum(count for _, count in self.counts.values())


def requests_of(ladder: Ladder, contender: Contender) -> Requests:
    """Of test rows, of labelled rows for calibration or a threshold, and of what is tried on it."""
    counts: dict[str, tuple[TypedRequest, int]] = {}
    for decided in _asking(ladder, contender):
        rows = [*_test(ladder), *_labelled(ladder, contender)]
        first = [row.input for row in _test(ladder)[:ORDERED]]
        inputs = list(dict.fromkeys(row.input for row in rows))
        again = first[:PLANTED]
        name = ladder.prepared.task.label_names[-1]
        reverse = decided.in_reverse()
        for request in [
            *decided.requests(inputs),
            *(reverse.requests(first) if reverse else []),
            *decided.requests([planted(one, name) for one in again]),
        ]:
            counts.setdefault(_name(contender, request), (request, 1))
        for request in decided.requests(again):
            _, count = counts.get(_name(contender, request), (request, 0))
            counts[_name(contender, request)] = (request, count + 1)
    for request in _searched(ladder, contender):
        counts.setdefault(_name(contender, request), (request, 1))
    return Requests(counts)


def _searched(ladder: Ladder, contender: Contender) -> list[TypedRequest]:
    """What a search asks, at most: all its rows in each wording."""
    from nshot.bench.jobs.search import search_rows  # late: the jobs read the purse

    method, task = contender.method, ladder.prepared.task
    base = contender.base or ladder.prepared.setting.base
    if not isinstance(method, Decide) or base is None:
        return []
    names = task.drawn_labels
    rows = sample(ladder.prepared.split.train, search_rows(names), 0, names)
    requests: list[TypedRequest] = []
    for name, values in open_settings(method, task.kind).items():
        for value in values:
            one = method.model_copy(update={name: value})
            decided = one.predictor(task, open_models(), base)
            requests += decided.requests([row.input for row in rows])
    return requests


def _asking(ladder: Ladder, contender: Contender) -> list[Decided]:
    """The predictors in a contender that ask a model that decides."""
    base = contender.base or ladder.prepared.setting.base
    return [
        part.predictor(ladder.prepared.task, open_models(), base)
        for part in parts(contender.method)
        if isinstance(part, Decide) and base is not None
    ]


def _name(contender: Contender, request: TypedRequest) -> str:
    return repr((contender.base, request))


def _test(ladder: Ladder) -> Sequence[Example]:
    setting = ladder.prepared.setting
    return setting.test or setting.split.train


def _labelled(ladder: Ladder, contender: Contender) -> Sequence[Example]:
    """Labelled and unlabelled rows that are asked about, at most."""
    from nshot.bench.jobs.search import search_rows  # late: the jobs read the purse
    from nshot.bench.jobs.trial import trial_fold

    prepared = ladder.prepared
    rows, names = prepared.split.train, prepared.task.drawn_labels
    if contender.method.name == "distil":
        return (*rows, *prepared.split.unlabelled)
    if contender.method.name != "decide":
        return sample(rows, SLOW_ROWS, 0, names)
    tried = None
    if prepared.question == 1 and not prepared.request.thorough and ladder.rows:
        tried = trial_fold(rows, names)
    some = sample(rows, search_rows(names), 0, names)
    folds = Shots(tuple(some)).folds(max(2, len(some) // ASKED)) if len(some) >= LEAST else ()
    return (*(folds[0].dev if folds else ()), *(tried.dev if tried else ()))


def all_requests(ladder: Ladder) -> dict[str, Requests]:
    """What each contender that asks asks at most, and all together under "", each request once."""
    each = {one.name: requests_of(ladder, one) for one in ladder.contenders}
    each = {name: one for name, one in each.items() if one.number}
    together: dict[str, tuple[TypedRequest, int]] = {}
    for one in each.values():
        for name, (request, count) in one.counts.items():
            together[name] = (request, max(count, together.get(name, (request, 0))[1]))
    return {**each, "": Requests(together)}


def forecasts(ladder: Ladder, root: Path, requests: Mapping[str, Requests]) -> dict[str, float]:
    """Money that `requests` (`all_requests`) come to.

    By the tokens that were billed in the folder `root` so far for those that we guess, or as many
    as we guess.
    """
    purse = purse_of(ladder.prepared.methods, None)
    bill = _whole(root)
    ratio = bill.tokens_in / bill.guess if bill.guess else 1.0
    written = bill.tokens_out / bill.requests if bill.requests else 1.0
    return {n: purse.cost(ratio * one.tokens, written * one.number) for n, one in requests.items()}


def probe(ladder: Ladder, root: Path) -> None:
    """Ask about the first test rows, which are asked about anyway, to know how tokens are counted.

    A model that does not answer is not told here: its row will say so.
    """
    for contender in ladder.contenders:
        if contender.method.name != "decide":
            continue
        models = KeptReplies(open_models(), root / REPLIES, read_purse(root))
        models.askers[-1] = contender.method.called
        for decided in _asking(ladder, contender):
            with suppress(NshotError):
                replace(decided, models=models).predict([r.input for r in _test(ladder)[:PROBED]])


def _whole(root: Path) -> Bill:
    """All that was billed in a run's folder."""
    bills = Replies(root / REPLIES).bills().values()
    return Bill(
        sum(one.requests for one in bills),
        sum(one.guess for one in bills),
        sum(one.tokens_in for one in bills),
        sum(one.tokens_out for one in bills),
    )


def money_cell(ladder: Ladder, requests: Mapping[str, Requests]) -> MoneyCell | None:
    """What a run has spent, and may; None where no price is known."""
    purse = purse_of(ladder.prepared.methods, ladder.prepared.request.money)
    if not (purse.price_in or purse.price_out):
        return None
    root = ladder.prepared.out
    bill = _whole(root)
    return MoneyCell(
        spent=purse.cost(bill.tokens_in, bill.tokens_out),
        requests=bill.requests,
        forecast=forecasts(ladder, root, requests)[""],
        limit=purse.money,
    )


def spent_by(ladder: Ladder) -> dict[str, float]:
    """What each contender was billed, by its name."""
    purse = purse_of(ladder.prepared.methods, None)
    bills = Replies(ladder.prepared.out / REPLIES).bills()
    known = {}
    for one in ladder.contenders:
        if bill := bills.get((one.method.called, one.base.name if one.base else "")):
            known[one.name] = purse.cost(bill.tokens_in, bill.tokens_out)
    return known
