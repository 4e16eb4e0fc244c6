"""Which images a run is trained on: hand-picked lists, subsets, held-out things. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models_backend.data.manifest import Record
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes

_LISTS = Path(__file__).parent


def pick(records: Sequence[Record], tuning_list: str) -> list[Record]:
    """Return the records a list names, in the manifest's order.

    The file has one `style<TAB>concept` a line; # starts a comment. It is looked for by path, then
    beside the package's data.

    Raises:
        InputError: no such list, a malformed line, or an image the data set does not hold.
    """
    path = next((p for p in (Path(tuning_list), _LISTS / tuning_list) if p.is_file()), None)
    if path is None:
        raise InputError(f"tuning_list {tuning_list}: no such file, here or in {_LISTS}")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text ({error})") from None
    rows = [tuple(line.split("\t")[:2]) for line in lines if line and not line.startswith("#")]
    if not rows or any(len(row) != 2 for row in rows):
        raise InputError(f"{path}: each line must be style and concept, separated by a tab")
    wanted = set(rows)
    picked = [record for record in records if (record.style, record.concept) in wanted]
    missing = wanted - {(record.style, record.concept) for record in picked}
    if missing:
        style, concept = sorted(missing)[0]
        raise InputError(
            f"{path} names {len(missing)} image(s) the data set does not hold, first {style} "
            f"{concept}; build the data set with that source"
        )
    return picked


def subset(records: Sequence[Record], count: int, seed: int) -> list[Record]:
    """Return `count` records drawn at random, in the order given; 0 is all of them.

    For one seed the subsets are nested: each holds the smaller ones.

    Raises:
        InputError: there are not so many.
    """
    if count > len(records):
        raise InputError(f"tuning_images {count}: the list names {len(records)} images")
    ranked = sorted(records, key=lambda r: sha256_of_bytes(f"{seed} {r.sha256} {r.file}".encode()))
    chosen = {record.file for record in ranked[: count or len(ranked)]}
    return [record for record in records if record.file in chosen]


def held_out_concepts(records: Sequence[Record], share: float, seed: int) -> set[str]:
    """Return a share of the concepts, drawn at random: no drawing of such a thing is trained on.

    Raises:
        InputError: there are too few to hold any out.
    """
    concepts = sorted(
        {record.concept for record in records},
        key=lambda concept: sha256_of_bytes(f"{seed} {concept}".encode()),
    )
    held = set(concepts[: round(share * len(concepts))])
    if not held:
        raise InputError(
            f"the data set has {len(concepts)} concepts: a share of {share:g} holds none of them "
            "out; build it with more"
        )
    return held


def images_sha256(records: Sequence[Record]) -> str:
    """Hex SHA-256 over the sorted hashes of the images: names the tuning set."""
    return sha256_of_bytes("\n".join(sorted(record.sha256 for record in records)).encode())
