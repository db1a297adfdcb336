"""What models behind endpoints cost a run: forecast, limited by `--money`, and added up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.bench.search import ASKED, open_settings
from nshot.bench.written import written_money
from nshot.board.schema import MoneyCell, PriceCell
from nshot.core.errors import Fault, InputError, NshotError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json, to_data
from nshot.core.types import Example, ModelRef, Shots
from nshot.data.drawing import sample
from nshot.methods.compose.cascade import SLOW_ROWS
from nshot.methods.contract import Method
from nshot.methods.prompt.decide import Decide
from nshot.methods.spec import parts
from nshot.models import open_models
from nshot.models.base import TypedRequest
from nshot.models.engines import DECIDING, ENDPOINTS
from nshot.models.openai.endpoint import model_and_address, parse
from nshot.models.prices import NONE, Price, Prices, price_of, read_prices
from nshot.models.wrap.kept_answers import KeptAnswers
from nshot.models.wrap.kept_replies import Bill, Replies, tokens_of
from nshot.models.wrap.purse import Purse
from nshot.predictors.calibration import LEAST
from nshot.predictors.decided import Decided
from nshot.predictors.reliance import ORDERED, PLANTED, planted

if TYPE_CHECKING:
    from nshot.bench.contenders import Contender
    from nshot.bench.ladder import Ladder
    from nshot.bench.request import Request

REPLIES, PURSE = "replies.sqlite", "data/purse.json"
"""In a run's folder: what was answered and billed; what may be spent."""
PROBED = 16
"""Test rows whose bill says how many tokens the model counts for those that we guess."""


def endpoints_of(request: Request) -> list[ModelRef]:
    """The models behind endpoints that a request names, its judge among them."""
    refs = []
    for name in (*request.model, request.judge or ""):
        engine, _, place = name.partition(":")
        if engine in ENDPOINTS:
            with suppress(InputError):  # told where models are looked up
                refs.append(parse(place, engine))
    return refs


def prices_of(request: Request) -> Prices:
    """The table that a request names. Raises `InputError` with its faults."""
    return read_prices(Path(request.prices)) if request.prices else NONE


def purse_of(methods: Sequence[Method], request: Request) -> Purse:
    """The prices of the models that a request names, and what may be spent.

    A model that decides has the prices of its method, the dearest where they differ, or else that
    of the table.
    """
    table = prices_of(request)
    asking = [part for one in methods for part in parts(one) if isinstance(part, Decide)]
    deciding = Price(
        max((one.price_in for one in asking), default=0.0),
        max((one.price_out for one in asking), default=0.0),
    )
    prices, currency = dict[str, Price](), table.currency
    for ref in endpoints_of(request):
        if ref.engine in DECIDING and (deciding.input or deciding.output):
            prices[ref.name] = deciding
        elif (known := price_of(ref, table)) is not None:
            prices[ref.name] = known[0]
            currency = currency or known[1]
    return Purse(prices, request.money, currency, table.hour)


def purse_faults(methods: Sequence[Method], request: Request) -> list[Fault]:
    """A table that cannot be read; prices in two currencies; a limit that not all count towards."""
    money = request.money
    faults = [] if money is None or money > 0 else [
        Fault(f"--money {money:g}", expected="a number above 0")]  # fmt: skip
    try:
        table = prices_of(request)
    except InputError as error:
        return [*faults, *error.faults]
    refs = endpoints_of(request)
    purse = purse_of(methods, request)
    faults += [
        Fault(
            f"{ref.name}: its price is in {known[1]}, those of {request.prices} are in"
            f" {table.currency}",
            expected="one currency",
            do=f"write its price into {request.prices}",
        )
        for ref in refs
        if table.currency and (known := price_of(ref, table)) and known[1] != table.currency
    ]
    faults += _price_faults(methods)
    if money is None or faults:
        return faults
    if any(ref.engine in DECIDING for ref in refs) and not purse.prices:
        expected = "a price for a million tokens of a model that decides"
        do = "--set decide.price_in=0.042, or a table: --prices FILE (docs/endpoints.md)"
        return [Fault("--money without a price", expected, do)]
    without = [ref for ref in refs if ref.name not in purse.prices]
    if not refs:
        return [Fault("--money, and no model behind an endpoint", "--model openai:MODEL@ADDRESS")]
    return [
        Fault(
            f"--money, and {ref.name} has no price",
            expected="a price for all models behind endpoints, 0 where nothing is paid",
            do=f"--prices FILE with  models: {{{model_and_address(ref)[0]}: {{input: 0.40,"
            " output: 1.60}}",
        )
        for ref in without
    ]


def _price_faults(methods: Sequence[Method]) -> list[Fault]:
    """Of two ways to ask a model that decides one has a price, and one has none."""
    asking = {part.name: part for one in methods for part in parts(one) if isinstance(part, Decide)}
    priced = [name for name, part in asking.items() if part.price_in or part.price_out]
    return [
        Fault(
            f"{name} has no price, and {priced[0]} has one",
            expected="a price for each, or for none",
            do=f"--set {name}.price_in={asking[priced[0]].price_in:g}",
        )
        for name in asking
        if priced and name not in priced
    ]


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
        draws = _draws(ladder, contender) if decided.demos else 1
        tries = min(2, draws)  # of what moves its answers: in the first draw, and when delivered
        for request in decided.requests(inputs):
            counts.setdefault(_name(contender, request), (request, draws))
        for request in [
            *(reverse.requests(first) if reverse else []),
            *decided.in_other_words().requests(first),
            *decided.requests([planted(one, name) for one in again]),
        ]:
            counts.setdefault(_name(contender, request), (request, tries))
        for request in decided.requests(again):
            _, count = counts.get(_name(contender, request), (request, 0))
            counts[_name(contender, request)] = (request, count + tries)
    for request in _searched(ladder, contender):
        counts.setdefault(_name(contender, request), (request, 1))
    return Requests(counts)


def _draws(ladder: Ladder, contender: Contender) -> int:
    """How often its examples are drawn, at most: each time all rows are asked about with others.

    After draws of a few the pick is confirmed on fresh ones, and fitted on all labelled rows.
    """
    from nshot.bench.deliver import CONFIRMATIONS  # late: the jobs read the purse

    prepared = ladder.prepared
    draws = sum(ladder.forecasts.repeats(contender, size) for size in prepared.sizes)
    return draws + (CONFIRMATIONS + 1 if prepared.question == 2 else 0)


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
            demos = one.shown(Shots(ladder.prepared.split.train), 0)
            decided = one.predictor(task, open_models(), base, demos)
            requests += decided.requests([row.input for row in rows])
    return requests


def _asking(ladder: Ladder, contender: Contender) -> list[Decided]:
    """The predictors in a contender that ask a model that decides."""
    base = contender.base or ladder.prepared.setting.base
    task, shots = ladder.prepared.task, Shots(ladder.prepared.split.train)
    return [
        part.predictor(task, open_models(), base, part.shown(shots, 0))
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
    if not isinstance(contender.method, Decide):
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
    """Money that `requests` (`all_requests`) and what is written come to, together under "".

    By the tokens that were billed in the folder `root` so far for those that we guess, or as many
    as we guess.
    """
    purse, base = _purse(ladder), ladder.prepared.setting.base
    bills = _by_model(root)
    asking = {one.name: one.base or base for one in ladder.contenders}
    money = dict[str, float]()
    for name, one in requests.items():
        ref = asking.get(name) or next((r for r in _refs(ladder) if r.engine in DECIDING), None)
        bill = bills.get(ref.name if ref else "", Bill())
        ratio = bill.tokens_in / bill.guess if bill.guess else 1.0
        written = bill.tokens_out / bill.requests if bill.requests else 1.0
        model = ref.name if ref else ""
        money[name] = purse.cost(model, ratio * one.tokens, written * one.number)
    for contender in ladder.contenders:
        ref = contender.base
        if ref is not None and ref.name in purse.prices and ref.engine not in DECIDING:
            money[contender.name] = written_money(ladder, contender, ref, purse)
            money[""] = money.get("", 0.0) + money[contender.name]
    return money


def probe(ladder: Ladder, root: Path) -> None:
    """Ask about the first test rows, which are asked about anyway, to know how tokens are counted.

    As many of them in other words as there are of those among all requests. A model that does not
    answer is not told here: its row will say so.
    """
    for contender in ladder.contenders:
        if not isinstance(contender.method, Decide):
            continue
        models = KeptAnswers(open_models(), root / REPLIES, read_purse(root))
        models.askers[-1] = contender.method.called
        inputs = [row.input for row in _test(ladder)[:ORDERED]]
        share = len(inputs) / max(1, requests_of(ladder, contender).number)
        for decided in _asking(ladder, contender):
            if decided.demos:  # whether these are asked anyway hangs on the draw
                continue
            keeping = replace(decided, models=models)
            with suppress(NshotError):
                keeping.predict(inputs[:PROBED])
                keeping.in_other_words().predict(inputs[: math.ceil(share * PROBED)])


def _purse(ladder: Ladder) -> Purse:
    return purse_of(ladder.prepared.methods, ladder.prepared.request)


def _refs(ladder: Ladder) -> list[ModelRef]:
    return endpoints_of(ladder.prepared.request)


def _by_model(root: Path) -> dict[str, Bill]:
    """All that was billed in a run's folder, by model."""
    bills = dict[str, Bill]()
    for (_, model), bill in Replies(root / REPLIES).bills().items():
        bills[model] = bills.get(model, Bill()).and_also(bill)
    return bills


def money_cell(ladder: Ladder, requests: Mapping[str, Requests]) -> MoneyCell | None:
    """What a run has spent, and may; None where no price is known."""
    purse = _purse(ladder)
    if not purse.prices:
        return None
    root = ladder.prepared.out
    bills = _by_model(root)
    return MoneyCell(
        spent=sum(bill.cost(model, purse) for model, bill in bills.items()),
        requests=sum(bill.requests for bill in bills.values()),
        forecast=forecasts(ladder, root, requests)[""],
        limit=purse.money,
        currency=purse.currency,
        prices=tuple(
            PriceCell(model=model, input=price.input, output=price.output, origin=price.origin)
            for model, price in purse.prices.items()
        ),
    )


def spent_by(ladder: Ladder) -> dict[str, float]:
    """What each contender was billed, by its name."""
    purse = _purse(ladder)
    bills = Replies(ladder.prepared.out / REPLIES).bills()
    known = {}
    for one in ladder.contenders:
        model = one.base.name if one.base else ""
        if model in purse.prices and (bill := bills.get((one.method.called, model))):
            known[one.name] = bill.cost(model, purse)
    return known


def unpriced(ladder: Ladder) -> dict[str, str]:
    """Of each contender that asks an endpoint without a price what its row says of that."""
    purse = _purse(ladder)
    return {
        one.name: f"no price is known of {model_and_address(one.base)[0]}: its tokens are counted,"
        " its money is not (--prices FILE)"
        for one in ladder.contenders
        if one.base and one.base.engine == "openai" and one.base.name not in purse.prices
    }
