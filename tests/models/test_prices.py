"""What endpoints cost: tables, whose price holds where, and sums by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.core.types import ModelRef
from nshot.models.prices import Price, known_prices, price_of, read_prices
from nshot.models.wrap.purse import Purse

HOME = ModelRef("openai", "gpt-4.1@https://api.openai.com/v1")
OWN = ModelRef("openai", "gpt-4.1@http://127.0.0.1:8000/v1")
TABLE = """\
currency: EUR
date: 2026-11-01
models:
  gpt-4.1: {input: 3, output: 12}
  gpt-4.1@http://127.0.0.1:8000/v1: {input: 0, output: 0}
"""


def test_a_sum_by_hand() -> None:
    price = Price(2.0, 8.0, cached_input=0.5)
    # 3,000 read at 2, 1,000 from the cache at 0.5, 500 written at 8, of a million each
    assert price.of(4000, 500, cached=1000) == pytest.approx(
        (3000 * 2 + 1000 * 0.5 + 500 * 8) / 1e6
    )
    assert Price(2.0, 8.0).of(4000, 500, cached=1000) == pytest.approx((4000 * 2 + 500 * 8) / 1e6)
    purse = Purse({"m": price})
    assert purse.cost("m", 4000, 500) == pytest.approx(0.012)
    assert purse.cost("another", 4000, 500) == 0


def test_what_comes_with_nshot_has_a_date_and_a_source_and_holds_at_its_vendor_alone() -> None:
    for name, price in known_prices().models.items():
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", price.date), name
        assert price.source.startswith("https://"), name
        assert price.output >= price.input > (price.cached_input or 0) > 0, name
    price, currency = price_of(HOME) or (None, "")
    assert price is not None
    assert currency == "USD"
    assert "comes with nshot" in price.origin
    assert "may have changed" in price.origin
    assert price_of(OWN) is None
    other = ModelRef("openai", "gpt-4.1@https://api.openai.com.example.org/v1")
    assert price_of(other) is None


def test_the_users_table_wins_and_an_address_of_it_before_a_name(tmp_path: Path) -> None:
    path = tmp_path / "가격.yaml"
    path.write_text(TABLE, encoding="utf-8")
    table = read_prices(path)
    known = price_of(HOME, table)
    assert known is not None
    assert (known[0].input, known[0].output, known[1]) == (3, 12, "EUR")
    assert known[0].origin == "your price of 2026-11-01"
    free = price_of(OWN, table)
    assert free is not None
    assert free[0].of(1e6, 1e6) == 0


def test_all_faults_of_a_table_each_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "models:\n  a: {input: 1, output: yes}\n  b: {input: 3}\n  c: {input: 1, output: .inf,"
        " batch: 5, per: day}\n  d: {input: -1, output: 1}\n"
    )
    with pytest.raises(InputError) as wrong:
        read_prices(path)
    told = str(wrong.value)
    for line, part in ((2, "output"), (5, "input: -1"), (3, "output is missing"), (4, "'per'"),
                       (4, "output: inf"), (4, "batch: 5")):  # fmt: skip
        assert re.search(rf"line {line}: .*{part}", told), (line, part, told)


def test_a_table_without_a_price_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("currency: KRW\n")
    with pytest.raises(InputError, match="without a price"):
        read_prices(path)
