"""Images/s through a real worker beside diffusers' bare loop; JSON line last.

    python -m tests.generation.bench_generate [--images 256] [--rounds 5] [--out FILE]

One round: the bare loop with full batches, the bare loop one prompt at a time, and the worker (a
process of its own, over the embedded broker and database, storing every image), each making images
of the same checkpoint with the same settings; rounds are repeated and medians compared. The
worker's time runs from asking to its last row; loading is not in it (each side is warm), nor does
the bare loop store anything: a ratio above 1 says that the worker is faster.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.annotation.bench import database, quiet
from tests.generation import tiny

VAR = Path("var/bench-generate")
RESULTS = Path("bench/results")
BATCH = 8  # images at once, on both sides
STEPS, GUIDANCE = 10, 3.0
ONE_AT_A_TIME = 4  # that loop makes a quarter of the images: it is the slow one
CPU = {"text": 64, "latent": 16, "unet": [32, 64], "layers": 1, "heads": 8, "vae": [16, 16],
       "half": False}  # fmt: skip
# As large as Stable Diffusion 1.5.
GPU = {"text": 768, "latent": 64, "unet": [320, 640, 1280, 1280], "layers": 2, "heads": 8,
       "vae": [128, 256, 512, 512], "half": True}  # fmt: skip
STAGES = ("load", "denoise", "decode", "store")


class BareLoop:
    """The peer in its own process, loaded once."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.generation.bare_loop", str(folder), str(STEPS)]
        self._process = subprocess.Popen(
            [*command, str(GUIDANCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def seconds(self, images: int, batch: int) -> float:
        assert self._process.stdin
        self._process.stdin.write(f"{images} {batch}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the bare loop ended; its error stands above")
        return line

    def close(self) -> None:
        self._process.communicate()


class Ours:
    """Asks a running worker for images and waits for the last."""

    def __init__(self, folder: Path) -> None:
        from evalplatform.accounts.projects import default_project
        from evalplatform.checkpoints.services import register_checkpoint
        from evalplatform.generation.models import SamplerSettings

        self.project = default_project()
        self.checkpoint, _ = register_checkpoint(project=self.project, source=folder, name="bench")
        self.settings = SamplerSettings.objects.create(
            sampler="ddim", steps=STEPS, guidance_scale=GUIDANCE
        )
        self.asked = 0

    def seconds(self, images: int) -> tuple[float, dict[str, float]]:
        """Return the time from asking to the last row, and the seconds of each stage."""
        from django.db.models import Max
        from django.utils import timezone

        from evalplatform.generation import services

        self.asked += 1
        prompts = self._prompts(images)
        samples = services.plan_samples(
            checkpoint=self.checkpoint, settings=self.settings, wanted=prompts
        )
        request = services.open_request(project=self.project, name=f"round-{self.asked}")
        begun = timezone.now()
        services.enqueue_samples(samples=samples, request=request)
        while request.batches.unfinished().exists():
            time.sleep(0.25)
        if request.batches.exclude(status="done").exists():
            raise SystemExit(
                f"generation failed: {request.batches.exclude(status='done')[0].error}"
            )
        ended = request.batches.aggregate(at=Max("finished_at"))["at"]
        stages = dict.fromkeys(STAGES, 0.0)
        for batch in request.batches.all():
            for stage, took in batch.stages.items():
                stages[stage] += took
        return (ended - begun).total_seconds(), stages

    def _prompts(self, images: int) -> list[tuple[Any, int]]:
        from evalplatform.promptsets.models import Prompt, PromptSet

        prompt_set = PromptSet.objects.create(
            project=self.project,
            name=f"round-{self.asked}",
            version=1,
            sha256=f"{self.asked:064x}",
            source="bench",
        )
        Prompt.objects.bulk_create(
            Prompt(prompt_set=prompt_set, position=n, text=f"no {n}") for n in range(images)
        )
        return [(prompt, prompt.position) for prompt in prompt_set.prompts.all()]


@contextmanager
def worker_at_work() -> Iterator[Path]:
    """Run a worker over an empty database of its own; yield a folder for the checkpoint."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    shutil.rmtree(VAR, ignore_errors=True)
    VAR.mkdir(parents=True)
    try:
        with database.server(VAR.resolve() / "postgres") as server, server.database("gen") as name:
            os.environ["DATABASE_URL"] = server.url(name)
            os.environ["GENERATION_IMAGES_PER_STEP"] = str(BATCH)
            django.setup()
            from django.core.management import call_command
            from django.db import connections

            from tests import live

            call_command("migrate", verbosity=0)
            with live.worker(cold=True):
                yield VAR / "pipeline"
            connections.close_all()
            _close_broker()
    finally:
        shutil.rmtree(VAR, ignore_errors=True)


def _close_broker() -> None:
    from evalplatform.celery import app

    app.pool.force_close_all()


def measure(
    images: int, rounds: int, shape: dict[str, Any], *, patient: bool = True
) -> dict[str, Any]:
    """`patient` waits before each round until nothing else runs on the machine."""
    times: dict[str, list[float]] = {"worker": [], "bare": [], "one at a time": []}
    stages = []
    with worker_at_work() as folder:
        tiny.save_tiny_pipeline(folder, 0, shape)
        bare, ours = BareLoop(folder), Ours(folder)
        bare.seconds(2 * BATCH, BATCH)
        ours.seconds(2 * BATCH)
        few = max(1, images // ONE_AT_A_TIME)
        for number in range(rounds):
            if patient:
                quiet.wait()
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            times["bare"].append(bare.seconds(images, BATCH) / images)
            took, spent = ours.seconds(images)
            times["worker"].append(took / images)
            stages.append({stage: seconds / images for stage, seconds in spent.items()})
            times["one at a time"].append(bare.seconds(few, 1) / few)
        bare.close()
    return _summary(times, stages, images)


def _summary(
    times: dict[str, list[float]], stages: list[dict[str, float]], images: int
) -> dict[str, Any]:
    ms = {name: 1000 * statistics.median(each) for name, each in times.items()}
    split = {name: 1000 * statistics.median(each[name] for each in stages) for name in STAGES}
    ratios = [b / w for b, w in zip(times["bare"], times["worker"], strict=True)]
    return {
        **_device(),
        "images_a_round": images,
        "rounds": len(ratios),
        "images_per_s": round(1000 / ms["worker"], 2),
        "images_per_s_bare_loop": round(1000 / ms["bare"], 2),
        "images_per_s_one_at_a_time": round(1000 / ms["one at a time"], 2),
        "ratio_vs_bare_loop": round(statistics.median(ratios), 3),
        "ratio_vs_bare_loop_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "ratio_vs_one_at_a_time": round(ms["one at a time"] / ms["worker"], 3),
        "ms_per_image": {name: round(value, 2) for name, value in split.items()},
        "ms_per_image_not_denoising": round(ms["worker"] - split["denoise"], 2),
    }


def _device() -> dict[str, Any]:
    import platform

    import torch

    cuda = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if cuda else f"cpu, {platform.machine()}"
    return {"device": name, "threads": torch.get_num_threads()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-generate", description=__doc__)
    parser.add_argument("--images", type=int, default=256, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the JSON line to this file")
    parser.add_argument("--hurry", action="store_true", help="wait for no other programs to end")
    options = parser.parse_args()
    gpu = shutil.which("nvidia-smi") is not None
    shape = GPU if gpu else CPU
    result = measure(options.images, options.rounds, shape, patient=not options.hurry)
    for key, value in result.items():
        print(f"{key:28} {value}")
    line = json.dumps(result)
    if options.out:
        options.out.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
