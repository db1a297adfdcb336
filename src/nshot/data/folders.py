"""Folders become tables: a sub-folder for each class, or the parts ``train`` and ``test`` of such.

What systems and tools leave in a folder (hidden files, ``__MACOSX``, ``Thumbs.db``) is not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Literal, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files import READ
from nshot.data.files.encoding import decoded_alike
from nshot.data.pictures import FOREIGN, SUFFIXES, as_image, foreign
from nshot.data.table import Row, Table

IMAGE_COLUMN = "image"
_CLASSES = "one sub-folder per class, with .txt files or pictures in it, or a task.yaml"
_LEFT_BEHIND = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "icon\r", "lost+found"}
)
"""What systems put into folders, besides hidden files; in lower case."""

_Role: TypeAlias = Literal["train", "validation", "test"]
_ROLES: Mapping[str, _Role] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of the parts of a data set, in lower case."""


@dataclass(frozen=True)
class Parts:
    """Where the rows to learn from are and, where a folder has them, the test rows; `notes` say
    what each part is used for."""

    train: Path
    test: Path | None = None
    notes: tuple[str, ...] = ()


def parts_of(path: Path, test: Path | None = None) -> Parts | None:
    """The parts that a folder holds as sub-folders, or as files; None where it holds classes.

    A part is a sub-folder called ``train``, ``val``, ``test`` and the like, in any case, or where
    there is none a file whose name ends in such a word (``ratings_train.csv``). The part ``test``
    has the test rows, ``val`` where there is no other; `test` goes before both. One file alone is
    the one to learn from. Raises `InputError` where two are the same part, or none is to learn
    from.
    """
    roles = _roles(path)
    if not roles:
        return None
    _check_parts(path, roles)
    chosen = {role: place for place, role in roles.items()}
    train, held = chosen["train"], chosen.get("test") or chosen.get("validation")
    uses = [f"{train.name} to learn from"]
    if held is not None:
        uses.append(f"{held.name} not used (--test was given)" if test else f"{held.name} to test")
    if (other := chosen.get("validation")) not in (None, held):
        uses.append(f"{other.name} not used: settings are chosen on folds of {train.name}")
    if rest := [p.name for p in _rows_in(path) if p not in roles]:
        uses.append(f"not used: {', '.join(rest)}")
    return Parts(train, test or held, (f"parts of {path.name}: {'; '.join(uses)}",))


def _rows_in(path: Path) -> list[Path]:
    """The sub-folders; where there is none, the files of rows."""
    files = (p for p in path.iterdir() if p.is_file() and p.suffix.lower() in READ and _seen(p))
    return folders_of(path) or sorted(files)


def _roles(path: Path) -> dict[Path, _Role]:
    """The sub-folders, or files, that are parts."""
    places = _rows_in(path)
    if len(places) == 1 and places[0].is_file():
        return {places[0]: "train"}
    words = {place: _last_word(place) for place in places}
    roles = {place: _ROLES[word] for place, word in words.items() if word in _ROLES}
    if len(roles) == len(places) or not all(place.is_dir() for place in roles):
        return roles
    return {place: role for place, role in roles.items() if folders_of(place)}


def _last_word(place: Path) -> str:
    """The name of a folder; the last word of a file's, without the number of its piece."""
    name = place.name.casefold().strip()
    if place.is_dir():
        return name
    stem = re.sub(r"-\d+-of-\d+$", "", name.partition(".")[0])
    return re.split(r"[-_ ]", stem)[-1]


def _check_parts(path: Path, roles: Mapping[Path, _Role]) -> None:
    """Refuse what cannot be told: two of one part, nothing to learn from."""
    names = ", ".join(place.name for place in roles)
    train = [quote(str(place)) for place, role in roles.items() if role == "train"]
    others = [quote(str(place)) for place, role in roles.items() if role != "train"]
    expected = "one part 'train', and one 'test' or 'val'"
    if len(set(roles.values())) < len(roles):
        first, second = (train or others)[0], (others if train else others[1:])[:1]
        do = " --test ".join([f"nshot check {first}", *second])
        raise InputError(Fault(f"several of one part: {names}", expected, do, str(path)))
    if not train:
        rest = [quote(str(p)) for p in folders_of(path) if p not in roles]
        into = quote(str(path / "train"))
        do = (
            f"mkdir {into} && mv {' '.join(rest)} {into}" if rest else "name the rows to learn from"
        )
        raise InputError(Fault(f"no part to learn from beside {names}", expected, do, str(path)))


def read_folder(path: Path, faults: Faults, encoding: str | None = None) -> Table | None:
    """One sub-folder per class: each ``.txt`` file, or each picture, is a row.

    Notes in `faults` every file that cannot be read; None when nothing can be.
    """
    try:
        classes = folders_of(path)
        if classes:
            return read_classes(path, classes, faults, encoding)
        data = sorted(p.name for p in path.iterdir() if p.suffix.lower() in READ)
    except OSError as error:
        where = str(error.filename or path)
        faults.add(Fault(f"cannot be read: {error.strerror}", where=where))
        return None
    do = f"name a file: {', '.join(data[:8])}" if data else ""
    faults.add(Fault("the folder has no sub-folders", _CLASSES, do, where=str(path)))
    return None


def read_classes(
    path: Path, classes: Sequence[Path], faults: Faults, encoding: str | None = None
) -> Table | None:
    """The files of folders in `path`, each named like its label; None where there are none."""
    table = Table(path, (), unit="file")
    others, outside = 0, list[str]()
    for folder in classes:
        if folder.is_symlink() and not folder.resolve().is_relative_to(path.resolve()):
            do = f"cp -rL {quote(str(folder))} COPY, and use the copy in its place"
            faults.at(path, "folder", folder.name, "a link that leads out of here", _CLASSES, do)
            continue
        count = 0
        for file in _walk(folder, path.resolve(), outside):
            place = file.relative_to(path).as_posix()
            row = _file_row(file, place, path, faults)
            others += row is None
            count += row is not None
            if row:
                table.rows.append({**row, "label": folder.name})
                table.places.append(place)
        if not count:
            faults.at(path, "folder", folder.name, "no .txt file and no picture in it", _CLASSES)
    if not _decode(table, faults, encoding):
        return None
    kinds = {next(iter(row)) for row in table.rows}
    if len(kinds) > 1:
        faults.add(Fault("texts and pictures side by side", "one of the two", where=str(path)))
        return None
    if others:
        table.notes.append(f"{others} files of {path.name} are neither .txt nor pictures: not used")
    if outside:
        links = f"{len(outside)} links of {path.name} lead out of it, such as {outside[0]}"
        table.notes.append(f"{links}: not followed")
    table.columns = (*kinds, "label")
    return table if table.rows else None


def folders_of(path: Path) -> list[Path]:
    """The folders in a folder, by name; hidden ones and those of the system are left alone."""
    return sorted(p for p in path.iterdir() if p.is_dir() and _seen(p))


def files_of(folder: Path) -> list[Path]:
    """The files in a folder and the folders in it, by path; hidden ones are left alone.

    Links to files and folders within it are followed.
    """
    return list(_walk(folder, folder.resolve(), []))


def _walk(folder: Path, root: Path, outside: list[str]) -> Iterator[Path]:
    """The files under `folder`, by path; links that lead out of `root` go into `outside`.

    A link to a folder that it is in itself is not followed: there would be no end.
    """
    for place in sorted(folder.iterdir()):
        if not _seen(place):
            continue
        if place.is_symlink() and not place.resolve().is_relative_to(root):
            outside.append(str(place.relative_to(root) if place.is_relative_to(root) else place))
        elif place.is_file():
            yield place
        elif place.is_dir() and not _leads_back(place):
            yield from _walk(place, root, outside)


def _leads_back(place: Path) -> bool:
    return place.is_symlink() and Path(os.path.abspath(place)).is_relative_to(place.resolve())


def _seen(place: Path) -> bool:
    """Is this a person's file or folder? Not a hidden one, nor one that a system left behind."""
    return not place.name.startswith(".") and place.name.casefold() not in _LEFT_BEHIND


def _file_row(file: Path, place: str, root: Path, faults: Faults) -> Row | None:
    """What a file holds; {} for one that is at fault, None for what is neither text nor picture."""
    if file.suffix.lower() in SUFFIXES:
        return {IMAGE_COLUMN: as_image(file)}
    if file.suffix.lower() in FOREIGN:
        fault = foreign(file)
        faults.at(root, "file", place, fault.found, fault.expected, fault.do)
        return {}
    if file.suffix.lower() != ".txt":
        return None
    return {"text": file.read_bytes()}


def _decode(table: Table, faults: Faults, encoding: str | None) -> bool:
    """Put the texts in the place of their bytes (files of a folder are written alike), or not."""
    files = {
        table.path / str(place): row["text"]
        for row, place in zip(table.rows, table.places, strict=True)
        if "text" in row
    }
    try:
        texts, note = decoded_alike(files, table.path, encoding)
    except InputError as error:
        faults.add(*error.faults)
        return False
    table.notes += [note] if note else []
    for row, text in zip((row for row in table.rows if "text" in row), texts, strict=True):
        row["text"] = text
    return True
