"""How long an annotator waits: until the first pair, and from a key to the next pair.

    make bench-page

A real server with images on disk, and a real browser on the same machine: a laptop's and a phone's
window. The page itself measures from the key press until the next pair was drawn
(`performance.measure("key-to-next")`). Prints a table, and as its last line the figures as JSON.
"""

import json
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
PROMPTS = 44
THINKING_MS = 900  # a fast judge; the preloading happens meanwhile
LAPTOP = {"viewport": {"width": 1366, "height": 657}}
PHONE = {
    "viewport": {"width": 375, "height": 667}, "device_scale_factor": 2, "is_mobile": True,
    "has_touch": True,
}  # fmt: skip
LAYOUTS = {
    "laptop, lossless 512 px": (LAPTOP, 512, "lossless"),
    "phone, lossless 512 px": (PHONE, 512, "lossless"),
    "laptop, WebP of 1024 px": (LAPTOP, 1024, "webp"),
    "phone, WebP of 1024 px": (PHONE, 1024, "webp"),
}


def picture(seed: int, size: int) -> Image.Image:
    """Return a picture about as hard to compress as a generated one: soft shapes and grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    soft = coarse.resize((size, size), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    grain = rng.normal(0, 4, (size, size, 3))
    return Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bench_page(open_page, make_campaign, monkeypatch, capsys, layout):
    window, size, delivery = LAYOUTS[layout]
    monkeypatch.setattr(factories, "make_image", partial(picture, size=size))
    campaign = make_campaign(
        criteria=["visual_appeal"], prompts=PROMPTS,
        rules={"annotation": {"break_every": 0, "delivery": delivery}},
    )  # fmt: skip
    annotator = open_page(campaign, **window).begin()
    tab = annotator.tab
    tab.wait_for_load_state("networkidle")

    # Cold: a new visit with an empty cache, to the moment both images are drawn.
    session = tab.context.new_cdp_session(tab)
    session.send("Network.clearBrowserCache")
    tab.goto("about:blank")
    annotator.resume()
    first = tab.evaluate("performance.getEntriesByName('first-pair')[0].startTime")
    tab.wait_for_load_state("networkidle")
    before_first = tab.evaluate(
        """shown => [...performance.getEntriesByType("navigation"),
                     ...performance.getEntriesByType("resource")]
                    .filter(each => each.responseEnd <= shown && !each.name.includes("/next/"))
                    .map(each => [each.name, each.transferSize])""",
        first,
    )
    images = [(name, size) for name, size in before_first if "/images/" in name]

    for _ in range(PROMPTS - 4):
        tab.wait_for_timeout(THINKING_MS)
        annotator.answer("ArrowRight")
    waits = tab.evaluate("performance.getEntriesByName('key-to-next').map(each => each.duration)")
    assert len(waits) >= 30
    figures = {
        "layout": layout,
        "key_to_next_ms_p50": round(float(np.percentile(waits, 50)), 1),
        "key_to_next_ms_p95": round(float(np.percentile(waits, 95)), 1),
        "requests_to_first_pair": len(before_first),
        "bytes_to_first_pair": sum(size for _, size in before_first),
    }
    with capsys.disabled():
        print(f"\n{layout}")
        print(f"pairs measured                    {len(waits):8d}")
        print(f"key to next pair, median          {figures['key_to_next_ms_p50']:8.1f} ms")
        print(f"key to next pair, 95 %            {figures['key_to_next_ms_p95']:8.1f} ms")
        print(f"key to next pair, longest         {max(waits):8.1f} ms")
        print(f"first pair after opening, cold    {first:8.1f} ms")
        print(f"requests until the first pair     {figures['requests_to_first_pair']:8d}")
        print(f"bytes until the first pair        {figures['bytes_to_first_pair']:8d}")
        print(f"  of these {len(images)} images              {sum(size for _, size in images):8d}")
        print(json.dumps(figures))
