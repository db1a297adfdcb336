"""What is looked at in a picture, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from nshot.models.hf.views import COLOUR_RINGS, RINGS, colours, pooled, seen


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_whole_picture_is_squeezed_and_mirrored() -> None:
    whole = seen(picture(), 32, "whole")
    assert whole.shape == (32, 32, 3)
    np.testing.assert_array_equal(seen(picture(), 32, "mirrored"), whole[:, ::-1])


def test_the_round_views_hide_the_corners_and_turn() -> None:
    upright = seen(picture(), 32, "circle")
    assert (upright[0, 0] == 127).all()
    np.testing.assert_array_equal(upright[16], seen(picture(), 32, "whole")[16])
    for turns, view in enumerate(("circle90", "circle180", "circle270"), start=1):
        np.testing.assert_array_equal(seen(picture(), 32, view), np.rot90(upright, turns))


def test_moments_of_a_map_are_numpys() -> None:
    values = np.random.default_rng(1).normal(size=(5, 14, 14))
    found = pooled("block", values)
    np.testing.assert_allclose(found["block.mean"], values.mean(axis=(1, 2)), atol=1e-3)
    np.testing.assert_allclose(found["block.std"], values.std(axis=(1, 2)), atol=1e-3)
    at = (np.arange(14) + 0.5) / 7 - 1
    radius = np.hypot(*np.meshgrid(at, at))
    rings = found["block.rings"].reshape(7, 5)
    for ring in range(7):
        inside = (radius >= ring / 7) & (radius < (ring + 1) / 7)
        np.testing.assert_allclose(rings[ring], values[:, inside].mean(axis=1), atol=1e-3)
    assert pooled("early", np.ones((2, 56, 56)))["early.rings"].shape == (RINGS * 2,)


def test_a_map_of_one_place_has_moments_too() -> None:
    found = pooled("head", np.full((3, 1, 1), 2.0))
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["head.mean"].tolist() == [2, 2, 2]
    assert found["head.std"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((1, 1, 1), (0.27, 0.0, 0.0)),
    ],
)
def test_colours_are_lab(colour: tuple[int, ...], lab: tuple[float, ...]) -> None:
    plain = np.full((74, 74, 3), colour, np.uint8)
    rings = colours(plain)["colour.rings"].reshape(COLOUR_RINGS, 2, 3)
    np.testing.assert_allclose(rings[:, 0], np.tile(lab, (COLOUR_RINGS, 1)), atol=0.1)
    np.testing.assert_allclose(rings[:, 1], 0, atol=0.1)


def test_the_colour_of_a_disc_ends_where_it_ends() -> None:
    at = np.arange(224) - 111.5
    disc = np.hypot(at[:, None], at[None, :]) < 56
    square = np.where(disc[:, :, None], np.uint8(255), np.uint8(0))
    light = colours(np.repeat(square, 3, axis=2))["colour.rings"].reshape(COLOUR_RINGS, 2, 3)
    assert (light[:18, 0, 0] == 100).all()
    assert (light[19:, 0, 0] == 0).all()


def test_values_beyond_half_precision_stay_finite() -> None:
    assert np.isfinite(pooled("x", np.full((1, 4, 4), 1e9))["x.mean"]).all()
