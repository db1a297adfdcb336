"""The README's picture: ``python benchmarks/screenshot.py RUN docs/report.png``.

The top of RUN/report.html by a headless Chromium, 1200 px wide, down into the board.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
LARGEST = 300_000


def shoot(report: Path, target: Path, height: int = 1480) -> None:
    """Write the picture, `height` pixels high."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"no Chromium found: one of {', '.join(BROWSERS)} must be on the PATH")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser, args=list(QUIET))
        page = chromium.new_page(viewport={"width": 1200, "height": height})
        page.goto(report.resolve().as_uri())
        page.screenshot(path=str(target))
        chromium.close()
    if target.stat().st_size > LARGEST:
        raise SystemExit(f"{target} has {target.stat().st_size:,} bytes, more than {LARGEST:,}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    shoot(Path(sys.argv[1]) / "report.html", Path(sys.argv[2]))
