"""Photograph every page: `make screenshots`, or a part: `python -m tests.screenshots --only people --width 390`."""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from tests.screenshots import pages, sheet, visiting
from tests.screenshots.world import build_world, kept_world

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


def main() -> int:
    options = _options()
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        print(f"no browser: none of {', '.join(BROWSERS)} is on the PATH", file=sys.stderr)
        return 2
    data_dir = ROOT / "var" / "screenshots"
    world = kept_world(data_dir) if options.keep else build_world(data_dir)
    variants = list(map(visiting.Variant, *zip(*product(options.theme, options.width, options.language), strict=True)))
    wanted = [page for page in pages.pages(world) if re.search(options.only, page.name)]
    print(f"{len(wanted)} pages in {len(variants)} variants", file=sys.stderr)
    known = visiting.KnownTexts(world.data_texts)
    photographs: dict[str, list[tuple[str, Path, list[str]]]] = {page.name: [] for page in wanted}
    shutil.rmtree(options.folder, ignore_errors=True)

    from playwright.sync_api import sync_playwright

    from tests.benchmarks.harness import Bench

    with Bench().web_server() as address, _worker(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        for variant in variants:
            folder = options.folder / str(variant)
            folder.mkdir(parents=True)
            visitor = visiting.Visitor(browser, address, variant, world.sessions, known)
            for page in wanted:
                picture = folder / f"{re.sub(r'[^a-z0-9]+', '-', page.name.lower()).strip('-')}.png"
                findings = visitor.visit(page, picture)
                photographs[page.name].append((str(variant), picture, findings))
                for finding in findings:
                    print(f"{variant} {page.name}: {finding}")
            visitor.close()
        browser.close()
    print(f"Contact sheet: {sheet.write_sheet(options.folder, photographs)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make screenshots", description="Photograph every page of the admin.")
    parser.add_argument("--only", default="", metavar="PATTERN", help="pages whose name matches")
    parser.add_argument("--theme", nargs="*", default=visiting.THEMES, choices=visiting.THEMES)
    parser.add_argument("--width", nargs="*", default=visiting.WIDTHS, type=int, choices=visiting.WIDTHS)
    parser.add_argument("--language", nargs="*", default=visiting.LANGUAGES, choices=visiting.LANGUAGES)
    parser.add_argument("--keep", action="store_true", help="the database of the run before")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "screenshots")
    return parser.parse_args()


@contextmanager
def _worker() -> Iterator[None]:
    """A worker, without which pages warn that nothing is worked on."""
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
