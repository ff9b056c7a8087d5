"""
Makes pictures of the pages, with the members of the demo.

`python -m tests.web.screenshots FOLDER`: the three small ones of README; with `--all`
each page as well, narrow and wide, light and dark.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from renewer.cli.simulation import Simulation
from renewer.host import embedded
from renewer.web.stage import Step
from tests.support import ROOT
from tests.web.test_browser import CHROMIUM, served

PICTURES = ROOT / "deploy" / "pictures"
PAGES = {
    "demo": "/demo",
    "member": "/members/hugo",
    "overview": "/",
    "help": "/help",
    "run": "/runs/1",
    "pending": "/members/kim",
    "review": "/members/gita",
    "suspended": "/members/lea",
    "closed": "/members/mia",
    "renewed": "/members/ben",
    "trouble": "/members/nobody",
}
WIDTHS = (320, 1440)
SMALL = {"demo": 530, "member": 560, "overview": 700}
"""The pages whose pictures README.md shows, and how high those are."""
WIDTH = 720
MARGIN = 8
MOST_BYTES = 66_000


def take_all(browser: Browser, url: str, folder: Path) -> None:
    """Take each page narrow and wide, light and dark, from top to bottom."""
    for scheme in ("light", "dark"):
        page = browser.new_context(color_scheme=scheme).new_page()
        for name, path in PAGES.items():
            page.goto(url + path)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                target = folder / f"{name}-{scheme}-{width}.png"
                page.screenshot(path=target, full_page=True)
        page.context.close()


def take_small(browser: Browser, url: str, folder: Path) -> None:
    """Take the beginning of the three pages that README.md shows."""
    page = browser.new_page(viewport={"width": WIDTH, "height": max(SMALL.values())})
    for name, height in SMALL.items():
        page.goto(url + PAGES[name])
        # Elsewhere than in the demo no page has a clock that is moved.
        first = ".clock" if name == "demo" else "main"
        box = page.locator(first).bounding_box()
        assert box is not None
        y = max(box["y"] - MARGIN, 0)
        clip = {"x": 0, "y": y, "width": WIDTH, "height": height}
        page.screenshot(path=folder / f"{name}.png", clip=clip, full_page=True)
    page.close()


def main(folder: Path, *, everything: bool) -> None:
    """Take the pictures, three days and a renewal after the demo's beginning."""
    folder.mkdir(parents=True, exist_ok=True)
    with embedded.temporary() as conninfo, sync_playwright() as playwright:
        simulation = Simulation(conninfo)
        simulation.prepare()
        for step in (Step.DAY, Step.DAY, Step.DAY, Step.BOUNDARY):
            simulation.advance(step)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        with served(conninfo, simulation) as url:
            take_small(browser, url, folder)
            if everything:
                take_all(browser, url, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), everything="--all" in sys.argv[2:])
