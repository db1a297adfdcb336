"""The page in a real Chromium: it asks every model, loads nothing else, fits a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import TICKETS, TOKEN, Client, examples, head, serving, writer

from house import ENCODER
from nshot.models import open_models
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Vote

BROWSER = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
HOSTILE = "<script>document.title='run'</script>"

browser_needed = pytest.mark.skipif(BROWSER is None, reason="no Chromium (apt install chromium)")


def vote(folder: Path) -> Path:
    import numpy as np

    source = Encoded(open_models(), ENCODER)
    vectors = source.read([one.input for one in examples()]).matrix
    targets = np.array([TICKETS.label_names.index(one.label) for one in examples()])
    Vote(TICKETS, source, vectors, targets, 3).save(folder)
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("page")
    folders = [head(root / "head"), vote(root / "vote"), writer(root / "writer")]
    with serving(folders, tokens=[TOKEN], shows_examples=True) as one:
        yield one


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield browser
        browser.close()


@pytest.mark.browser
@browser_needed
@pytest.mark.parametrize("width", [1280, 360])
def test_models_side_by_side(chromium: Any, client: Client, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    trouble: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda m: trouble.append(m.text) if "Content Security" in m.text else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(client.url + "/")
    page.wait_for_selector("#access:not([hidden])")
    page.fill("#token", TOKEN)
    page.click("#enter")
    page.wait_for_selector("#models input")
    page.fill("textarea[data-field=text]", f"money back {HOSTILE}")
    page.click("#ask")
    page.wait_for_selector("article[data-model=vote] details")
    page.wait_for_selector("article[data-model=writer] .answer")
    assert page.inner_text("article[data-model=head] .answer") == "refund"
    shares = page.eval_on_selector_all(
        "article[data-model=head] progress", "a => a.map(x => x.value)"
    )
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)
    assert "3 labelled rows" in page.inner_text("article[data-model=vote] summary")
    assert " ms, " in page.inner_text("article[data-model=head]")
    page.click("#models input[value=vote]")
    page.click("#ask")
    page.wait_for_selector("article[data-model=writer] .answer")
    assert page.locator("article[data-model=vote]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title() == "nshot: try the models"
    assert trouble == []
    assert {url.split("/")[2] for url in asked} == {client.url.split("/")[2]}
    context.close()


def test_the_page_may_load_nothing_else(client: Client) -> None:
    reply = client.get("/")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 2
    text = reply.raw.decode()
    assert "http" not in text.replace("<!doctype html>", "").replace("href", "")
    assert TOKEN not in text


def test_examples_are_shown_where_they_may_be(client: Client) -> None:
    (line,) = client.classify("writer", "how is the sky", explain=True)
    assert [one["answer"] for one in line["examples"]] == [
        "blue as the sea and wide", "green as a frog",
    ]  # fmt: skip
    (line,) = client.classify("vote", "money back please", explain=True)
    assert line["examples"][0]["cosine"] == pytest.approx(1)
    assert line["examples"][0]["answer"] == "refund"
    assert client.classify("head", "a", explain=True)[0]["examples"] == []
