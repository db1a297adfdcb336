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

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files import READ
from nshot.data.files.encoding import decoded_alike
from nshot.data.part_column import PART
from nshot.data.pictures import FOREIGN, SUFFIXES, as_image, foreign
from nshot.data.roles import ROLES, Role, are_parts, role_of
from nshot.data.table import Row, Table

IMAGE_COLUMN = "image"
_CLASSES = "one sub-folder per class, with .txt files or pictures in it, or a task.yaml"
_LEFT_BEHIND = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "icon\r", "lost+found"}
)
"""What systems put into folders, besides hidden files; in lower case."""


_TEXTS = frozenset({".txt", ".text", ".eml"})
"""Endings of files of one text each; a file whose name is a number is one too (20 Newsgroups)."""
_FOLD = re.compile(r"(fold|part|split|cv|batch|shard)[-_ ]?\d+", re.IGNORECASE)
_UNLABELLED = frozenset({"unsup", "unlabeled", "unlabelled", "unlabeled_data", "no_label"})
_DEEP = 4
"""Folders in folders that are looked through."""


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
    chosen = {role: _only_file(place) for place, role in roles.items()}
    train, held = chosen["train"], chosen.get("test") or chosen.get("validation")
    uses = [f"{train.name} to learn from"]
    if held is not None:
        uses.append(f"{held.name} not used (--test was given)" if test else f"{held.name} to test")
    if (other := chosen.get("validation")) not in (None, held):
        uses.append(f"{other.name} not used: settings are chosen on folds of {train.name}")
    if rest := [p.name for p in _rows_in(path) if p not in roles]:
        uses.append(f"not used: {', '.join(rest)}")
    return Parts(train, test or held, (f"parts of {path.name}: {'; '.join(uses)}",))


def within(path: Path) -> Path:
    """The folder that holds the data: one that holds nothing but another folder is looked through.

    A folder of files only is a class, and is not.
    """
    for _ in range(_DEEP):
        inner = _rows_in(path)
        if len(inner) != 1 or not inner[0].is_dir() or not _rows_in(inner[0]):
            break
        if not folders_of(inner[0]) and not _roles(inner[0]):
            break
        path = inner[0]
    return path


def _only_file(place: Path) -> Path:
    """Of a folder of one file of rows the file."""
    inner = _rows_in(place) if place.is_dir() else []
    alone = len(inner) == 1 and inner[0].is_file() and inner[0].suffix.lower() != ".txt"
    return inner[0] if alone else place


def _rows_in(path: Path) -> list[Path]:
    """The sub-folders; where there is none, the files of rows."""
    files = (p for p in path.iterdir() if p.is_file() and p.suffix.lower() in READ and _seen(p))
    return folders_of(path) or sorted(files)


def _roles(path: Path) -> dict[Path, Role]:
    """The sub-folders, or files, that are parts."""
    places = _rows_in(path)
    if len(places) == 1 and places[0].is_file():
        return {places[0]: "train"}
    words = {place: _last_word(place) for place in places}
    roles = {place: ROLES[word] for place, word in words.items() if word in ROLES}
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


def _check_parts(path: Path, roles: Mapping[Path, Role]) -> None:
    """Refuse what cannot be told: two of one part, nothing to learn from."""
    names = ", ".join(place.name for place in roles)
    train = [quote(str(place)) for place, role in roles.items() if role == "train"]
    others = [quote(str(place)) for place, role in roles.items() if role != "train"]
    expected = "one part 'train', and one 'test' or 'val'"
    if len(set(roles.values())) < len(roles):
        first, second = (train or others)[0], (others if train else others[1:])[:1]
        do = " --test ".join([f"nshot check {first}", *second])
        pieces = [place for place, role in roles.items() if role == "train"]
        if len(pieces) > 1 and all(p.suffix.lower() in (".csv", ".tsv") for p in pieces):
            whole = quote(str(path / f"whole{pieces[0].suffix}"))
            put = f"(cat {train[0]}; tail -qn +2 {' '.join(train[1:])}) > {whole}"
            do = f"{put}; " + " --test ".join([f"nshot check {whole}", *second])
        elif len(pieces) > 1 and all(p.suffix.lower() == ".jsonl" for p in pieces):
            whole = quote(str(path / "whole.jsonl"))
            do = f"cat {' '.join(train)} > {whole}; " + " --test ".join(
                [f"nshot check {whole}", *second]
            )
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
            notes: list[str] = []
            table = read_classes(path, _sound_classes(classes, notes), faults, encoding)
            if table is not None:
                table.notes += notes
            return table
        data = sorted(p.name for p in path.iterdir() if p.suffix.lower() in READ)
    except OSError as error:
        where = str(error.filename or path)
        faults.add(Fault(f"cannot be read: {error.strerror}", where=where))
        return None
    do = f"name a file: {', '.join(data[:8])}" if data else ""
    faults.add(Fault("the folder has no sub-folders", _CLASSES, do, where=str(path)))
    return None


def _sound_classes(classes: Sequence[Path], notes: list[str]) -> list[Path]:
    """The folders of classes: those in folds, and without one of unlabelled texts."""
    if len(classes) > 1 and all(_FOLD.fullmatch(p.name) and folders_of(p) for p in classes):
        notes.append(f"{', '.join(p.name for p in classes)} are folds: the classes are in them")
        classes = [inner for fold in classes for inner in folders_of(fold)]
    bare = [p for p in classes if p.name.casefold() in _UNLABELLED]
    if bare and len({p.name for p in classes} - {p.name for p in bare}) > 1:
        notes.append(f"{', '.join(p.name for p in bare)}: files without a label, left out")
        classes = [p for p in classes if p not in bare]
    return list(classes)


def _part_of(place: str) -> str | None:
    """The part that a file of a class is in: ``cats/train/1.txt``."""
    pieces = place.split("/")
    return pieces[1] if len(pieces) > 2 and role_of(pieces[1]) else None


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
            problem, do = _nothing_in(folder, path)
            faults.at(path, "folder", folder.name, problem, _CLASSES, do)
    if not _decode(table, faults, encoding):
        return None
    parts = [_part_of(str(place)) for place in table.places]
    in_parts = None not in parts and are_parts(part or "" for part in parts)
    for row, part in zip(table.rows, parts, strict=True) if in_parts else ():
        row[PART] = part
    kinds = {next(iter(row)) for row in table.rows}
    if len(kinds) > 1:
        faults.add(Fault("texts and pictures side by side", "one of the two", where=str(path)))
        return None
    if others:
        table.notes.append(f"{others} files of {path.name} are neither .txt nor pictures: not used")
    if outside:
        links = f"{len(outside)} links of {path.name} lead out of it, such as {outside[0]}"
        table.notes.append(f"{links}: not followed")
    table.columns = (*kinds, "label", *([PART] if in_parts else []))
    return table if table.rows else None


def _nothing_in(folder: Path, root: Path) -> tuple[str, str]:
    """What is wrong with a folder without texts and pictures, and what makes texts of its files."""
    ends = sorted({file.suffix for file in files_of(folder)})
    have = f": it has {', '.join(ends)}" if ends else ""
    rename = f"find {quote(str(root))} -type f ! -name '*.txt' -exec mv {{}} {{}}.txt \\;"
    do = f"{rename}   where these are texts" if ends else ""
    return f"no .txt file and no picture in it{have}", do


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
    if file.suffix.lower() not in _TEXTS and not file.name.isdecimal():
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
