"""Parquet files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files.opened import Opened
from nshot.data.table import Table


def read_parquet(file: Opened, faults: Faults) -> Table | None:
    """The columns; class names that Hugging Face keeps in the file stand for their numbers."""
    import_parquet(file.path)
    import pyarrow.parquet

    try:
        content = pyarrow.parquet.read_table(pyarrow.BufferReader(file.raw))
        columns = {name: content.column(name).to_pylist() for name in content.column_names}
    except (pyarrow.ArrowException, ValueError, KeyError) as error:
        raise InputError(Fault(f"not a parquet file: {error}", where=str(file.path))) from None
    name_classes(columns, content.schema.metadata or {})
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return Table(file.path, tuple(columns), rows, list(range(1, len(rows) + 1)), unit="row")


def import_parquet(path: Path) -> None:
    """Load the package that reads such files. Raises `InputError` where it is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise InputError(
            Fault(
                "parquet files need pyarrow, which is not installed",
                do="pip install 'nshot[parquet]'",
                where=str(path),
            )
        ) from None


def name_classes(columns: dict[str, list[Any]], metadata: dict[bytes, bytes]) -> None:
    """Put names for the numbers of ClassLabel columns, which Hugging Face keeps in the metadata."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return
    for name, feature in features.items():
        if name in columns and (names := _class_names(feature)):
            columns[name] = [_with_name(value, names) for value in columns[name]]


def _class_names(feature: Any) -> list[str]:
    """The names of a ClassLabel, alone or in a list (`Sequence`, `List`); [] of anything else."""
    if isinstance(feature, list) and len(feature) == 1:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        return feature.get("names") or []
    return _class_names(feature.get("feature"))


def _with_name(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_with_name(one, names) for one in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value
