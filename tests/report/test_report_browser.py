"""The page in a real Chromium: no errors, no requests; it sorts, searches, fits a phone, prints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sample_board

from nshot.data.pictures import as_image, thumbnail
from nshot.report import write
from scenes import scene

BROWSER = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
HOSTILE = "<script>document.title='run'</script>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH (apt install chromium)"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder whose board has a missing value and a label that would like to run."""
    folder = tmp_path_factory.mktemp("run")
    board = sample_board.board()
    board["rows"][1]["build_seconds"] = None
    board["rows"][2]["notes"] = [HOSTILE]
    board["task"]["labels"][0]["name"] = HOSTILE
    labels = [HOSTILE, *(label["name"] for label in board["task"]["labels"][1:])]
    (folder / "leaderboard.json").write_text(json.dumps(board), encoding="utf-8")
    details = sample_board.details(labels, rows=240)
    details["pictures"] = pictures(folder / "red.png")
    (folder / "details.json").write_text(json.dumps(details))
    write(folder)
    return folder


def pictures(path: Path) -> dict[str, Any]:
    """Pictures as a run gathers them: one is gone, one label would like to run."""
    scene(1, (300, 120)).save(path)
    seen = {"label": HOSTILE, "src": thumbnail(as_image(path))}
    answered = {"expected": "refund", "answer": HOSTILE, "src": seen["src"], "near": seen}
    gone = {**answered, "src": "", "near": None}
    return {"shots": [seen] * 24, "wrong": [answered, gone], "right": [answered] * 12}


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of question 1: a race, rows put aside, inputs on which the best differ."""
    folder = tmp_path_factory.mktemp("raced")
    details = sample_board.details() | {
        "race": sample_board.race(),
        "disagreements": sample_board.contested(),
        "delivered": {"anew": False, "files": {"nshot.json": 363}},
    }
    board = json.dumps(sample_board.board_of_all_rows())
    (folder / "leaderboard.json").write_text(board, encoding="utf-8")
    (folder / "details.json").write_text(json.dumps(details), encoding="utf-8")
    write(folder)
    return folder


@pytest.fixture
def page(chromium: Any, run: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, at a given width; fails on any console error, exception or request but its own."""
    width, scheme = getattr(request, "param", (1280, "light"))
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    trouble: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((run / "report.html").as_uri())
    yield page
    assert trouble == []
    assert [url for url in asked if not url.startswith("data:")] == [(run / "report.html").as_uri()]
    context.close()


def _column(page: Any, index: int) -> list[str | None]:
    return page.eval_on_selector_all(
        ".board tbody tr", f"rows => rows.map(r => r.cells[{index}].dataset.sort ?? null)"
    )


def test_numbers_are_those_of_the_file(page: Any, run: Path) -> None:
    board = json.loads((run / "leaderboard.json").read_text(encoding="utf-8"))
    found = page.eval_on_selector_all(
        "[data-path]", "all => all.map(e => [e.dataset.path, e.dataset.value ?? 'null'])"
    )
    assert len(found) > 150
    for path, value in found:
        there: Any = board
        for key in path.split("/")[1:]:
            there = there[int(key)] if isinstance(there, list) else there.get(key)
        assert json.loads(value) == there, path


def test_headings_sort_and_missing_values_go_last(page: Any) -> None:
    heads = page.locator(".board thead th")
    names = heads.all_inner_texts()
    build = next(i for i, name in enumerate(names) if name.startswith("Build"))
    button = heads.nth(build).get_by_role("button")
    for direction in ("ascending", "descending", "ascending"):
        button.click()
        assert heads.nth(build).get_attribute("aria-sort") == direction
        assert (
            page.locator(".board th[aria-sort=ascending], .board th[aria-sort=descending]").count()
            == 1
        )
        values = _column(page, build)
        assert values[-1] is None
        known = [float(value) for value in values[:-1] if value is not None]
        assert len(known) == len(sample_board.METHODS) - 1
        assert known == sorted(known, reverse=direction == "descending")


def test_every_heading_sorts(page: Any) -> None:
    heads = page.locator(".board thead th[aria-sort]")
    assert heads.count() >= 9
    for i in range(heads.count()):
        first = heads.nth(i).get_attribute("data-first")
        already = heads.nth(i).get_attribute("aria-sort") == first
        heads.nth(i).get_by_role("button").click()
        now = heads.nth(i).get_attribute("aria-sort")
        assert (now != first) if already else (now == first)
        values = [
            v for v in _column(page, heads.nth(i).evaluate("h => h.cellIndex")) if v is not None
        ]
        if first == "descending" or i > 1:
            numbers = all(
                v.replace(".", "").replace("-", "").replace("e", "").isdigit() for v in values
            )
            keys = [float(v) for v in values] if numbers else values
            assert keys == sorted(keys, reverse=now == "descending")


def test_board_starts_with_the_best_score(page: Any) -> None:
    scores = [float(value) for value in _column(page, 1)]
    assert scores == sorted(scores, reverse=True)


def test_a_label_does_not_run(page: Any) -> None:
    assert page.title() == "support-tickets · nshot report"
    assert page.locator("text=" + HOSTILE).count() > 0


def test_pictures_are_shown_small(page: Any) -> None:
    sizes = page.eval_on_selector_all(
        "#pictures img", "all => all.map(e => [e.complete, e.naturalWidth, e.naturalHeight])"
    )
    assert sizes == [[True, 96, 38]] * (24 + 2 + 24)
    assert page.locator("#pictures .none").count() == 1


def test_search_filters_the_mistakes(page: Any) -> None:
    shown = page.locator(".mistakes > li:visible")
    everything = page.locator(".mistakes > li").count()
    assert shown.count() == 24
    page.get_by_role("searchbox").fill("배송이 zzz")
    assert shown.count() == 0
    page.get_by_role("searchbox").fill("환불해")
    hits = [text for text in page.locator(".mistakes > li").all_text_contents() if "환불해" in text]
    assert 0 < shown.count() == len(hits) < everything
    page.get_by_role("searchbox").fill("")
    assert page.locator("#found").inner_text() == f"{everything} shown"


def test_a_confused_pair_leads_to_its_mistakes(page: Any) -> None:
    pair = page.locator(".pairs a").first
    expected, answer = pair.get_attribute("data-expected"), pair.get_attribute("data-answer")
    pair.click()
    shown = page.locator(".mistakes > li:visible")
    assert shown.count() > 0
    for i in range(shown.count()):
        assert shown.nth(i).get_attribute("data-expected") == expected
        assert shown.nth(i).get_attribute("data-answer") == answer


STICKS_OUT = """() => [...document.querySelectorAll("body *")].filter((e) => {
  const box = e.getBoundingClientRect();
  if (!box.width || box.right <= innerWidth + 0.5) return false;
  for (let p = e.parentElement; p; p = p.parentElement) {
    const style = getComputedStyle(p);
    if (style.overflowX !== "visible" || style.clipPath !== "none") return false;
  }
  return getComputedStyle(e).clipPath === "none";
}).map((e) => `${e.tagName}.${e.getAttribute("class")}: ${e.textContent.slice(0, 60)}`)"""
WIDE = (
    "* { font-family: 'DejaVu Sans Mono', monospace !important; letter-spacing: .08em !important; }"
)
"""Text about a third wider than that of most fonts, whichever this machine has."""


@pytest.mark.parametrize("font", ["usual", "wide"])
@pytest.mark.parametrize(
    "page", [(360, "light"), (768, "dark"), (1000, "light"), (1280, "light")], indirect=True
)
def test_fits_the_width(page: Any, font: str) -> None:
    if font == "wide":
        page.add_style_tag(content=WIDE)
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    page.evaluate("fit()")
    assert page.evaluate(STICKS_OUT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("font", ["usual", "wide"])
@pytest.mark.parametrize(
    "page", [(360, "light"), (900, "light"), (1280, "light"), (1600, "light")], indirect=True
)
def test_the_board_is_not_cut_off(page: Any, font: str) -> None:
    if font == "wide":
        page.add_style_tag(content=WIDE)
    page.evaluate("fit()")
    box = page.locator(".boardbox")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
    cards = "cards" in (box.get_attribute("class") or "")
    width = page.viewport_size["width"]
    assert cards or width > 720
    assert not cards or width < 1600


@pytest.mark.parametrize("page", [(360, "light")], indirect=True)
def test_a_phone_shows_whole_cards(page: Any) -> None:
    box = page.locator(".board tbody tr").first.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert page.locator(".board tbody tr").first.locator("td.score").is_visible()
    assert page.get_by_role("row").count() > len(sample_board.METHODS)


CONTRAST = """() => {
  const light = (c) => { const v = c.map((x) => x / 255).map((x) => x <= 0.04045 ? x / 12.92
    : ((x + 0.055) / 1.055) ** 2.4); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll("main *, header *, nav *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || e.closest("svg") || !e.checkVisibility()) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push([e.className, e.textContent.slice(0, 20), ratio]);
  }
  return bad; }"""


@pytest.mark.parametrize("page", [(1280, "light"), (1280, "dark")], indirect=True)
def test_text_has_contrast(page: Any) -> None:
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1000, "dark"), (1280, "light")])
def test_the_page_of_a_race_fits_and_can_be_read(
    chromium: Any, raced: Path, width: int, scheme: str
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto((raced / "report.html").as_uri())
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    page.evaluate("fit()")
    assert page.evaluate(STICKS_OUT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CONTRAST) == []
    box = page.locator(".boardbox")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.locator("#race svg:visible").count() == 1
    context.close()


def test_prints_with_everything_open(page: Any, tmp_path: Path) -> None:
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") > 2
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".mistakes > li:visible").count() == page.locator(".mistakes > li").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
