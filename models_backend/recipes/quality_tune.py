"""Going on from a parent. Quality-tuning: a few hand-picked images, stopped early (Emu, 3.3).

The compressor stays as it is; the parts are tuned, each by itself. The paper gives batch 64, noise
offset 0.1 and at most 15,000 iterations, and says in words when to stop; see `early_stopping`.
Plain fine-tuning is the same loop with other defaults; Style Tailoring is the loop with two sets,
split by how noisy an example is (`rows`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models_backend.configuration.tuning import (
    FinetuneConfig,
    StyleTailorConfig,
    TuneConfig,
)
from models_backend.data.dataset import Shapes, load_fitted, load_images, load_in_buckets
from models_backend.data.manifest import Record, read_records
from models_backend.data.pictures import bucket_sizes
from models_backend.data.source import ImageSource
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.recipes.beforehand import say_beforehand
from models_backend.recipes.candidates import (
    candidates_folder,
    load_candidate,
    measured_outcome,
    read_outcome,
)
from models_backend.recipes.early_stopping import (
    EarlyStopping,
    HeldOutCaptions,
    cautions,
    retrieval_head,
    table,
)
from models_backend.recipes.overfitting import RetrievalHead
from models_backend.recipes.parts import Examples, prepared, refuse_noise_offset, train_part
from models_backend.recipes.rows import TwoSets
from models_backend.recipes.streaming import train_in_stages
from models_backend.training.trainer import default_accelerator


def tune(
    config: TuneConfig,
    *,
    parent: Family,
    data: Path,
    records: Sequence[Record],
    run: Path,
    content: int = 0,
    folders: Sequence[Path] = (),
) -> tuple[Family, dict[str, Any]]:
    """Tune `parent` in place on the picked `records`; return it and how it was stopped.

    The first `content` of them are Style Tailoring's content set, the others its style set, by
    which alone it is stopped. With `folders`, one a record, they lie there, of any size, and
    `data` gives the captions that are held out.

    Raises:
        InputError: a part that the family lacks, a noise offset where there is no noise, or a split
            that leaves a set no noise level.
    """
    parts = tuned_parts(config, parent)
    refuse_noise_offset(parent, config.noise_offset)
    _refuse_aspect_ratios(config, parent)
    facts = say_beforehand(config, parent, parts, records)
    plan = None
    if isinstance(config, StyleTailorConfig):
        plan = _two_sets(config, parent, content, len(records) - content)
        facts |= {"content_images": content, "content_share": plan.content_share}
    parent.to(default_accelerator().device)
    paths = [folder / r.file for folder, r in zip(folders, records, strict=True)] if folders else []
    pictures = _pictures(config, parent, data, records, paths)
    measured = None
    if config.early_stopping.candidates:
        measured = _Measured.of(config, parent, data, records, pictures, content)
    for part in parts:
        stopping = None
        if measured is not None:
            stopping = measured.stopping(config, parent, part, run)
        _train(config, parent, part, pictures, records, run, plan, stopping)
        if stopping is not None:
            _keep_picked(parent, part, run, stopping.folder)
    parent.to("cpu")
    if measured is None:
        return parent, facts
    return parent, facts | {"early_stopping": _choices(config, parent, run, {}, by="rule")}


def _pictures(
    config: TuneConfig, parent: Family, data: Path, records: Sequence[Record], paths: Sequence[Path]
) -> Shapes:
    """Return the pictures of `records`, which lie at `paths`, of any size, or in `data`.

    They are squares, or as `aspect_ratios` asks in buckets of their shapes. What lies in `data` is
    of the size trained, unless its shapes are asked for.
    """
    side = parent.image_size[0]
    if config.aspect_ratios:
        paths = paths or [data / record.file for record in records]
        return load_in_buckets(paths, _buckets(parent))
    if paths:
        return Shapes.one(*load_fitted(paths, (side, side)))
    return Shapes.one(load_images(data, records, side))


def _train(
    config: TuneConfig,
    parent: Family,
    part: str,
    pictures: Shapes,
    records: Sequence[Record],
    run: Path,
    plan: TwoSets | None,
    stopping: EarlyStopping | None,
) -> None:
    """Train one part to its last step; candidates are measured where `stopping` is given."""
    train_part(
        parent,
        part,
        examples=[
            Examples(each.places, prepared(parent, each.pixels, part), each.framing)
            for each in pictures.buckets
        ],
        records=records,
        mix=config.captions,
        loop=config.training,
        caption_dropout=config.caption_dropout,
        noise_offset=config.noise_offset,
        seed=config.seed,
        run=run,
        on_save=stopping.at if stopping else None,
        prepare=stopping.watch if stopping else None,
        sampled=stopping.prompts if stopping else (),
        plan=plan,
    )


def _keep_picked(parent: Family, part: str, run: Path, folder: Path) -> None:
    """Say how a part was stopped (`folder`), and load the candidate that was picked."""
    outcome = read_outcome(folder)
    if default_accelerator().is_main_process:
        print(table(outcome), file=sys.stderr)
    load_candidate(parent, run, part, int(outcome["picked_step"]))


def _refuse_aspect_ratios(config: TuneConfig, parent: Family) -> None:
    if config.aspect_ratios and parent.makes_one_shape:
        raise InputError(
            f"aspect_ratios: a {parent.name} model makes images of one shape; leave it out"
        )


def _buckets(parent: Family) -> list[tuple[int, int]]:
    return bucket_sizes(parent.image_size[0], aspect_ratios=True, multiple=parent.size_multiple)


def _two_sets(config: StyleTailorConfig, family: Family, content: int, style: int) -> TwoSets:
    return TwoSets(
        content=content,
        style=style,
        split=config.split,
        draw=config.draw,
        levels=family.noise_levels,
    )


def finetune_on_shards(
    config: TuneConfig, *, parent: Family, source: ImageSource, run: Path, cache: Path | None
) -> tuple[Family, dict[str, Any]]:
    """Tune `parent` in place on samples that are read as they are needed.

    Raises:
        InputError: a setting that needs the images in memory.
    """
    if not isinstance(config, FinetuneConfig) or config.tuning_list or config.tuning_images:
        raise InputError(
            "shards are for recipe finetune without tuning_list and tuning_images; quality_tune "
            "takes a data directory"
        )
    if config.early_stopping.candidates or config.parts not in ((), parent.parts):
        raise InputError(
            "with shards every part is tuned to its last step: leave parts out and set "
            "early_stopping.candidates = 0"
        )
    _refuse_aspect_ratios(config, parent)
    say_beforehand(config, parent, parent.parts, [])
    sized = replace(config, image_size=parent.image_size[0])
    train_in_stages(parent, source, sized, run=run, cache=cache)
    return parent, {}


def tuned_parts(config: TuneConfig, family: Family) -> tuple[str, ...]:
    """Return the parts that are tuned, in the family's order: all where none is named.

    Raises:
        InputError: a part that the family lacks.
    """
    for part in config.parts:
        if part not in family.parts:
            raise InputError(f"parts {part!r}: a {family.name} model has {', '.join(family.parts)}")
    return tuple(part for part in family.parts if part in (config.parts or family.parts))


def pick_candidates(
    model: Family, config: TuneConfig, run: Path, chosen: Mapping[str, int], *, by: str
) -> tuple[Family, dict[str, Any]]:
    """Return the model with candidates' weights, and what its checkpoint says of the choice.

    `chosen` gives the step of a part; the others are as the rule picked them.

    Raises:
        InputError: there is no such candidate, or no such part.
    """
    parts = tuned_parts(config, model)
    for part in chosen:
        if part not in parts:
            raise InputError(f"{part!r} was not tuned; tuned were {', '.join(parts)}")
    for part in parts:
        picked = measured_outcome(candidates_folder(run, model, part))["picked_step"]
        load_candidate(model, run, part, chosen.get(part, int(picked)))
    return model, {"early_stopping": _choices(config, model, run, chosen, by=by)}


def _choices(
    config: TuneConfig, model: Family, run: Path, chosen: Mapping[str, int], *, by: str
) -> dict[str, Any]:
    """Return how each part's candidate was picked: flat for the first, the others by name."""
    first, *others = [
        (part, _choice(candidates_folder(run, model, part), chosen.get(part), by))
        for part in tuned_parts(config, model)
    ]
    return first[1] | ({"other_parts": dict(others)} if others else {})


def _choice(folder: Path, step: int | None, by: str) -> dict[str, Any]:
    outcome = read_outcome(folder)
    picked = int(outcome["picked_step"]) if step is None else step
    measured = next(entry for entry in outcome["entries"] if entry["step"] == picked)
    return {
        "picked_by": "rule" if step is None else by, "picked_step": picked,
        "rule": outcome["rule"], "signals": measured,
        "held_out_captions": outcome["held_out_captions"], "shapes": outcome.get("shapes", {}),
        "cautions": outcome["cautions"],
        "none_fits": outcome["none_fits"],
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Measured:
    """What the signals of every part are measured with."""

    tuning: Sequence[Record]
    tuning_pictures: Shapes
    held_out: HeldOutCaptions
    held_out_pictures: Shapes
    faithfulness: RetrievalHead

    @classmethod
    def of(
        cls,
        config: TuneConfig,
        parent: Family,
        data: Path,
        records: Sequence[Record],
        pictures: Shapes,
        content: int,
    ) -> _Measured:
        """Pictures that are not tuned on (`pictures` are) take the nearest of the shapes of these.

        Raises:
            InputError: fewer than two concepts are left to measure on.
        """
        everything = read_records(data)
        wanted = config.early_stopping.images
        held_out = HeldOutCaptions.of(everything, records, wanted)
        if default_accelerator().is_main_process:
            for caution in cautions(len(held_out.records), wanted):  # before the first step, too
                print(f"early stopping: {caution}", file=sys.stderr)
        all_pictures = _alike(config, parent, data, everything, pictures)
        place_of = {record.file: row for row, record in enumerate(everything)}
        rows = [place_of[record.file] for record in held_out.records]
        head = retrieval_head(parent, everything, all_pictures, held_out, config.seed)
        return cls(
            tuning=records[content:],
            tuning_pictures=pictures.at(range(content, len(records))) if content else pictures,
            held_out=held_out,
            held_out_pictures=all_pictures.at(rows),
            faithfulness=head,
        )

    def stopping(self, config: TuneConfig, parent: Family, part: str, run: Path) -> EarlyStopping:
        return EarlyStopping(
            parent,
            config.early_stopping,
            config.training,
            part=part,
            run=run,
            seed=config.seed,
            held_out=self.held_out,
            tuning=self.tuning,
            tuning_pictures=self.tuning_pictures,
            held_out_pictures=self.held_out_pictures,
            faithfulness=self.faithfulness,
            noise_offset=config.noise_offset,
        )


def _alike(
    config: TuneConfig, parent: Family, data: Path, records: Sequence[Record], trained: Shapes
) -> Shapes:
    """Return pictures of `data` in the shapes that are trained."""
    if not config.aspect_ratios:
        return _pictures(config, parent, data, records, ())
    buckets = [each.size for each in trained.buckets]
    return load_in_buckets([data / record.file for record in records], buckets)
