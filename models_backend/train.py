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

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run."""
        parent = read_metadata(self.parent)["sha256"] if self.parent else None
        return {
            "config": dataclasses.asdict(self.config),
            "data_manifest_sha256": manifest_sha256(self.data),
            "parent_sha256": parent,
        }


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
    started_at = _claim_folder(job, fresh)
    if (job.checkpoint / METADATA).exists():
        print(f"{job.checkpoint} is finished; --fresh trains it again", file=sys.stderr)
        return job.checkpoint
    _run_and_save(job, records, started_at)
    for state in job.out.glob("state-*.pt"):
        state.unlink()
    return job.checkpoint


def _claim_folder(job: Job, fresh: bool) -> str:
    """Make the run's folder this run's own; return when the run first began."""
    identity = json.loads(json.dumps(job.identity()))
    if fresh and job.out.exists():
        if not (job.out / RUN_FILE).exists() and any(job.out.iterdir()):
            raise InputError(f"{job.out} holds something other than a run; choose another --out")
        shutil.rmtree(job.out)
    if (job.out / RUN_FILE).exists():
        known = read_json(job.out / RUN_FILE)
        if known["identity"] != identity:
            changed = [key for key in identity if known["identity"].get(key) != identity[key]]
            raise InputError(
                f"{job.out} holds a run with other settings ({', '.join(changed)}); "
                "choose another --out, or --fresh to discard it"
            )
        return str(known["started_at"])
    job.out.mkdir(parents=True, exist_ok=True)
    started_at = _now()
    write_json_atomically(job.out / RUN_FILE, {"identity": identity, "started_at": started_at})
    return started_at


def _run_and_save(job: Job, records: list[Record], started_at: str) -> None:
    from models_backend import checkpoint
    from models_backend.families.latent_diffusion import LatentDiffusion
    from models_backend.recipes.pretrain import pretrain
    from models_backend.recipes.quality_tune import pick, quality_tune

    facts: dict[str, Any] = {}
    parent_sha256 = None
    if isinstance(job.config, PretrainConfig):
        model, facts = pretrain(job.config, data=job.data, records=records, run=job.out)
    else:
        assert job.parent is not None
        parent, parent_metadata = checkpoint.load(job.parent, "cpu")
        if not isinstance(parent, LatentDiffusion):
            raise InputError(f"{job.parent}: only latent diffusion models can be tuned so far")
        records = pick(records, job.config.tuning_list)
        model = quality_tune(job.config, parent=parent, data=job.data, records=records, run=job.out)
        parent_sha256 = parent_metadata["sha256"]
        facts = {"tuning_images_sha256": _hash_of_images(records)}
    checkpoint.save(
        model,
        job.checkpoint,
        name=job.config.name,
        role=job.config.role,
        training=_provenance(job, records, started_at) | facts,
        licences=sorted({record.licence for record in records}),
        parent_sha256=parent_sha256,
    )


def _hash_of_images(records: Sequence[Record]) -> str:
    from models_backend.files import sha256_of_bytes

    return sha256_of_bytes("\n".join(sorted(record.sha256 for record in records)).encode())


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
