"""The known sets there are: a closed table, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshot.audit.sets.bbq import BBQ
from nshot.audit.sets.crows_pairs import CrowsPairs
from nshot.audit.sets.known_set import KnownSet
from nshot.audit.sets.korean_hate import KoreanHate
from nshot.audit.sets.stereoset import StereoSet
from nshot.audit.sets.winobias import WinoBias
from nshot.audit.sets.winogender import Winogender

SETS: Mapping[str, KnownSet[Any]] = {
    one.name: one
    for one in (CrowsPairs(), StereoSet(), WinoBias(), Winogender(), BBQ(), KoreanHate())
}
FOLDERS: Mapping[str, tuple[str, ...]] = {"stereoset": ("stereoset", "stereoset_intra")}
"""Other names of a set's folder than its own."""
