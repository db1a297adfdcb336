"""The drawings: what they place where, and that they stand alone as XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
import sample_board
from hypothesis import given
from hypothesis import strategies as st

from nshot.board.schema import Board
from nshot.report import charts
from nshot.report.charts import Lane, Losses, Mark, Series, Work
from nshot.report.views import contest, marks, series

FOUND = contest(Board.model_validate(sample_board.board()))
SVG = "{http://www.w3.org/2000/svg}"


def test_frontier_is_what_no_cheaper_mark_reaches() -> None:
    found = [
        Mark("dear", "out", 0.9, cost=9.0),
        Mark("twin", "out", 0.7, cost=2.0),
        Mark("cheap", "out", 0.5, cost=1.0),
        Mark("same", "out", 0.7, cost=3.0),
        Mark("free of a figure", "out", 1.0),
        Mark("worse", "out", 0.4, cost=4.0),
    ]
    drawn = ET.fromstring(charts.scatter(found, "title", "cost"))
    (stairs,) = [one for one in drawn.iter() if one.get("class") == "c-frontier"]
    assert stairs.get("d", "").count("V") == 2  # from cheap up to twin, and from there to dear


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_axis_holds_every_value_on_few_ticks(values: list[float]) -> None:
    scale = charts.axis(values)
    assert scale.low <= min(values) + 1e-6
    assert scale.high >= max(values) - 1e-6
    assert 2 <= len(scale.ticks) <= 7
    assert scale.place(scale.low, 10, 20) == 10
    assert scale.place(scale.high, 10, 20) == 20


def test_scatter_places_by_the_logarithm_and_the_score() -> None:
    found = [Mark(str(i), "out", s, cost=c) for i, (s, c) in
             enumerate([(0.2, 1.0), (0.4, 10.0), (0.6, 100.0)])]  # fmt: skip
    spots = re.findall(
        r'class="c-mark c-out" cx="(\S+)" cy="(\S+)"', charts.scatter(found, "t", "c")
    )
    x, y = ([float(spot[i]) for spot in spots] for i in (0, 1))
    assert abs((x[1] - x[0]) - (x[2] - x[1])) < 0.1
    assert abs((y[0] - y[1]) - (y[1] - y[2])) < 0.1
    assert y[0] > y[2]


def test_scatter_of_money_says_amounts_and_has_what_is_not_paid_at_the_left() -> None:
    own, hosted = Mark("own", "pick", 0.8, cost=0.0), Mark("hosted", "out", 0.9, cost=0.25)
    drawn = charts.scatter([own, hosted], "t", "money for 1,000 answers", "money")
    assert "money for 1,000 answers 0.25" in drawn
    ticks = re.findall(r'class="c-tick" x="\S+" y="\S+"[^>]*>([^<]+)<', drawn)
    assert "1" in ticks
    assert not any(tick.endswith("s") for tick in ticks)
    assert drawn.count("c-frontier") == 1


def test_scatter_of_a_free_method_and_of_none() -> None:
    free = charts.scatter(
        [Mark("a", "pick", 0.5, cost=0.0), Mark("b", "out", 0.4, cost=3.0)], "", ""
    )
    assert "polygon" in free
    assert "nan" not in free
    assert charts.scatter([Mark("no cost", "out", 0.5)], "", "") == ""
    assert charts.scatter([Mark("only", "pick", 0.5, cost=0.0)], "", "")


def test_names_in_the_scatter_do_not_cover_each_other() -> None:
    for cost in ("use_seconds_per_1000", "build_seconds"):
        drawn = charts.scatter(marks(FOUND, cost), "t", "c")
        names = re.findall(r'<text class="c-name \S+" x="(\S+)" y="(\S+)"[^>]*>([^<]+)<', drawn)
        assert len(names) == len(FOUND)
        boxes = [
            (float(x), float(y) - 10, float(x) + 6.6 * len(name), float(y)) for x, y, name in names
        ]
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                across = min(a[2], b[2]) - max(a[0], b[0])
                down = min(a[3], b[3]) - max(a[1], b[1])
                assert across <= 2 or down <= 2, (a, b)


def test_strip_stacks_marks_of_one_score() -> None:
    found = [Mark(str(i), "could", 0.5) for i in range(9)] + [Mark("p", "pick", 0.5, 0.4, 0.6)]
    spots = re.findall(
        r'class="c-mark c-could" cx="(\S+)" cy="(\S+)"', charts.strip(found, found[-1])
    )
    assert len(set(spots)) == 9


def test_whisker_says_its_numbers() -> None:
    mark = Mark("lora", "pick", 0.764, 0.679, 0.839, seeds=(0.7, 0.8))
    drawn = charts.whisker(mark, charts.axis([0, 1]))
    assert "lora: 76.4 (67.9 to 83.9); draws 70.0, 80.0" in drawn
    assert drawn.count("c-seed") == 2


def test_the_loss_falls_down_the_panel_and_the_validation_rows_are_dots() -> None:
    train, validation = ((1, 4.0), (2, 2.0), (4, 1.0)), ((0, 4.0), (4, 3.0))
    drawn = charts.loss_panel(Losses("instruct", "pick", train, validation))
    ET.fromstring(drawn)
    paths = re.findall(r'class="c-run c-(\w+)" d="M([^"]+)"', drawn)
    assert [role for role, _ in paths] == ["out", "pick"]
    spots = [tuple(map(float, spot.split())) for spot in paths[0][1].split("L")]
    x, y = zip(*spots, strict=True)
    assert abs((x[2] - x[1]) - 2 * (x[1] - x[0])) < 0.2, "steps are to scale"
    assert abs((y[1] - y[0]) - 2 * (y[2] - y[1])) < 0.2, "and so are losses"
    assert drawn.count("<polygon") == 2
    assert "validation rows after step 4: 3.000" in drawn
    assert "<polygon" not in charts.loss_panel(Losses("lora", "pick", train))


def test_a_row_that_stopped_early_is_a_hollow_square() -> None:
    mark = Mark("lora", "could", 0.5, 0.4, 0.6, 2.0, partial=True)
    for drawn in (
        charts.board([mark], ""),
        charts.scatter([mark], "", ""),
        charts.strip([mark], mark),
        charts.whisker(mark, charts.axis([0, 1])),
    ):
        assert 'class="c-mark c-partial c-could"' in drawn
        assert "put aside before the last test rows" in drawn


def test_the_race_is_to_scale_and_says_where_each_stopped() -> None:
    lanes = [
        Lane("head", "pick", (Work("fit", 0, 10.0),), "600 test rows"),
        Lane("lora", "out", (Work("trial", 10.0, 20.0), Work("search", 30.0, 0.0)), "no test row"),
    ]
    drawn = charts.race(lanes, (10.0, "settled from here"), "t")
    ET.fromstring(charts.standalone(drawn))
    bars = re.findall(r'class="c-work c-(\w+)" x="(\S+)" y="\S+" width="(\S+)"', drawn)
    (_, x0, w0), (_, x1, w1), (_, _, w2) = [(s, float(x), float(w)) for s, x, w in bars]
    assert abs(x1 - (x0 + w0)) < 0.1
    assert abs(w1 - 2 * w0) < 0.1
    assert w2 > 0, "what took no time is seen too"
    assert "20 s · no test row" in drawn
    assert "settled from here" in drawn
    ticks = re.findall(r'class="c-tick" x="\S+" y="87" text-anchor="middle">([^<]+)<', drawn)
    assert ticks == ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]
    assert charts.race([Lane("a", "pick", (), "")], None, "t") == ""


def test_curve_puts_all_last() -> None:
    one = Series("a", "pick", ((4, 0.4, 0.3, 0.5), (16, 0.6, 0.5, 0.7), ("all", 0.7, None, None)))
    drawn = charts.curve_panel(one, [one], charts.curves_axis([one]))
    labels = re.findall(r'<text class="c-tick" x="(\S+)" y="145"[^>]*>([^<]+)<', drawn)
    assert [words for _, words in labels] == ["4", "16", "all"]
    places = [float(x) for x, _ in labels]
    assert places == sorted(places)


def test_standalone_files_are_xml_of_their_own() -> None:
    name = "<script>&\x01" + "배송" * 20
    found = [Mark(name, "pick", 0.5, 0.4, 0.6, 2.0, (0.5,)), Mark("b", "out", 0.4, cost=3.0)]
    lines = [Series(name, "pick", ((4, 0.4, 0.3, 0.5), (8, 0.5, 0.4, 0.6)))]
    drawings = [
        charts.board(found, name),
        charts.scatter(found, name, "cost"),
        charts.curves(lines, name),
        charts.confusion([name, "b"], [[1, 2], [0, 3]], name),
        charts.trials([(0.3, False), (0.4, True)], charts.axis([0, 1])),
    ]
    for drawn in drawings:
        root = ET.fromstring(charts.standalone(drawn))
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}title") is not None
        assert not list(root.iter(f"{SVG}script"))
        assert "var(" not in ET.tostring(root, encoding="unicode")


def test_every_class_drawn_has_a_colour_in_both_sheets() -> None:
    from importlib.resources import files

    sheet = files("nshot.report").joinpath("report.css").read_text(encoding="utf-8")
    drawn = charts.board(marks(FOUND), "") + charts.scatter(marks(FOUND), "", "")
    drawn += charts.curves(series(FOUND), "") + charts.confusion(["a"], [[1]], "")
    lane = Lane(
        "a", "pick", tuple(Work(one, 0, 1.0) for one in ("trial", "search", "fit", "answer")), ""
    )
    drawn += charts.race([lane], (1.0, ""), "")
    drawn += charts.board([Mark("a", "could", 0.5, partial=True)], "")
    used = {name for found in re.findall(r'class="([^"]+)"', drawn) for name in found.split()}
    bare = {"chart", "c-label", "c-count"} | {name for name in used if name.startswith("chart-")}
    alone = charts.standalone(charts.board(marks(FOUND), ""))
    for name in used - bare:
        assert f".{name}" in sheet, name
        assert f".{name}" in alone, name


def test_a_name_with_its_model_fits_everywhere() -> None:
    name = "retrieved_shots @ smollm2-135m"
    mark = Mark(name, "pick", 0.5, 0.4, 0.6, 2.0, (0.5,))
    line = Series(name, "pick", ((4, 0.4, 0.3, 0.5), (8, 0.5, 0.4, 0.6)))
    losses = Losses(name, "pick", ((1, 2.0), (2, 1.0)))
    for drawn in (
        charts.board([mark], ""),
        charts.scatter([mark], "", ""),
        charts.scatter([mark], "", "", width=340, height=380),
        charts.curve_panel(line, [line], charts.curves_axis([line])),
        charts.loss_panel(losses),
    ):
        assert f">{name}</text>" in drawn


def test_reliability_places_a_mark_for_each_bin_and_its_interval() -> None:
    bins = [charts.Bin(20, 0.5, 0.5, 0.3, 0.7), charts.Bin(30, 1.0, 0.9, 0.8, 0.95)]
    drawn = ET.fromstring(charts.standalone(charts.reliability(bins, "Is it true? <로그인>")))
    stems = [one for one in drawn.iter(f"{SVG}line") if one.get("class") == "c-stem c-pick"]
    diamonds = list(drawn.iter(f"{SVG}polygon"))
    assert len(stems) == len(diamonds) == 2
    (dashed,) = [one for one in drawn.iter(f"{SVG}line") if one.get("class") == "c-frontier"]
    x1, y1, x2, y2 = (float(dashed.get(key, "")) for key in ("x1", "y1", "x2", "y2"))
    x, y = (sum(map(float, pair)) for pair in zip(
        *[one.split(",") for one in diamonds[0].get("points", "").split()], strict=True
    ))  # fmt: skip
    assert (x / 4, y / 4) == (pytest.approx((x1 + x2) / 2), pytest.approx((y1 + y2) / 2))
    assert float(stems[1].get("y1", "")) > float(stems[1].get("y2", "")), "low stands lower"
    words = [one.text for one in diamonds[1]]
    assert words == ["30 rows of probability 100.0: 90.0 right (80.0 to 95.0)"]
