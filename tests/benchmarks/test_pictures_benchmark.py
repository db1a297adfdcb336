"""The protocols of the pictures' benchmark, on rows of its shape, and its table."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import pictures

ROWS = [
    {"file": f"{photo}-{label}-{i}.jpg", "split": split, "label": label, "photo": photo}
    for split in ("train", "test")
    for photo in (f"{split}_{n}" for n in range(1, 13))
    for label in pictures.COINS
    for i in range(5)
]


def test_the_pool_has_three_crops_of_a_class_in_a_photo() -> None:
    kept = pictures.pool(ROWS, "test")
    assert {row["split"] for row in kept} == {"test"}
    assert len(kept) == 12 * len(pictures.COINS) * pictures.POOL


def test_support_is_one_crop_a_photo_and_class_of_the_known_side() -> None:
    rng = random.Random(0)
    rows = pictures.pool(ROWS, "test")
    known, other = pictures.halves(rng, {str(row["photo"]) for row in rows})
    assert len(known) == len(other) == 6
    assert not known & other
    support = pictures.support_of(rows, known, 4, rng)
    assert support is not None
    for label in pictures.COINS:
        photos = [row["photo"] for row in support if row["label"] == label]
        assert len(set(photos)) == 4
        assert set(photos) <= known
    assert pictures.support_of(rows, set(list(known)[:3]), 4, rng) is None


def test_the_two_shootings_share_no_photo() -> None:
    photos = {f"test_{i}" for i in range(1, 22)} | {"IMG_4184"}
    for seed in range(5):
        one, other = pictures.shootings(random.Random(seed), photos)
        assert not one & other
        assert one | other == photos - {"IMG_4184"}


def test_the_table_says_the_mean_its_interval_and_the_deviation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = [{"accuracy": 0.5}, {"accuracy": 0.7}] * 10
    (tmp_path / "coins-picture_probe.json").write_text(json.dumps({"plan": "", "draws": draws}))
    table = pictures.page(tmp_path)
    assert "| 60.0 ± 4.5 (10.3) |" in table
    assert "grocery" not in table
    (tmp_path / "coins-picture_probe.json").write_text(json.dumps({"plan": "", "draws": draws[:2]}))
    assert "| 60.0 ± 19.6 (14.1), 2 draws |" in pictures.page(tmp_path)
    assert "<svg" not in pictures.drawn(tmp_path, "coins"), "one size is no curve"
