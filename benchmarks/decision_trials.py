"""Decisions on boards whose truth is known, and what is counted of them.

A procedure turns a world and its test rows into a :class:`Result`. `now` is nshot's; `before` is
the rule as it was (decision_before.py); the others are controls: nshot's with one part taken out,
which must be seen to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.special import stdtrit

import decision_before
from decision_worlds import Floats, Ints, Pool, Texts, World
from nshot.board.column import Column
from nshot.board.contest import Contest, estimate, pairs
from nshot.board.critical import TINY, seen_difference
from nshot.board.decide import Choice, Terms, choose
from nshot.board.outlook import Margins, forecast_rows
from nshot.board.score import interval_of, intervals
from nshot.metrics import points
from nshot.metrics.labels import MacroF1

DELTA = 0.05


@dataclass(frozen=True)
class Result:
    """One decision against the truth, all as numbers so that they can be averaged.

    `covers`: the interval of the pick holds what it is of; `simple`: so would one around the
    lowered score alone. `kept`: one given best contender is in the set.
    """

    covers: float
    simple: float
    width: float
    bias: float
    regret: float
    settled: float
    leaning: float
    wrong: float
    kept: float
    size: float
    seen: float


def result(
    truth: Floats,
    pick: int,
    inside: Sequence[bool],
    verdict: str,
    ends: tuple[float, float],
    score: float,
    simple: tuple[float, float],
    seen: float | None,
) -> Result:
    """A decision against the truth of its contenders, (K,)."""
    own, best = float(truth[pick]), float(truth.max())
    settled = verdict == "settled"
    return Result(
        covers=ends[0] - TINY <= own <= ends[1] + TINY,
        simple=simple[0] - TINY <= own <= simple[1] + TINY,
        width=ends[1] - ends[0],
        bias=score - own,
        regret=best - own,
        settled=settled,
        leaning=verdict == "leaning",
        wrong=settled and best - own > DELTA + TINY,
        kept=bool(inside[int(truth.argmax())]),
        size=int(np.sum(inside)),
        seen=np.nan if seen is None else seen,
    )


def mean(results: Iterable[Result]) -> dict[str, float]:
    """Each figure's mean over the boards."""
    table = list(results)
    return {f.name: float(np.nanmean([getattr(r, f.name) for r in table])) for f in fields(Result)}


# -------------------------------------------------------------------------------- procedures


def columns(world: World, rows: Ints, default: bool = False) -> list[Column]:
    """The board of question 1 on these rows."""
    table = (world.default if default else world.right)[:, rows]
    return [
        Column(f"{m:02}", table[m][None], world.cost[m], fast=bool(world.fast[m]))
        for m in range(world.k)
    ]


def of_choice(truth: Floats, contest: Contest, choice: Choice) -> Result:
    """What nshot decided against the truth."""
    score = choice.score
    simple = interval_of(contest, choice.pick, score.score, contest.draws[choice.pick])
    seen = seen_difference(contest, choice.inside, choice.pick, choice.c)
    ends = (score.low, score.high)
    pick, inside, verdict = choice.pick, choice.inside, choice.verdict
    return result(truth, pick, inside, verdict, ends, score.score, simple, seen)


def now(world: World, rows: Ints) -> Result:
    """Question 1 as nshot answers it."""
    contest = estimate(columns(world, rows))
    return of_choice(world.truth, contest, choose(contest, Terms()))


def no_floors(world: World, rows: Ints) -> Result:
    """Control: variances as measured, so that an all-right column is certain."""
    contest = estimate(columns(world, rows))
    E = np.cov(world.right[:, rows]) / len(rows)
    se = np.sqrt(np.maximum(pairs(E), 1e-12))
    bare = replace(contest, E=E + 1e-12 * np.eye(world.k), noise=E + 1e-12 * np.eye(world.k), se=se)
    return of_choice(world.truth, bare, choose(bare, Terms()))


def before(world: World, rows: Ints, seed: int = 0) -> Result:
    """The rule as it was: three draws of 16 a label, two fresh ones of the pick.

    Its interval is held against the model that is delivered, fitted on all rows.
    """
    if world.drawn is None:
        raise ValueError("this world has no draws of the shots")
    order = np.random.default_rng([seed, 11]).permutation(world.drawn.shape[1])
    drawn = world.drawn[:, :, rows]
    still = (drawn == drawn[:, :1]).all(axis=(1, 2))
    table = [
        Column(f"{m:02}", drawn[m][:1] if still[m] else drawn[m][order[:3]], cost, still[m])
        for m, cost in enumerate(world.cost)
    ]
    d = decision_before.decide(table, lambda m: None if still[m] else drawn[m][order[3:5]])
    ends = (d.low, d.high)
    return result(world.truth, d.pick, d.inside, d.verdict, ends, d.score, ends, d.seen)


def before_one_fit(world: World, rows: Ints) -> Result:
    """The rule as it was, told that one fit on all rows knows no draws."""
    d = decision_before.decide([replace(c, deterministic=True) for c in columns(world, rows)])
    ends = (d.low, d.high)
    return result(world.truth, d.pick, d.inside, d.verdict, ends, d.score, ends, d.seen)


def boards(
    worlds: Iterable[tuple[int, World]], n: int, procedure: Callable[[World, Ints], Result]
) -> dict[str, float]:
    """A procedure's figures over boards of n test rows."""
    return mean(procedure(w, w.rows(n, seed)) for seed, w in worlds)


# ------------------------------------------------------------------------------------ groups


def grouped(
    pool: Pool, count: int, boards: int, way: str = "now", metric: str = "accuracy"
) -> dict[str, float]:
    """Boards of `count` whole photographs of a pool, drawn with replacement.

    `way`: `now`; `rows` takes the rows for independent; `normal` has groups, and no Student's t.
    `cover` is that of all contenders, `differences` that of all pairs.
    """
    if pool.groups is None:
        raise ValueError("this pool has no groups")
    score = scorer(pool, metric)
    everything = np.arange(len(pool.gold))
    truth = score(everything)
    members = [np.flatnonzero(pool.groups == g) for g in np.unique(pool.groups)]
    results, cover, differences = [], [], []
    for b in range(boards):
        rng = np.random.default_rng([b, count, 9])
        drawn = [members[g] for g in rng.integers(0, len(members), count)]
        rows, groups = np.concatenate(drawn), np.repeat(np.arange(count), [len(g) for g in drawn])
        table = board_of(pool, rows, groups, metric)
        contest = estimate(table, groups=None if way == "rows" else groups)
        if way == "normal":
            contest = replace(contest, freedom=1e6, df=np.full(contest.k, 1e6))
        choice = choose(contest, Terms())
        results.append(of_choice(truth, contest, choice))
        ends = intervals(contest)
        cover.append(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
        differences.append(_pairs_hold(contest, truth))
    return mean(results) | {
        "cover": float(np.mean(cover)),
        "differences": float(np.mean(differences)),
    }


def _pairs_hold(contest: Contest, truth: Floats) -> float:
    """Share of the differences whose 95 % interval holds the truth."""
    i, j = np.triu_indices(contest.k, 1)
    error = np.abs((contest.p[i] - contest.p[j]) - (truth[i] - truth[j]))
    return float(np.mean(error <= stdtrit(contest.freedom, 0.975) * contest.se[i, j]))


# ----------------------------------------------------------------------------- other metrics


def scorer(pool: Pool, metric: str) -> Callable[[Ints], Floats]:
    """(K,) scores of the pool's methods on some of its rows."""
    if metric == "accuracy":
        return lambda rows: np.asarray(pool.right[:, rows].mean(axis=1))
    counts = _counts(pool)
    macro = MacroF1([str(x) for x in range(int(pool.gold.max()) + 1)])
    return lambda rows: np.array([macro.value(c[rows].sum(axis=0), len(rows)) for c in counts])


def _counts(pool: Pool) -> Floats:
    """(K, N, 3 * labels) statistics of macro-F1: hits, answers and occurrences of each label."""
    labels = int(pool.gold.max()) + 1
    gold = np.eye(labels)[pool.gold]
    answers = np.eye(labels)[pool.answers]
    hits = answers * gold
    return np.concatenate([hits, answers, np.broadcast_to(gold, hits.shape)], axis=2)


def board_of(pool: Pool, rows: Ints, groups: Ints | None, metric: str) -> list[Column]:
    """All methods of a pool on these rows, by a metric that may be no mean of points.

    `accuracy points` is a control: macro-F1 as the score, with the accuracy's points under it.
    """
    cost = np.arange(len(pool.names)) + 1.0
    if metric == "accuracy":
        return [
            Column(f"{m:02}", pool.right[m, rows][None], cost[m]) for m in range(len(pool.names))
        ]
    macro = MacroF1([str(x) for x in range(int(pool.gold.max()) + 1)])
    table = []
    for m, counts in enumerate(_counts(pool)):
        own = counts[rows]
        total = own.sum(axis=0)
        value = macro.value(total, len(rows))
        if metric == "accuracy points":
            table.append(Column(f"{m:02}", pool.right[m, rows][None], cost[m], score=value))
            continue
        without = groups is not None and np.array(
            [
                macro.value(total - own[groups == g].sum(axis=0), int((groups != g).sum()))
                for g in np.unique(groups)
            ]
        )
        table.append(
            Column(
                f"{m:02}",
                points(macro, own)[None],
                cost[m],
                score=value,
                without=None if groups is None else without,
            )
        )
    return table


def macro_differences(pools: Sequence[Pool], n: int, boards: int, metric: str) -> float:
    """Share of the differences in macro-F1 whose 95 % interval holds the truth."""
    hold = []
    for b in range(boards):
        pool = pools[b % len(pools)]
        rows = np.random.default_rng([b, n, 3]).integers(0, len(pool.gold), n)
        truth = scorer(pool, "macro_f1")(np.arange(len(pool.gold)))
        hold.append(_pairs_hold(estimate(board_of(pool, rows, None, metric)), truth))
    return float(np.mean(hold))


# ------------------------------------------------------------------------------------- folds


def folds(sets: Sequence[Texts], rows: int, boards: int) -> dict[str, dict[str, float]]:
    """Repeated folds on `rows` labelled rows; the delivered heads are fitted on all of them.

    Five folds, three times. `before` took the repeats for draws; `rows` leaves out that folds share
    training rows.
    """
    kept: dict[str, list[Result]] = {"now": [], "before": [], "rows": []}
    for b in range(boards):
        t = sets[b % len(sets)]
        rng = np.random.default_rng([b, rows, 1])
        own, rest = _own(t, rows, rng)
        truth = (kernel_heads(t.kernels, t.y, own, rest) == t.y[rest]).mean(axis=1)
        drawn = np.array([_once(t, own, rng) for _ in range(3)]).swapaxes(0, 1)
        cost = rng.permutation(len(truth)).astype(float)
        table = [Column(f"{m:02}", drawn[m], cost[m]) for m in range(len(truth))]
        d = decision_before.decide(table)
        ends = d.low, d.high
        kept["before"].append(
            result(truth, d.pick, d.inside, d.verdict, ends, d.score, ends, d.seen)
        )
        for way, count in (("now", 5), ("rows", 0)):
            contest = estimate([replace(c, folds=count) for c in table])
            kept[way].append(of_choice(truth, contest, choose(contest, Terms())))
    return {way: mean(results) for way, results in kept.items()}


def _own(t: Texts, rows: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """(labelled rows, 2,000 others), each label twice at least among the first."""
    while True:
        order = rng.permutation(len(t.y))
        if np.bincount(t.y[order[:rows]], minlength=t.labels).min() >= 2:
            return order[:rows], order[rows : rows + 2000]


def _once(t: Texts, own: Ints, rng: np.random.Generator) -> Floats:
    """(heads, rows) right or wrong out of five stratified folds."""
    fold = np.empty(len(own), dtype=int)
    order, y = rng.permutation(len(own)), t.y
    fold[order[np.argsort(y[own][order], kind="stable")]] = np.arange(len(own)) % 5
    right: Floats | None = None
    for f in range(5):
        train, held = own[fold != f], own[fold == f]
        answers = kernel_heads(t.kernels, y, train, held) == y[held]
        right = np.zeros((len(answers), len(own))) if right is None else right
        right[:, fold == f] = answers
    return np.asarray(right)


def kernel_heads(kernels: tuple[Floats, Floats], y: Ints, train: Ints, rows: Ints) -> Ints:
    """(7, rows) answers of nearest means, ridges and neighbours, from inner products alone."""
    labels = int(y.max()) + 1
    target = np.eye(labels)[y[train]]
    count = target.sum(axis=0)
    weight, absent = target / np.maximum(count, 1), np.where(count > 0, 0.0, -1e3)
    answers = []
    for kernel, penalties in zip(kernels, ((0.1, 1.0), (0.3,)), strict=True):
        between, within = kernel[np.ix_(rows, train)], kernel[np.ix_(train, train)]
        norm = np.sqrt(np.maximum((weight * (within @ weight)).sum(axis=0), 1e-9))
        answers.append((between @ weight / norm + absent).argmax(axis=1))
        middle = within.mean(axis=0)
        centred = within - middle - middle[:, None] + within.mean()
        beside = between - between.mean(axis=1, keepdims=True) - middle + within.mean()
        for a in penalties:
            fit = np.linalg.solve(centred + a * np.eye(len(train)), target - target.mean(axis=0))
            answers.append((beside @ fit + target.mean(axis=0) + absent).argmax(axis=1))
    near = kernels[0][np.ix_(rows, train)]
    order = np.argsort(-near, axis=1)[:, :5]
    answers.append(y[train][order[:, 0]])
    votes = np.zeros((len(rows), labels))
    for column in order.T:
        votes[np.arange(len(rows)), y[train][column]] += 1 + near[np.arange(len(rows)), column]
    answers.append(votes.argmax(axis=1))
    return np.array(answers)


# ------------------------------------------------------------------------------ forecast, looks


def forecast_and_fact(
    worlds: Iterable[tuple[int, World]], n: int, factor: int
) -> tuple[float, float]:
    """Mean forecast of "settled" at `factor` * n rows on open boards, and how often it was so."""
    forecast, fact = [], []
    for seed, w in worlds:
        rows = w.rows(n * factor, seed)
        contest = estimate(columns(w, rows[:n]))
        choice = choose(contest, Terms())
        if not choice.settled:
            forecast.append(forecast_rows(contest, choice.c, factor, Margins(0.02, DELTA)))
            fact.append(choose(estimate(columns(w, rows)), Terms()).settled)
    return float(np.mean(forecast)), float(np.mean(fact))


def dropped(worlds: Iterable[tuple[int, World]], sizes: Sequence[int], spend: bool) -> float:
    """Share of *equal* boards on which a given contender leaves the set at one of several looks.

    `spend` False is a control: every look at the full 5 %.
    """
    lost = []
    for seed, w in worlds:
        rows = w.rows(sizes[-1], seed)
        alphas = [0.05 / 2**look if spend else 0.05 for look in range(len(sizes))]
        lost.append(
            any(
                not choose(estimate(columns(w, rows[:n])), Terms(alpha=a)).inside[1]
                for n, a in zip(sizes, alphas, strict=True)
            )
        )
    return float(np.mean(lost))


def graded(boards: int, n: int = 60) -> dict[str, float]:
    """Boards of scores such as ROUGE-L: a spread of .12 over rows.

    `cover` of all intervals, `kept` the best of four, `width` of its interval.
    """
    truth, cover, kept, width = np.array([0.55, 0.52, 0.46, 0.40]), [], [], []
    for b in range(boards):
        rng = np.random.default_rng([b, 5])
        hard = rng.normal(0, 0.09, n)
        table = np.clip(truth[:, None] + hard + rng.normal(0, 0.08, (4, n)), 0, 1)
        contest = estimate([Column(str(m), table[m][None], 1.0 + m) for m in range(4)])
        ends = intervals(contest)
        cover.append(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
        kept.append(choose(contest, Terms()).inside[0])
        width.append(ends[0, 1] - ends[0, 0])
    return {
        "cover": float(np.mean(cover)),
        "kept": float(np.mean(kept)),
        "width": float(np.mean(width)),
    }
