"""What a run is asked, and the images it is trained on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_backend.checkpoints import sha256_of
from models_backend.configuration.feedback import GuardedConfig, RewardTuningConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.tuning import FinetuneConfig, StyleTailorConfig, TuneConfig
from models_backend.data.curated import refuse_two_sources
from models_backend.data.manifest import MARK_NAME, Record, manifest_sha256, read_records
from models_backend.data.opening import open_source
from models_backend.data.shard_source import INDEX
from models_backend.data.source import ImageSource
from models_backend.data.tuning import images_sha256, pick, subset
from models_backend.errors import InputError
from models_backend.preferences.reading import read_mark
from models_backend.recipes.configs import RunConfig
from models_backend.rewards.mark import read_reward


@dataclass(frozen=True)
class TrainingRun:
    """A run: what is asked and where it happens."""

    config: RunConfig
    data: Path
    out: Path
    parent: Path | None
    cache: Path | None = None
    """Folder for latents and text embeddings; sharing it between runs is safe."""
    tuning: Path | None = None
    """A curated set that is tuned on as a whole, instead of a list of images of `data`."""
    content: Path | None = None
    """Style Tailoring's content set, where it is a folder of its own."""

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint"

    @property
    def kept_from(self) -> Path | None:
        """The checkpoint whose parts pre-training keeps."""
        config = self.config
        kept = config.kept_from if isinstance(config, PretrainConfig) else ""
        return Path(kept) if kept else None

    def identity(self, images: RunImages) -> dict[str, Any]:
        """What makes two runs the same run."""
        parent = sha256_of(self.parent) if self.parent else None
        identity: dict[str, Any] = {
            "config": dataclasses.asdict(self.config),
            "data_manifest_sha256": images.sha256,
            "parent_sha256": parent,
        }
        if self.kept_from:
            identity["kept_from_sha256"] = sha256_of(self.kept_from)
        if isinstance(self.config, GuardedConfig):
            identity["preferences"] = read_mark(self.data)["files"]
        if isinstance(self.config, RewardTuningConfig):
            rewards = [read_reward(Path(folder)) for folder in self.config.rewards]
            identity["rewards_sha256"] = [each["weights_sha256"] for each in rewards]
        if isinstance(self.config, GuardedConfig) and self.config.guard.judge:
            # It decides where the run ends: another judge at the same path makes another run.
            judge = read_reward(Path(self.config.guard.judge))
            identity["judge_sha256"] = judge["weights_sha256"]
        if isinstance(self.config, GuardedConfig) and self.config.guard.held_out:
            identity["held_out"] = read_mark(Path(self.config.guard.held_out))["files"]
        if isinstance(self.config, TuneConfig):
            # The configuration names the list; what the list names may change.
            identity["tuning_images_sha256"] = images_sha256(images.records)
            if images.content:
                content = images.records[: images.content]
                identity["content_images_sha256"] = images_sha256(content)
        return identity


@dataclass(frozen=True)
class RunImages:
    """The images of a run: records held in memory, or a source that is read as needed."""

    sha256: str
    licences: list[str]
    count: int
    records: list[Record]
    source: ImageSource | None
    content: int = 0
    """How many of the records, the first, are Style Tailoring's content set."""
    folders: tuple[Path, ...] = ()
    """For each record the curated set that it lies in; empty where all lie in `data`."""

    @classmethod
    def of(cls, job: TrainingRun) -> RunImages:
        """Open what the run is trained on.

        Raises:
            InputError: unfinished, changed or empty data, or a list it does not fit.
        """
        config = job.config
        if isinstance(config, GuardedConfig):
            mark = read_mark(job.data)
            return cls(mark["images_sha256"], [mark["licence"]], mark["images"], [], None)
        refuse_two_sources(config, job.tuning, job.content)
        shards = (job.data / INDEX).is_file()
        from_shards = (
            shards and job.tuning is None and isinstance(config, PretrainConfig | FinetuneConfig)
        )
        if from_shards or (isinstance(config, PretrainConfig) and config.stages):
            source = open_source(job.data)
            count = sum(len(each) for each in source.sizes())
            return cls(source.sha256, source.licences, count, [], source)
        if shards:
            raise InputError(
                f"{job.data} holds shards; {config.recipe} takes a finished data directory "
                f"({MARK_NAME}), which holds the tuning images"
            )
        everything = records = read_records(job.data)
        content: list[Record] = []
        if isinstance(config, TuneConfig):
            if job.tuning is not None:
                records = read_records(job.tuning)
            elif config.tuning_list:
                records = pick(everything, config.tuning_list)
            records = subset(records, config.tuning_images, config.subset_seed)
        folders = [job.tuning or job.data] * len(records)
        if isinstance(config, StyleTailorConfig):
            content = (
                pick(everything, config.content_list)
                if job.content is None else read_records(job.content)
            )  # fmt: skip
            records = [*content, *records]
            folders = [job.content or job.data] * len(content) + folders
        if not records:
            raise InputError(f"{job.data} holds no images; build the data set again")
        licences = sorted({record.licence for record in records})
        sha256 = manifest_sha256(job.data)
        curated = () if job.tuning is None and job.content is None else tuple(folders)
        return cls(sha256, licences, len(records), records, None, len(content), curated)
