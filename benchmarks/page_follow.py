"""How soon the page follows a concept that is switched, in headless Chromium: from the click to the new caption.

    python benchmarks/page_follow.py

Server and browser share the machine, over loopback. The page itself measures ("follow" in its performance entries).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def served() -> Iterator[str]:
    """The address of a server of the default model, for as long as it is needed."""
    command = [sys.executable, "-m", "semreg", "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        yield next(found[0] for line in server.stderr if (found := re.search(r"http://[\d.]+:\d+", line)))
    finally:
        server.terminate()
        server.wait()


def milliseconds(address: str, picture: Path, switches: int) -> list[float]:
    """Switch the first concepts of a picture one after the other; what each took."""
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.set_input_files("#files", str(picture))
        page.locator("#concepts-part").wait_for()
        names = page.evaluate("[...document.querySelectorAll('[data-concept]')].map(chip => chip.dataset.concept)")
        times = []
        for name in (names * switches)[:switches]:
            page.evaluate("performance.clearMeasures()")
            page.click(f"[data-concept={json.dumps(name)}]")
            while not (found := page.evaluate("performance.getEntriesByName('follow').map(entry => entry.duration)")):
                page.wait_for_timeout(10)  # the page allows no script but its own to wait in it
            times.append(found[0])
        browser.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=60)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "server" / "page.json")
    options = parser.parse_args()
    with served() as address:
        times = milliseconds(address, ROOT / "demo" / "pictures" / "dog.jpg", options.switches)[5:]  # after warming up
    result = {
        "command": "python benchmarks/page_follow.py",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "torch": version("torch"),
        "switches": len(times),
        "milliseconds": {
            "median": round(median(times), 1),
            "95th percentile": round(quantiles(times, n=20)[-1], 1),
            "largest": round(max(times), 1),
        },
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
