"""What a study keeps from its models: one drawing of every third concept, and a wording.

The concepts themselves are known from drawings in other styles: two hundred concepts are too few
to learn to draw an unseen one. Held out are the drawing (a reference for retrieval) and the caption
as it is worded. No torch here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from models_backend.data import manifest
from models_backend.data.captions import PLAIN_TEMPLATES
from models_backend.data.tuning import pick
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes, write_bytes_atomically, write_json_atomically

CAPTION = "an image showing {a}"
"""Not among the wordings that models are trained on."""
assert CAPTION not in PLAIN_TEMPLATES

_EVERY = 3


@dataclass(frozen=True)
class HeldOutPictures:
    """The drawings kept back, with the training set that remains."""

    references: list[manifest.Record]
    training: list[manifest.Record]
    tuning: list[manifest.Record]
    """Of the training set."""

    @property
    def captions(self) -> list[str]:
        return [CAPTION.format(a=record.caption) for record in self.references]

    @property
    def tuning_style(self) -> str:
        """The style most tuning images have: the look that tuning is to teach."""
        styles = [record.style for record in self.tuning]
        return max(sorted(set(styles)), key=styles.count)


def hold_out(data: Path, tuning_list: str, seed: int) -> HeldOutPictures:
    """Return the division of a data set; equal seeds divide it alike.

    Raises:
        InputError: unusable data or list, or too little of them.
    """
    records = manifest.read_records(data)
    by_concept: dict[str, list[manifest.Record]] = {}
    for record in records:
        by_concept.setdefault(record.concept, []).append(record)
    known = sorted(name for name, drawings in by_concept.items() if len(drawings) > 1)
    rng = random.Random(seed)
    rng.shuffle(known)
    references = [rng.choice(by_concept[name]) for name in known[: len(known) // _EVERY]]
    kept = {record.sha256 for record in references}
    # Two sources can carry the very same picture: none of its copies is trained on.
    training = [record for record in records if record.sha256 not in kept]
    trained = {record.sha256 for record in training}
    tuning = [record for record in pick(records, tuning_list) if record.sha256 in trained]
    if len(references) < 2 or not tuning:
        raise InputError(
            f"{data}: {len(references)} drawings to hold out and {len(tuning)} to tune on are too "
            "few; build the data set with more sources"
        )
    references.sort(key=lambda record: (record.category, record.caption))
    return HeldOutPictures(references, training, tuning)


def write_training_set(held: HeldOutPictures, data: Path, out: Path) -> Path:
    """Write the remaining records as a data set of its own; return the tuning list for it."""
    for record in held.training:
        target = out / record.file
        if not target.exists():
            write_bytes_atomically(target, (data / record.file).read_bytes())
    lines = manifest.dump_records(held.training)
    write_bytes_atomically(out / manifest.MANIFEST_NAME, lines)
    rows = "".join(f"{record.style}\t{record.concept}\n" for record in held.tuning)
    tuning_list = out / "tuning.tsv"
    write_bytes_atomically(tuning_list, rows.encode())
    mark = {
        "format": manifest.FORMAT,
        "images": len(held.training),
        "manifest_sha256": sha256_of_bytes(lines),
    }
    write_json_atomically(out / manifest.MARK_NAME, mark)
    return tuning_list
