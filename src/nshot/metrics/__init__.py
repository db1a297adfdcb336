"""What a score is: statistics per example, and the value of their sum.

A metric gives each example a row of statistics; its value is a function of their total, or of all
of them (Spearman's rho). Accuracy is a mean, so its points are the statistics themselves; macro-F1
and BLEU are not, so the decision is fed jackknife pseudo-values (`points`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.types import LABELLED, Example, Kind, Task
from nshot.metrics.formats import NOT_JSON, IsJson, JsonMatch, Number, Slots
from nshot.metrics.formats import last_number as _last_number
from nshot.metrics.formats import parsed as _parsed
from nshot.metrics.formats import slots as _slots
from nshot.metrics.keeping import KeepsFormat
from nshot.metrics.label_sets import MacroF1OfSets, MicroF1, SubsetAccuracy
from nshot.metrics.labels import Accuracy, MacroF1, PairAccuracy
from nshot.metrics.metric import Floats, Metric, Together
from nshot.metrics.numbers import Distances, MeanErrorSkill, RSquared
from nshot.metrics.ordered import Closeness, Levels, QuadraticKappa
from nshot.metrics.positive import F1, Precision, Recall
from nshot.metrics.rank_correlation import SpearmanRho
from nshot.metrics.reward import Reward
from nshot.metrics.spans import OverlapF1, SpanF1
from nshot.metrics.texts import ExactMatch, RougeL, TokenF1, bleu, chrf

__all__ = ["METRICS", "Metric", "Together", "metric_of", "misfits", "points", "score"]


@dataclass(frozen=True)
class Known:
    """A metric by name: the kinds of task it suits, and what rows must have to be measured by it.

    `has` tells whether a row has it, `what` and `expected` say what it is. Without `all_rows` one
    row with it is enough.
    """

    kinds: frozenset[Kind]
    make: Callable[[Task], Metric]
    has: Callable[[Example], bool] | None = None
    what: str = ""
    expected: str = ""
    all_rows: bool = True


def _texts(make: Callable[[], Metric]) -> Known:
    return Known(frozenset({"generate"}), lambda task: make())


def _has_json(example: Example) -> bool:
    return all(_parsed(target) is not NOT_JSON for target in example.targets)


def _has_number(example: Example) -> bool:
    return all(_last_number(target) is not None for target in example.targets)


def _has_choice(example: Example) -> bool:
    return len(example.input.answers) > 1


def _has_slots(example: Example) -> bool:
    return bool(_slots(example.input))


def _macro_f1(task: Task) -> Metric:
    return (MacroF1 if task.has_labels else MacroF1OfSets)(task.label_names)


def _spearman(task: Task) -> Metric:
    return SpearmanRho((Levels(task.label_names) if task.has_labels else Distances(task)).of)


YES_OR_NO: frozenset[Kind] = frozenset({"classify"})
POSITIVE = frozenset({"f1", "precision", "recall"})
"""Metrics of the positive one of two labels."""
SETS: frozenset[Kind] = frozenset({"multilabel"})
METRICS: Mapping[str, Known] = {
    "accuracy": Known(LABELLED | {"generate"}, lambda task: Accuracy()),
    "f1": Known(YES_OR_NO, F1),
    "precision": Known(YES_OR_NO, Precision),
    "recall": Known(YES_OR_NO, Recall),
    "macro_f1": Known(LABELLED | SETS, _macro_f1),
    "micro_f1": Known(SETS, lambda task: MicroF1()),
    "subset_accuracy": Known(SETS, lambda task: SubsetAccuracy()),
    "kappa": Known(frozenset({"score"}), lambda task: QuadraticKappa(task.label_names)),
    "closeness": Known(frozenset({"score"}), lambda task: Closeness(task.label_names)),
    "mae_skill": Known(frozenset({"number"}), MeanErrorSkill),
    "r2": Known(frozenset({"number"}), RSquared),
    "spearman": Known(frozenset({"number", "score"}), _spearman),
    "span_f1": Known(frozenset({"spans"}), lambda task: SpanF1()),
    "overlap_f1": Known(frozenset({"spans"}), lambda task: OverlapF1()),
    "exact_match": _texts(ExactMatch),
    "token_f1": _texts(TokenF1),
    "rouge_l": _texts(RougeL),
    "bleu": _texts(bleu),
    "chrf": _texts(chrf),
    "slots": Known(
        frozenset({"generate"}), lambda task: Slots(), _has_slots, "an input with slots",
        "inputs like `name[The Eagle], food[French]` or `subject | property | object`", False,
    ),
    "json": _texts(IsJson),
    "json_match": Known(
        frozenset({"generate"}), lambda task: JsonMatch(), _has_json, "a reference in JSON",
        "references that can be read as JSON",
    ),
    "number": Known(
        frozenset({"generate"}), lambda task: Number(), _has_number, "a number in the reference",
        "references that give a number, as `... #### 42`",
    ),
    "keeps_format": Known(frozenset({"generate"}), KeepsFormat),
    "reward": Known(frozenset({"generate"}), Reward),
    "pair_accuracy": Known(
        frozenset({"rank"}), lambda task: PairAccuracy(), _has_choice, "two answers to choose from",
        "rows as in the formats preference and ranking: one answer that was liked or not is none",
    ),
}  # fmt: skip
"""Name -> metric, and the tasks it suits. docs/metrics.md says when to take which."""
OF_THE_TASK = frozenset({"keeps_format", "reward"})
"""Metrics of what the task file says of its answers."""


def metric_of(task: Task, name: str | None = None) -> Metric:
    """The metric of that name, without one the task's own; `InputError` for an unknown name."""
    name = task.metric if name is None else name
    if name not in METRICS:
        raise InputError(Fault(f"unknown metric '{name}'", do=nearest(name, METRICS)))
    return METRICS[name].make(task)


def misfits(task: Task, also: Sequence[str], examples: Sequence[Example]) -> list[Fault]:
    """What is wrong with the task's metric and the further ones: unknown, or not for its rows."""
    names = dict.fromkeys((task.metric, *also))
    return [fault for name in names for fault in _misfit(task, name, examples)]


def _misfit(task: Task, name: str, examples: Sequence[Example]) -> list[Fault]:
    suited = [known for known, metric in METRICS.items() if task.kind in metric.kinds]
    if name not in METRICS:
        return [Fault(f"unknown metric '{name}'", do=nearest(name, suited))]
    metric = METRICS[name]
    if task.kind not in metric.kinds:
        problem = f"the metric '{name}' is not for tasks of kind {task.kind}"
        return [Fault(problem, expected=f"one of: {', '.join(suited)}")]
    if name in OF_THE_TASK:
        return _task_faults(task, metric)
    if name in POSITIVE and task.positive is None:
        return [_no_positive(task, name)]
    rows = sum(map(metric.has, examples)) if metric.has else len(examples)
    if rows == len(examples) or (rows and not metric.all_rows):
        return []
    problem = f"the metric '{name}' needs {metric.what}: {rows} of {len(examples)} rows have it"
    return [Fault(problem, metric.expected, "take another metric, or mend the rows")]


def _no_positive(task: Task, name: str) -> Fault:
    """A metric of the positive label for a task that has none."""
    names = task.label_names
    if len(names) != 2:
        problem = f"the metric '{name}' is of one of two labels, and the task has {len(names)}"
        return Fault(problem, "two labels", "--metric macro_f1 counts every label alike")
    problem = f"the metric '{name}' is of the label that is looked for"
    return Fault(problem, f"one of: {', '.join(names)}", f"--positive {shlex.quote(names[-1])}")


def _task_faults(task: Task, metric: Known) -> list[Fault]:
    """What keeps answers from being checked by what the task file says."""
    try:
        metric.make(task)
    except InputError as error:
        return list(error.faults)
    return []


def score(metric: Metric, statistics: Floats) -> float:
    """Value of (examples, k) statistics; 0 where nothing was answered."""
    if not len(statistics):
        return 0.0
    if isinstance(metric, Together):
        return metric.of_rows(statistics)
    return metric.value(statistics.sum(axis=0), len(statistics))


def points(metric: Metric, statistics: Floats) -> Floats:
    """One point per example whose mean is the score: (examples, k) -> (examples,).

    For a metric that is no mean: jackknife pseudo-values n t - (n-1) t_(-i) (Tukey 1958), shifted
    so that their mean is the score itself and not its bias-corrected version.
    """
    if metric.mean:
        return statistics[:, 0].astype(np.float64)
    count, value = len(statistics), score(metric, statistics)
    if isinstance(metric, Together):
        without = metric.without_each(statistics)
    else:
        total = statistics.sum(axis=0)
        without = np.array([metric.value(total - row, count - 1) for row in statistics])
    pseudo = count * value - (count - 1) * without
    return np.asarray(pseudo + (value - pseudo.mean()), dtype=np.float64)
