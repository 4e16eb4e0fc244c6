"""Build the documentation as a site: `make docs`, into var/docs/site.

Pages are those of docs/ and a few of the project's root. What they link to outside (a file of
deploy/, say) is copied beside them, so that the site needs nothing but itself. Any warning, and
anything that a page would load from another host, is an error.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
STAGED = ROOT / "var/docs/pages"
SITE = ROOT / "var/docs/site"
LINK = re.compile(r"(?P<before>!?\[[^\]]*\]\()(?P<to>[^)\s#]*)(?P<anchor>#[^)\s]*)?(?P<after>\))")
# What a browser would fetch by itself; links that a person follows may lead anywhere.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|link(?=[^>]*rel=\"?(?:stylesheet|preload|icon|modulepreload)))"
    r"[^>]*?(?:src|href)=\"?(?P<from>(?:https?:)?//[^\s\">]+)"
)


class DocsError(Exception):
    """A page links to what is not there, or loads something from elsewhere."""


def pages() -> Iterator[Path]:
    """Yield every page of the documentation where it lies in the project."""
    yield from sorted(DOCS.glob("*.md"))
    yield from (ROOT / name for name in ROOT_PAGES)


def stage(folder: Path) -> None:
    """Copy pages and what they show into `folder`, links between them set anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(DOCS / "images", folder / "images")
    known = {page.resolve(): page.name for page in pages()}
    for page in pages():
        text = LINK.sub(
            lambda found, page=page: _staged(found, page, known, folder), page.read_text()
        )
        (folder / page.name).write_text(text)


def _staged(found: re.Match[str], page: Path, known: dict[Path, str], folder: Path) -> str:
    to = found["to"]
    if not to or re.match(r"[a-z]+:", to):
        return found[0]
    target = (page.parent / to).resolve()
    if target in known:
        new = known[target]
    elif target.is_relative_to(DOCS / "images") and target.is_file():
        new = f"images/{target.name}"
    elif target == ROOT / "README.md":
        new = "index.md"
    elif target.is_file() and target.is_relative_to(ROOT):
        # A page of another folder is shown as it is written.
        new = (
            "files/" + target.relative_to(ROOT).as_posix() + (".txt" if to.endswith(".md") else "")
        )
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target, folder / new)
    else:
        raise DocsError(f"{page.name}: {to} is no file of this project; link to one that is.")
    return f"{found['before']}{new}{found['anchor'] or ''}{found['after']}"


def fetched_from_elsewhere(site: Path) -> list[str]:
    """Return what pages would load from another host, by page."""
    return [
        f"{page.relative_to(site)}: {found['from']}"
        for page in sorted(site.rglob("*.html"))
        for found in FETCHED.finditer(page.read_text())
    ]


def main() -> int:
    try:
        stage(STAGED)
        shutil.rmtree(SITE, ignore_errors=True)
        zensical = Path(sys.executable).with_name("zensical")
        done = subprocess.run([zensical, "build", "--clean", "--strict"], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
        if strangers := fetched_from_elsewhere(SITE):
            raise DocsError("pages load from other hosts: " + "; ".join(strangers[:5]))
    except DocsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
