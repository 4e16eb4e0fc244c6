"""`make docs`: the site is built without a warning and loads nothing from elsewhere."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
_spec = importlib.util.spec_from_file_location("build_site", ROOT / "docs/build_site.py")
build_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build_site)


def test_site_is_built_without_a_warning():
    done = subprocess.run(
        [sys.executable, "docs/build_site.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    pages = {each.name for each in build_site.SITE.glob("*.html")}
    assert {"index.html", "first-campaign.html", "SECURITY.html"} <= pages
    # A file of deploy/ that a page links to is there.
    linked = build_site.SITE / "files/deploy/grafana/evalplatform.json"
    assert linked.read_bytes() == (ROOT / "deploy/grafana/evalplatform.json").read_bytes()


def test_what_a_browser_would_fetch_from_elsewhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="https://example.org/">read</a><link rel="canonical" href="https://example.org">'
        '<script src="https://cdn.example.org/a.js"></script>'
        '<link rel="stylesheet" href="//fonts.example.org/css">'
    )
    assert build_site.fetched_from_elsewhere(tmp_path) == [
        "a.html: https://cdn.example.org/a.js",
        "a.html: //fonts.example.org/css",
    ]
