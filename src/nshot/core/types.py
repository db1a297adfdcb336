"""The frozen nouns that travel between the rooms of the house. No torch, no I/O.

A row of a user's file becomes an :class:`Example`; what is wanted of it is a :class:`Task`;
what a method may learn from is :class:`Shots`, a type that has no place for a test example.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["classify", "score", "multilabel", "number", "spans", "generate", "rank"]
"""The answer is one of a few labels; one of a few levels, in order; those of a few labels that
apply; a number; pieces of the text, each with a label; a text; one of the row's own answers."""
LABELLED: frozenset[Kind] = frozenset({"classify", "score"})
"""The kinds whose answer is one of the task's labels."""
OF_LABELS: frozenset[Kind] = LABELLED | {"multilabel"}
"""The kinds whose answer is made of the task's labels, one or several."""
WRITTEN: frozenset[Kind] = frozenset({"number", "spans", "generate"})
"""The kinds whose answer a language model writes."""
NAMED: frozenset[Kind] = LABELLED | {"multilabel", "spans"}
"""The kinds whose tasks list labels."""
Rung: TypeAlias = Literal[
    "trivial", "prompt", "fewshot", "peft", "finetune", "align", "compress", "compose", "outside"
]
Trains: TypeAlias = Literal["nothing", "head", "adapter", "weights"]
"""What learning changes: nothing; a head on frozen features; an adapter; the base's weights."""
Form: TypeAlias = str
"""``trained``, ``deployed``, ``merged``, ``gguf:Q4_0``: in which form a method was measured."""

RUNGS: tuple[Rung, ...] = (
    "trivial",
    "prompt",
    "fewshot",
    "peft",
    "finetune",
    "align",
    "compress",
    "compose",
    "outside",
)


@dataclass(frozen=True)
class Image:
    """A picture by reference: its bytes stay on disk, its hash says whether they changed."""

    path: str
    sha256: str


Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Turn:
    """One turn of a chat. Of the assistant's only those are learned that are `taught`."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    taught: bool = True


Prompt: TypeAlias = str | tuple[Turn, ...]
"""What a language model is given: raw text, or turns that go through its chat template."""


@dataclass(frozen=True)
class Input:
    """What is asked. One of `fields`, `turns` or `images` carries the content.

    `fields` are named texts in the order in which a prompt shows them; `answers` are the
    candidates of a task of kind ``rank``.
    """

    fields: tuple[tuple[str, str], ...] = ()
    turns: tuple[Turn, ...] = ()
    images: tuple[Image, ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All texts of the input in one string: what an encoder or a bag of words reads."""
        return "\n".join([text for _, text in self.fields] + [turn.text for turn in self.turns])


@dataclass(frozen=True)
class Example:
    """An input with what is known about its answer.

    `targets` holds the label (classify), the labels that apply, the rarest of the task first
    (multilabel; empty where none does), or every reference (generate); `grades` one number per
    ``input.answers`` (rank). No split, fold or draw separates two examples of one `group`.
    """

    id: str
    input: Input
    targets: tuple[str, ...] = ()
    grades: tuple[float, ...] = ()
    group: str | None = None

    @property
    def label(self) -> str:
        """The first target: the label of a classify row, the rarest of a multilabel one."""
        return self.targets[0]


@dataclass(frozen=True)
class Label:
    """A class: its name as it stands in the data, and how a prompt says it."""

    name: str
    description: str | None = None

    @property
    def words(self) -> str:
        """The name as words: ``card_arrival`` -> ``card arrival``."""
        return " ".join(self.name.replace("_", " ").replace("-", " ").split()) or self.name


@dataclass(frozen=True)
class Grammar:
    """What an answer must look like.

    `text` is a regular expression that all of it matches, a JSON schema, or the possible answers
    as a JSON list. `lead` stands before the answer: the space after ``Answer:``.
    """

    kind: Literal["regex", "json_schema", "choices"]
    text: str
    lead: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible answers, of kind ``choices``."""
        return tuple(json.loads(self.text))


@dataclass(frozen=True)
class Check:
    """What an answer is judged by, and how much that counts among several.

    `text` is a regular expression that all of the answer matches, or a JSON schema; of a ``length``
    its unit: ``words`` or ``characters``, of which there are to be `least` to `most`.
    ``exact_answer``: the answer is one of the row's targets. All of these are rules. ``model``: a
    trained reward model, whose folder is `text` and whose content has the hash `sha256`.
    """

    kind: Literal["regex", "json_schema", "length", "exact_answer", "model"]
    text: str = ""
    least: int = 0
    most: int | None = None
    weight: float = 1.0
    sha256: str = ""

    @property
    def name(self) -> str:
        """What a reader calls it: a reward model by the end of its folder."""
        parts = PurePath(self.text).parts
        return "/".join(parts[-2:]) if self.kind == "model" else self.kind


Delimiter: TypeAlias = Literal["none", "quotes", "hashes", "tags"]
"""What stands around each text of an input: nothing, three quotes or hashes, a tag of its name."""


@dataclass(frozen=True)
class Parts:
    """What a prompt says beside the task's instruction and labels; empty parts are not shown.

    `persona` is who answers, `context` what must be known, `constraints` are what an answer must
    keep to, `output_format` is how it must look; a `delimiter` stands around each text. An
    instruction that `hides_labels` does not list them.
    """

    persona: str = ""
    context: str = ""
    constraints: tuple[str, ...] = ()
    output_format: str = ""
    delimiter: Delimiter = "none"
    hides_labels: bool = False


@dataclass(frozen=True)
class Scale:
    """Where the numbers of a task lie: their median, and their mean absolute distance from it."""

    median: float
    deviation: float


@dataclass(frozen=True)
class Task:
    """What is wanted. Holds no examples.

    Of kind ``score`` the labels are levels, the lowest first; of kind ``number`` there is a
    `scale`, that of the labelled rows.

    `field_names` renames an input field for the prompt (``text`` -> ``Review``) and
    `answer_name` names the answer (``Sentiment``). `answer_format` is what an answer of a
    generate task must look like, where that was said; `reward` holds the checks that tell what one
    is worth. `pictures`: each input is a picture. `positive` is the label that
    is looked for, of two. `parts` are what a prompt says beside the instruction.
    """

    name: str
    kind: Kind
    labels: tuple[Label, ...] = ()
    instruction: str = ""
    metric: str = "accuracy"
    system: str = ""
    field_names: tuple[tuple[str, str], ...] = ()
    answer_name: str = "Label"
    answer_format: Grammar | None = None
    pictures: bool = False
    scale: Scale | None = None
    reward: tuple[Check, ...] = ()
    positive: str | None = None
    parts: Parts = Parts()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names, in the task's order: the order of every score vector."""
        return tuple(label.name for label in self.labels)

    @property
    def has_labels(self) -> bool:
        """Is the answer one of `labels`?"""
        return self.kind in LABELLED

    @property
    def rules(self) -> tuple[Check, ...]:
        """What of its `reward` is checked by rule: the metric ``reward`` knows these alone."""
        return tuple(check for check in self.reward if check.kind != "model")

    @property
    def drawn_labels(self) -> tuple[str, ...]:
        """The labels of which a draw takes a number each; () where it takes a number of rows."""
        return self.label_names if self.has_labels else ()

    @property
    def has_strata(self) -> bool:
        """Do splits and folds take each first target by its share?

        That is the label; of several labels the rarest, which iterative stratification places
        first too (Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10).
        """
        return self.kind in OF_LABELS

    @property
    def is_written(self) -> bool:
        """Does a language model write the answer?"""
        return self.kind in WRITTEN


@dataclass(frozen=True)
class Fold:
    """One cut of the shots: learn from `shots`, look at `dev`."""

    shots: Shots
    dev: tuple[Example, ...]


@dataclass(frozen=True)
class Shots:
    """All a method may learn from.

    `labelled` counts every label a method sees: there is no free development set.
    `unlabelled` are texts that the user gave without labels, and train rows outside the draw with
    their targets removed; never test rows.
    `preferences` are ranked examples; `background` are examples of other classes or tasks.
    """

    labelled: tuple[Example, ...] = ()
    unlabelled: tuple[Example, ...] = ()
    preferences: tuple[Example, ...] = ()
    background: tuple[Example, ...] = ()

    def folds(self, k: int = 4, seed: int = 0, labels: bool = True) -> tuple[Fold, ...]:
        """`k` cuts, stratified by label, never through a group; () where every label has one shot.

        Without `labels` (kinds generate and rank) there are no strata.

        Each labelled example is in at most one `dev`: one whose label is in no group outside its
        fold (a label of one row; the only photograph of a thing) is in none. With fewer than `k`
        groups of the commonest label there are as many folds as that: a rare label must not take
        most rows away from all others. There are no folds where a label of several groups would
        be in no `dev`.
        Preferences (no labels) are cut the same way.
        """
        if not self.labelled:
            return tuple(
                Fold(replace(self, preferences=kept), dev)
                for kept, dev in _cuts(self.preferences, k, seed, labels)
            )
        return tuple(
            Fold(replace(self, labelled=kept), dev)
            for kept, dev in _cuts(self.labelled, k, seed, labels)
        )


def _cuts(
    examples: Sequence[Example], k: int, seed: int, labels: bool
) -> list[tuple[tuple[Example, ...], tuple[Example, ...]]]:
    """(kept, held out) pairs of a stratified, grouped cut into `k` folds at most."""
    groups: dict[str, set[str]] = {}
    for example in examples:
        groups.setdefault(_stratum(example, labels), set()).add(group_of(example))
    commonest = max(map(len, groups.values()), default=1)
    fold_of = stratified_folds(examples, min(k, commonest), seed, labels)
    cuts = []
    answered = set[str]()
    for fold in range(max(fold_of.values(), default=0) + 1):
        kept = tuple(e for e in examples if fold_of[e.id] != fold)
        known = {_stratum(e, labels) for e in kept}
        dev = tuple(e for e in examples if fold_of[e.id] == fold and _stratum(e, labels) in known)
        if dev and kept:
            cuts.append((kept, dev))
            answered.update(_stratum(e, labels) for e in dev)
    shared = {label for label, members in groups.items() if len(members) > 1}
    return cuts if shared and answered >= shared else []


def stratified_folds(
    examples: Sequence[Example], k: int, seed: int, labels: bool = True
) -> dict[str, int]:
    """The fold, from 0 to k - 1, of each example id: stratified by first target, groups whole.

    Without `labels` (generate, rank) the targets are no strata. A label of two groups or more is
    in two folds or more, so that no fold's remainder lacks it.
    """
    groups, by_label = _grouped(examples, labels)
    rng = random.Random(f"folds:{seed}")
    fold_of: dict[str, int] = {}
    start = 0
    for label in sorted(by_label):
        names = sorted(by_label[label])
        rng.shuffle(names)
        for position, name in enumerate(names):
            for example in groups[name]:
                fold_of[example.id] = (start + position) % k
        start += len(names)
    return fold_of


def _grouped(
    examples: Sequence[Example], labels: bool
) -> tuple[dict[str, list[Example]], dict[str, list[str]]]:
    """The members of each group, and the groups of each label (of their first member)."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(group_of(example), []).append(example)
    by_label: dict[str, list[str]] = {}
    for name, members in groups.items():
        by_label.setdefault(_stratum(members[0], labels), []).append(name)
    return groups, by_label


def group_of(example: Example) -> str:
    """What stands or falls together: the example's group, or the example alone."""
    return example.group or f"id:{example.id}"


def group_numbers(examples: Sequence[Example]) -> list[int] | None:
    """The number of each one's group, in order of appearance; None where none has a group."""
    if all(example.group is None for example in examples):
        return None
    numbers: dict[str, int] = {}
    return [numbers.setdefault(group_of(example), len(numbers)) for example in examples]


def _stratum(example: Example, labels: bool) -> str:
    return example.targets[0] if labels and example.targets else ""


@dataclass(frozen=True)
class Split:
    """Train and test rows of one task, with a fingerprint of everything in them.

    `test` is empty when the rows are too few to hold any out: then repeated folds measure
    (`mode` is ``folds``). `preferences`, `background` and `unlabelled` go into the shots of every
    draw.
    `notes` says in words what was found and repaired.
    """

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    mode: Literal["file", "holdout", "folds"]
    fingerprint: str
    notes: tuple[str, ...] = ()
    preferences: tuple[Example, ...] = ()
    background: tuple[Example, ...] = ()
    unlabelled: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Delta:
    """What was put on a base model: a PEFT folder, changed weights, bottleneck adapters.

    An ``encoder`` is a whole sentence encoder, a ``model`` a whole language model, a ``gguf`` one
    as a quantised file: each takes its base's place. `sha256` names the content, `folder` is where
    it lies now.
    """

    kind: Literal["peft", "weights", "bottleneck", "encoder", "model", "gguf"]
    folder: str
    sha256: str = ""


@dataclass(frozen=True)
class ModelRef:
    """Which model: engine, name (id, folder, address), revision, quantisation, deltas in order."""

    engine: str
    name: str
    revision: str = ""
    quant: str | None = None
    deltas: tuple[Delta, ...] = ()

    @property
    def base(self) -> ModelRef:
        """The same model without its deltas."""
        return replace(self, deltas=())

    @property
    def effective(self) -> ModelRef:
        """Where a whole model is among the deltas: that one, with the deltas that follow it."""
        at = [i for i, delta in enumerate(self.deltas) if delta.kind == "model"]
        if not at:
            return self
        whole, rest = self.deltas[at[-1]], self.deltas[at[-1] + 1 :]
        return replace(self, name=whole.folder, revision=whole.sha256, deltas=rest)

    @property
    def form(self) -> str:
        """Name of the weights that are loaded: ``name``, or ``name:nf4`` where quantised."""
        return self.name if self.quant is None else f"{self.name}:{self.quant}"


@dataclass(frozen=True)
class Prediction:
    """What a predictor says of one input.

    `answer`: the label, the labels (see `core.label_sets`), the text, or the best of the given
    answers. `scores`: one per label of the task (classify; multilabel: the logarithm of each one's
    probability to apply) or per given answer (rank), higher is better; empty for generate.
    `abstained`: the answer was held back, being less probable than a threshold, and is "".
    `seconds`: what it took elsewhere, where that is known; None: it was made on this machine, whose
    clock says. `money`: what was paid for it. `passed_on`: by the cheap part of a cascade to the
    dear one.
    """

    answer: str
    scores: tuple[float, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    abstained: bool = False
    seconds: float | None = None
    money: float = 0.0
    passed_on: bool = False


@dataclass(frozen=True)
class Cost:
    """What something took. `seconds` as if nothing had been cached; `spent_seconds` as it was.

    `money` in the currency of the prices that were given.
    """

    seconds: float = 0.0
    spent_seconds: float = 0.0
    peak_bytes: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    trained_params: int = 0
    disk_bytes: int = 0
    money: float = 0.0

    def then(self, after: Cost) -> Cost:
        """This, followed by `after`: sums, but peaks take the maximum."""
        return Cost(
            seconds=self.seconds + after.seconds,
            spent_seconds=self.spent_seconds + after.spent_seconds,
            peak_bytes=max(self.peak_bytes, after.peak_bytes),
            tokens_in=self.tokens_in + after.tokens_in,
            tokens_out=self.tokens_out + after.tokens_out,
            trained_params=max(self.trained_params, after.trained_params),
            disk_bytes=self.disk_bytes + after.disk_bytes,
            money=self.money + after.money,
        )


@dataclass(frozen=True)
class Measurement:
    """One method on one draw of shots, as it answered the test examples.

    `statistics[i]` are the metric's of test example `i` (see `metrics`).
    """

    job: str
    method: str
    spec: Mapping[str, Any]
    rung: Rung
    form: Form
    parent: str | None
    fingerprint: str
    shots: int | None
    draw: int
    ids: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    statistics: tuple[tuple[float, ...], ...]
    build: Cost
    use: Cost
    train_score: float | None = None
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def digest(*parts: str | bytes) -> str:
    """A short stable name for content: the first 16 hex digits of SHA-256, parts kept apart."""
    pieces: list[bytes] = []
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        pieces += (len(raw).to_bytes(8, "little"), raw)
    return hashlib.sha256(b"".join(pieces)).hexdigest()[:16]
