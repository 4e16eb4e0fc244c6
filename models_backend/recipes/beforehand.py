"""Said or refused before a tuning's first step: memory, captions that are cut, a single image."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from models_backend.configuration.tuning import TuneConfig
from models_backend.data.captions import weighted_captions
from models_backend.data.manifest import Record
from models_backend.families.base import Family
from models_backend.training.learned import learned_parameters
from models_backend.training.memory import Tuned, state_memory
from models_backend.training.trainer import default_accelerator


def say_beforehand(
    config: TuneConfig, family: Family, parts: Sequence[str], records: Sequence[Record]
) -> dict[str, Any]:
    """Say on stderr what a tuning needs and cannot see; return what its checkpoint records of it.

    Raises:
        InputError: a GPU has too little memory; the text names the settings that would fit.
    """
    accelerator = default_accelerator()
    family.text_encoder.to(accelerator.device)
    said = []
    for part in parts:
        need = state_memory(
            tuned_of(config, family, part), config.training, accelerator.device, part
        )
        said.append(f"{part}: {need}")
    if len(records) == 1:
        said.append(
            "one image: the model will learn to repeat it, whatever it is asked; tune on some tens"
        )
    captions = every_caption(config, records)
    cut, count = cut_captions(family, captions), len(captions)
    if cut:
        said.append(
            f"{cut} of {count} captions are longer than the text encoders read, and what is behind "
            "is not learned: shorten them"
        )
    if accelerator.is_main_process:
        for line in said:
            print(line, file=sys.stderr)
    # Now, while the network that is tuned does not lie on the device yet.
    family.text_encoder.rows(["", *captions])
    if not config.early_stopping.candidates:  # which reads others
        family.text_encoder.rest()
    return {"captions": count, "captions_cut": cut}


def tuned_of(config: TuneConfig, family: Family, part: str) -> Tuned:
    """Return a part in the numbers that memory hangs on."""
    module = family.part(part)
    trained = sum(p.numel() for p in learned_parameters(module).values())
    whole, checkpointed = family.kept_by_example(part, config.training)
    return Tuned(
        trained=trained,
        frozen=sum(p.numel() for p in module.parameters()) - trained,
        halves=config.weights == "bf16",
        whole_example=whole,
        checkpointed_example=checkpointed,
        beside=family.bytes_beside(part),
    )


def every_caption(config: TuneConfig, records: Sequence[Record]) -> list[str]:
    """Return the captions that can be drawn, each once."""
    mix = config.captions
    each = (weighted_captions(r.caption, r.keywords, r.style, mix) for r in records)
    return list(dict.fromkeys(text for captions in each for text, _ in captions))


def cut_captions(family: Family, captions: Sequence[str]) -> int:
    """Return how many captions are longer than a family's text encoders read."""
    readings = family.readings(captions)
    return sum(each is not None and each.read < each.tokens for each in readings)
