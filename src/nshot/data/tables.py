"""A file becomes a table, or its faults are noted."""

from __future__ import annotations

from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files import read_file
from nshot.data.header import tidied
from nshot.data.mojibake import mend
from nshot.data.table import Table
from nshot.data.token_rows import gather_sentences


def read_table(path: Path, faults: Faults, encoding: str | None = None) -> Table | None:
    """Read a file of one of the endings `files.READ`.

    Notes in `faults` every line that cannot be read; None when nothing can be. Texts that were
    decoded wrongly before they became UTF-8 are mended, unless `encoding` is given.
    """
    try:
        table = read_file(path, faults, encoding)
    except InputError as error:
        faults.add(*error.faults)
        return None
    except OSError as error:
        where = str(error.filename or path)
        faults.add(Fault(f"cannot be read: {error.strerror}", where=where))
        return None
    if table is not None and not table.rows and not table.broken:
        faults.add(Fault("no rows", expected="a row for each example", where=str(path)))
    if table is None or not table.rows:
        return None
    if encoding is None:
        mend(table)
    table = tidied(table)
    gather_sentences(table)
    return table
