"""What is true of the haystack's images, for simulated reviewers and for what is said of them.

The truth is ours: the drawings that `quality_tuning.tsv` names are excellent, other drawings of
their style are fair, drawings of other styles middling, and what was planted is bad. Reviewers see
it with noise.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from evalplatform.core.files import write_whole

QUALITY = {"picked": 0.9, "same style": 0.6, "other style": 0.35, "planted": 0.08}
FAILS = {"planted": "Composition;Lighting", "other style": "Colour and contrast"}


@dataclass(frozen=True)
class NeedleTruth:
    """What an image of the haystack is, and how its source describes it."""

    kind: str
    planted: str
    caption: str


def read_haystack(haystack: Path, dataset: Path, picked: Path) -> dict[str, NeedleTruth]:
    """Return the truth of every image, by the SHA-256 of its file."""
    drawings = {line["file"]: line for line in _lines(dataset / "manifest.jsonl")}
    rows = [line.split("\t")[:2] for line in picked.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]  # fmt: skip
    picks = {(style, concept) for style, concept in rows}
    styles = {style for style, _ in picks}
    found = {}
    for line in _lines(haystack / "metadata.jsonl"):
        drawing = drawings.get(line["file_name"])
        if drawing is None:
            kind = "planted"
        elif (drawing["style"], drawing["concept"]) in picks:
            kind = "picked"
        else:
            kind = "same style" if drawing["style"] in styles else "other style"
        sha256 = hashlib.sha256((haystack / line["file_name"]).read_bytes()).hexdigest()
        found[sha256] = NeedleTruth(kind, line["planted"], line["caption"])
    return found


def write_truth(path: Path, truth: dict[str, NeedleTruth]) -> None:
    """Write what `simulate_annotators --truth` reads."""
    lines = ["# SHA-256, quality, heads that fail"]
    for sha256, each in truth.items():
        fields = [sha256, f"{QUALITY[each.kind]}"]
        lines.append("\t".join([*fields, FAILS[each.kind]] if each.kind in FAILS else fields))
    write_whole(path, "\n".join(lines) + "\n")


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
