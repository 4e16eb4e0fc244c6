"""Divides a set by prompts: what rewards learn from, and what their judge learns from.

A judge that saw the same prompts is fooled by what fools the reward. The hash of a prompt decides,
so that the same prompt goes the same way in every round.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models_backend.errors import InputError
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.writing import Provenance, begin_set, write_set

_OF = 1000


def is_for_judge(prompt_sha256: str, share: float) -> bool:
    """Return whether a prompt belongs to the judge; `share` of all prompts do, on average.

    Other digits of the hash decide than those that make the splits.
    """
    return int(prompt_sha256[-8:], 16) % _OF < round(share * _OF)


def divide_set(
    found: PreferenceSet, *, learn: Path, judge: Path, share: float, embed: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the two sets; return their marks. They share no prompt.

    Raises:
        InputError: one folder for both, a share outside (0, 1), or one that leaves either set
            without pairs.
    """
    if not 0 < share < 1:
        raise InputError(f"share {share:g}: accepted are numbers above 0 and below 1")
    if learn.absolute() == judge.absolute():
        raise InputError(f"{learn} is given for both halves; give two folders")
    marks = []
    for folder, wanted in ((learn, False), (judge, True)):
        pairs = [each for each in found.pairs if is_for_judge(each.sha256, share) is wanted]
        if not pairs:
            raise InputError(
                f"{found.folder}: a share of {share:g} leaves {folder.name} without pairs; it has "
                f"{found.mark['prompts']} prompts: choose another share, or rank more prompts"
            )
        prompts = {each.prompt for each in pairs}
        store = begin_set(folder)
        for uid in sorted({uid for pair in pairs for uid in pair.images}):
            store.add(found.images.bytes_of(uid), uid)
        marks.append(
            write_set(
                folder,
                pairs=pairs,
                rankings=[each for each in found.rankings if each.prompt in prompts],
                provenance=Provenance(
                    campaign=found.mark["campaign"],
                    protocol_sha256=found.mark["protocol_sha256"],
                    licence=found.mark["licence"],
                    origin=f"divided: {found.sha256}",
                ),
                allow_simulated=True,  # the set was allowed to hold both
                embed=embed,
            )
        )
    return marks[0], marks[1]
