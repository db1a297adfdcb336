"""Labels as cloud services write them: Amazon SageMaker Ground Truth, Google Vertex AI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshot.data.exports.export import Export, Marked, one_or_several, rest
from nshot.data.part_column import PART
from nshot.data.table import Row

_METADATA = "-metadata"


def _job(row: Row) -> str | None:
    """The key of the labelling job: ``topic`` beside ``topic-metadata``."""
    jobs = [name for name in row if f"{name}{_METADATA}" in row]
    return jobs[0] if len(jobs) == 1 else None


def _claims_manifest(row: Row) -> bool:
    return isinstance(row.get("source"), str) and _job(row) is not None


def _read_manifest(row: Row) -> Marked | None:
    """The names of classes stand in the metadata, numbers beside it."""
    job = _job(row) or ""
    about = row.get(f"{job}{_METADATA}")
    if not isinstance(about, Mapping):
        return None
    fields = rest(row, frozenset({job, f"{job}{_METADATA}"}))
    names, name = about.get("class-map"), about.get("class-name")
    if isinstance(names, Mapping):
        return Marked(fields, one_or_several([*names.values()]))
    number = row.get(job)
    chosen = number if name is None else name
    return Marked(fields, one_or_several(chosen if isinstance(chosen, list) else [chosen]))


MANIFEST = Export("SageMaker Ground Truth", _claims_manifest, _read_manifest, frozenset())

_TEXT = "textContent"
_ABOUT = "dataItemResourceLabels"
_ANNOTATIONS = ("classificationAnnotation", "classificationAnnotations")
_USE = "aiplatform.googleapis.com/ml_use"


def _claims_vertex(row: Row) -> bool:
    return isinstance(row.get(_TEXT), str) and any(name in row for name in _ANNOTATIONS)


def _read_vertex(row: Row) -> Marked | None:
    """The names of the annotations; a row without one has no label. ``ml_use`` names its part."""
    given: Any = next((row[name] for name in _ANNOTATIONS if row.get(name)), [])
    items = given if isinstance(given, list) else [given]
    if not all(isinstance(one, Mapping) and one.get("displayName") for one in items):
        return None
    about = row.get(_ABOUT)
    use = about.get(_USE) if isinstance(about, Mapping) else None
    fields = rest(row, frozenset({*_ANNOTATIONS, _ABOUT})) | ({PART: use} if use else {})
    return Marked(fields, one_or_several([one["displayName"] for one in items]))


VERTEX = Export("Vertex AI", _claims_vertex, _read_vertex, frozenset())
