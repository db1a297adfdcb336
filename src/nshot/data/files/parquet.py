"""Parquet files."""

from __future__ import annotations

import json
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files.opened import Opened
from nshot.data.table import Table


def read_parquet(file: Opened, faults: Faults) -> Table | None:
    """The columns; class names that Hugging Face keeps in the file stand for their numbers."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            Fault(
                "parquet files need pyarrow, which is not installed",
                do="pip install 'nshot[parquet]'",
                where=str(file.path),
            )
        ) from None
    try:
        content = pyarrow.parquet.read_table(pyarrow.BufferReader(file.raw))
        columns = {name: content.column(name).to_pylist() for name in content.column_names}
    except (pyarrow.ArrowException, ValueError, KeyError) as error:
        raise InputError(Fault(f"not a parquet file: {error}", where=str(file.path))) from None
    _name_classes(columns, content.schema.metadata or {})
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return Table(file.path, tuple(columns), rows, list(range(1, len(rows) + 1)), unit="row")


def _name_classes(columns: dict[str, list[Any]], metadata: dict[bytes, bytes]) -> None:
    """Put names for the numbers of ClassLabel columns, which Hugging Face keeps in the metadata."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return
    for name, feature in features.items():
        if name in columns and isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            names = feature.get("names") or []
            columns[name] = [
                names[v] if isinstance(v, int) and 0 <= v < len(names) else v for v in columns[name]
            ]
