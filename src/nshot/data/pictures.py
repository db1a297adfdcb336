"""Pictures: read upright in three colours, refused where they are none, known again when copied.

Pillow decodes them, within limits that are checked before anything is decoded.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Decoded

SIDE = 2048
"""Pixels: what is longer on a side is made smaller as it is read."""
PIXELS = 120_000_000
"""What a picture may declare: 10,000 x 10,000 fits; beyond it is a decompression bomb."""
THUMBNAIL = 96
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
FOREIGN = frozenset({".heic", ".heif", ".avif"})
"""Pictures that are not read, and that a user is told how to convert."""
NEAR_BITS = 6
"""Bits of 64 in which the hashes of two copies of a picture may differ."""
NEAR_COLOURS = 4.0
"""Mean difference, of 255, between the colours of two copies of a picture seen from far."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF")
_EXPECTED = "a JPEG, PNG, WebP, BMP, GIF or TIFF picture"
_LOOK_SIDE = 128
_GRID = 8
_SIXTEEN_BITS = 65535


def read_picture(image: Image | Path) -> NDArray[np.uint8]:
    """(height, width, 3) RGB, upright as its EXIF says, the longest side at most `SIDE`.

    Grey is repeated, what is transparent lies on white, 16 bits become 8, of an animation the first
    frame counts. Raises `InputError` naming the file for what is missing, empty, broken, no
    picture, or declares more than `PIXELS`.
    """
    return _read(Path(image.path) if isinstance(image, Image) else image, SIDE)


def as_image(path: Path) -> Image:
    """The picture of a file by reference, its content named. Raises `InputError` without a file."""
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise InputError(Fault("no such file", _EXPECTED, where=str(path))) from None
    except OSError as error:
        raise InputError(Fault(f"cannot be read: {error.strerror}", where=str(path))) from None
    return Image(str(path.resolve()), content)


@cache
def thumbnail(image: Image) -> str:
    """A JPEG of at most `THUMBNAIL` pixels a side, as an address that holds it (``data:``)."""
    small = _pillow().fromarray(_read(Path(image.path), THUMBNAIL))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"


@dataclass(frozen=True)
class Look:
    """A picture seen from far: 64 bits of brighter or darker, and 8 x 8 x 3 colours (0 to 255)."""

    hash: int
    colours: bytes


@cache
def look(image: Image) -> Look:
    """What the picture looks like from far; it is decoded once. Raises as `read_picture` does."""
    pixels = _read(Path(image.path), _LOOK_SIDE)
    return Look(perceptual_hash(pixels), _shrunk(pixels, (_GRID, _GRID)).tobytes())


def perceptual_hash(pixels: NDArray[np.uint8]) -> int:
    """64 bits of an RGB array: is each of 8 x 9 grey fields brighter than the one to its left?

    The difference hash (Krawetz, "Kind of Like That", 2013). It stays nearly the same when a
    picture is stored smaller, brighter or at another quality.
    """
    grey = _shrunk(pixels, (_GRID + 1, _GRID)).astype(np.float64).mean(axis=2)
    bits = grey[:, 1:] > grey[:, :-1]
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def lookalikes(ours: Sequence[Look], theirs: Sequence[Look]) -> Iterator[tuple[int, int]]:
    """(i, j) for each ``ours[i]`` that looks the same as ``theirs[j]``.

    At most `NEAR_BITS` bits of the hashes differ, and the colours by at most `NEAR_COLOURS`.
    """
    if not theirs:
        return
    hashes = np.array([one.hash for one in theirs], dtype=np.uint64)
    colours = np.stack([_values(one) for one in theirs])
    for i, one in enumerate(ours):
        near = np.flatnonzero(np.bitwise_count(hashes ^ np.uint64(one.hash)) <= NEAR_BITS)
        apart = np.abs(colours[near] - _values(one)).mean(axis=1)
        yield from ((i, int(j)) for j in near[apart <= NEAR_COLOURS])


def _values(one: Look) -> NDArray[np.float32]:
    return np.frombuffer(one.colours, dtype=np.uint8).astype(np.float32)


def _shrunk(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width, 3) of `size` = (width, height), each value the mean of its field."""
    pillow = _pillow()
    return np.asarray(pillow.fromarray(pixels).resize(size, pillow.Resampling.BOX))


def _read(path: Path, side: int) -> NDArray[np.uint8]:
    """The picture with its longest side at most `side`."""
    pillow = _pillow()
    try:
        if not path.stat().st_size:
            raise InputError(Fault("the file is empty", _EXPECTED, where=str(path)))
        with pillow.open(path, formats=_FORMATS) as picture:
            _check_size(picture.size, path)
            picture.draft(None, (side, side))  # a large JPEG is decoded at a half, quarter, eighth
            return np.array(_upright(picture, side))
    except InputError:
        raise
    except pillow.DecompressionBombError as error:  # it says how many pixels, no more
        count = re.search(r"\d+", str(error))
        size = f"{int(count[0]) // 1_000_000} million" if count else "too many"
        raise InputError(_bomb(size, path)) from None
    except pillow.UnidentifiedImageError:
        raise InputError(_no_picture(path)) from None
    except FileNotFoundError:
        raise InputError(Fault("no such file", _EXPECTED, where=str(path))) from None
    except Exception as error:  # a decoder raises whatever its format's fault leads to
        problem = f"the picture is broken: {error or type(error).__name__}"
        raise InputError(
            Fault(problem, do="copy it again, or remove it", where=str(path))
        ) from None


def _check_size(size: tuple[int, int], path: Path) -> None:
    width, height = size
    if width * height > PIXELS:
        raise InputError(_bomb(f"{width} x {height}", path))
    if not width * height:
        raise InputError(Fault(f"{width} x {height} pixels", _EXPECTED, where=str(path)))


def _bomb(size: str, path: Path) -> Fault:
    return Fault(
        f"{size} pixels: it is not opened, for it would fill the memory",
        expected=f"at most {PIXELS // 1_000_000} million pixels",
        do="make it smaller, or remove it",
        where=str(path),
    )


def _no_picture(path: Path) -> Fault:
    with path.open("rb") as file:
        head = file.read(12)
    heic = head[4:8] == b"ftyp"
    return foreign(path) if heic else Fault("no picture", _EXPECTED, where=str(path))


def foreign(path: Path) -> Fault:
    """The fault of a picture of a kind that is not read, such as phones write."""
    return Fault(
        "a HEIC or AVIF picture, which is not read",
        expected=_EXPECTED,
        do="magick PICTURE.heic PICTURE.jpg (macOS: sips -s format jpeg PICTURE.heic --out ...)",
        where=str(path),
    )


def _upright(picture: Decoded, side: int) -> Decoded:
    """Decoded, in RGB, turned as its EXIF says, no side longer than `side`."""
    from PIL import ImageOps

    pillow = _pillow()
    turned = ImageOps.exif_transpose(picture)
    if turned.mode == "F" or turned.mode.startswith("I"):
        turned = pillow.fromarray(_eight_bits(turned))
    seen_through = turned.has_transparency_data
    plain = turned.convert("RGBA" if seen_through else "RGB")
    plain.thumbnail((side, side), reducing_gap=2.0)
    if seen_through:
        white = pillow.new("RGBA", plain.size, "white")
        white.alpha_composite(plain)
        plain = white.convert("RGB")
    return plain


def _eight_bits(picture: Decoded) -> NDArray[np.uint8]:
    """Grey of 16 bits or of real numbers, which Pillow would cut at 255."""
    grey = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    top = max(1.0, float(grey.max())) if picture.mode == "F" else _SIXTEEN_BITS
    return np.asarray(np.clip(grey / top, 0, 1) * 255 + 0.5, dtype=np.uint8)


@cache
def _pillow() -> Any:
    """Pillow's ``Image`` module. Its own warning of large pictures is ours to give."""
    from PIL import Image as pillow

    warnings.filterwarnings("ignore", category=pillow.DecompressionBombWarning)
    return pillow
