"""Take the documentation's pictures of gallery and page anew, with the default model, in headless Chromium.

python benchmarks/documentation_pictures.py [--off frisbee] [--on field]
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from page_follow import served
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PICTURES = ROOT / "demo" / "pictures"


def take_gallery(page: Page) -> None:
    """The gallery of the sample photographs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gallery.html"
        command = [sys.executable, "-m", "semreg", "annotate", ".", "--gallery", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=PICTURES)
        page.goto(file.as_uri())
        page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth)")
        save(page, "gallery.jpg")


def take_page(page: Page, address: str, off: str, on: str, name: str) -> None:
    """The server's page with a photograph, one concept switched off and another on."""
    page.goto(address)
    page.set_input_files("#files", str(PICTURES / "dog.jpg"))
    page.locator("#concepts-part").wait_for()
    for concept in (off, on):
        page.click(f"[data-concept={json.dumps(concept)}]")
        page.wait_for_timeout(1500)
    page.evaluate("window.scrollTo(0, 0)")
    save(page, name)


def save(page: Page, name: str) -> None:
    """What is to be seen, as a JPEG for the documentation."""
    page.wait_for_timeout(500)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(IMAGES / name, quality=88)
    print(IMAGES / name)


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--off", default="frisbee", help="concept to switch off")
    parser.add_argument("--on", default="field", help="concept to switch on")
    chosen = parser.parse_args()
    with served() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take_gallery(browser.new_page(viewport={"width": 1024, "height": 904}))
        desktop = browser.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=1.25)
        take_page(desktop, address, chosen.off, chosen.on, "page.jpg")
        phone = browser.new_page(
            viewport={"width": 390, "height": 844}, device_scale_factor=2, color_scheme="dark", is_mobile=True
        )
        take_page(phone, address, chosen.off, chosen.on, "page-phone.jpg")
        browser.close()


if __name__ == "__main__":
    main()
