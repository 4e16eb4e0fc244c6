"""Candidates of a run: weights on the way, what was measured of them, and their files.

Folder `candidates/`, or `candidates-PART/` of a part that is not the first:
`step-NNNNNN.safetensors` (averaged weights, half precision; of an adapter, single) and
`signals.json`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.files import read_json, write_bytes_atomically
from models_backend.training.learned import is_whole, learned_state, load_learned

FOLDER = "candidates"
SIGNALS = "signals.json"


def candidates_folder(run: Path, model: Family, part: str) -> Path:
    """Return where a part's candidates are kept: in `candidates/` those of the first part."""
    return run / (FOLDER if part == model.parts[0] else f"{FOLDER}-{part}")


def candidate_path(folder: Path, step: int) -> Path:
    """Return the file of a candidate's weights."""
    return folder / f"step-{step:06d}.safetensors"


def keep_candidate(model: Family, part: str, folder: Path, step: int) -> None:
    """Write what a part has learned so far as the candidate of a step."""
    module = model.part(part)
    # An adapter is small, and so are its numbers: half precision would lose some of them.
    dtype = torch.float16 if is_whole(module) else torch.float32
    kept = {
        name: value.to("cpu", dtype).contiguous() for name, value in learned_state(module).items()
    }
    write_bytes_atomically(candidate_path(folder, step), save(kept))


def read_signals(folder: Path) -> list[dict[str, Any]]:
    """Return the entries measured so far, by step."""
    path = folder / SIGNALS
    return list(read_json(path)["entries"]) if path.exists() else []


def load_candidate(model: Family, run: Path, part: str, step: int) -> None:
    """Put a candidate's weights into its part.

    Raises:
        InputError: there is no such candidate.
    """
    folder = candidates_folder(run, model, part)
    path = candidate_path(folder, step)
    if not path.is_file():
        kept = sorted(int(p.stem.removeprefix("step-")) for p in folder.glob("step-*.safetensors"))
        raise InputError(
            f"there is no candidate of step {step}; kept are {', '.join(map(str, kept)) or 'none'}"
        )
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} cannot be read ({error}); pick another candidate") from None
    floats = {name: value.float() for name, value in weights.items()}
    load_learned(model.part(part), floats)


def counted(sizes: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Return how many images of each height and width there are."""
    found = Counter(sizes)
    return {f"{height} x {width}": found[height, width] for height, width in sorted(found)}


def refuse_other_shapes(
    folder: Path, sizes: Sequence[tuple[int, int]], trained: tuple[int, int]
) -> None:
    """Refuse candidates that were not measured on images of these heights and widths.

    Earlier versions did not say of which: they were all of the size that the model was `trained`
    for.

    Raises:
        InputError: there are such candidates.
    """
    if not (folder / SIGNALS).exists():
        return
    measured = read_outcome(folder).get("shapes", counted([trained] * len(sizes)))
    if measured != counted(sizes):
        raise InputError(
            f"{folder / SIGNALS}: its candidates were measured at other shapes than are trained, "
            "by an earlier version: finish the run with that, or begin it anew",
            by_command="`--fresh` begins it anew.",
        )


def measured_outcome(folder: Path) -> dict[str, Any]:
    """Return what :func:`read_outcome` does, of a part that has candidates to pick from.

    Raises:
        InputError: none was measured.
    """
    if not (folder / SIGNALS).exists():
        raise InputError(
            f"{folder} holds no candidate that was measured: with "
            "early_stopping.candidates = 0 a run has its last step alone"
        )
    outcome = read_outcome(folder)
    if "picked_step" not in outcome:
        raise InputError(f"no candidate in {folder} is measured yet; let the run go on")
    return outcome


def read_outcome(folder: Path) -> dict[str, Any]:
    """Return rule, picked step and entries of a folder of candidates."""
    content: dict[str, Any] = json.loads((folder / SIGNALS).read_text(encoding="utf-8"))
    return content
