"""The peer of `make bench-generate`: diffusers' own pipeline in a plain loop, nothing stored.

    python -m tests.generation.bare_loop FOLDER STEPS GUIDANCE

For every line "COUNT BATCH" on stdin it makes COUNT images, BATCH at a time, and prints the time.
"""

import sys
import time

import torch
from diffusers import DDIMScheduler, DiffusionPipeline


def main() -> None:
    folder, steps, guidance = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    cuda = torch.cuda.is_available()
    pipeline = DiffusionPipeline.from_pretrained(
        folder, local_files_only=True, dtype=torch.float16 if cuda else torch.float32
    ).to("cuda" if cuda else "cpu")
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    print("ready", flush=True)
    for line in sys.stdin:
        count, batch = map(int, line.split())
        begun = time.perf_counter()
        for start in range(0, count, batch):
            seeds = range(start, min(start + batch, count))
            pipeline(
                prompt=[f"no {seed}" for seed in seeds],
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                num_inference_steps=steps,
                guidance_scale=guidance,
            )
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main()
