"""Formats of instruction data, told by their keys: nobody registers anything."""

from nshot.data.formats.detect import COLUMNS, FORMATS, detect, named, read

__all__ = ["COLUMNS", "FORMATS", "detect", "named", "read"]
