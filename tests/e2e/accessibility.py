"""What a machine can tell of WCAG 2.2 AA, on any page."""

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"type": "tag", "values": TAGS}
COLOURS = {"type": "rule", "values": ["color-contrast"]}  # all that the scheme can change
Looks = list[tuple[int, Literal["light", "dark"], dict[str, object]]]
LOOKS: Looks = [
    (1280, "light", EVERYTHING), (1280, "dark", COLOURS),
    (375, "dark", COLOURS), (375, "light", EVERYTHING),
]  # fmt: skip

# Where many pages are looked at: every colour and width once.
FEW_LOOKS: Looks = [(1280, "light", EVERYTHING), (375, "dark", COLOURS)]

# What ends beyond the window and is not cut or scrolled by what holds it.
_TOO_WIDE = """() => [...document.body.querySelectorAll("*")].filter(each => {
  if (each.getBoundingClientRect().right <= window.innerWidth + 0.5) return false;
  for (let box = each.parentElement; box; box = box.parentElement)
    if (getComputedStyle(box).overflowX !== "visible") return false;
  return true;
}).map(each => each.cloneNode(false).outerHTML)"""


def assert_page_is_accessible(tab: Page, state: str, looks: Looks = LOOKS) -> None:
    """In light and dark, wide and narrow: axe finds nothing, and nothing runs off the side."""
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(Axe().axe_script)
    for width, scheme, rules in looks:
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 720})
        where = f"{state}, {scheme}, {width} px"
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        found = tab.evaluate("options => axe.run(document, options)", options)["violations"]
        faults = [(each["id"], each["nodes"][0]["html"]) for each in found]
        assert faults == [], f"{where}: {faults}"
        overflow = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{where}: {tab.evaluate(_TOO_WIDE)}"
