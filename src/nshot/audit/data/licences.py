"""Under which terms rows of a public set may be used, where the files are called by its name.

The terms are those of the set's own page or repository, read in November 2026; they may have
changed, and a copy may carry others. A set that is not here may have terms too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nshot.audit.sets.table import FOLDERS, SETS


class Terms(NamedTuple):
    """A set, and its licence in the words of its authors."""

    title: str
    licence: str


_PUBLIC: Mapping[str, Terms] = {
    "ag_news": Terms("AG News", "for research and other non-commercial use"),
    "alpaca": Terms("Alpaca", "CC BY-NC 4.0: not for commercial use"),
    "banking77": Terms("BANKING77", "CC BY 4.0"),
    "dialogsum": Terms("DialogSum", "CC BY-NC-SA 4.0: not for commercial use"),
    "e2e_nlg": Terms("E2E NLG", "CC BY-SA 4.0"),
    "gsm8k": Terms("GSM8K", "MIT"),
    "hh_rlhf": Terms("HH-RLHF", "MIT"),
    "klue": Terms("KLUE", "CC BY-SA 4.0"),
    "koalpaca": Terms("KoAlpaca", "CC BY-NC 4.0: not for commercial use"),
    "nsmc": Terms("NSMC", "CC0 1.0"),
    "sms_spam": Terms("SMS Spam Collection", "CC BY 4.0 at UCI"),
    "sst2": Terms("SST-2", "none is stated: made for research"),
    "webnlg": Terms("WebNLG", "CC BY-NC-SA 4.0: not for commercial use"),
}


def _known() -> dict[str, Terms]:
    """By the words of a name that a file or a folder has."""
    audited = {
        name: Terms(one.title, one.licence)
        for key, one in SETS.items()
        for name in (key, *FOLDERS.get(key, ()))
    }
    return {_words(name): terms for name, terms in {**_PUBLIC, **audited}.items()}


def licences_of(paths: Iterable[Path]) -> list[str]:
    """A sentence for each known set by whose name a file, or one of two folders around it, goes.

    The nearest name counts: of ``alpaca/nsmc.csv`` that is NSMC.
    """
    known, lines = _known(), list[str]()
    for path in paths:
        parts = [path.stem, *(one.name for one in path.absolute().parents[:2])]
        hits = [terms for part in parts if (terms := _named(part, known))]
        lines += [
            f"{path} is called by {one.title}: if its rows are, their licence is {one.licence}"
            for one in hits[:1]
        ]
    return list(dict.fromkeys(lines))


def _named(part: str, known: Mapping[str, Terms]) -> Terms | None:
    """The set with the longest name that stands in the words of a part of a path."""
    places = [f" {_words(part)} ", f" {_apart(part)} "]
    hits = [name for name in known if any(f" {name} " in words for words in places)]
    return known[max(hits, key=len)] if hits else None


def _words(name: str) -> str:
    """``CrowS-Pairs_v1`` as ``crows pairs v1``; ``SST-2`` as ``sst2``."""
    return re.sub(r"(?<=[a-z]) (?=\d+\b)", "", _apart(name))


def _apart(name: str) -> str:
    """The same with numbers as words of their own: ``nsmc-2`` is a part of NSMC."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
