"""What a contender would need: briefs, forecasts from measured rates, and the minutes granted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from nshot.bench.contenders import Contender
from nshot.bench.jobs.job import Body, Cut
from nshot.bench.jobs.search import search_rows
from nshot.bench.jobs.trial import ASKED, learned_rows
from nshot.bench.prepare import Prepared
from nshot.bench.search import trials
from nshot.bench.task_rows import FOLDS, SLOW_FOLDS, SLOW_REPEATS
from nshot.board.reduce import Size
from nshot.core.durations import duration
from nshot.core.types import ModelRef
from nshot.methods.contract import Brief, Method, Rates

TRAIN_RATE = 1 / 3
"""Forward and backward against forward alone, as measured for LoRA on a CPU."""
FAST_DRAWS = 20
"""Draws of a fast method where `--seeds` names no number."""
CHEAP = 60.0
"""Seconds, on a fixed machine, that they may take together."""
SHORT = 12.0
"""Seconds, on a fixed machine, that building takes in a short trial."""
NOMINAL = Rates(lm_tokens=500.0, train_tokens=500.0 / 3, encoder_tokens=3000.0)
"""About what two cores do with models of 135 million parameters and of 22 million."""
_UNMEASURED: Mapping[str, Any] = {
    "lm_tokens": 1.0, "encoder_tokens": 1.0, "tokens": 1.0, "longest": 1.0, "context": 0,
    "layers": 0, "parameters": 0, "architecture": "", "abilities": (),
}  # fmt: skip


@dataclass(frozen=True)
class Forecast:
    """Seconds that a method's whole work at one size is thought to take."""

    search: float
    build: float
    use: float
    repeats: int
    later: float
    """Seconds of a draw after the first; of a fast method no text is encoded again for it."""

    @property
    def total(self) -> float:
        """Search once, then every draw."""
        return self.search + self.build + self.use + (self.repeats - 1) * self.later


@dataclass(frozen=True)
class Forecasts:
    """Briefs and forecasts of the contenders of a request.

    `rates` are what `jobs/rates.py` measured of each model, `failures` why one could not be opened.
    """

    prepared: Prepared
    rates: Mapping[ModelRef, Body] = field(default_factory=dict)
    failures: Mapping[ModelRef, str] = field(default_factory=dict)
    _nominal: dict[str, Forecast] = field(default_factory=dict, compare=False)
    """By contender: plans ask often."""
    _short: dict[str, Method | None] = field(default_factory=dict, compare=False)

    def why_not(self, contender: Contender, size: Size) -> str | None:
        """One sentence where it cannot work here."""
        return self.failure(contender) or contender.method.why_not(self.brief(contender, size))

    def failure(self, contender: Contender) -> str | None:
        """Why one of its models could not be opened."""
        reasons = [self.failures.get(ref) for ref in (contender.base, contender.encoder) if ref]
        return next((reason for reason in reasons if reason), None)

    def brief(self, contender: Contender, size: Size) -> Brief:
        """What its method may know before it runs."""
        prepared = self.prepared
        task, rows = prepared.task, prepared.split
        pool = self._pool
        share = 1.0 if rows.mode != "folds" else 1 - 1 / FOLDS
        per_label = int(min(pool) * share) if size is None else size
        labelled = int(sum(pool) * share) if size is None else size * max(len(pool), 1)
        base = contender.base or prepared.setting.base
        encoder = contender.encoder or prepared.setting.encoder
        rates = {**_UNMEASURED, **self._rates(encoder), **self._rates(base)}
        return Brief(
            task=task,
            labelled=labelled,
            unlabelled=max(0, int(len(rows.train) * share) - labelled) + len(rows.unlabelled),
            per_label=per_label,
            test=len(rows.test) or len(rows.train),
            background=len(rows.background),
            tokens=rates["tokens"],
            longest=int(rates["longest"]),
            base=base,
            abilities=frozenset(rates["abilities"]),
            context=int(rates["context"]),
            layers=int(rates["layers"]),
            architecture=rates["architecture"],
            encoder=encoder,
            rates=Rates(
                rates["lm_tokens"], rates["lm_tokens"] * TRAIN_RATE, rates["encoder_tokens"]
            ),
        )

    @cached_property
    def _pool(self) -> list[int]:
        """Labelled rows of each label; of all together where the task has none."""
        train = self.prepared.split.train
        counts = Counter(example.label for example in train if self.prepared.task.drawn_labels)
        return [counts[name] for name in self.prepared.task.drawn_labels] or [len(train)]

    def parameters(self, contender: Contender) -> int:
        """Of its language model; 0 without one."""
        base = contender.base or self.prepared.setting.base
        return int(self._rates(base).get("parameters", 0))

    def _rates(self, ref: ModelRef | None) -> Mapping[str, Any]:
        return self.rates.get(ref, {}) if ref is not None else {}

    def of(self, contender: Contender, size: Size) -> Forecast:
        """Seconds, from the machine's measured rates."""
        method, brief = contender.method, self.brief(contender, size)
        cuts, repeats = self.cuts(method), self.repeats(contender, size)
        build, use = method.forecast(brief).seconds, method.use_forecast(brief).seconds
        search, later = self._search(method, brief), _later(method, brief)
        if cuts[0] is None:
            return Forecast(search, build, use, repeats, later)
        build *= len(cuts)
        return Forecast(search * len(cuts) * repeats, build, use, repeats, build + use)

    def nominal(self, contender: Contender) -> Forecast:
        """Seconds of one search and one fit on a machine of `NOMINAL` rates, whatever runs here.

        What must be decided alike on every machine, and again when a run is taken up, weighs these.
        """
        if contender.name not in self._nominal:
            method = contender.method
            brief = replace(self.brief(contender, self.prepared.largest), rates=NOMINAL)
            search, later = self._search(method, brief), _later(method, brief)
            build, use = method.forecast(brief).seconds, method.use_forecast(brief).seconds
            self._nominal[contender.name] = Forecast(search, build, use, 1, later)
        return self._nominal[contender.name]

    def trial(self, contender: Contender, method: Method, everything: bool, most: int) -> float:
        """Seconds of a trial of `method` on labelled rows, of which it asks `most`."""
        part = replace(self._trial_brief(contender, everything), test=most)
        return method.forecast(part).seconds + method.use_forecast(part).seconds

    def short_trial(self, contender: Contender) -> Method | None:
        """The method as it is tried first; None where its trial is no dearer.

        By the rates of a fixed machine: on every machine it trains as many steps.
        """
        if contender.name not in self._short:
            brief = replace(self._trial_brief(contender, False), rates=NOMINAL)
            self._short[contender.name] = contender.method.for_short_trial(brief, SHORT)
        return self._short[contender.name]

    def _trial_brief(self, contender: Contender, everything: bool) -> Brief:
        brief = self.brief(contender, None)
        few = learned_rows(brief.task.drawn_labels)
        learned = brief.labelled - ASKED if everything else min(brief.labelled, few)
        return replace(brief, labelled=learned)

    def _search(self, method: Method, brief: Brief) -> float:
        """Seconds of all trials of a search."""
        count = trials(method, self.prepared.task.kind) if brief.per_label > 1 else 1
        if count == 1:
            return 0.0
        rows = brief.labelled
        if not method.fast:
            rows = min(rows, search_rows(brief.task.drawn_labels))
        k = min(method.search_folds, brief.per_label)
        part = replace(brief, labelled=rows * (k - 1) // k, test=rows // k)
        return count * k * _later(method, part)

    def of_job(self, contender: Contender, size: Size, kind: str) -> float:
        """Seconds of one search or one measurement, on one cut."""
        whole, cuts = self.of(contender, size), len(self.cuts(contender.method))
        if kind == "search":
            folds = self.prepared.split.mode == "folds"
            return whole.search / (cuts * whole.repeats if folds else 1)
        return (whole.build + whole.use) / cuts

    def cuts(self, method: Method) -> list[Cut | None]:
        """No cut where test rows exist; else the folds, fewer for methods of minutes."""
        if self.prepared.split.mode != "folds":
            return [None]
        folds = FOLDS if method.fast else SLOW_FOLDS
        return [Cut(folds, index) for index in range(folds)]

    def repeats(self, contender: Contender, size: Size) -> int:
        """Draws of a contender: one where no shot and no seed matters, many where they cost little.

        Many at the largest size alone, which is the one that is decided on.
        """
        method, prepared = contender.method, self.prepared
        if not method.learns:
            return 1
        if prepared.split.mode == "folds":
            return prepared.draws if method.fast else min(prepared.draws, SLOW_REPEATS)
        many = prepared.question == 2 and prepared.request.seeds is None
        if many and size == prepared.largest and method.fast:
            together = FAST_DRAWS * self.nominal(contender).later
            return FAST_DRAWS if together <= CHEAP else prepared.draws
        return prepared.draws


def _later(method: Method, brief: Brief) -> float:
    """Seconds of a further fit and its answers: of a fast method a text is encoded once a run."""
    if method.fast:
        brief = replace(brief, rates=replace(brief.rates, encoder_tokens=float("inf")))
    return method.forecast(brief).seconds + method.use_forecast(brief).seconds


class Budget:
    """What is left of the minutes, and how far forecasts were off for each contender so far."""

    def __init__(self, minutes: float | None) -> None:
        self._end = None if minutes is None else time.monotonic() + 60 * minutes
        self._minutes = minutes
        self._off: dict[str, float] = {}

    def learn(self, name: str, forecast: float, actual: float) -> None:
        """Correct later forecasts of this contender by what it took."""
        self._off[name] = actual / max(forecast, 1e-3)

    def refusal(self, name: str, forecast: float) -> str | None:
        """The reason not to start, or None."""
        if self._end is None:
            return None
        seconds = forecast * self._off.get(name, 1.0)
        left = self._end - time.monotonic()
        if seconds <= left:
            return None
        return (
            f"forecast {duration(seconds)}, and {duration(max(left, 0))} were left of"
            f" {duration(60 * (self._minutes or 0))}"
        )
