"""A file becomes a table, or its faults are noted."""

from __future__ import annotations

from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files import read_file
from nshot.data.header import tidied
from nshot.data.table import Table


def read_table(path: Path, faults: Faults, encoding: str | None = None) -> Table | None:
    """Read a file of one of the endings `files.READ`.

    Notes in `faults` every line that cannot be read; None when nothing can be.
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
    return tidied(table) if table is not None and table.rows else None
