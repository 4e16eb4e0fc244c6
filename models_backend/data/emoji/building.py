"""Build a captioned image set in several drawing styles from emoji art on the npm registry.

Usage::

    python -m models_backend.data.emoji --out DIR [--sources noto,twemoji,fluent] [--size 64]
    python -m models_backend.data.emoji --out DIR --sources noto-2017   # nothing trains on these
    python -m models_backend.data.emoji --out DIR --alpha   # for models_backend.transparency

Interrupted at any point, the same command goes on: verified downloads are kept, images are written
again, and ``dataset.json`` (the completeness mark) is written last.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from models_backend.data import manifest
from models_backend.data.emoji import npm
from models_backend.data.emoji.packages import (
    CAPTIONS_MEMBER,
    CAPTIONS_PACKAGE,
    DEFAULT_SOURCES,
    SOURCES,
    EmojiSource,
    Package,
)
from models_backend.errors import DataBuildError, InputError, run_cli
from models_backend.files import sha256_of_bytes, write_bytes_atomically, write_json_atomically

CONCEPTS_FILE = Path(__file__).with_name("concepts.tsv")
BACKGROUND = (255, 255, 255)
MAX_KEYWORDS = 6
MIN_FREE_BYTES = 400 * 1024 * 1024  # the default tarballs take 160 MB, the images 5 MB


@dataclass(frozen=True)
class Concept:
    """One thing to draw."""

    hexcode: str
    """Unicode code points in lower case, joined by dashes."""
    label: str
    """Noun phrase with its article."""
    category: str
    """PartiPrompts category."""


@dataclass(frozen=True)
class BuildRequest:
    """What a data set is to hold; equal requests give equal manifests."""

    sources: tuple[EmojiSource, ...]
    concepts: tuple[Concept, ...]
    size: int = 64
    """Side of the square images in pixels, 16..256."""
    captions: Package = CAPTIONS_PACKAGE
    alpha: bool = False
    """Whether drawings keep their transparency (RGBA); else they lie on white (RGB)."""

    def __post_init__(self) -> None:
        """Refuse empty requests and sizes out of range."""
        if not 16 <= self.size <= 256:
            raise InputError(f"--size {self.size}: accepted are 16 to 256 pixels")
        if not self.sources or not self.concepts:
            raise InputError("nothing to build: name at least one source and one concept")

    def fingerprint(self) -> dict[str, Any]:
        """The request as plain values; kept in the completeness mark."""
        listed = "\n".join(f"{c.hexcode}\t{c.label}\t{c.category}" for c in self.concepts)
        return {
            "sources": [s.package.spec for s in self.sources],
            "captions": self.captions.spec,
            "concepts_sha256": sha256_of_bytes(listed.encode()),
            "size": self.size,
            "background": None if self.alpha else list(BACKGROUND),
        }


def read_concepts(path: Path) -> tuple[Concept, ...]:
    """Read the hand-made list: three tab-separated columns after a header; # starts a comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read the concept list {path}: {error.strerror}") from None
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    if not rows or rows[0] != ["hexcode", "label", "category"]:
        raise InputError(f"{path}: the first line must be hexcode, label, category (tabs)")
    for row in rows[1:]:
        if len(row) != 3 or not all(row):
            raise InputError(f"{path}: expected three filled columns, got {row}")
    return tuple(Concept(*row) for row in rows[1:])


def build(
    out: Path,
    request: BuildRequest,
    *,
    downloader: npm.Downloader | None = None,
    keep_downloads: bool = False,
) -> int:
    """Build the data set in ``out`` and return the number of images; nothing to do if it is there.

    Raises:
        DataBuildError: download, disk or package trouble.
    """
    if is_complete(out, request):
        return len(manifest.read_records(out))
    _check_disk(out)
    try:
        (out / manifest.MARK_NAME).unlink(missing_ok=True)
        return _build(out, request, downloader, keep_downloads)
    except OSError as error:
        raise DataBuildError(f"cannot write to {out}: {error.strerror or error}") from error


def is_complete(out: Path, request: BuildRequest) -> bool:
    """Whether ``out`` already holds exactly this data set, images included."""
    try:
        mark, records = manifest.read_mark(out), manifest.read_records(out)
    except InputError:
        return False
    return mark.get("request") == request.fingerprint() and all(
        (out / record.file).is_file() for record in records
    )


def _build(
    out: Path, request: BuildRequest, downloader: npm.Downloader | None, keep_downloads: bool
) -> int:
    downloads = out / "downloads"
    packages = [request.captions, *(source.package for source in request.sources)]
    tarballs: dict[str, Path] = {}
    for package in tqdm(packages, desc="packages", unit="pkg", file=sys.stderr):
        tarballs[package.spec] = npm.fetch(package, downloads, downloader)
    keywords = _read_keywords(tarballs[request.captions.spec])
    records: list[manifest.Record] = []
    for source in request.sources:
        records += _build_source(out, request, source, tarballs[source.package.spec], keywords)
    data = manifest.dump_records(records)
    write_bytes_atomically(out / manifest.MANIFEST_NAME, data)
    write_bytes_atomically(out / "LICENCES.md", _licence_notes(request).encode())
    write_json_atomically(
        out / manifest.MARK_NAME,
        {
            "format": manifest.FORMAT,
            "request": request.fingerprint(),
            "manifest_sha256": sha256_of_bytes(data),
            "images": len(records),
            "packages": [{"spec": p.spec, "integrity": p.integrity} for p in packages],
        },
    )
    if not keep_downloads:
        shutil.rmtree(downloads, ignore_errors=True)
    return len(records)


def _build_source(
    out: Path,
    request: BuildRequest,
    source: EmojiSource,
    tarball: Path,
    keywords: dict[str, list[str]],
) -> list[manifest.Record]:
    wanted = {
        path: concept for concept in request.concepts for path in _member_paths(source, concept)
    }
    found: dict[str, manifest.Record] = {}
    progress = tqdm(
        total=len(request.concepts), desc=source.key.ljust(8), unit="img", file=sys.stderr
    )
    with progress:
        for name, content in npm.read_members(tarball, wanted):
            concept = wanted[name]
            if concept.hexcode in found:
                continue
            data = _to_png(content, request, f"{source.package.spec}:{name}")
            file = f"images/{source.key}/{concept.hexcode}.png"
            write_bytes_atomically(out / file, data)
            found[concept.hexcode] = _record(source, concept, keywords, file, data)
            progress.update()
    missing = [c.hexcode for c in request.concepts if c.hexcode not in found]
    if missing and not (source.partial and found):
        raise DataBuildError(
            f"{source.package.spec} has no image for {len(missing)} concept(s), "
            f"first {missing[0]}; take it off the concept list or choose other sources"
        )
    return [found[c.hexcode] for c in request.concepts if c.hexcode in found]


def _record(
    source: EmojiSource, concept: Concept, keywords: dict[str, list[str]], file: str, data: bytes
) -> manifest.Record:
    return manifest.Record(
        concept=concept.hexcode,
        caption=concept.label,
        keywords=keywords.get(concept.hexcode, [])[:MAX_KEYWORDS],
        category=concept.category,
        style=source.style,
        source=source.package.spec,
        licence=source.licence,
        sha256=sha256_of_bytes(data),
        file=file,
    )


def _member_paths(source: EmojiSource, concept: Concept) -> list[str]:
    # Packages disagree on whether the variation selector FE0F belongs in a file name.
    plain = concept.hexcode.replace("-fe0f", "")
    codes = dict.fromkeys([concept.hexcode, plain, f"{plain}-fe0f"])
    return [source.path_template.format(hexcode=code) for code in codes]


def _to_png(content: bytes, request: BuildRequest, name: str) -> bytes:
    """Composite on the background unless alpha is kept, resize, encode without any metadata."""
    try:
        drawing = Image.open(io.BytesIO(content)).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataBuildError(f"{name} is not a readable image ({error})") from error
    picture = drawing
    if not request.alpha:
        canvas = Image.new("RGBA", drawing.size, (*BACKGROUND, 255))
        canvas.alpha_composite(drawing)
        picture = canvas.convert("RGB")
    size = request.size, request.size
    if picture.size != size:
        # Pillow weighs colours by alpha: what nobody sees does not bleed into an edge.
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _read_keywords(tarball: Path) -> dict[str, list[str]]:
    """Keywords by lower-case code points, from emojibase's English data."""
    for _, content in npm.read_members(tarball, [CAPTIONS_MEMBER]):
        try:
            entries = json.loads(content)
            return {e["hexcode"].lower(): list(e.get("tags", [])) for e in entries}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataBuildError(f"{tarball.name}: {CAPTIONS_MEMBER} is malformed") from error
    raise DataBuildError(f"{tarball.name} has no {CAPTIONS_MEMBER}; another version is needed")


def _licence_notes(request: BuildRequest) -> str:
    lines = ["# Licences of this data set", ""]
    for source in request.sources:
        lines.append(
            f"- `{source.package.spec}` (package: {source.package.package_licence}): graphics "
            f"{source.licence}, {source.licence_url}. {source.attribution}."
        )
    captions = request.captions
    lines.append(f"- `{captions.spec}` ({captions.package_licence}): keywords.")
    done = "resized" if request.alpha else "composited on white and resized"
    lines.append(f"\nImages were {done}; nothing else was changed.")
    return "\n".join(lines) + "\n"


def _check_disk(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise DataBuildError(
            f"cannot create {out}: {error.strerror or error}; give a folder you may write to"
        ) from error
    if free < MIN_FREE_BYTES:
        raise DataBuildError(
            f"{out} has {free >> 20} MiB free, {MIN_FREE_BYTES >> 20} MiB are needed"
        )


def _parse_sources(text: str) -> tuple[EmojiSource, ...]:
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for key in keys:
        if key not in SOURCES:
            raise InputError(f"--sources {key}: accepted are {', '.join(SOURCES)}")
    return tuple(SOURCES[key] for key in dict.fromkeys(keys))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(prog="models_backend.data.emoji", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to build in")
    parser.add_argument("--sources", default=",".join(DEFAULT_SOURCES))
    parser.add_argument("--concepts", type=Path, default=CONCEPTS_FILE)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument(
        "--alpha", action="store_true", help="keep transparency, for models_backend.transparency"
    )
    parser.add_argument("--keep-downloads", action="store_true")
    options = parser.parse_args(argv)

    def run() -> None:
        request = BuildRequest(
            _parse_sources(options.sources), read_concepts(options.concepts), options.size,
            alpha=options.alpha,
        )  # fmt: skip
        images = build(options.out, request, keep_downloads=options.keep_downloads)
        print(f"{images} images in {options.out}", file=sys.stderr)
        print(options.out)

    return run_cli(run)
