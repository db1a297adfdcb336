"""Boards whose truth is known, for benchmarks/decision.py and its tests.

A :class:`Pool` is what fast methods really answered on one set: each fitted once on some labelled
rows, asked about a thousand or more others. A :class:`World` is a board made of it: some of the
heads, and dear methods that stand in for prompts and adapters (right on the rows that the heads
find easy, with luck of their own, some points above or below the best head). Boards draw their test
rows from the pool with replacement, so that its means are the truth. Where there are no data,
:func:`made_up` stands in.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import ndtri
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
DEAR = {  # seconds: search, build, for 80 answers; cost; mean and sd of the gap to the best head
    "zero_shot": (17, 8, 11, 1300, -0.10, 0.07),
    "few_shot": (41, 4, 12, 1410, -0.03, 0.05),
    "lm_probe": (13, 4, 7, 870, -0.03, 0.03),
    "retrieved": (56, 6, 58, 6440, 0.00, 0.04),
    "lora": (93, 45, 12, 1560, 0.01, 0.05),
    "full": (53, 18, 14, 1680, 0.01, 0.05),
}
TRAINED = ("lora", "full", "lm_probe")
"""They take longer with more labelled rows."""


@dataclass(frozen=True)
class Pool:
    """What M methods answered to N rows: `right` (M, N) 0/1, `answers` (M, N), `gold` (N,).

    `labelled` rows were learned from. `drawn` (M, D, N): right after learning from D draws of 16 of
    each label. `groups` (N,): rows of one photograph.
    """

    name: str
    labelled: int
    names: tuple[str, ...]
    right: Floats
    answers: Ints
    gold: Ints
    drawn: Floats | None = None
    groups: Ints | None = None


@dataclass(frozen=True)
class World:
    """A board of K contenders on the N rows of a pool.

    `right` (K, N) with their settings searched, `default` (K, N) without; `drawn` (K, D, N) after
    draws of 16 of each label. `truth` (K,) are the means of `right`. Seconds: `search` once,
    `build` once, `use` for an answer. `validation` are rows to look at before any test row.
    """

    right: Floats
    default: Floats
    drawn: Floats | None
    truth: Floats
    cost: Floats
    fast: NDArray[np.bool_]
    search: Floats
    build: Floats
    use: Floats
    validation: Ints

    @property
    def k(self) -> int:
        """Contenders."""
        return len(self.truth)

    def rows(self, n: int, seed: int) -> Ints:
        """n test rows, with replacement."""
        return np.random.default_rng([seed, n]).integers(0, self.right.shape[1], n)


# ------------------------------------------------------------------------------ what heads answer


def heads(
    X: Floats, words: tuple[object, object], y: Ints, Z: Floats, labels: int, full: bool = True
) -> dict[str, Ints]:
    """Answers to Z of methods fitted on X and y; `words` are the TF-IDF tables of both.

    `full` False leaves out those that take longest.
    """
    known, where = np.unique(y, return_inverse=True)
    target = np.eye(len(known))[where]
    means = target.T @ X / target.sum(axis=0)[:, None]
    middle = X.mean(axis=0)
    answers: dict[str, Ints] = {}

    def add(name: str, scores: Floats) -> None:
        answers[name] = known[np.asarray(scores).argmax(axis=1)]

    add("majority", np.tile(target.sum(axis=0), (len(Z), 1)))
    add("nearest_mean", Z @ _unit(means).T)
    add("nearest_mean_c", _unit(Z - middle) @ _unit(means - middle).T)
    near = Z @ X.T
    order = np.argsort(-near, axis=1)[:, :15]
    for count in (1, 5, 15):
        votes = np.zeros((len(Z), len(known)))
        for column in order[:, :count].T:
            votes[np.arange(len(Z)), where[column]] += 1 + near[np.arange(len(Z)), column]
        add(f"knn{count}", votes)
    gram = (X - middle).T @ (X - middle)
    for a in (0.03, 0.3, 3.0):
        weights = np.linalg.solve(gram + a * np.eye(len(gram)), (X - middle).T @ target)
        add(f"ridge{a:g}", (Z - middle) @ weights + target.mean(axis=0))
    if full:
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5).fit(X, where)
        add("lda", np.eye(len(known))[lda.predict(Z)])
        for C in (1.0, 10.0):
            fit = LogisticRegression(C=C, max_iter=500, tol=1e-2).fit(X, where)
            add(f"lr{C:g}", np.eye(len(known))[fit.predict(Z)])
    A, B = words
    for name, method in {
        "tfidf_nb": ComplementNB(alpha=0.3),
        "tfidf_svm": LinearSVC(C=0.5, random_state=0),
        **({"tfidf_lr": LogisticRegression(C=10, max_iter=500, tol=1e-2)} if full else {}),
    }.items():
        add(name, np.eye(len(known))[method.fit(A, where).predict(B)])
    return answers


def _unit(a: Floats) -> Floats:
    return np.asarray(a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-9))


@dataclass(frozen=True)
class Texts:
    """A set of texts as vectors: dense (rows, 100) and TF-IDF, train rows first."""

    name: str
    dense: Floats
    words: object
    y: Ints
    train: int

    def some(self, rows: int = 2500) -> Texts:
        """So many of its rows, train and test alike."""
        kept = np.random.default_rng(0).permutation(len(self.y))[:rows]
        return Texts(self.name, self.dense[kept], self.words[kept], self.y[kept], len(kept))  # type: ignore[index]

    @cached_property
    def kernels(self) -> tuple[Floats, Floats]:
        """Inner products of all rows, of both kinds of vectors."""
        words = (self.words @ self.words.T).toarray()  # type: ignore[attr-defined]
        return self.dense @ self.dense.T, words

    @property
    def labels(self) -> int:
        """Labels."""
        return int(self.y.max()) + 1


def texts(folder: Path, name: str, most: int = 10, rows: int = 4000) -> Texts:
    """A set's train and test texts; of many labels the `most` frequent ones."""
    parts = []
    for part in ("train", "test"):
        lines = (folder / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        parts.append([(x["text"], x["label"]) for x in map(json.loads, lines)][:rows])
    count: dict[str, int] = {}
    for _, label in parts[0]:
        count[label] = count.get(label, 0) + 1
    kept = sorted(sorted(count, key=lambda label: (-count[label], label))[:most])
    train, test = ([(t, kept.index(x)) for t, x in part if x in kept] for part in parts)
    table = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform([t for t, _ in train + test])
    dense = TruncatedSVD(100, random_state=0).fit_transform(table)
    y = np.array([x for _, x in train + test])
    return Texts(name, _unit(dense), table, y, len(train))


def fitted_once(t: Texts, labelled: int, seed: int = 0, draws: int = 0) -> Pool:
    """The pool of a set: heads fitted on `labelled` train rows, asked about all test rows."""
    rng = np.random.default_rng([seed, labelled])
    own = rng.permutation(t.train)[:labelled]
    test = np.arange(t.train, len(t.y))

    def ask(rows: Ints, full: bool) -> dict[str, Ints]:
        words = t.words[rows], t.words[test]  # type: ignore[index]
        return heads(t.dense[rows], words, t.y[rows], t.dense[test], t.labels, full)

    full = draws == 0
    answers = ask(own, full)
    drawn = []
    for _ in range(draws):
        of_label = [rng.permutation(own[t.y[own] == label])[:16] for label in range(t.labels)]
        drawn.append([a == t.y[test] for a in ask(np.concatenate(of_label), full).values()])
    stacked = np.array(list(answers.values()))
    return Pool(
        f"{t.name} {labelled}",
        labelled,
        tuple(answers),
        (stacked == t.y[test]).astype(np.float64),
        stacked,
        t.y[test],
        np.array(drawn, dtype=np.float64).swapaxes(0, 1) if draws else None,
    )


def photographs(folder: Path) -> Pool:
    """Coins cut out of photographs: twelve heads, the crops of a photograph are a group."""
    rows = [json.loads(x) for x in (folder / "coins" / "index.jsonl").read_text().splitlines()]
    labels = sorted({row["label"] for row in rows})
    photos = sorted({row["photo"] for row in rows})
    features: dict[str, list[Floats]] = {"train": [], "test": []}
    for part, kept in features.items():
        with zipfile.ZipFile(folder / "coins" / f"{part}.zip") as archive:
            for row in rows:
                if row["split"] == part:
                    kept.append(_picture(archive.read(row["file"])))
    y, group = (
        {
            part: np.array([values.index(row[key]) for row in rows if row["split"] == part])
            for part in features
        }
        for key, values in (("label", labels), ("photo", photos))
    )
    X, Z = (np.array(features[part]) for part in ("train", "test"))
    middle, spread = X.mean(axis=0), X.std(axis=0) + 1e-6
    X, Z = _unit((X - middle) / spread), _unit((Z - middle) / spread)
    answers = heads(X, (np.maximum(X, 0), np.maximum(Z, 0)), y["train"], Z, len(labels))
    stacked = np.array(list(answers.values()))
    right = (stacked == y["test"]).astype(np.float64)
    return Pool("coins", len(X), tuple(answers), right, stacked, y["test"], groups=group["test"])


def _picture(file: bytes) -> Floats:
    """Colours and a small grey picture, (208,)."""
    picture = Image.open(io.BytesIO(file)).convert("RGB").resize((48, 48))
    pixels = np.asarray(picture, dtype=np.float64) / 256
    bins = (pixels * 4).astype(int).reshape(-1, 3) @ np.array([16, 4, 1])
    grey = np.asarray(picture.convert("L").resize((12, 12)), dtype=np.float64) / 256
    return np.concatenate([np.sqrt(np.bincount(bins, minlength=64) / len(bins)), grey.ravel()])


def made_up(seed: int, rows: int = 1500, draws: int = 0, groups: int = 0) -> Pool:
    """A pool without data: sixteen heads of a probit model, two labels.

    Whether a head is right hangs on the row's difficulty (.4 of the variance), what heads of its
    kind find hard (.2), itself (.4); of rows in groups, half of the difficulty is the group's.
    """
    rng = np.random.default_rng([seed, 77])
    kinds, M = rng.integers(0, 3, 16), 16
    group = np.sort(rng.integers(0, groups, rows)) if groups else None
    hard = rng.standard_normal(rows)
    if group is not None:
        hard = np.sqrt(0.5) * hard + np.sqrt(0.5) * rng.standard_normal(groups)[group]
    of_kind, own = rng.standard_normal((3, rows)), rng.standard_normal((M, rows))
    base = np.sqrt(0.4) * hard + np.sqrt(0.2) * of_kind[kinds]
    level = np.sort(rng.uniform(0.55, 0.88, M))
    level[0] = 0.5
    right = (base + np.sqrt(0.4) * own < ndtri(level)[:, None]).astype(np.float64)
    gold = rng.integers(0, 2, rows)
    drawn = None
    if draws:
        lower = ndtri(np.clip(level - 0.05 + rng.normal(0, 0.03, (draws, M)), 0.05, 0.95)).T
        noise = np.sqrt(0.2) * own[:, None] + np.sqrt(0.2) * rng.standard_normal((M, draws, rows))
        drawn = (base[:, None] + noise < lower[:, :, None]).astype(np.float64)
    names = ("majority", *(f"ridge{m}" for m in range(1, M)))
    answers = np.where(right > 0, gold, 1 - gold)
    return Pool(f"made up {seed}", 400, names, right, answers, gold, drawn, group)


# ------------------------------------------------------------------------------------- the boards


def world(pool: Pool, k: int, seed: int, kind: str = "real") -> World:
    """A board of `k` contenders: some heads and five dear ones (of 12), or as many as heads lack.

    `kind`: `real` as they are; `equal` all alike; `trap` one 5.1 points ahead of eleven equal ones;
    `rare` one at .985 and the rest at .93; `hopeless` the dear 6 to 25 points behind the best head;
    `search` one dear one 5.5 points ahead, and ten behind that before its search.
    """
    rng = np.random.default_rng([seed, 7])
    learners = [m for m, name in enumerate(pool.names) if name != "majority"]
    count = min(7 if k <= 12 else k - 12, len(learners) + 1)
    chosen = [pool.names.index("majority"), *rng.permutation(learners)[: count - 1]]
    dear = list(rng.permutation(list(DEAR)))[: k - count] if k - count <= 6 else list(DEAR) * 3
    dear = dear[: k - count]
    right = [pool.right[m] for m in chosen]
    drawn = [pool.drawn[m] for m in chosen] if pool.drawn is not None else None
    best, easy = max(r.mean() for r in right), pool.right[learners].mean(axis=0)
    for name in dear:
        mean, sd = DEAR[name][4:]
        gap = rng.normal(mean, sd)
        share = float(np.clip(best + gap, 0.1, min(0.995, best + 0.6 * (1 - best))))
        luck = rng.standard_normal(len(easy))
        right.append(stand_in(easy, share, luck, rng))
        if drawn is not None and pool.drawn is not None:
            few = pool.drawn[learners].mean(axis=(0, 1))
            below = max(d.mean() for d in drawn[:count]) + 0.6 * gap
            drawn.append(_drawn(few, below, luck, pool.drawn.shape[1], name == "zero_shot", rng))
    Y = _leveled(np.array(right), kind, count, rng)
    default, gains = Y.copy(), np.zeros(len(Y))
    for m in range(count, len(Y)):
        gains[m] = 0 if rng.random() < 0.5 else min(abs(rng.normal(0, 0.04)), 0.2)
    if kind == "search":
        gains[int(Y.mean(axis=1).argmax())] = 0.10
    for m in np.flatnonzero(gains):
        default[m] = Y[m] * (rng.random(Y.shape[1]) > gains[m] / max(float(Y[m].mean()), 0.05))
    longer = np.array([np.clip(pool.labelled / 60, 1, 8) if n in TRAINED else 1.0 for n in dear])
    seconds = np.array([DEAR[n][:4] for n in dear], dtype=np.float64).reshape(-1, 4)
    fast = np.arange(len(Y)) < count
    held = int(np.clip(0.2 * pool.labelled, 12, 200))
    return World(
        right=Y,
        default=default,
        drawn=None if drawn is None else np.array(drawn),
        truth=Y.mean(axis=1),
        cost=np.r_[90.0 + np.arange(count), seconds[:, 3] + np.arange(len(dear))],
        fast=fast,
        search=np.r_[np.full(count, 1.5), seconds[:, 0] * np.minimum(longer, 3)],
        build=np.r_[np.full(count, 0.4), seconds[:, 1] * longer],
        use=np.r_[np.full(count, 0.01), seconds[:, 2] / 80],
        validation=rng.integers(0, Y.shape[1], held),
    )


def stand_in(easy: Floats, share: float, luck: Floats, rng: np.random.Generator) -> Floats:
    """Right on exactly this share of the rows, sooner on the easy ones: .4 easiness, the rest luck.

    Of the luck a part is the method's own on any draw (`luck`), a part is new.
    """
    rank = np.argsort(np.argsort(easy + 1e-6 * rng.standard_normal(len(easy))))
    latent = np.sqrt(0.4) * ndtri((rank + 0.5) / len(easy)) + np.sqrt(0.35) * luck
    latent = latent + np.sqrt(0.25) * rng.standard_normal(len(easy))
    right = np.zeros(len(easy))
    right[np.argsort(-latent)[: round(share * len(easy))]] = 1
    return right


def _drawn(
    easy: Floats, share: float, luck: Floats, draws: int, still: bool, rng: np.random.Generator
) -> Floats:
    """(draws, N) of a dear method with few shots; `still` is a prompt that knows none."""
    levels = np.clip(share + (0 if still else rng.normal(0, 0.03, draws)), 0.05, 0.995)
    drawn = [stand_in(easy, float(x), luck, rng) for x in np.broadcast_to(levels, draws)]
    return np.array([drawn[0]] * draws if still else drawn)


def level(right: Floats, share: float, rng: np.random.Generator) -> Floats:
    """The same rows right, but for as many turned at random as make this share exactly."""
    right, count = right.copy(), round(share * len(right))
    surplus = int(right.sum()) - count
    rows = np.flatnonzero(right == (surplus > 0))
    right[rng.choice(rows, abs(surplus), replace=False)] = surplus < 0
    return right


def _leveled(Y: Floats, kind: str, fast: int, rng: np.random.Generator) -> Floats:
    """The board with its means as the kind wants them."""
    truth = Y.mean(axis=1)
    middle, best = float(np.median(truth[1:])), float(truth[:fast].max())
    goal = truth.copy()
    if kind == "equal":
        goal[:] = middle if best < 0.9 else 0.93
    elif kind == "trap":
        goal[:] = np.clip(middle, 0.2, 0.9)
        goal[rng.integers(1, len(Y))] += 0.051 + 1 / Y.shape[1]
    elif kind == "rare":
        goal[:] = 0.93
        goal[rng.integers(1, len(Y))] = 0.985
    elif kind == "hopeless":
        goal[fast:] = np.maximum(best - rng.uniform(0.06, 0.25, len(Y) - fast), 0.05)
    elif kind == "search":
        goal[fast:] = np.minimum(goal[fast:], best)
        goal[rng.integers(fast, len(Y))] = min(best + 0.055, 0.99)
    return np.array([level(y, float(g), rng) for y, g in zip(Y, goal, strict=True)])


def worlds(
    pools: list[Pool], k: int, boards: int, kind: str = "real"
) -> Iterator[tuple[int, World]]:
    """(seed, board) over the pools in turn."""
    return ((b, world(pools[b % len(pools)], k, b, kind)) for b in range(boards))
