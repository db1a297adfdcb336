"""How many requests a second: what is measured is what the endpoint allows, or less."""

from __future__ import annotations

import decision_requests


def test_more_under_way_is_faster_and_never_faster_than_the_endpoint() -> None:
    one, _ = decision_requests.rate(1, rounds=4, delay=0.05)
    many, used = decision_requests.rate(8, rounds=2, delay=0.05)
    assert one < many
    assert one <= 1 / 0.05
    assert many <= 8 / 0.05
    assert used > 0
