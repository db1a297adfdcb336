"""Every kind of picture comes out upright in three colours; what is none is refused by name."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from nshot.core.errors import InputError
from nshot.data.pictures import (
    NEAR_BITS,
    SIDE,
    as_image,
    look,
    lookalikes,
    perceptual_hash,
    read_picture,
)
from scenes import scene


def halves() -> pillow.Image:
    """Red on the left, blue on the right, 8 x 4."""
    picture = pillow.new("RGB", (8, 4), "blue")
    picture.paste("red", (0, 0, 4, 4))
    return picture


MODES: dict[str, Callable[[Path], pillow.Image]] = {
    "grey.png": lambda p: scene().convert("L"),
    "grey.jpg": lambda p: scene().convert("L"),
    "two-colours.png": lambda p: scene().convert("1"),
    "palette.png": lambda p: scene().convert("P"),
    "palette.gif": lambda p: scene().convert("P"),
    "alpha.png": lambda p: scene().convert("RGBA"),
    "grey-alpha.png": lambda p: scene().convert("LA"),
    "cmyk.jpg": lambda p: scene().convert("CMYK"),
    "cmyk.tif": lambda p: scene().convert("CMYK"),
    "colours.webp": lambda p: scene(),
    "colours.bmp": lambda p: scene(),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_three_colours(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    MODES[name](path).save(path)
    pixels = read_picture(path)
    assert pixels.shape == (64, 96, 3)
    assert pixels.dtype == np.uint8
    mode = {"grey": "L", "two-": "1"}.get(name[:4], "RGB")
    wanted = scene().convert(mode).convert("RGB")
    apart = np.abs(pixels.astype(int) - np.asarray(wanted)).mean()
    assert apart < 25


def test_one_pixel(tmp_path: Path) -> None:
    pillow.new("RGB", (1, 1), (10, 20, 30)).save(tmp_path / "1.png")
    assert read_picture(tmp_path / "1.png").tolist() == [[[10, 20, 30]]]
    assert look(as_image(tmp_path / "1.png")).hash == 0


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    picture = pillow.new("RGBA", (2, 1), (0, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    picture.save(tmp_path / "a.png")
    keyed = pillow.new("P", (1, 1), 0)
    keyed.putpalette([9, 9, 9, 5, 5, 5])
    keyed.save(tmp_path / "keyed.gif", transparency=0)
    assert read_picture(tmp_path / "a.png").tolist() == [[[0, 0, 0], [255, 255, 255]]]
    assert read_picture(tmp_path / "keyed.gif").tolist() == [[[255, 255, 255]]]


def test_sixteen_bits_keep_their_greys(tmp_path: Path) -> None:
    grey = np.array([[0, 256 * 128, 65535]], dtype=np.uint16)
    pillow.fromarray(grey).save(tmp_path / "16.png")
    pillow.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).save(tmp_path / "real.tif")
    for name in ("16.png", "real.tif"):
        assert read_picture(tmp_path / name)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_camera_makes_the_same_picture(tmp_path: Path, turn: int) -> None:
    undo = {
        2: pillow.Transpose.FLIP_LEFT_RIGHT, 3: pillow.Transpose.ROTATE_180,
        4: pillow.Transpose.FLIP_TOP_BOTTOM, 5: pillow.Transpose.TRANSPOSE,
        6: pillow.Transpose.ROTATE_90, 7: pillow.Transpose.TRANSVERSE,
        8: pillow.Transpose.ROTATE_270,
    }  # fmt: skip
    exif = pillow.Exif()
    exif[0x0112] = turn
    stored = halves().transpose(undo[turn]) if turn in undo else halves()
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png"), np.asarray(halves()))


@pytest.mark.parametrize("name", ["wide.jpg", "wide.png", "wide-alpha.png"])
def test_ten_thousand_pixels_a_side_are_read_smaller(tmp_path: Path, name: str) -> None:
    mode = "LA" if "alpha" in name else "L"
    pillow.new(mode, (10_000, 10_000), 200 if mode == "L" else (200, 255)).save(tmp_path / name)
    pixels = read_picture(tmp_path / name)
    assert pixels.shape == (SIDE, SIDE, 3)
    assert abs(int(pixels[5, 5, 0]) - 200) < 3


def png(width: int, height: int) -> bytes:
    """A PNG that declares that size, and holds a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 50)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "the file is empty"),
        (b"just words", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "no picture"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
        (png(60_000, 60_000), "fill the memory"),
        (png(12_000, 12_000), "12000 x 12000 pixels"),
        (png(0, 5), "pictur"),
    ],
    ids=["empty", "words", "postscript", "heic", "bomb", "too-large", "no-width"],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=found) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.tif", "a.bmp"])
def test_half_a_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    scene(size=(300, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="the picture is broken"):
        read_picture(path)


def test_a_missing_picture_is_refused(tmp_path: Path) -> None:
    for call in (read_picture, as_image):
        with pytest.raises(InputError, match=r"gone\.png: no such file"):
            call(tmp_path / "gone.png")


def test_a_copy_is_known_again_and_another_picture_is_not(tmp_path: Path) -> None:
    scene(1, (400, 300)).save(tmp_path / "a.png")
    scene(1, (400, 300)).save(tmp_path / "quality.jpg", quality=40)
    scene(1, (400, 300)).resize((160, 120)).save(tmp_path / "small.webp")
    scene(2, (400, 300)).save(tmp_path / "other.png")
    first, *rest = (
        look(as_image(tmp_path / name))
        for name in ("a.png", "quality.jpg", "small.webp", "other.png")
    )
    assert list(lookalikes([first], rest)) == [(0, 0), (0, 1)]
    assert (first.hash ^ rest[2].hash).bit_count() > NEAR_BITS


def test_colours_part_what_brightness_does_not(tmp_path: Path) -> None:
    for name in ("red", "green"):
        pillow.new("RGB", (20, 20), {"red": (200, 0, 0), "green": (0, 102, 0)}[name]).save(
            tmp_path / f"{name}.png"
        )
    red, green = (look(as_image(tmp_path / f"{name}.png")) for name in ("red", "green"))
    assert red.hash == green.hash == 0
    assert not list(lookalikes([red], [green]))
    assert list(lookalikes([red], [])) == []


def test_the_hash_says_where_it_grows_brighter() -> None:
    rising = np.repeat(np.arange(9, dtype=np.uint8)[None, :, None] * 20, 8, axis=0).repeat(
        3, axis=2
    )
    assert perceptual_hash(rising) == 2**64 - 1
    assert perceptual_hash(rising[:, ::-1]) == 0
