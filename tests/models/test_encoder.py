"""The sentence encoder: unit rows, the same bytes in any batch."""

from __future__ import annotations

import numpy as np
import pytest

from nshot.models import open_models
from nshot.models.catalog import resolve

TEXTS = ["a cat", "카드가 아직 도착하지 않았어요", "x " * 400, "", "where is my card?"]
TEXTS += ["is it lost?", "my card is late, and nobody answers"] * 8


@pytest.mark.embedded
def test_rows_are_unit_and_independent_of_their_batch() -> None:
    encoder = open_models().encoder(resolve(None, "encoder"))
    rows = encoder.encode(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for text, row in zip(TEXTS, rows, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], row)
    np.testing.assert_array_equal(rows[::-1], encoder.encode(TEXTS[::-1]))
    np.testing.assert_array_equal(rows[3:11], encoder.encode(TEXTS[3:11]))


@pytest.mark.embedded
def test_counts_stop_at_the_encoders_limit() -> None:
    encoder = open_models().encoder(resolve(None, "encoder"))
    counts = encoder.count(TEXTS[:5])
    assert counts[0] == 4
    assert counts[2] == 256
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.count([]) == []
