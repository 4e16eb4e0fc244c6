"""Train a checkpoint from a TOML configuration.

Usage::

    python -m models_backend.train CONFIG.toml --data DIR --out DIR [--parent CHECKPOINT] [--fresh]

Progress goes to stderr; the last line on stdout is the checkpoint directory. Interrupted, the same
command goes on where it stopped; finished, it says so and does nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models_backend.checkpoint import METADATA, read_metadata
from models_backend.config import PretrainConfig, QualityTuneConfig, RunConfig, read_config
from models_backend.data.manifest import Record, manifest_sha256, read_records
from models_backend.data.tuning import images_sha256, pick
from models_backend.errors import InputError, run_cli
from models_backend.files import read_json, write_json_atomically

RUN_FILE = "run.json"


@dataclass(frozen=True)
class Job:
    """A run: what is asked and where it happens."""

    config: RunConfig
    data: Path
    out: Path
    parent: Path | None

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint"

    def identity(self, records: Sequence[Record]) -> dict[str, Any]:
        """What makes two runs the same run."""
        parent = read_metadata(self.parent)["sha256"] if self.parent else None
        identity = {
            "config": dataclasses.asdict(self.config),
            "data_manifest_sha256": manifest_sha256(self.data),
            "parent_sha256": parent,
        }
        if isinstance(self.config, QualityTuneConfig):
            # The configuration names the list; what the list names may change.
            identity["tuning_images_sha256"] = images_sha256(records)
        return identity


def train(job: Job, *, fresh: bool) -> Path:
    """Run `job` to its checkpoint, or find it finished; return the checkpoint directory.

    Raises:
        InputError: unusable data, parent or folder, or a folder that holds another run.
        TrainingError: a loss that is not finite.
    """
    if isinstance(job.config, QualityTuneConfig) and job.parent is None:
        raise InputError("quality_tune needs --parent: the checkpoint directory to tune")
    if isinstance(job.config, PretrainConfig) and job.parent is not None:
        raise InputError("pretrain starts from nothing; leave --parent out")
    records = read_records(job.data)
    if isinstance(job.config, QualityTuneConfig):
        records = pick(records, job.config.tuning_list)
    try:
        started_at = _claim_folder(job, job.identity(records), fresh)
    except OSError as error:
        raise InputError(
            f"{job.out} cannot be written ({error.strerror}); choose another --out"
        ) from None
    if (job.checkpoint / METADATA).exists():
        print(f"{job.checkpoint} is finished; --fresh trains it again", file=sys.stderr)
        return job.checkpoint
    _run_and_save(job, records, started_at)
    _remove_resume_points(job.out)
    return job.checkpoint


def _remove_resume_points(run: Path) -> None:
    """Remove the states of a finished run, and what a kill in the middle of a write left."""
    for path in (*run.glob("state-*.pt"), *run.glob(".*.partial")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _claim_folder(job: Job, identity: dict[str, Any], fresh: bool) -> str:
    """Make the run's folder this run's own; return when the run first began."""
    identity = json.loads(json.dumps(identity))
    if fresh and job.out.exists():
        _discard(job)
    if (job.out / RUN_FILE).exists():
        known = read_json(job.out / RUN_FILE)
        found = known.get("identity")
        if not isinstance(found, dict) or "started_at" not in known:
            raise InputError(f"{job.out / RUN_FILE} is not a run's; choose another --out")
        if found != identity:
            keys = identity.keys() | found.keys()
            changed = sorted(key for key in keys if found.get(key) != identity.get(key))
            raise InputError(
                f"{job.out} holds a run with other settings ({', '.join(changed)}); "
                "choose another --out, or --fresh to discard it"
            )
        return str(known["started_at"])
    job.out.mkdir(parents=True, exist_ok=True)
    started_at = _now()
    write_json_atomically(job.out / RUN_FILE, {"identity": identity, "started_at": started_at})
    return started_at


def _discard(job: Job) -> None:
    """Remove an earlier run, but nothing that is not one and nothing this run needs."""
    if not (job.out / RUN_FILE).exists() and any(job.out.iterdir()):
        raise InputError(f"{job.out} holds something other than a run; choose another --out")
    for needed in (job.data, job.parent):
        if needed is not None and needed.resolve().is_relative_to(job.out.resolve()):
            raise InputError(f"--fresh would remove {needed}; choose another --out")
    shutil.rmtree(job.out)


def _run_and_save(job: Job, records: list[Record], started_at: str) -> None:
    from models_backend import checkpoint
    from models_backend.families.latent_diffusion import LatentDiffusion
    from models_backend.recipes.pretrain import pretrain
    from models_backend.recipes.quality_tune import quality_tune

    facts: dict[str, Any] = {}
    parent_sha256 = None
    if isinstance(job.config, PretrainConfig):
        model, facts = pretrain(job.config, data=job.data, records=records, run=job.out)
    else:
        assert job.parent is not None
        parent, parent_metadata = checkpoint.load(job.parent, "cpu")
        if not isinstance(parent, LatentDiffusion):
            raise InputError(f"{job.parent}: only latent diffusion models can be tuned so far")
        model = quality_tune(job.config, parent=parent, data=job.data, records=records, run=job.out)
        parent_sha256 = parent_metadata["sha256"]
        facts = {"tuning_images_sha256": images_sha256(records)}
    checkpoint.save(
        model,
        job.checkpoint,
        name=job.config.name,
        role=job.config.role,
        training=_provenance(job, records, started_at) | facts,
        licences=sorted({record.licence for record in records}),
        parent_sha256=parent_sha256,
    )


def _provenance(job: Job, records: Sequence[Record], started_at: str) -> dict[str, Any]:
    import diffusers
    import torch

    loops = {
        name: value
        for name, value in dataclasses.asdict(job.config).items()
        if name.endswith("_training")
    }
    return {
        "recipe": job.config.recipe,
        "config": dataclasses.asdict(job.config),
        "seed": job.config.seed,
        "images": len(records),
        "steps": {name.removesuffix("_training"): loop["steps"] for name, loop in loops.items()},
        "images_seen": {
            name.removesuffix("_training"): loop["steps"] * loop["batch_size"]
            for name, loop in loops.items()
        },
        "data_manifest_sha256": manifest_sha256(job.data),
        "code_version": _code_version(),
        "started_at": started_at,
        "finished_at": _now(),
        "device": f"cpu, {torch.get_num_threads()} threads, {platform.machine()}",
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "python": platform.python_version(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _code_version() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return finished.stdout.strip()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="TOML file, see models_backend/configs/")
    parser.add_argument(
        "--data", type=Path, default=Path("var/data/emoji"), help="data set (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the run (default: var/runs/ and the name)"
    )
    parser.add_argument("--parent", type=Path, help="checkpoint directory to tune (quality_tune)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting"
    )
    parser.add_argument("--fresh", action="store_true", help="discard an earlier run in --out")
    options = parser.parse_args(argv)

    def run() -> None:
        config = read_config(options.config, options.set)
        out = options.out or Path("var/runs") / config.name
        job = Job(config=config, data=options.data, out=out, parent=options.parent)
        print(train(job, fresh=options.fresh))

    return run_cli(run)


if __name__ == "__main__":
    sys.exit(main())
