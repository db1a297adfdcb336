"""What labels may not be: two at once, one only, nearly the same, or not labels at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.errors import Fault, nearest
from nshot.data.drawing import too_few
from nshot.data.faults import Faults, Place
from nshot.data.task_file import label_key

SEPARATORS = ("|", ";", ",", "/", "+", "&")
_MANY = 20
"""Labels from which a column whose values mostly stand once is taken for free text."""
_LONG = 40
"""Characters: values longer than this on average are free text unless they repeat."""


@dataclass(frozen=True)
class Labelled:
    """The labels of one file's rows, and where they stand."""

    path: Path
    unit: str
    labels: list[str]
    places: list[Place]

    def note(
        self, faults: Faults, label: str, problem: str, expected: str = "", do: str = ""
    ) -> None:
        """A fault at every row that has the label."""
        for name, place in zip(self.labels, self.places, strict=True):
            if name == label:
                faults.at(self.path, self.unit, place, problem, expected, do)


def check_labels(
    train: Labelled,
    test: Labelled | None,
    listed: Sequence[str],
    shots: Sequence[int],
    faults: Faults,
    generate: str,
    sets: bool = False,
) -> None:
    """Note every fault of the labels.

    `listed` are the labels of a task file, `shots` the numbers per label that will be drawn,
    `generate` is what to type where the labels are free answers. Rows whose label could not be
    read are faults of their own and do not count here. `sets`: a row may have several labels, of
    one or more in all, and the test some that no train row has.
    """
    parts = [part for part in (train, test) if part is not None]
    counts = Counter(label for part in parts for label in part.labels)
    if not listed and looks_like_text(counts):
        faults.add(_free_text(train.path, counts, generate))
        return
    doubtful = _near_same(parts, counts, listed, faults)
    if not sets:
        doubtful |= _several(parts, counts, listed, faults)
    if listed:
        doubtful |= _unlisted(parts, counts, listed, doubtful, faults)
    least = 1 if sets else 2
    _too_rare(train, None if sets else test, listed, shots, doubtful, least, faults)


def looks_like_text(counts: Counter[str]) -> bool:
    """True for values of which most stand once, when they are many or long."""
    once = sum(count == 1 for count in counts.values())
    width = sum(map(len, counts)) / max(1, len(counts))
    return 2 * once > len(counts) and (len(counts) > _MANY or (len(counts) > 2 and width > _LONG))


def _free_text(path: Path, counts: Counter[str], generate: str) -> Fault:
    return Fault(
        f"the label column has {len(counts)} different values in {counts.total()} rows, "
        f"such as '{min(counts)[:60]}'",
        expected="a few labels that repeat, or a task of kind generate",
        do=f"{generate}; or name the label column with --label; labels that are meant to be rare "
        "are listed in a task.yaml under `labels:`",
        where=str(path),
    )


def _near_same(
    parts: Sequence[Labelled], counts: Counter[str], listed: Sequence[str], faults: Faults
) -> set[str]:
    """Labels that differ from a commoner one (or a listed one) only by case or white space."""
    best = {label_key(name): name for name in listed}
    for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        best.setdefault(label_key(name), name)
    rarer = {name for name in counts if best[label_key(name)] != name}
    for name in sorted(rarer):
        other = best[label_key(name)]
        for part in parts:
            part.note(
                faults,
                name,
                f"the label {name!r} differs from {other!r} ({counts[other]} rows) only by case "
                "or space",
                expected="one spelling for each label",
                do=f"write {other!r} in all of them",
            )
    return rarer


def _several(
    parts: Sequence[Labelled], counts: Counter[str], listed: Sequence[str], faults: Faults
) -> set[str]:
    """Labels made of other labels with a separator between."""
    names = {*counts, *listed}
    pieces_of: dict[str, list[str]] = {}
    for name in counts:
        for mark in SEPARATORS:
            pieces = [piece.strip() for piece in name.split(mark)]
            if len(pieces) > 1 and names.issuperset(pieces):
                pieces_of[name] = pieces
    for name, pieces in sorted(pieces_of.items()):
        for part in parts:
            part.note(
                faults,
                name,
                f"the label {name!r} is several labels: {', '.join(pieces)}",
                expected="one label a row",
                do="--kind multilabel, or keep the one that matters most",
            )
    return set(pieces_of)


def _unlisted(
    parts: Sequence[Labelled],
    counts: Counter[str],
    listed: Sequence[str],
    several: set[str],
    faults: Faults,
) -> set[str]:
    unknown = counts.keys() - set(listed) - several
    for name in sorted(unknown):
        for part in parts:
            part.note(
                faults,
                name,
                f"the label {name!r} is not among the labels of the task file",
                do=nearest(name, listed),
            )
    return unknown


def _too_rare(
    train: Labelled,
    test: Labelled | None,
    listed: Sequence[str],
    shots: Sequence[int],
    several: set[str],
    least: int,
    faults: Faults,
) -> None:
    """Fewer labels than `least`, labels that no train row has, too few rows for shots."""
    counts = Counter(train.labels)
    names = sorted(counts.keys() | set(listed) - several)
    if len(names) < least:
        only = f"one label only: {names[0]!r}" if names else "no label"
        expected = "rows of two labels or more" if least > 1 else "rows to which a label applies"
        faults.add(Fault(only, expected, where=str(train.path)))
    for name in sorted(set(test.labels if test else ()) - set(names) - several):
        if test:
            test.note(
                faults,
                name,
                f"the label {name!r} is in no train row",
                expected=f"a label of {train.path}: {', '.join(names[:30])}",
                do=nearest(name, names),
            )
    needed = max(shots, default=1)
    sure = [name for name in names if name not in several]
    for fault in too_few(counts, needed, sure) if sure else ():
        faults.add(Fault(fault.found, fault.expected, fault.do, where=str(train.path)))
