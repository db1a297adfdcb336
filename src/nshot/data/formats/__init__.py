"""Formats of instruction data, told by their keys: nobody registers anything."""

from nshot.data.formats.convert import converted
from nshot.data.formats.detect import COLUMNS, FORMATS, detect, named, read

__all__ = ["COLUMNS", "FORMATS", "converted", "detect", "named", "read"]
