"""What answers: save it, load it, ask it. Nothing here knows how it was taught."""

from __future__ import annotations

from pathlib import Path

from nshot.core import errors
from nshot.core.errors import Fault, InputError
from nshot.models.base import Models
from nshot.predictors.base import Extends, Predictor

__all__ = ["Extends", "Predictor", "load"]


def load(folder: Path, models: Models) -> Predictor:
    """The predictor saved in `folder`, its models opened through `models` when first asked.

    Raises `InputError` for a missing record, an unknown kind, a newer format, or any file in the
    folder that can run code when read.
    """
    from nshot.predictors.constant import Constant
    from nshot.predictors.described import Described
    from nshot.predictors.discriminants import Discriminants
    from nshot.predictors.folder import read
    from nshot.predictors.from_support import FromSupport
    from nshot.predictors.label_head import LabelHead
    from nshot.predictors.nearest import Nearest, NearestAnswer, Vote
    from nshot.predictors.prompted import Prompted
    from nshot.predictors.ranker import Ranker
    from nshot.predictors.voting import Voting

    saved = read(Path(folder))
    match saved.kind:
        case "constant":
            return Constant.restore(saved)
        case "described":
            return Described.restore(saved, models)
        case "discriminants":
            return Discriminants.restore(saved, models)
        case "from_support":
            return FromSupport.restore(saved)
        case "label_head":
            return LabelHead.restore(saved, models)
        case "nearest":
            return Nearest.restore(saved, models)
        case "nearest_answer":
            return NearestAnswer.restore(saved, models)
        case "vote":
            return Vote.restore(saved, models)
        case "prompted":
            return Prompted.restore(saved, models)
        case "ranker":
            return Ranker.restore(saved, models)
        case "voting":
            return Voting.restore(saved, models)
    known = (
        "constant", "label_head", "nearest", "nearest_answer", "vote", "prompted", "ranker",
        "voting", "from_support", "described", "discriminants",
    )  # fmt: skip
    raise InputError(
        Fault(
            f"unknown kind of predictor '{saved.kind}'",
            do=errors.nearest(str(saved.kind), known),
            where=str(folder),
        )
    )
