"""What answers: save it, load it, ask it. Nothing here knows how it was taught."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from nshot.core import errors
from nshot.core.errors import Fault, InputError
from nshot.models.base import Models
from nshot.predictors.base import Extends, Predictor

__all__ = ["KINDS", "Extends", "Predictor", "load"]

KINDS: Mapping[str, str] = {
    "constant": "nshot.predictors.constant:Constant",
    "label_head": "nshot.predictors.label_head:LabelHead",
    "fixed_number": "nshot.predictors.numbers:FixedNumber",
    "number_head": "nshot.predictors.numbers:NumberHead",
    "neighbour_mean": "nshot.predictors.numbers:NeighbourMean",
    "fixed_labels": "nshot.predictors.label_sets:FixedLabels",
    "label_set_head": "nshot.predictors.label_sets:LabelSetHead",
    "neighbour_shares": "nshot.predictors.label_sets:NeighbourShares",
    "asked_labels": "nshot.predictors.label_sets:AskedLabels",
    "phrases": "nshot.predictors.phrases:Phrases",
    "tagger": "nshot.predictors.tagger:Tagger",
    "ordinal_head": "nshot.predictors.ordinal_head:OrdinalHead",
    "nearest": "nshot.predictors.nearest:Nearest",
    "nearest_answer": "nshot.predictors.nearest:NearestAnswer",
    "vote": "nshot.predictors.nearest:Vote",
    "discriminants": "nshot.predictors.discriminants:Discriminants",
    "described": "nshot.predictors.described:Described",
    "from_support": "nshot.predictors.from_support:FromSupport",
    "prompted": "nshot.predictors.prompted:Prompted",
    "pattern_vote": "nshot.predictors.pattern_vote:PatternVote",
    "rationale": "nshot.predictors.rationale:Rationale",
    "sampled_vote": "nshot.predictors.sampled_vote:SampledVote",
    "decided": "nshot.predictors.decided:Decided",
    "ranker": "nshot.predictors.ranker:Ranker",
    "by_length": "nshot.predictors.by_length:ByLength",
    "rewarded": "nshot.predictors.rewarded:Rewarded",
    "implicit": "nshot.predictors.implicit:Implicit",
    "replayed": "nshot.predictors.replayed:Replayed",
    "stacked": "nshot.predictors.stacked:Stacked",
    "to_a_person": "nshot.predictors.to_a_person:ToAPerson",
    "cascade": "nshot.predictors.cascade:Cascade",
    "calibrated": "nshot.predictors.calibrated:Calibrated",
}
"""Kind -> module and class: a closed table."""


def load(folder: Path, models: Models) -> Predictor:
    """The predictor saved in `folder`, its models opened through `models` when first asked.

    Raises `InputError` for a missing record, an unknown kind, a newer format, or any file in the
    folder that can run code when read.
    """
    from nshot.predictors.folder import read

    saved = read(Path(folder))
    if saved.kind not in KINDS:
        raise InputError(
            Fault(
                f"unknown kind of predictor '{saved.kind}'",
                do=errors.nearest(str(saved.kind), KINDS),
                where=str(folder),
            )
        )
    module, name = KINDS[saved.kind].split(":")
    predictor: Predictor = getattr(import_module(module), name).restore(saved, models)
    return predictor
