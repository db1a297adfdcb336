"""Linear discriminants on layers of a frozen image network, chosen on folds of the shots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import Cost, Example, Input, Shots, Task, digest, stratified_folds
from nshot.methods.contract import Brief, Workbench
from nshot.methods.features import OnFeatures, seconds_to_read, targets
from nshot.models.base import Floats, View
from nshot.predictors.base import Predictor
from nshot.predictors.discriminants import (
    Covariance,
    Discriminant,
    Discriminants,
    Family,
    Pictured,
    Spread,
    together,
)
from nshot.predictors.scores import log_softmax

VIEWS: Mapping[str, tuple[View, ...]] = {
    "whole": ("whole",),
    "mirrored": ("whole", "mirrored"),
    "turned": ("whole", "circle", "circle90", "circle180", "circle270"),
}
POWERS = (1.0, 0.5)
SHRINKAGES = (0.1, 0.6, 0.9, 0.98, 1.0)
FOLDS = 5
SEARCHED = 240
"""Most shots that the search looks at."""
TEMPERATURES = tuple(np.geomspace(0.02, 20, 40).tolist())
BAGS, PICKS = 10, 8
"""How often the held-out rows are drawn anew, and how many picks are made on each."""
SHARPENED = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
"""Temperatures tried of several together."""
WIDTH = 3.0
"""Standard deviation of the shots' logits, where no fold says how sure a discriminant may be."""
ROUNDS = 10
"""Rounds of soft k-means over what is unlabelled."""


class PictureProbe(OnFeatures):
    """Evci, Dumoulin, Larochelle and Mozer, "Head2Toe: Utilizing Intermediate Representations for
    Better Transfer Learning", ICML 2022, https://arxiv.org/abs/2201.03529.

    The network stays as it is; which of its layers tell the classes apart is asked of the shots.
    Here few shots choose, and noisily: each family of features (a layer's means and deviations, its
    means by rings, the colours by rings) gets a linear discriminant whose covariance, shrinkage and
    temperature do best on folds of the shots, and those are picked, one after the other and again
    and again, that help the others most (Caruana et al., "Ensemble Selection from Libraries of
    Models", ICML 2004, sections 2.1 to 2.3). A class can be added later, without touching the
    others.

    Args:
        views: how a picture is looked at, in training and in use: ``whole``, averaged with its
            mirror image, or with its inscribed circle in four quarter turns.
        colour: whether the colours by rings are a family, beside the network's layers.
        unlabelled: ``refine`` moves the classes' means by soft k-means over the unlabelled shots,
            ``shift`` first moves them by the difference of all means (pictures of another light).
    """

    name: ClassVar = "picture_probe"
    takes: ClassVar = frozenset({"pictures"})
    trains: ClassVar = "head"
    about: ClassVar = "discriminants on the network's layers and the colours, chosen on folds"

    views: Literal["whole", "mirrored", "turned"] = "mirrored"
    colour: bool = True
    unlabelled: Literal["ignore", "refine", "shift"] = "ignore"

    def forecast(self, brief: Brief) -> Cost:
        """The network looks at every shot in every view; the search is quick."""
        looks = seconds_to_read(brief.labelled * len(VIEWS[self.views]), brief)
        return Cost(seconds=1.0 + 0.02 * brief.labelled + looks)

    def use_forecast(self, brief: Brief) -> Cost:
        """The network looks at every test picture in every view."""
        return Cost(seconds=seconds_to_read(brief.test * len(VIEWS[self.views]), brief))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """See the shots, choose on their folds, and fit what was chosen to all of them."""
        if bench.encoder is None:
            raise CannotAdapt("needs an image network, and none was given")
        source = Pictured(bench.models, bench.encoder, VIEWS[self.views])
        seen = _seen(bench, source, [example.input for example in shots.labelled])
        layers = bench.models.pictures(bench.encoder).layers
        shown = Shown(seen, targets(task, shots.labelled), len(task.labels))
        candidates = self._chosen(families(layers, self.colour), shown, shots, bench)
        members = tuple(one.fitted(shown) for one in candidates)
        if self.unlabelled != "ignore" and shots.unlabelled:
            queries = _seen(bench, source, [example.input for example in shots.unlabelled])
            members = refined(members, shown, queries, shift=self.unlabelled == "shift")
        bench.trained(sum(member.prototypes.size for member in members))
        return Discriminants(task, source, members)

    def _chosen(
        self, among: Sequence[Family], shown: Shown, shots: Shots, bench: Workbench
    ) -> list[Candidate]:
        devs = cuts(shots.labelled, bench.seed)
        if not devs:
            bench.note("untuned: one shot per label leaves nothing to choose on")
            return untuned(among, shown)
        candidates = [best(family, shown, devs) for family in among]
        chosen = picked(candidates, shown.targets[np.concatenate(devs)], bench.seed)
        bench.note(f"chosen on {len(devs)} folds: {', '.join(str(one) for one in chosen)}")
        return chosen


@dataclass(frozen=True)
class Shown:
    """The shots as the network sees them, and their labels' indices below `count`."""

    seen: Mapping[str, NDArray[np.float32]]
    targets: NDArray[np.int64]
    count: int


@dataclass(frozen=True)
class Candidate:
    """One family with its settings, and what it said of the held-out rows, where it was tried.

    `log_probs` (held-out rows, labels), `loss` the mean nats of the right labels.
    """

    family: Family
    covariance: Covariance = "total"
    shrinkage: float = 0.1
    temperature: float = 1.0
    weight: float = 1.0
    loss: float = 0.0
    log_probs: Floats | None = None

    def fitted(self, shown: Shown) -> Discriminant:
        """On all shots."""
        rows = self.family.rows(shown.seen)
        spread = Spread.of(rows, shown.targets, shown.count, self.covariance)
        settings = (self.shrinkage, self.temperature, self.weight)
        return Discriminant.of(self.family, spread, *settings)

    def __str__(self) -> str:
        power = "" if self.family.power == 1 else f"^{self.family.power:g}"
        parts = "+".join(self.family.parts)
        return f"{self.weight:.2f} {parts}{power} ({self.covariance} {self.shrinkage:g})"


def cuts(examples: Sequence[Example], seed: int) -> list[NDArray[np.intp]]:
    """The places of the held-out rows of each fold; none where some label has but one group.

    A group may hold several labels (a photograph of many things) and is never cut. A row whose
    label is nowhere outside its fold cannot be asked, and is in no fold. At most `SEARCHED` rows
    are looked at, as many of each label as of any other.
    """
    by_label: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        by_label.setdefault(example.label, []).append(place)
    each = max(2, SEARCHED // len(by_label))
    places = sorted(place for rows in by_label.values() for place in rows[:each])
    groups = [len({examples[i].group or i for i in rows}) for rows in by_label.values()]
    if min(groups) < 2:
        return []
    fold_of = stratified_folds([examples[i] for i in places], min(FOLDS, *groups), seed)
    folds: dict[int, list[int]] = {}
    for place in places:
        folds.setdefault(fold_of[examples[place].id], []).append(place)
    known = {
        fold: {examples[i].label for i in places if fold_of[examples[i].id] != fold}
        for fold in folds
    }
    queries = [[i for i in folds[f] if examples[i].label in known[f]] for f in sorted(folds)]
    return [np.array(rows) for rows in queries if rows]


def families(layers: Sequence[str], colour: bool) -> list[Family]:
    """What may be read of a network with these layers: its head, its last layers, their rings."""
    *inner, head = layers
    rows = [(f"{head}.mean",), (f"{head}.mean", f"{head}.std")]
    rows += [(f"{layer}.mean", f"{layer}.std") for layer in inner[-2:]]
    rows += [tuple(f"{layer}.{part}" for layer in inner[-3:] for part in ("mean", "std"))]
    rows += [(f"{layer}.rings",) for layer in inner[-4:]]
    rows += [("colour.rings",)] if colour else []
    return [Family(parts, power) for parts in dict.fromkeys(rows) for power in POWERS]


def untuned(among: Sequence[Family], shown: Shown) -> list[Candidate]:
    """What answers where nothing can be tried: the head, the colours, and one layer by rings.

    The weights are a compromise between the choosing halves of coins and groceries; the logits of
    each are as wide as those of the others on the shots.
    """
    layers = [f for f in among if f.power == 1 and f.parts[0].endswith(".rings")]
    layers = [f for f in layers if not f.parts[0].startswith("colour")]
    colours = [f for f in among if f.power < 1 and f.parts[0].startswith("colour")]
    weights = [(among[2], 3.0), *((f, 3.0) for f in colours), *((f, 1.0) for f in layers[-2:-1])]
    whole = sum(weight for _, weight in weights)
    made = [Candidate(f, shrinkage=0.98, weight=weight / whole) for f, weight in weights]
    wide = [one.fitted(shown).logits(one.family.rows(shown.seen)).std() for one in made]
    return [replace(m, temperature=WIDTH / (w or 1)) for m, w in zip(made, wide, strict=True)]


def best(family: Family, shown: Shown, devs: Sequence[NDArray[np.intp]]) -> Candidate:
    """The settings of a family with the least loss on the held-out rows, the first of equals."""
    rows = family.rows(shown.seen)
    queries = np.concatenate(devs)
    right = shown.targets[queries]
    candidates = []
    kinds: tuple[Covariance, ...] = ("within", "total")
    for covariance in kinds:
        tables = _held_out(rows, shown, devs, covariance)
        for shrinkage, logits in zip(SHRINKAGES, tables, strict=True):
            temperature, loss = tempered(logits, right)
            log_probs = log_softmax(temperature * logits)
            candidates.append(
                Candidate(
                    family, covariance, shrinkage, temperature, loss=loss, log_probs=log_probs
                )
            )
    return min(candidates, key=lambda one: one.loss)


def picked(candidates: Sequence[Candidate], right: NDArray[np.int64], seed: int) -> list[Candidate]:
    """Those that answer the held-out rows best together, with their weights, the weightiest first.

    Picked on `BAGS` bags of the rows, drawn with replacement: on few rows a single search fits
    their chance. The temperature of all together is in the weights; it changes no answer, and
    leaves the doubt of one error in a row more than there were, however easy they were.
    """
    log_probs = np.stack([one.log_probs for one in candidates if one.log_probs is not None])
    rng, times = np.random.default_rng(seed), np.zeros(len(candidates))
    for _ in range(BAGS):
        bag = rng.integers(0, len(right), len(right))
        times += _picks(log_probs[:, bag], right[bag])
    mixture = np.tensordot(times, log_probs, 1) / times.sum()
    doubt = 1 / (len(right) + 1)
    weights = tempered(mixture, right, doubt=doubt)[0] * times / times.sum()
    order = np.argsort(-weights, kind="stable")
    return [replace(candidates[i], weight=float(weights[i])) for i in order if times[i]]


def _picks(scores: Floats, right: NDArray[np.int64]) -> Floats:
    """How many times each of `scores` (candidates, rows, labels) is picked, `PICKS` in all.

    Each pick is the one with which the mean of all picks so far has the least loss at its best
    temperature.
    """
    times, total = np.zeros(len(scores)), np.zeros_like(scores[0])
    for done in range(PICKS):
        losses = [tempered((total + one) / (done + 1), right, SHARPENED)[1] for one in scores]
        least = int(np.argmin(losses))
        times[least] += 1
        total += scores[least]
    return times


def _held_out(
    rows: Floats, shown: Shown, devs: Sequence[NDArray[np.intp]], covariance: Covariance
) -> Floats:
    """(shrinkages, held-out rows, labels) logits; each fold is answered from all others."""
    known = np.concatenate(devs)
    scores = []
    for dev in devs:
        kept = np.setdiff1d(known, dev)
        spread = Spread.of(rows[kept], shown.targets[kept], shown.count, covariance)
        scores.append(spread.logits(rows[dev], SHRINKAGES))
    return np.concatenate(scores, axis=1)


def tempered(
    logits: Floats,
    right: NDArray[np.int64],
    among: Sequence[float] = TEMPERATURES,
    doubt: float = 0.0,
) -> tuple[float, float]:
    """The temperature with the least mean loss in nats, and that loss (Guo et al. 2017).

    `doubt` is the share of each row that is spread over all labels.
    """
    rows = np.arange(len(right))
    losses = []
    for temperature in among:
        scores = log_softmax(temperature * logits)
        losses.append(-(1 - doubt) * scores[rows, right].mean() - doubt * scores.mean())
    least = int(np.argmin(losses))
    return among[least], float(losses[least])


def refined(
    members: tuple[Discriminant, ...],
    shown: Shown,
    queries: Mapping[str, NDArray[np.float32]],
    shift: bool,
) -> tuple[Discriminant, ...]:
    """The members with prototypes moved by soft k-means over the rows of `queries`.

    Ren et al., "Meta-Learning for Semi-Supervised Few-Shot Classification", 2018, section 3.1.1;
    the shift is that of Liu, Song and Qin, "Prototype Rectification for Few-Shot Learning", 2020,
    section 3.2. What a row belongs to is asked of all members together.
    """
    shots = np.bincount(shown.targets, minlength=shown.count)[:, None]
    read = [member.family.rows(queries) for member in members]
    if shift:
        members = tuple(_shifted(m, rows) for m, rows in zip(members, read, strict=True))
    first = members
    for _ in range(ROUNDS):
        shares = np.exp(together(members, queries))
        mass = shots + shares.sum(axis=0)[:, None]
        members = tuple(
            replace(m, prototypes=((shots * m.prototypes + shares.T @ rows) / mass).astype("f4"))
            for m, rows in zip(first, read, strict=True)
        )
    return members


def _shifted(member: Discriminant, rows: Floats) -> Discriminant:
    """All prototypes moved to where the rows lie; a label without examples stays without."""
    middle = rows.mean(axis=0)
    moved = member.prototypes + (middle - member.mean)
    moved[~member.prototypes.any(axis=1)] = 0
    return replace(member, prototypes=moved.astype("f4"), mean=middle.astype("f4"))


def _seen(
    bench: Workbench, source: Pictured, inputs: Sequence[Input]
) -> dict[str, NDArray[np.float32]]:
    """The parts of the inputs' pictures, made once for all methods of a draw."""
    hashes = [image.sha256 for one in inputs for image in one.images]
    key = digest("pictured", repr(source.ref), repr(source.views), *hashes)
    return bench.shared(key, lambda: source.read(inputs))
