"""Take the pictures of docs/images from the real site: `make screenshots`.

An installation of its own in var/screenshots gets two collections of drawn shapes, a campaign and
twelve simulated annotators; named pages are taken in light and dark, as WebP. With --looks
(`make screenshots LOOKS=1`) all of them, whole, in both schemes at the widths of a phone, a laptop
and a wide screen, are put into var/screenshots/looks for whoever changed a page to look at. It
takes a minute or two, and stops what it started.
"""

import argparse
import io
import math
import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "var/screenshots"
IMAGES = ROOT / "docs/images"
LOOKS = WORK / "looks"
MOST_BYTES = 1_500_000
COLOURS = {"red": "#c8453c", "blue": "#3f6fb5", "green": "#4f9a5b", "yellow": "#d9a934",
           "violet": "#8259a8"}  # fmt: skip
SHAPES = {"circle": 40, "triangle": 3, "square": 4, "hexagon": 6}
NAME, PASSWORD = "research", "only for pictures"
# What is taken, by file name; {slug} is the campaign's.
PAGES = {
    "builder": "/campaigns/new/",
    "dashboard": "/campaigns/{slug}/",  # which has the results made that others show
    "home": "/home/",
    "campaigns": "/campaigns/",
    "results": "/campaigns/{slug}/results/",
    "images": "/campaigns/{slug}/images/",
    "people": "/campaigns/{slug}/people/",
    "quality": "/campaigns/{slug}/quality/",
    "protocol": "/campaigns/{slug}/protocol/",
    "export": "/campaigns/{slug}/export/",
    "leaderboard": "/leaderboard/",
    "registry": "/models/",
    "prompts": "/prompts/",
    "plan": "/plan/",
}
IN_DOCS = (
    "home", "campaigns", "builder", "dashboard", "results", "images", "leaderboard", "registry",
    "plan",
)  # fmt: skip
WIDTHS = {"phone": 375, "laptop": 1280, "wide": 2560}


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    return kept | {
        "EVALPLATFORM_VAR": str(WORK / "var"),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "LOG_LEVEL": "WARNING",
    }


def manage(*arguments: str) -> str:
    """Run a management command on the installation and return what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment(), check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.stdout


def draw(prompt_number: int, colour: str, sides: int, careful: bool) -> Image.Image:
    """Return one arm's drawing: the careful arm's is round and shaded, the other's is askew."""
    rng = random.Random(f"{prompt_number} {careful}")
    image = Image.new("RGB", (512, 512), "#f4efe6" if careful else "#ddd9d0")
    pen = ImageDraw.Draw(image)
    turn, radius = rng.uniform(0, 6), 170 if careful else 140
    jitter = 0 if careful else 34
    points = []
    for step in range(sides):
        angle = turn + 2 * math.pi * step / sides
        far = radius + rng.uniform(-jitter, jitter)
        points.append((256 + far * math.cos(angle), 256 + far * math.sin(angle)))
    if careful:
        pen.polygon([(x + 14, y + 18) for x, y in points], fill="#d8d0c2")
    pen.polygon(points, fill=COLOURS[colour])
    return image


def prepare() -> None:
    """Make prompts and both arms' images."""
    table = ["Prompt\tCategory"]
    pairs = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    for number, (colour, shape) in enumerate(pairs):
        table.append(f"a {colour} {shape} on paper\t{shape.capitalize()}s")
        for arm, careful in (("tuned", True), ("base", False)):
            path = WORK / arm / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(number, colour, SHAPES[shape], careful).save(path)
    (WORK / "prompts.tsv").write_text("\n".join(table) + "\n")


def fill(site: str) -> str:
    """Run a small simulated campaign, open another for the annotator's page; return its link."""
    manage("import_prompts", "shapes", str(WORK / "prompts.tsv"))
    for arm in ("tuned", "base"):
        manage("import_images", str(WORK / arm), "--name", arm, "--model", arm, "--prompts=shapes")
    manage("run_eval", "tuned", "base", "--prompts=shapes", "--name=tuned-vs-base")
    manage("simulate_annotators", "tuned-vs-base", "--annotators=12", f"--site={site}")
    said = manage("run_eval", "tuned", "base", "--prompts=shapes", "--name=for-people")
    manage("createsuperuser", "--noinput", f"--username={NAME}", "--email=research@example.org")
    return next(word.rstrip(".") for word in said.split() if "/annotate/" in word)


def shoot(browser: Browser, site: str, link: str, *, looks: bool) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(f"{site}/accounts/sign-in/")
        page.fill("[name=username]", NAME)
        page.fill("[name=password]", PASSWORD)
        page.click("[type=submit]")
        page.wait_for_load_state("networkidle")
        for name, path in PAGES.items():
            if name not in IN_DOCS and not looks:
                continue
            page.goto(site + path.format(slug="tuned-vs-base"))
            page.wait_for_load_state("networkidle")
            if name == "dashboard":
                answered(page)
            if name in IN_DOCS:
                save(page.screenshot(), IMAGES / f"{name}-{scheme}.webp")
            if looks:
                look(page, f"{name}-{scheme}")
        context.close()
        visitor = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
        page = visitor.new_page()
        page.goto(site + "/annotate/" + link.partition("/annotate/")[2])
        page.get_by_role("button", name="I agree, start").click()
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)  # images fade in
        save(page.screenshot(), IMAGES / f"annotator-page-{scheme}.webp")
        visitor.close()


def answered(page: Page) -> None:
    """Wait for the first results, which a program beside the site makes."""
    for _ in range(60):
        if page.locator(".answer-card").count():
            return
        page.wait_for_timeout(2_000)
        page.reload()
        page.wait_for_load_state("networkidle")
    raise SystemExit("the campaign's results were not there after two minutes.")


def look(page: Page, name: str) -> None:
    """Take a page whole at every width, and go back to the laptop's."""
    for width, pixels in WIDTHS.items():
        page.set_viewport_size({"width": pixels, "height": 800})
        save(page.screenshot(full_page=True), LOOKS / f"{name}-{width}.webp")
    page.set_viewport_size({"width": WIDTHS["laptop"], "height": 800})


def save(png: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(path, "WEBP", quality=72, method=6)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--looks", action="store_true", help="every page whole, at every width")
    options = parser.parse_args()
    shutil.rmtree(WORK / "var", ignore_errors=True)
    prepare()
    site = f"http://127.0.0.1:{(port := free_port())}"
    try:
        manage("services", "start", "postgres", "web", f"--port={port}")
        link = fill(site)
        names = ("chromium-headless-shell", "chromium", "chromium-browser")
        path = next(filter(None, map(shutil.which, names)), None)  # None: playwright's own
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            shoot(browser, site, link, looks=options.looks)
            browser.close()
    finally:
        manage("services", "stop")
    taken = sum(each.stat().st_size for each in IMAGES.glob("*.webp"))
    print(f"{len(list(IMAGES.glob('*.webp')))} pictures, {taken / 1000:.0f} kB, in docs/images")
    return 0 if taken <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
